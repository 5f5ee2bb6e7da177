"""The catalog of a database as the linter knows a schema."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from linters.engine import Engine
from linters.session import Given, Session
from linters.source import Source
from linters.values import Name, Relation
from phases.catalog import Catalog, Column, Constraint, ConstraintKind, Enum, Table
from phases.model import TableName
from phases.sql import identifier, literal, qualified

LOCK_TIMEOUT = 1000
"""Milliseconds, for the judgement: every step runs under a short timeout, whichever is set."""
QUOTED = re.compile(r"""'(?:[^'\\]|''|\\.)*'|"((?:[^"]|"")*)\"""", re.S)
"""Texts, and names in quotes, of standard SQL."""
STORED = ("table", "partitioned table", "partition")


class KnownSchema:
    """Sessions of the linter that know a catalog. Of a catalog much like the last one only the differences are read.

    Args:
        unreleased: what a script creates is used by nobody before the script is over.
    """

    def __init__(self, *, unreleased: bool = False) -> None:
        self.unreleased = unreleased
        self.engine: Engine | None = None
        self.known: dict[TableName, Table | Enum] = {}
        self.constrained: frozenset[str] = frozenset()
        self.relations: frozenset[TableName] = frozenset()

    def session(self, catalog: Catalog) -> Session:
        """A session of its own that knows a catalog in full."""
        server = catalog.server
        if self.engine is None:
            schema = catalog.default_schema
            version = server.version[0] if server.family == "postgresql" else server.version
            given = Given(version, schema, complete=True, lock_timeout=LOCK_TIMEOUT, dialect=server.family)
            self.engine = Engine(Session(replace(given, unreleased=self.unreleased)))
        now: dict[TableName, Table | Enum] = {**catalog.enums, **catalog.tables}
        changed = {name: item for name, item in now.items() if self.known.get(name) is not item}
        for name in self.known.keys() - now.keys() | changed.keys():
            forget(Name(name.schema, name.name), self.engine.session)
        types = catalog.constrained_types - self.constrained
        text = ";\n".join((*domains(types), *schema_text(changed.values())))
        self.engine.seed(Source("schema", (text if server.family == "postgresql" else backquoted(text)).encode()))
        session = self.engine.session
        for taken in (Name(item.schema, item.name) for item in catalog.relations - self.relations):
            if not session.knows(taken) and taken not in session.indexes.values:
                session.put(Relation(taken, "sequence"))
        self.known, self.constrained, self.relations = now, catalog.constrained_types, catalog.relations
        return session.copy()


def backquoted(text: str) -> str:
    """Text with names in the quotes of standard SQL as MySQL takes it in its usual mode."""

    def replaced(found: re.Match[str]) -> str:
        name = found[1]
        return found[0] if name is None else "`" + name.replace('""', '"').replace("`", "``") + "`"

    return QUOTED.sub(replaced, text)


def forget(name: Name, session: Session) -> None:
    for index in session.indexes_of(name):
        session.indexes.remove(index.name)
    session.relations.remove(name)


def domains(names: Iterable[str]) -> Iterator[str]:
    """Types that have constraints, as far as a judge has to know them."""
    return (f"CREATE DOMAIN {identifier(name)} AS text CHECK (true)" for name in sorted(names))


def schema_text(items: Iterable[Table | Enum]) -> list[str]:
    """Statements that would create tables and types, as far as a judge has to know them."""
    given = list(items)
    enums = [item for item in given if isinstance(item, Enum)]
    found = [f"CREATE TYPE {qualified(e.name)} AS ENUM ({', '.join(map(literal, e.labels))})" for e in enums]
    relations = [item for item in given if isinstance(item, Table)]
    tables = [table for table in relations if table.kind in STORED]
    for table in sorted(tables, key=lambda table: len(table.parents)):
        found.append(created(table))
        found += [index.definition for index in table.indexes if not index.constraint]
        found += [added(table, item) for item in table.constraints if item.kind is not ConstraintKind.FOREIGN]
        found += [trigger.definition for trigger in table.triggers]
        found += [item.create[0] for item in table.definitions if item.kind == "policy"]
        found += [f"CREATE PUBLICATION {identifier(p)} FOR TABLE {qualified(table.name)}" for p in table.published]
    for table in tables:
        found += [added(table, item) for item in table.constraints if item.kind is ConstraintKind.FOREIGN]
    return found + [view(table) for table in relations if table.kind not in STORED]


def created(table: Table) -> str:
    name = qualified(table.name)
    key = ", ".join(identifier(column) if column else "(1)" for column in table.partition_key)
    by = f" PARTITION BY RANGE ({key})" if key else ""
    if table.bound and table.parents:
        return f"CREATE TABLE {name} PARTITION OF {qualified(table.parents[0])} {table.bound}{by}"
    columns = ", ".join(map(column_text, table.columns))
    parents = ", ".join(map(qualified, table.parents))
    tail = by or (f" INHERITS ({parents})" if parents else "")
    return f"CREATE TABLE {name} ({columns}){tail}"


def column_text(column: Column) -> str:
    default = f" DEFAULT {column.default}" if column.default is not None else ""
    return f"{identifier(column.name)} {column.type}{default}{' NOT NULL' if column.not_null else ''}"


def added(table: Table, item: Constraint) -> str:
    return f"ALTER TABLE {qualified(table.name)} ADD CONSTRAINT {identifier(item.name)} {item.definition}"


def view(table: Table) -> str:
    """A view by its own text where that is known; else a relation with its columns."""
    own = next((item for item in table.definitions if item.kind == "view"), None)
    if own is not None:
        return own.create[0]
    if table.kind == "foreign table":
        return f"CREATE FOREIGN TABLE {qualified(table.name)} ({', '.join(map(column_text, table.columns))}) SERVER s"
    kind = "MATERIALIZED VIEW" if table.kind == "materialized view" else "VIEW"
    columns = ", ".join(f"NULL AS {identifier(column.name)}" for column in table.columns)
    return f"CREATE {kind} {qualified(table.name)} AS SELECT {columns}"
