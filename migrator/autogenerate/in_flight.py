"""What is not to be proposed: our own helpers, and what a revision in flight is still changing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from alembic.operations import ops

from migrator.alembic_support import ledger_tables
from migrator.autogenerate import tables, words
from migrator.autogenerate.constraints import name_of, schema_of, table_of, without_order
from migrator.autogenerate.types import compiled
from migrator.claims import in_flight_claims
from migrator.introspection import IGNORED_SCHEMAS, volatility_reader
from migrator.planning import dialect_for, finished, operations_of
from migrator.runs import remembered
from phases.catalog import Catalog
from phases.names import PREFIX
from phases.operations import Touch

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from alembic.autogenerate.api import AutogenContext
    from sqlalchemy import Connection

    from migrator.planning import Recorded
    from migrator.revisions import RevisionGraph


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A difference that is not reported, because a revision in flight is about to settle it."""

    revision: str
    what: str


def claims(
    graph: RevisionGraph, memory: Recorded, connection: Connection, catalog: Catalog
) -> Mapping[str, Sequence[Touch]]:
    """What each revision in flight still claims."""
    dialect = dialect_for(catalog.server, volatility_reader(connection))
    found = {}
    for name, record in memory.revisions.items():
        if name in graph and not finished(record, memory.steps[name]):
            found[name] = in_flight_claims(operations_of(graph[name]), catalog, dialect, record)
    return found


def hide(
    found: ops.UpgradeOps, autogen: AutogenContext, graph: RevisionGraph, connection: Connection, catalog: Catalog
) -> list[LeftOut]:
    """Take out of Alembic's differences what is none: our helpers, and what is in flight."""
    busy = claims(graph, remembered(connection), connection, catalog)
    left_out: list[LeftOut] = []

    def keep(op: ops.MigrateOperation) -> bool:
        parts = touched(op, catalog)
        if is_ours(op) or any((part.part or "").startswith(PREFIX) for part in parts):
            return False  # an index or a constraint of a quarantined column keeps its name
        owner = next((name for name, theirs in busy.items() if overlapping(parts, theirs)), None)
        if owner is None:
            return not is_unnamed_check(op, autogen, catalog)
        left_out.append(LeftOut(owner, ", ".join(sorted({shown(part) for part in parts if part.part}))))
        return False

    prune(found, keep)
    return left_out


def prune(container: ops.OpContainer, keep: Callable[[ops.MigrateOperation], bool]) -> None:
    kept: list[ops.MigrateOperation] = []
    for op in container.ops:
        if isinstance(op, ops.OpContainer):
            prune(op, keep)
            kept += [op] if op.ops else []
        elif keep(op):
            kept.append(op)
    container.ops[:] = kept


def flat(container: ops.OpContainer) -> Iterator[ops.MigrateOperation]:
    """Differences without the containers they are in."""
    for op in container.ops:
        if isinstance(op, ops.OpContainer):
            yield from flat(op)
        else:
            yield op


def shown(touch: Touch) -> str:
    return f"{touch.table.name}.{touch.part}"


def overlapping(mine: Sequence[Touch], theirs: Sequence[Touch]) -> bool:
    return any(one.overlaps(other) for one in mine for other in theirs)


def is_ours(op: Any) -> bool:
    """Whether it is about the ledger, or about a helper or something put aside."""
    names = [getattr(op, name, None) for name in ("table_name", "column_name", "index_name", "constraint_name")]
    return getattr(op, "schema", None) in IGNORED_SCHEMAS or any(hidden(str(name or "")) for name in names)


def hidden(name: str) -> bool:
    """Whether a name is that of a helper of ours, or of a table of the ledger where that has no schema of its own."""
    return name.startswith(PREFIX) or (not words.is_postgresql() and name in ledger_tables())


def touched(op: Any, catalog: Catalog) -> list[Touch]:
    """The parts of a table that a difference is about."""
    if isinstance(op, ops.CreateForeignKeyOp | ops.CreateIndexOp | ops.AddConstraintOp):
        table = catalog.name(table_of(op), schema_of(op))
        return [Touch(table, part) for part in (*columns_of(op), *part_names(op))]
    if not hasattr(op, "table_name"):
        return []
    table = catalog.name(op.table_name, op.schema)
    if isinstance(op, ops.AddColumnOp):
        return [Touch(table, op.column.name)]
    if isinstance(op, ops.DropColumnOp | ops.AlterColumnOp):
        return [Touch(table, op.column_name)]
    if isinstance(op, ops.DropIndexOp | ops.DropConstraintOp):
        known = catalog.tables.get(table)
        items: Sequence[Any] = (*known.indexes, *known.constraints) if known else ()
        covered = [column for item in items if item.name == name_of(op) for column in item.columns]
        return [Touch(table, part) for part in (*covered, *part_names(op))]
    return [Touch(table)]


def part_names(op: Any) -> tuple[str, ...]:
    kind = "index" if isinstance(op, ops.CreateIndexOp | ops.DropIndexOp) else "constraint"
    return (f"{kind} {name_of(op)}",)


def columns_of(op: Any) -> list[str]:
    """Columns of an index or a constraint that the models have."""
    if isinstance(op, ops.CreateForeignKeyOp):
        return list(op.local_cols)
    if isinstance(op, ops.CreateCheckConstraintOp):
        return sorted(words.expressions().columns(compiled(op.to_constraint().sqltext)))
    if isinstance(op, ops.CreateUniqueConstraintOp):
        return [str(column) for column in op.columns]
    found: list[str] = []
    for key in getattr(op, "columns", ()):
        plain = key if isinstance(key, str) else getattr(key, "name", None)
        found += (
            [plain] if isinstance(plain, str) else sorted(words.expressions().columns(without_order(compiled(key))))
        )
    return found


def is_unnamed_check(op: Any, autogen: AutogenContext, catalog: Catalog) -> bool:
    """Whether a CHECK that seems to go is one that the models leave unnamed: Alembic compares them by name."""
    import sqlalchemy as sa

    if not isinstance(op, ops.DropConstraintOp) or op.constraint_type != "check":
        return False
    table = tables.find(autogen, op.schema, op.table_name)
    if table is None:
        return False
    here = set(touched(op, catalog)) - {Touch(catalog.name(op.table_name, op.schema), part_names(op)[0])}
    checks = [c for c in table.constraints if isinstance(c, sa.CheckConstraint) and tables.final_name(c) is None]
    read = words.expressions().columns
    return any({touch.part for touch in here} == read(compiled(check.sqltext)) for check in checks)
