"""What Alembic found, said as operations of ours."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from alembic.operations import ops

from migrator.autogenerate import columns, constraints, tables, words
from migrator.autogenerate.renames import Rename
from migrator.autogenerate.rendering import Call, Proposal, call_of
from migrator.autogenerate.types import creation, exists, named_types, type_name
from phases.operations import CreateTable, RenameColumn, RunSQL, Todo
from phases.sql import identifier

if TYPE_CHECKING:
    import sqlalchemy as sa
    from alembic.autogenerate.api import AutogenContext

ORDER = (
    "RunSQL CreateTable RenameColumn AddColumn DropNotNull SetDefault CreateIndex AddUnique AddForeignKey AddCheck"
    " SetNotNull DropConstraint DropIndex DropDefault DropColumn"
).split()
"""Tables before what references them, columns before what covers them, and what covers a column before it leaves."""

TABLE_GONE, COMMENT = len(ORDER), len(ORDER) + 1


def proposals(
    found: Sequence[ops.MigrateOperation],
    autogen: AutogenContext,
    *,
    before: Sequence[ops.MigrateOperation] = (),
    renamed: Sequence[Proposal] = (),
    possible: Sequence[Rename] = (),
) -> list[Proposal]:
    """Operations in an order that can be planned.

    Args:
        found: differences as Alembic sees them, none of them inside another.
        before: those that have to go before a column is renamed.
        renamed: the renames.
        possible: renames that nobody confirmed or denied; said beside what is written instead.
    """
    early = [proposal for op in before for _, proposal in ranked_of(op, frozenset(), autogen)]
    ranked = [*new_types(found, autogen), *tables_of(found, autogen)]
    ranked += [(ORDER.index("RenameColumn"), proposal) for proposal in (*early, *renamed)]
    gone = {(op.schema, op.table_name) for op in found if isinstance(op, ops.DropTableOp)}
    twice = constraints.replaced(found)
    for op in found:
        if (getattr(op, "schema", None), getattr(op, "table_name", None)) not in gone:
            ranked += [(rank, maybe_renamed(made, op, possible)) for rank, made in ranked_of(op, twice, autogen)]
    return [proposal for _, proposal in sorted(ranked, key=lambda pair: pair[0])]


def maybe_renamed(made: Proposal, op: ops.MigrateOperation, possible: Sequence[Rename]) -> Proposal:
    if not isinstance(op, ops.AddColumnOp):
        return made
    here = [r for r in possible if (r.schema, r.table, r.new) == (op.schema, op.table_name, op.column.name)]
    if not here:
        return made
    candidates = [call_of(RenameColumn(r.table, r.old, r.new, schema=r.schema)) for r in here]
    said = f"If {op.column.name} is {' or '.join(r.old for r in here)} under another name, instead of both:"
    return Proposal(made.operation, f"{made.hint} {said}".strip(), (*made.candidates, *candidates))


Ranked = tuple[int, Proposal]


def ranked_of(op: ops.MigrateOperation, twice: frozenset[str], autogen: AutogenContext) -> Iterator[Ranked]:
    match op:
        case ops.CreateTableOp() | ops.DropTableOp():
            return
        case ops.AddColumnOp():
            yield ORDER.index("AddColumn"), columns.added(op)
        case ops.DropColumnOp():
            yield ORDER.index("DropColumn"), columns.removed(op)
        case ops.AlterColumnOp():
            yield from ((rank_of(made), made) for made in columns.altered(op))
        case ops.CreateTableCommentOp() | ops.DropTableCommentOp():
            yield COMMENT, table_comment(op)
        case ops.CreateIndexOp() | ops.DropIndexOp() | ops.AddConstraintOp() | ops.DropConstraintOp():
            made = constraints.proposed(op, twice, default_schema(autogen))
            yield from [(rank_of(made), made)] if made else []
        case _:
            yield COMMENT, other(op, autogen)


def rank_of(proposal: Proposal) -> int:
    """A Todo stands where the first of what it may mean would."""
    names = [proposal.name, *(candidate.name for candidate in proposal.candidates)]
    if proposal.name == "RunSQL":
        return COMMENT
    return next((ORDER.index(name) for name in names if name in ORDER), ORDER.index("AddColumn"))


def new_types(found: Sequence[ops.MigrateOperation], autogen: AutogenContext) -> Iterator[Ranked]:
    """Types with names of their own that the database does not have."""
    made: dict[str, RunSQL] = {}
    for op in found:
        items: list[Any] = [*op.columns] if isinstance(op, ops.CreateTableOp) else [getattr(op, "column", None)]
        for item in items:
            for type_ in named_types(item.type) if hasattr(item, "type") else ():
                name = type_name(type_)
                if name not in made and autogen.connection is not None and not exists(autogen.connection, type_):
                    made[name] = RunSQL(expand=creation(type_), undo=f"DROP TYPE {name}")
    yield from ((ORDER.index("RunSQL"), Proposal(operation)) for operation in made.values())


def tables_of(found: Sequence[ops.MigrateOperation], autogen: AutogenContext) -> Iterator[Ranked]:
    """Tables that come and go; one that goes while one of the same columns comes may have been renamed."""
    created = [model(op, autogen) for op in found if isinstance(op, ops.CreateTableOp)]
    dropped = [op for op in found if isinstance(op, ops.DropTableOp)]
    for table in list(created):
        twin = next((op for op in dropped if same_columns(op, table)), None)
        if twin is not None:
            dropped.remove(twin)
            created.remove(table)
            yield ORDER.index("CreateTable"), renamed_or_replaced(twin, table, autogen)
    for table in created:
        for made in tables.create_table(table, created, default_schema(autogen)):
            late = made.name in ("AddForeignKey", "RunSQL")
            yield ORDER.index("AddForeignKey" if late else "CreateTable"), made
    yield from ((TABLE_GONE, dropped_table(op)) for op in dropped)


def default_schema(autogen: AutogenContext) -> str:
    return str(autogen.dialect.default_schema_name)


def model(op: ops.CreateTableOp, autogen: AutogenContext) -> sa.Table:
    """The table of the models that an operation of Alembic would create."""
    found = tables.find(autogen, op.schema, op.table_name)
    return op.to_table() if found is None else found


def same_columns(op: ops.DropTableOp, table: sa.Table) -> bool:
    return op.schema == table.schema and {c.name for c in op.to_table().columns} == {c.name for c in table.columns}


def renamed_or_replaced(op: ops.DropTableOp, table: sa.Table, autogen: AutogenContext) -> Proposal:
    schema = {"schema": op.schema} if op.schema else {}
    made = [proposal.operation for proposal in tables.create_table(table, [table], default_schema(autogen))]
    create = [call_of(operation) for operation in made if isinstance(operation, CreateTable)]
    drop = Call.of("DropTable", op.table_name, **schema)
    return Proposal(
        Todo(f"what becomes of the table {op.table_name}: renamed to {table.name}, or dropped?"),
        f"{table.name} has the columns of {op.table_name}. Renamed, or another one:",
        (Call.of("RenameTable", op.table_name, table.name, **schema), *create, drop),
    )


def dropped_table(op: ops.DropTableOp) -> Proposal:
    schema = {"schema": op.schema} if op.schema else {}
    return Proposal(
        Todo(f"drop the table {op.table_name}?"),
        f"The models have no table {op.table_name}.",
        (Call.of("DropTable", op.table_name, **schema),),
    )


def table_comment(op: Any) -> Proposal:
    def sql(text: str | None) -> str:
        name = ".".join(identifier(part) for part in (op.schema, op.table_name) if part)
        return words.commented(name, "", text)

    text = op.comment if isinstance(op, ops.CreateTableCommentOp) else None
    return Proposal(RunSQL(expand=sql(text), undo=sql(op.existing_comment)))


def other(op: ops.MigrateOperation, autogen: AutogenContext) -> Proposal:
    """What an extension of Alembic found, which has no operation here."""
    from alembic.autogenerate.render import render_op_text

    text = " ".join(render_op_text(autogen, op).split())
    return Proposal(
        Todo(f"what an extension of Alembic found: {text}"),
        "There is no operation for it; write its statements:",
        (Call.of("RunSQL", expand="…", undo="…"),),
    )
