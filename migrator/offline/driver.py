"""A driver that reaches no server: it hands every statement to a recorder, and makes up the rows.

SQLAlchemy and Alembic work on top of it as on any other driver, so a revision that
uses a connection, a session or an inspector runs as it is.
"""

from __future__ import annotations

import datetime
import decimal
import json
import sys
import uuid
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from linters.parsing import result_columns
from migrator.offline.recording import Recorder

if TYPE_CHECKING:
    from sqlalchemy import Engine

Known = Callable[[str, str | None, str], "bool | list[str] | None"]
"""Whether a `table` or `type` of a schema exists, or the `columns` of a table; None where that is not known."""
MOST_ROWS = 50
"""Rows of one `executemany` that are recorded."""
VALUES: dict[type, Any] = {
    int: 1,
    str: "x",
    bool: True,
    float: 1.0,
    bytes: b"x",
    list: [],
    dict: {},
    decimal.Decimal: decimal.Decimal(1),
    datetime.datetime: datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC),
    datetime.date: datetime.date(2000, 1, 1),
    datetime.time: datetime.time(0, 0),
    datetime.timedelta: datetime.timedelta(days=1),
    uuid.UUID: uuid.UUID(int=1),
}
NUMBERS = ("id", "count", "version", "position", "number", "total", "max", "min")


class Cursor:
    """A cursor of PEP 249, as far as SQLAlchemy uses one."""

    arraysize = 1

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self.description: list[tuple[Any, ...]] | None = None
        self.rowcount = -1
        self.lastrowid = 1
        self.rows: list[tuple[Any, ...]] = []

    def answer(self, sql: str, context: Any, more: bool) -> None:
        """Make up what a statement gives back; nothing where `more` is False."""
        self.rowcount = int(more)
        columns = typed_columns(context) or [(name, guess(name)) for name in result_columns(sql)]
        self.description = [(name, None, None, None, None, None, None) for name, _ in columns] or None
        self.rows = [tuple(value for _, value in columns)] if columns and more else []

    def fetchall(self) -> list[tuple[Any, ...]]:
        self.recorder.reads_rows()
        found, self.rows = self.rows, []
        return found

    def fetchmany(self, size: int | None = None) -> list[tuple[Any, ...]]:
        return self.fetchall()

    def fetchone(self) -> tuple[Any, ...] | None:
        self.recorder.reads_rows()
        return self.rows.pop(0) if self.rows else None

    def close(self) -> None:
        pass


class Connection:
    """A connection of PEP 249. The one that the revision was given draws the borders of transactions."""

    def __init__(self, recorder: Recorder, borders: bool) -> None:
        self.recorder, self.borders = recorder, borders
        self.autocommit = self.open = False

    def cursor(self, *given: Any, **named: Any) -> Cursor:
        return Cursor(self.recorder)

    def begin(self) -> None:
        if self.borders and not self.open and not self.autocommit:
            self.open = True
            self.recorder.sent("BEGIN")

    def commit(self) -> None:
        self.end("COMMIT")

    def rollback(self) -> None:
        self.end("ROLLBACK")

    def end(self, how: str) -> None:
        if self.open:
            self.open = False
            self.recorder.sent(how)

    def close(self) -> None:
        pass


def typed_columns(context: Any) -> list[tuple[str, Any]]:
    """Names and values of the columns of a statement that SQLAlchemy has compiled with their types."""
    compiled = getattr(context, "compiled", None)
    found = getattr(compiled, "_result_columns", None) or ()
    return [(entry.keyname, value_of(entry.type, entry.keyname)) for entry in found]


def value_of(type_: Any, name: str) -> Any:
    """A value as the driver would give it, before SQLAlchemy makes Python of it."""
    from sqlalchemy import JSON, Enum, types

    if isinstance(type_, types.TypeDecorator):
        return value_of(type_.impl, name)
    if isinstance(type_, Enum):
        return type_.enums[0] if type_.enums else "x"
    if isinstance(type_, JSON):
        return "{}"
    if isinstance(type_, types.Uuid):
        return VALUES[uuid.UUID] if type_.as_uuid else str(VALUES[uuid.UUID])
    try:
        return VALUES.get(type_.python_type, guess(name))
    except NotImplementedError:
        return guess(name)


def guess(name: str) -> Any:
    """A value for a column of which only the name is known."""
    return 1 if name == "?column?" or name.rpartition("_")[2].lower() in NUMBERS else "x"


def literal(value: Any) -> str:
    """A parameter as SQL."""
    match value:
        case None:
            return "NULL"
        case bool():
            return "true" if value else "false"
        case int() | float() | decimal.Decimal():
            return str(value)
        case bytes():
            return f"'\\x{value.hex()}'"
        case list() | tuple():
            return f"ARRAY[{', '.join(map(literal, value))}]" if value else "'{}'"
        case dict():
            return literal(json.dumps(value, default=str))
    return "'" + str(value).replace("'", "''").replace("\0", "") + "'"


def written(statement: str, parameters: Any, context: Any) -> str:
    """A statement with its parameters in it."""
    if not parameters and getattr(context, "compiled", None) is None:
        return statement
    try:
        if isinstance(parameters, Mapping):
            return statement % {name: literal(value) for name, value in parameters.items()}
        return statement % tuple(literal(value) for value in parameters)
    except (TypeError, ValueError, KeyError):
        return statement


class Sending:
    """What the dialect of this driver does otherwise than its parent: it sends nothing, and asks nobody."""

    recorder: Recorder
    known: Known
    driver = "offline"
    supports_statement_cache = False
    supports_native_uuid = True

    def do_execute(self, cursor: Cursor, statement: str, parameters: Any, context: Any = None) -> None:
        sql = written(statement, parameters, context)
        if context is not None:
            context.root_connection.connection.dbapi_connection.begin()
        more = self.recorder.has_more(sql)
        if more:
            self.recorder.sent(sql)
        cursor.answer(sql, context, more)

    def do_executemany(self, cursor: Cursor, statement: str, parameters: Any, context: Any = None) -> None:
        for values in list(parameters)[:MOST_ROWS]:
            self.do_execute(cursor, statement, values, context)
        cursor.rowcount = len(parameters)

    def do_execute_no_params(self, cursor: Cursor, statement: str, context: Any = None) -> None:
        self.do_execute(cursor, statement, (), None)

    def do_ping(self, connection: Connection) -> bool:
        return True

    def get_isolation_level(self, connection: Connection) -> str:
        return "AUTOCOMMIT" if connection.autocommit else "READ COMMITTED"

    get_default_isolation_level = get_isolation_level

    def set_isolation_level(self, connection: Connection, level: str) -> None:
        connection.autocommit = level == "AUTOCOMMIT"

    def reset_isolation_level(self, connection: Connection) -> None:
        connection.autocommit = False

    def get_isolation_level_values(self, connection: Connection) -> list[str]:
        return ["AUTOCOMMIT", "READ COMMITTED", "READ UNCOMMITTED", "REPEATABLE READ", "SERIALIZABLE"]

    def has(self, kind: str, name: str, schema: str | None) -> bool:
        wanted = asked_by_ddl()
        found = self.known(kind, schema, name) if wanted is None else wanted
        return self.recorder.exists() if found is None else bool(found)

    def has_table(self, connection: Any, name: str, schema: str | None = None, **options: Any) -> bool:
        return self.has("table", name, schema)

    def has_type(self, connection: Any, name: str, schema: str | None = None, **options: Any) -> bool:
        return self.has("type", name, schema)

    def has_index(self, connection: Any, table: str, name: str, schema: str | None = None, **options: Any) -> bool:
        return self.has("index", name, schema)

    def has_sequence(self, connection: Any, name: str, schema: str | None = None, **options: Any) -> bool:
        return self.has("sequence", name, schema)

    def has_schema(self, connection: Any, name: str, **options: Any) -> bool:
        return self.has("schema", name, None)

    def get_columns(self, connection: Any, name: str, schema: str | None = None, **options: Any) -> list[Any]:
        from sqlalchemy.types import NullType

        found = self.known("columns", schema, name)
        names = found if isinstance(found, list) else self.names()
        return [
            {"name": column, "type": NullType(), "nullable": True, "default": None, "comment": None} for column in names
        ]

    def names(self) -> list[Any]:
        return [AnyName("x")] if self.recorder.exists() else []

    def get_table_names(self, connection: Any, schema: str | None = None, **options: Any) -> list[Any]:
        return self.names()

    get_view_names = get_sequence_names = get_schema_names = get_table_names
    get_materialized_view_names = get_temp_table_names = get_table_names

    def get_indexes(self, connection: Any, name: str, schema: str | None = None, **options: Any) -> list[Any]:
        return [{"name": found, "column_names": [AnyName("x")], "unique": False} for found in self.names()]

    def get_unique_constraints(self, connection: Any, name: str, schema: str | None = None, **o: Any) -> list[Any]:
        return [{"name": found, "column_names": [AnyName("x")]} for found in self.names()]

    def get_check_constraints(self, connection: Any, name: str, schema: str | None = None, **o: Any) -> list[Any]:
        return [{"name": found, "sqltext": "true"} for found in self.names()]

    def get_foreign_keys(self, connection: Any, name: str, schema: str | None = None, **o: Any) -> list[Any]:
        one = [AnyName("x")]
        return [
            {"name": found, "constrained_columns": one, "referred_columns": one, "referred_table": AnyName("x"),
             "referred_schema": None, "options": {}}
            for found in self.names()
        ]  # fmt: skip

    def get_pk_constraint(self, connection: Any, name: str, schema: str | None = None, **o: Any) -> Any:
        found = self.names()
        return {"name": found[0] if found else None, "constrained_columns": found}

    def get_enums(self, connection: Any, schema: str | None = None, **options: Any) -> list[Any]:
        return [{"name": found, "labels": [], "schema": "public", "visible": True} for found in self.names()]

    def get_table_comment(self, connection: Any, name: str, schema: str | None = None, **options: Any) -> Any:
        return {"text": None}


def asked_by_ddl() -> bool | None:
    """What makes SQLAlchemy go on, where it is the one that asks: not to create or drop a thing twice."""
    frame = sys._getframe(1)
    while frame is not None:
        asking = type(frame.f_locals.get("self")).__name__
        if asking.endswith(("Generator", "Dropper")) and "sqlalchemy" in frame.f_code.co_filename:
            return asking.endswith("Dropper")
        frame = frame.f_back  # type: ignore[assignment]
    return None


class AnyName(str):
    """The name that is asked for, whichever it is."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str)

    def __ne__(self, other: object) -> bool:
        return not isinstance(other, str)

    __hash__ = str.__hash__


@cache
def dialect_class(name: str) -> type[Any]:
    """The dialect of a server, on top of this driver.

    Args:
        name: `postgresql`, `mysql` or `mariadb`.
    """
    if name == "postgresql":
        from sqlalchemy.dialects.postgresql.base import PGDialect as parent
    elif name == "mariadb":
        from sqlalchemy.dialects.mysql.mariadb import MariaDBDialect as parent  # type: ignore[assignment]
    else:
        from sqlalchemy.dialects.mysql.base import MySQLDialect as parent  # type: ignore[assignment]
    return type("Offline", (Sending, parent), {"supports_statement_cache": False})


def engine_for(recorder: Recorder, known: Known, name: str, version: Sequence[int], schema: str) -> Engine:
    """An engine that records.

    Args:
        known: what is known of the schema.
        name, version: of the server it speaks for.
        schema: where unqualified names live.
    """
    from sqlalchemy import Engine as Made
    from sqlalchemy import make_url
    from sqlalchemy.pool import NullPool

    dialect = dialect_class(name)(paramstyle="pyformat")
    dialect.dbapi = SimpleNamespace(Error=Failure, paramstyle="pyformat", Binary=bytes)
    dialect.recorder, dialect.known = recorder, known
    dialect.server_version_info, dialect.default_schema_name = tuple(version), schema
    dialect.default_isolation_level = "READ COMMITTED"
    made = [0]

    def connect() -> Any:
        made[0] += 1
        return Connection(recorder, borders=made[0] == 1)

    engine = Made(NullPool(connect), dialect, make_url(f"{name}://offline"))
    engine._connection_cls = lenient_connection()
    return engine


@cache
def lenient_connection() -> type[Any]:
    """A connection that takes text for a statement, as SQLAlchemy 1 did."""
    from sqlalchemy import Connection as Parent

    class Lenient(Parent):
        def execute(self, statement: Any, *given: Any, **named: Any) -> Any:
            if isinstance(statement, str):
                return self.exec_driver_sql(statement, *given[:1])
            return super().execute(statement, *given, **named)

        def scalar(self, statement: Any, *given: Any, **named: Any) -> Any:
            return self.execute(statement, *given, **named).scalar()

    return Lenient


class Failure(Exception):
    """The errors of this driver; it has none."""
