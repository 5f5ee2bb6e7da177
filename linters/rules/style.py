"""Style and design: nobody waits and nothing fails, but it is regretted later. Off unless asked for."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from linters import actions
from linters.findings import Severity
from linters.rules.base import STYLE, At, Check, Found, rule, sql_name
from linters.values import Column, Kind, Name

LONGEST_NAME = 63
"""Bytes that PostgreSQL keeps of a name."""
CONSTANT = re.compile(r"'(?:[^']|'')*'|--[^\n]*")
IDENTIFIER = re.compile(r'"[^"]+"|[^\W\d][\w$]*')
WIDEST_INDEX = 3
"""Columns beyond which an index rarely earns what it costs."""
COLUMNS = (actions.CreateTable, actions.AddColumn, actions.ChangeType)


def style(id: str, *on: type, **facts: Any) -> Callable[[Check], Check]:
    """A rule about style: off, and no reason to stop anybody."""
    return rule(id, STYLE, *on, severity=Severity.NOTICE, default=False, **facts)


def columns(at: At) -> Iterator[tuple[Name, Column]]:
    """Columns that get their type here."""
    if isinstance(at.action, actions.CreateTable):
        yield from ((at.action.table, column) for column in at.action.relation.columns)
    elif isinstance(at.action, actions.AddColumn):
        yield at.action.table, at.action.column
    elif isinstance(at.action, actions.ChangeType):
        yield at.action.table, Column(at.action.column, at.action.type)


def of_type(names: tuple[str, ...], said: str) -> Check:
    """A check that finds columns of some types."""

    def check(at: At) -> Iterator[Found]:
        for table, column in columns(at):
            limited = "varchar" not in names or bool(column.type.modifiers)
            if column.type.name in names and limited and not column.type.schema:
                yield Found(f"{table}.{column.name} is {column.type}: {said}")

    return check


style(
    "prefer-text", *COLUMNS,
    condition="a column is varchar(n)",
    effect="the limit is changed again and again; text is stored the same way",
    safer="text, with a CHECK of char_length() where there is a limit",
    bad="CREATE TABLE s (id bigint PRIMARY KEY, v varchar(10))",
    good="CREATE TABLE s (id bigint PRIMARY KEY, v text CHECK (char_length(v) <= 10))",
)(of_type(("varchar",), "a limit in the type is hard to change"))  # fmt: skip
style(
    "prefer-timestamptz", *COLUMNS,
    condition="a column is timestamp without time zone",
    effect="it means another moment to every session with another time zone",
    safer="timestamptz",
    bad="CREATE TABLE s (id bigint PRIMARY KEY, at timestamp)",
    good="CREATE TABLE s (id bigint PRIMARY KEY, at timestamptz)",
)(of_type(("timestamp",), "which moment it is depends on who reads it"))  # fmt: skip
style(
    "avoid-char", *COLUMNS,
    condition="a column is char(n)",
    effect="values are padded with blanks, and another length rewrites the table",
    safer="text",
    bad="CREATE TABLE s (id bigint PRIMARY KEY, v char(3))",
    good="CREATE TABLE s (id bigint PRIMARY KEY, v text)",
)(of_type(("bpchar", "char"), "values are padded with blanks"))  # fmt: skip
style(
    "prefer-jsonb", *COLUMNS,
    condition="a column is json",
    effect="json has no equality: DISTINCT, GROUP BY and UNION fail",
    safer="jsonb",
    bad="CREATE TABLE s (id bigint PRIMARY KEY, j json)",
    good="CREATE TABLE s (id bigint PRIMARY KEY, j jsonb)",
)(of_type(("json",), "it cannot be compared"))  # fmt: skip
style(
    "avoid-inexact", *COLUMNS,
    condition="a column is money, real or double precision",
    effect="amounts are rounded, or read differently with another lc_monetary",
    safer="numeric",
    bad="CREATE TABLE s (id bigint PRIMARY KEY, price money)",
    good="CREATE TABLE s (id bigint PRIMARY KEY, price numeric(12, 2))",
)(of_type(("money", "float4", "float8"), "amounts are not kept as they are written"))  # fmt: skip


@style(
    "prefer-identity", *COLUMNS,
    condition="a column is serial",
    effect="its sequence has an owner and privileges of its own, and INSERT may give any value",
    safer="GENERATED ALWAYS AS IDENTITY",
    bad="CREATE TABLE s (id bigserial PRIMARY KEY)",
    good="CREATE TABLE s (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY)",
)  # fmt: skip
def serial(at: At) -> Iterator[Found]:
    for table, column in columns(at):
        if column.sequence == "serial":
            yield Found(f"{table}.{column.name} is serial")


@style(
    "prefer-bigint-key", actions.CreateTable,
    condition="a primary key of one column is smallint or integer",
    effect="INSERT stops when the numbers are used up, and a wider key means a new column",
    safer="bigint",
    bad="CREATE TABLE s (id int PRIMARY KEY)",
    good="CREATE TABLE s (id bigint PRIMARY KEY)",
)  # fmt: skip
def narrow_key(at: At) -> Iterator[Found]:
    keys = [c.columns for c in at.action.relation.constraints if c.kind is Kind.PRIMARY and len(c.columns) == 1]
    for column in at.action.relation.columns:
        if (column.name,) in keys and column.type.name in ("int2", "int4"):
            yield Found(f"{at.action.table}.{column.name} is {column.type}, and there are only so many")


@style(
    "avoid-enum", actions.CreateEnum,
    condition="an enum type is created",
    effect="a value can be added, and never taken away",
    safer="a table of values and a foreign key, or text with a CHECK",
    bad="CREATE TYPE mood AS ENUM ('sad')",
    good="CREATE TABLE moods (name text PRIMARY KEY)",
)  # fmt: skip
def enum(at: At) -> Iterator[Found]:
    yield Found(f"values of {at.action.labels.name} cannot be taken away again")


@style(
    "require-primary-key", actions.CreateTable,
    condition="a table has no primary key",
    effect="logical replication refuses UPDATE and DELETE, and no row can be named",
    safer="a primary key",
    bad="CREATE TABLE s (a int)",
    good="CREATE TABLE s (a bigint PRIMARY KEY)",
)  # fmt: skip
def no_key(at: At) -> Iterator[Found]:
    relation = at.action.relation
    known = relation.complete and not at.action.bound and not at.action.is_copy
    if known and not relation.temporary and not any(c.kind is Kind.PRIMARY for c in relation.constraints):
        yield Found(f"{at.action.table} has no primary key")


@style(
    "name-too-long", actions.CreateTable, actions.AddColumn, actions.CreateIndex, actions.AddConstraint,
    actions.RenameColumn, actions.RenameTable,
    condition="a name has more than 63 bytes",
    effect="the server cuts it without failing, so that the schema is not what the script says",
    safer="a shorter name",
    bad=f"CREATE TABLE {'s' * 64} (id bigint PRIMARY KEY)",
    good=f"CREATE TABLE {'s' * 63} (id bigint PRIMARY KEY)",
)  # fmt: skip
def long_name(at: At) -> Iterator[Found]:
    if at.siblings and at.action is not at.siblings[0]:
        return
    # The parser cuts names as the server does, so only the text has them in full.
    text = CONSTANT.sub("''", at.statement())
    for name in dict.fromkeys(part.strip('"') for part in IDENTIFIER.findall(text)):
        if len(name.encode()) > LONGEST_NAME:
            yield Found(f"{name} has {len(name.encode())} bytes; the server keeps {LONGEST_NAME}")


@style(
    "unqualified-name", actions.CreateTable,
    condition="a table is created without its schema",
    effect="where it is created depends on the search path of whoever runs the script",
    safer="CREATE TABLE schema.name",
    bad="CREATE TABLE s (id bigint PRIMARY KEY)",
    good="CREATE TABLE public.s (id bigint PRIMARY KEY)",
)  # fmt: skip
def unqualified(at: At) -> Iterator[Found]:
    if not at.action.table.schema:
        yield Found(f"{at.action.table} is created wherever the search path says")


@style(
    "redundant-index", actions.CreateIndex,
    condition="an index is the beginning of another one, or has more than three columns",
    effect="every write pays for it, and few reads gain",
    safer="the one index that serves both",
    given="CREATE TABLE s (id bigint PRIMARY KEY, a int, b int); CREATE INDEX s_ab ON s (a, b);",
    bad="CREATE INDEX CONCURRENTLY s_a ON s (a)",
    good="CREATE INDEX CONCURRENTLY s_b ON s (b)",
)  # fmt: skip
def redundant(at: At) -> Iterator[Found]:
    index, table = at.action.index, at.session.resolve(at.action.table)
    if len(index.columns) > WIDEST_INDEX:
        yield Found(f"{index.name.name or 'the index'} has {len(index.columns)} columns")
    for other in at.session.indexes_of(table) if plain(index) and not index.unique else ():
        if plain(other) and other.name.name != index.name.name and other.columns[: len(index.columns)] == index.columns:
            yield Found(f"{other.name.name} of {sql_name(table)} begins with the same columns")


def plain(index: Any) -> bool:
    return not index.partial and not index.expressions and bool(index.columns) and "" not in index.columns
