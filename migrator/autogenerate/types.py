"""Types, defaults and conditions of the models, as the server spells them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from migrator.autogenerate import words
from migrator.errors import UsageError
from phases.sql import identifier

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from sqlalchemy.dialects.postgresql import NamedType
    from sqlalchemy.types import TypeEngine

SPELLED = {
    "varchar": "character varying",
    "char": "character",
    "decimal": "numeric",
    "int": "integer",
    "bool": "boolean",
    "timestamp": "timestamp without time zone",
    "time": "time without time zone",
}


def compiled(element: Any) -> str:
    """An SQL expression of the models as text, with its values in it."""
    options = {"literal_binds": True, "include_table": False}
    return str(element.compile(dialect=words.dialect(), compile_kwargs=options))


def ddl_compiler() -> Any:
    """What writes columns and constraints as they stand inside CREATE TABLE."""
    dialect = words.dialect()
    return dialect.ddl_compiler(dialect, None)


def type_text(type_: TypeEngine[Any]) -> str:
    """A type as the server would write it.

    Raises:
        UsageError: it has no such type.
    """
    from sqlalchemy.exc import CompileError

    try:
        text = str(type_.compile(dialect=words.dialect()))
    except CompileError as problem:
        raise UsageError(
            f"{type_!r} of the models is no type of {words.server()}: {problem}",
            next_step="give it a length: sa.String(255)",
        ) from None
    return spelled(text) if words.is_postgresql() else lowered(text)


def lowered(text: str) -> str:
    """Words in lower case, without blanks inside brackets; texts in quotes as they are.

    >>> lowered("NUMERIC(10, 2)"), lowered("ENUM('Sad','glad')")
    ('numeric(10,2)', "enum('Sad','glad')")
    """
    parts = re.split(r"('(?:[^'\\]|''|\\.)*')", text)
    return "".join(p if p.startswith("'") else re.sub(r",\s+", ",", p.lower()) for p in parts)


def spelled(text: str) -> str:
    """Words in lower case and in full; quoted names stay as they are.

    >>> spelled("VARCHAR(60)"), spelled("NUMERIC(10, 2)[]"), spelled("TIMESTAMP(3) WITH TIME ZONE")
    ('character varying(60)', 'numeric(10,2)[]', 'timestamp(3) with time zone')
    """
    parts = re.split(r'("(?:[^"]|"")*")', text)
    low = "".join(part if part.startswith('"') else part.lower() for part in parts)
    found = re.match(r"(\w+)\s*(\([\d\s,]*\))?(.*)$", low, re.S)
    if found is None or '"' in low[: found.end(1) + 1]:
        return low
    word, size, rest = found[1], (found[2] or "").replace(" ", ""), found[3]
    if word == "float":
        single = size and int(size.strip("()")) <= 24
        return ("real" if single else "double precision") + rest
    if word in ("timestamp", "time") and "time zone" in rest:
        return f"{word}{size} {rest.strip()}"
    return f"{SPELLED.get(word, word)}{size}{rest}"


def default_text(default: Any) -> str | None:
    """The SQL of a server default; None where there is none, or where the server has a way of its own."""
    argument = getattr(default, "arg", None)
    if argument is None:
        return None
    return words.literal(argument) if isinstance(argument, str) else compiled(argument)


def constant(column: Any) -> str | None:
    """A default that the models fill in on the application's side, as SQL; None where it is not a plain value."""
    value = getattr(column.default, "arg", None)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(value)
    return words.literal(value) if isinstance(value, str) else None


def named_types(type_: TypeEngine[Any]) -> Iterator[NamedType]:
    """Types with a name of their own (enumerations, domains) inside a type."""
    from sqlalchemy.dialects import postgresql

    if not words.is_postgresql():
        return
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    made = type_.dialect_impl(dialect)
    inner = getattr(made, "item_type", None)
    if inner is not None:
        yield from named_types(inner)
    implementation = getattr(made, "impl", made)
    for candidate in (made, implementation):
        if isinstance(candidate, postgresql.NamedType):
            yield candidate
            return


def type_name(type_: Any) -> str:
    name = identifier(str(type_.name))
    return f"{identifier(type_.schema)}.{name}" if type_.schema else name


def creation(type_: NamedType) -> str:
    """The statement that creates a type."""
    from sqlalchemy.dialects.postgresql import ENUM, CreateDomainType, CreateEnumType

    if isinstance(type_, ENUM):
        return compiled(CreateEnumType(type_)).strip()
    return compiled(CreateDomainType(type_)).strip()


def exists(connection: Connection, type_: NamedType) -> bool:
    from sqlalchemy import text

    asked = connection.execute(text("SELECT pg_catalog.to_regtype(:name)"), {"name": type_name(type_)})
    return asked.scalar_one() is not None
