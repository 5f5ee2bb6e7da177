"""A few rows for every table, so that a server has something to read, write again, or find wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psycopg

ROWS = 3
VALUES = {
    "int2": "n", "int4": "n", "int8": "n", "oid": "n::int", "numeric": "n", "float4": "n", "float8": "n", "money": "n",
    "bool": "n > 1", "date": "date '2026-01-01' + n", "timestamp": "timestamp '2026-01-01' + n * interval '1 day'",
    "timestamptz": "timestamptz '2026-01-01' + n * interval '1 day'", "time": "time '10:00' + n * interval '1 hour'",
    "timetz": "timetz '10:00+00' + n * interval '1 hour'", "interval": "n * interval '1 day'",
    "uuid": "('00000000-0000-0000-0000-00000000000' || n)::uuid", "json": "'{}'::json", "jsonb": "'{}'::jsonb",
    "xml": "'<a/>'::xml", "bytea": "'x'::bytea", "inet": "('10.0.0.' || n)::inet", "cidr": "('10.0.0.' || n)::cidr",
    "int4range": "int4range(n, n + 1)", "int8range": "int8range(n, n + 1)",
    "tsrange": "tsrange(timestamp '2026-01-01' + n * interval '1 day', timestamp '2026-01-02' + n * interval '1 day')",
    "daterange": "daterange(date '2026-01-01' + n, date '2026-01-02' + n)", "tsvector": "'a'::tsvector",
    "bit": "NULL", "point": "point(n, n)", "box": "box(point(n, n), point(n, n))", "regclass": "1259::regclass",
}  # fmt: skip
"""An expression of the row's number `n` for each type; text for every other."""
TABLES = """
SELECT c.oid, c.oid::regclass::text FROM pg_class c JOIN pg_namespace s ON s.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND s.nspname NOT IN ('pg_catalog', 'information_schema') AND s.nspname !~ '^pg_'
ORDER BY c.relispartition, c.oid"""
COLUMNS = """
SELECT quote_ident(a.attname), a.attnotnull, a.atttypmod, coalesce(nullif(t.typbasetype, 0), t.oid)::regtype::text,
    b.typname, b.typtype,
    (SELECT quote_literal(e.enumlabel) FROM pg_enum e WHERE e.enumtypid = b.oid ORDER BY e.enumsortorder LIMIT 1)
FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
JOIN pg_type b ON b.oid = coalesce(nullif(t.typbasetype, 0), t.oid)
WHERE a.attrelid = %s AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
ORDER BY a.attnum"""


def fill(connection: psycopg.Connection) -> tuple[list[str], list[str]]:
    """Put rows into every table that has none; foreign keys hold, as a number stands for the same everywhere.

    Returns:
        tables that stay empty, as none of the rows tried passes their constraints; and the statements that
        filled the others.
    """
    empty: list[str] = []
    done = ["SET session_replication_role = replica"]
    connection.execute("SET session_replication_role = replica")
    for oid, table in connection.execute(TABLES).fetchall():
        if not connection.execute(f"SELECT EXISTS (SELECT FROM {table})".encode()).fetchone()[0]:  # type: ignore[index]
            columns = connection.execute(COLUMNS, [oid]).fetchall()
            made = next(filter(None, (attempt(connection, table, chosen) for chosen in choices(columns))), "")
            (done if made else empty).append(made or table)
    connection.execute("RESET session_replication_role")
    return empty, [*done, "RESET session_replication_role"]


def choices(columns: list[tuple]) -> list[list[tuple[str, str]]]:  # type: ignore[type-arg]
    """All columns, or only those that must have a value, each with its expression."""
    given = [(column[0], value(*column[2:])) for column in columns]
    demanded = [pair for pair, column in zip(given, columns, strict=True) if column[1]]
    return [given, demanded]


def value(modifier: int, base: str, name: str, kind: str, label: str | None) -> str:
    if kind == "e":
        return f"{label}::{base}" if label else "NULL"
    if name.startswith("_"):
        return f"'{{}}'::{base}"
    if kind == "c":
        return "NULL"
    return VALUES.get(name, f"left('x' || n, {modifier - 4})" if modifier > 4 else "'x' || n")


def attempt(connection: psycopg.Connection, table: str, chosen: list[tuple[str, str]]) -> str:
    from psycopg import Error

    names, values = ", ".join(name for name, _ in chosen), ", ".join(value for _, value in chosen)
    into = f"{table} ({names}) OVERRIDING SYSTEM VALUE" if chosen else table
    statement = f"INSERT INTO {into} SELECT {values} FROM generate_series(1, {ROWS}) AS given (n)"
    try:
        with connection.transaction():
            connection.execute(statement.encode())
    except Error:
        return ""
    return statement
