"""The name that connections of an application have on the server, by which the contract gate knows whose they are."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from migrator.errors import UsageError
from phases.sessions import LONGEST

if TYPE_CHECKING:
    from sqlalchemy import Engine

ROOM = len(" unprepared")
"""Bytes that are left for what `unprepared` puts behind the name."""


def session_name(app: str, version: str, instance: str = "") -> str:
    """`app/version#instance`, in at most 63 bytes: the instance is cut where there is no room, nothing else is.

    Raises:
        UsageError: a part that a server would cut or change, or that nobody could read out of the name again.
    """
    for what, value, taken in (("app", app, "#@"), ("version", version, "#/@ ")):
        refuse_unreadable(what, value, taken)
    if app.startswith("migrator "):
        raise UsageError(f"app {app!r}: sessions of that name are taken for those of the command line")
    build = f"{app}/{version}"
    if len(build) > LONGEST - ROOM:
        raise UsageError(
            f"{build!r} has {len(build)} bytes, and {LONGEST - ROOM} are the most that servers keep whole",
            next_step="record and register a shorter version, such as the first 12 characters of a digest",
        )
    kept = "".join(letter for letter in instance if "!" <= letter <= "~" and letter != "#")
    return f"{build}#{kept}"[:LONGEST] if kept else build


def refuse_unreadable(what: str, value: str, taken: str) -> None:
    if not value.strip():
        raise UsageError(f"{what} is empty", next_step="is the variable set that it comes from?")
    if value != value.strip():
        raise UsageError(f"{what} {value!r} begins or ends with a blank")
    for letter in value:
        if letter in taken or not " " <= letter <= "~":
            raise UsageError(
                f"{what} {value!r} has {letter!r}, which cannot stand in the name of a session",
                next_step="letters, digits and . - _ + can",
            )


def named(arguments: dict[str, Any], name: str) -> None:
    arguments["application_name"] = name


def attributed(arguments: dict[str, Any], name: str) -> None:
    arguments["program_name"] = name


def set_by_server(arguments: dict[str, Any], name: str) -> None:
    arguments["server_settings"] = {**arguments.get("server_settings", {}), "application_name": name}


DRIVERS: Mapping[str, Callable[[dict[str, Any], str], None]] = {
    "psycopg": named,
    "psycopg_async": named,
    "psycopg2": named,
    "asyncpg": set_by_server,
    "pymysql": attributed,
    "aiomysql": attributed,
}
"""How each driver is told, by SQLAlchemy's name for it."""

_names: weakref.WeakKeyDictionary[object, str] = weakref.WeakKeyDictionary()


def tag(engine: Engine, name: str) -> None:
    """Give every connection that an engine opens from here on a name. Doing it again changes the name.

    Raises:
        UsageError: the driver cannot be told.
    """
    from sqlalchemy import event

    tell = DRIVERS.get(engine.dialect.driver)
    if tell is None:
        raise UsageError(
            f"connections of {engine.dialect.driver} cannot be given a name",
            next_step=f"use one of {', '.join(DRIVERS)}; or register with tag=False, and a heartbeat",
        )
    before = _names.get(engine.dialect)
    _names[engine.dialect] = name
    if before is not None:
        return

    @event.listens_for(engine, "do_connect")
    def give_name(dialect: Any, record: Any, positional: list[Any], arguments: dict[str, Any]) -> None:
        del record, positional
        tell(arguments, _names[dialect])
