"""SQL of the user's own in a revision, judged by the linter with the schema that the database really has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from linters.engine import Choice, Engine
from linters.findings import Finding, Severity
from linters.rules import RULES
from linters.session import Given, Session
from linters.source import Source
from linters.values import Name
from phases.catalog import Catalog, Column, Constraint, ConstraintKind, Table
from phases.dialects.base import Dialect
from phases.errors import Refused, nearest
from phases.model import Phase, TableName
from phases.operations import Operation, RunSQL
from phases.sql import identifier, literal, qualified

LOCK_TIMEOUT = 1000
"""Milliseconds, for the judgement: every step runs under a short timeout, whichever is set."""


def judged(operations: Sequence[Operation], catalog: Catalog, dialect: Dialect) -> tuple[str, ...]:
    """What is to be known of the SQL in a revision before it is run.

    Args:
        catalog: what the database looks like before the first operation.

    Raises:
        Refused: a statement is an error in its phase, and the operation does not accept it.
    """
    warnings: list[str] = []
    earlier: list[str] = []
    there = frozenset(catalog.tables)
    for number, operation in enumerate(operations):
        if isinstance(operation, RunSQL):
            try:
                warnings += told(operation, catalog, earlier, frozenset(catalog.tables) - there)
            except Refused as refusal:
                refusal.operation = number
                raise
            earlier += [script for script in operation.scripts().values() if script]
        catalog = operation.outcome(catalog, dialect)
    return tuple(dict.fromkeys(warnings))


def told(operation: RunSQL, catalog: Catalog, earlier: Sequence[str], created: frozenset[TableName]) -> Iterator[str]:
    """Findings that are no errors, or accepted, in words."""
    for rule in operation.accept:
        if rule not in RULES:
            raise Refused(f'accept= of RunSQL names "{rule}", which is no rule', remedy=nearest(rule, RULES))
    for phase, script in operation.scripts().items():
        unused = frozenset() if phase is Phase.CONTRACT else created
        for finding in findings(script, catalog, phase, earlier, unused) if script else ():
            if finding.rule in operation.accept:
                yield f"{phase}: {finding.message} ({finding.rule}), accepted: {operation.reason}"
            elif finding.severity is Severity.ERROR:
                raise refusal(finding, phase)
            else:
                yield f"{phase}: {finding.message} ({finding.rule})"


def refusal(finding: Finding, phase: Phase) -> Refused:
    instead = finding.operation or finding.safer
    return Refused(
        f"{phase}= of RunSQL: {finding.statement}: {finding.message}: {finding.effect}",
        remedy=f'write: {instead}\nor, where it does no harm: RunSQL(…, accept=["{finding.rule}"], reason="…")',
    )


def findings(
    script: str, catalog: Catalog, phase: Phase, earlier: Sequence[str], unused: frozenset[TableName]
) -> list[Finding]:
    """What the linter says of a script that runs in one transaction.

    Args:
        earlier: SQL that the same revision runs before, and that the catalog does not know of.
        unused: tables of the same revision, which no version of the application uses before its release.
    """
    server = catalog.server
    version = server.version[0] if server.family == "postgresql" else server.version
    given = Given(version, catalog.default_schema, complete=True, lock_timeout=LOCK_TIMEOUT, dialect=server.family)
    engine = Engine(Session(given), Choice(phase=str(phase)))
    engine.seed(Source("schema", schema_text(catalog).encode()))
    for text in earlier:
        engine.seed(Source("earlier", text.encode()))
    for table in unused:
        engine.session.change(Name(table.schema, table.name), temporary=True)
    return list(engine.judge(Source(str(phase), script.encode()), True))


def schema_text(catalog: Catalog) -> str:
    """A catalog as a script that would create it, as far as a judge has to know it."""
    found = [f"CREATE DOMAIN {identifier(name)} AS text CHECK (true)" for name in sorted(catalog.constrained_types)]
    for enum in catalog.enums.values():
        found.append(f"CREATE TYPE {qualified(enum.name)} AS ENUM ({', '.join(map(literal, enum.labels))})")
    tables = [table for table in catalog.tables.values() if table.kind in ("table", "partitioned table", "partition")]
    for table in sorted(tables, key=lambda table: len(table.parents)):
        found.append(created(table))
        found += [index.definition for index in table.indexes if not index.constraint]
        found += [added(table, item) for item in table.constraints if item.kind is not ConstraintKind.FOREIGN]
        found += [trigger.definition for trigger in table.triggers]
    for table in tables:
        found += [added(table, item) for item in table.constraints if item.kind is ConstraintKind.FOREIGN]
    return ";\n".join(found)


def created(table: Table) -> str:
    name = qualified(table.name)
    if table.bound and table.parents:
        return f"CREATE TABLE {name} PARTITION OF {qualified(table.parents[0])} {table.bound}"
    columns = ", ".join(map(column_text, table.columns))
    key = ", ".join(identifier(column) if column else "(1)" for column in table.partition_key)
    parents = ", ".join(map(qualified, table.parents))
    tail = f" PARTITION BY RANGE ({key})" if key else f" INHERITS ({parents})" if parents else ""
    return f"CREATE TABLE {name} ({columns}){tail}"


def column_text(column: Column) -> str:
    default = f" DEFAULT {column.default}" if column.default is not None else ""
    return f"{identifier(column.name)} {column.type}{default}{' NOT NULL' if column.not_null else ''}"


def added(table: Table, item: Constraint) -> str:
    return f"ALTER TABLE {qualified(table.name)} ADD CONSTRAINT {identifier(item.name)} {item.definition}"
