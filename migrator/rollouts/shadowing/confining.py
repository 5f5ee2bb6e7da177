"""Whether a shadow can write where users' rows are: the database itself is asked, with the shadow's own role."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from migrator.errors import MigratorError
from migrator.ledger import dialect
from migrator.rollouts.model import Outcome
from migrator.rollouts.running import CouldNotRun, run
from migrator.rollouts.shadowing.configuration import NAME, Shadowing

if TYPE_CHECKING:
    from migrator.database import Session

TIMEOUT = 30.0
SHOWN = 4


def confined(settings: Shadowing, ours: Session, folder: Path) -> Outcome:
    """Whether the role of a shadow changes no row of users; `reason` says what was found.

    Args:
        ours: a session in the database of the users.
    """
    if settings.environment:
        return asked(settings, ours)
    if settings.confirm:
        return confirmed(settings.confirm, folder)
    return Outcome(ok=True, reason="it uses no database, as the configuration says; nobody has verified that")


def confirmed(command: str, folder: Path) -> Outcome:
    """What a command says."""
    try:
        done = run(shlex.split(command), folder, os.environ, TIMEOUT)
    except CouldNotRun as problem:
        return Outcome(ok=False, reason=f"database_check: {problem}")
    if done.code:
        return Outcome(ok=False, reason=f"database_check: {command} ended with {done.code}: {done.said}")
    return Outcome(ok=True, reason=f"{command} says that the shadow cannot write: {done.said}".rstrip(": "))


def asked(settings: Shadowing, ours: Session) -> Outcome:
    """What the database says of the role that the shadow connects with."""
    from migrator.database import connect

    url = os.environ.get(settings.environment, "")
    if not url:
        return Outcome(ok=False, reason=f"{settings.environment} is not set, and has the URL of the shadow's role")
    try:
        with connect(url, "rollout") as session:
            return judged(session, other(ours, session), settings)
    except MigratorError as problem:
        return Outcome(ok=False, reason=f"the role of the shadow: {problem.message}")


def other(ours: Session, theirs: Session) -> bool:
    """Whether two sessions are in different databases."""
    places = []
    for session in (ours, theirs):
        with session.transaction() as connection:
            places.append(dialect.place(connection))
    return places[0] != places[1]


def judged(session: Session, elsewhere: bool, settings: Shadowing) -> Outcome:
    who = f"{session.facts.user} in {session.facts.database}"
    if settings.sandboxed and elsewhere:
        return Outcome(ok=True, reason=f"the shadow has a database of its own: {who}")
    found = session.family.writable(session.query, session.facts.database)
    if session.facts.in_recovery:
        return Outcome(ok=True, reason=f"{who} is on a replica, which takes no writes")
    if not found:
        return Outcome(ok=True, reason=f"{who} may write nothing")
    some = ", ".join(found[:SHOWN]) + (", …" if len(found) > SHOWN else "")
    if session.facts.read_only:
        return Outcome(ok=True, reason=f"{who} writes nothing unless it asks for it: it is read-only there")
    where = " and that is the database of the users," if settings.sandboxed else ""
    return Outcome(
        ok=False,
        reason=f"{who} may write ({some}),{where} so the shadow could change rows of users",
        facts={"next": f"give {settings.environment} in {NAME} a role that may only read, or a database of its own"},
    )
