"""SQL of the user's own in a revision, judged by the linter with the schema that the database really has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from linters.engine import Choice, Engine
from linters.findings import Finding, Severity
from linters.rules import RULES
from linters.source import Source
from linters.values import Name
from migrator.known_schema import KnownSchema
from phases.catalog import Catalog
from phases.dialects.base import Dialect
from phases.errors import Refused, nearest
from phases.model import Phase, TableName
from phases.operations import Operation, RunSQL
from phases.operations.adopted import Adopted


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
        if isinstance(operation, Adopted):
            warnings += operation.accepted
        elif isinstance(operation, RunSQL):
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
    before = list(earlier)
    for phase, script in operation.scripts().items():
        unused = frozenset() if phase is Phase.CONTRACT else created
        for finding in findings(script, catalog, phase, before, unused) if script else ():
            if finding.rule in operation.accept:
                yield f"{phase}: {finding.message} ({finding.rule}), accepted: {operation.reason}"
            elif finding.severity is Severity.ERROR:
                raise refusal(finding, phase)
            else:
                yield f"{phase}: {finding.message} ({finding.rule})"
        before.append(script)


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
    engine = Engine(KnownSchema().session(catalog), Choice(phase=str(phase)))
    for text in earlier:
        engine.seed(Source("earlier", text.encode()))
    for table in unused:
        engine.session.change(Name(table.schema, table.name), temporary=True)
    return list(engine.judge(Source(str(phase), script.encode()), True))
