"""Classical Alembic revisions, which have only `upgrade()`, as operations: rendered, judged, and grouped into steps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from linters.classical import judge
from linters.expressions import PostgresExpressions
from linters.statements import Name, Surroundings, Verdict
from migrator.environment import environment_of, not_rendered
from migrator.errors import PlanRefused
from migrator.introspection_queries import CONSTRAINED_TYPES
from phases.catalog import Catalog, Column, Volatility
from phases.model import Lock, LockMode, TableName
from phases.operations import Operation, Touch
from phases.operations.adopted import Adopted, Statement

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from migrator.revisions import Revision, RevisionGraph
    from phases.dialects.base import Dialect

ADOPTED_ON = ("postgresql",)

Adopt = Callable[["Revision", Catalog, "Dialect"], Sequence[Operation]]


def adopter(connection: Connection, graph: RevisionGraph, started: Iterable[str]) -> Adopt:
    """A function that turns a classical revision into operations.

    Args:
        connection: asked for the types that rewrite a table, once and only where it is needed.
        started: revisions that are recorded or stamped, which are never rendered.
    """
    known = frozenset(started)
    constrained: list[frozenset[str]] = []

    def adopt(revision: Revision, catalog: Catalog, dialect: Dialect) -> Sequence[Operation]:
        if catalog.server.family not in ADOPTED_ON:
            raise not_rendered(revision, f"revisions without operations are not judged for {catalog.server} yet")
        if not constrained:
            constrained.append(frozenset(row[0] for row in connection.exec_driver_sql(CONSTRAINED_TYPES)))
        others = [item for item in graph.ordered() if item.migration is None and item.id not in known]
        rendered = environment_of(graph).rendered(revision, others)
        if rendered.problem:
            raise not_rendered(revision, rendered.problem)

        def volatile(expression: str) -> bool:
            return dialect.volatility(expression) is Volatility.VOLATILE

        try:
            statements = PostgresExpressions().split(rendered.script) if rendered.script.strip() else ()
        except ValueError as problem:
            raise not_rendered(revision, f"its SQL cannot be read: {problem}") from None
        verdicts = judge(statements, Surroundings(catalog.default_schema, volatile, constrained[0]))
        refuse_unsafe(revision, verdicts)
        return tuple(operations(verdicts))

    return adopt


def refuse_unsafe(revision: Revision, verdicts: Sequence[Verdict]) -> None:
    """Refuse a revision with a statement that is not safe, naming each and what to write instead.

    Raises:
        PlanRefused: with file, statements and operations.
    """
    unsafe = [verdict for verdict in verdicts if not verdict.safe]
    if not unsafe:
        return
    lines = "".join(f"\n  {' '.join(v.statement.split())}\n    {v.reason}; write: {v.remedy}" for v in unsafe)
    raise PlanRefused(
        f"{revision.path}:{revision.line}: not safe while the database is in use:{lines}",
        next_step="write the operations instead (migrator new),"
        f" or, while nobody uses the database: alembic upgrade {revision.id}",
        revision=revision.id,
        file=str(revision.path),
        line=revision.line,
        statements=[{"statement": v.statement, "reason": v.reason, "remedy": v.remedy} for v in unsafe],
    )


def operations(verdicts: Iterable[Verdict]) -> Iterator[Adopted]:
    """Statements in groups that commit together: no group locks a second table that was there before."""
    group: list[Statement] = []
    created: set[TableName] = set()
    locked: set[TableName] = set()
    for verdict in verdicts:
        statement = as_statement(verdict)
        wanted = {lock.table for lock in statement.locks}
        alone = bool(statement.index)
        if group and (alone or group[0].index or (locked and wanted - locked)):
            yield Adopted(tuple(group), frozenset(created))
            group, locked = [], set()
        group.append(statement)
        locked |= wanted
        if statement.is_new and statement.table is not None:
            created.add(statement.table)
    if group:
        yield Adopted(tuple(group), frozenset(created))


def as_statement(verdict: Verdict) -> Statement:
    effect = verdict.effect
    return Statement(
        verdict.statement,
        verdict.summary,
        tuple(map(table_name, effect.creates)),
        table_name(effect.table) if effect.table else None,
        effect.is_new,
        tuple(Column(c.name, c.type, not_null=c.not_null, default=c.default) for c in effect.columns),
        effect.key,
        locks(effect.locks),
        tuple(Touch(table_name(table), column) for table, column in effect.reads),
        effect.undo,
        locks(effect.undo_locks),
        effect.index,
    )


def table_name(name: Name) -> TableName:
    return TableName(name.schema, name.name)


def locks(found: Iterable[tuple[Name, str]]) -> tuple[Lock, ...]:
    return tuple(Lock(table_name(table), LockMode(mode)) for table, mode in found)
