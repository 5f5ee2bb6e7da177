"""Renames: given by the user or confirmed by one, never guessed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from alembic.operations import ops

from migrator.autogenerate.constraints import name_of, schema_of, table_of
from migrator.autogenerate.in_flight import columns_of, touched
from migrator.autogenerate.rendering import Proposal
from migrator.autogenerate.types import default_text, type_text
from migrator.errors import UsageError
from phases.catalog import Catalog
from phases.errors import nearest
from phases.operations import RenameColumn

if TYPE_CHECKING:
    from alembic.autogenerate.api import AutogenContext


@dataclass(frozen=True, slots=True)
class Rename:
    """A column of before and its next name. `schema` is None for the connection's default."""

    table: str
    old: str
    new: str
    schema: str | None = None

    def __str__(self) -> str:
        table = f"{self.schema}.{self.table}" if self.schema else self.table
        return f"{table}.{self.old}={self.new}"


Ask = Callable[[Rename], bool]


def never(rename: Rename) -> bool:
    """The answer where nobody can be asked."""
    del rename
    return False


def parse(text: str) -> Rename:
    """Read `table.old=new` or `schema.table.old=new`.

    Raises:
        UsageError: it is neither.
    """
    left, _, new = text.partition("=")
    parts = left.split(".")
    if not new or len(parts) not in (2, 3) or not all(parts):
        raise UsageError(f'"{text}" is not a rename', next_step="--rename users.full_name=name")
    schema = parts[0] if len(parts) == 3 else None
    return Rename(parts[-2], parts[-1], new, schema)


@dataclass(slots=True)
class Pairs:
    """Columns that go and columns that come, table by table."""

    autogen: AutogenContext
    found: Sequence[ops.MigrateOperation]
    gone: dict[tuple[str | None, str, str], ops.DropColumnOp] = field(default_factory=dict)
    come: dict[tuple[str | None, str, str], ops.AddColumnOp] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for op in self.found:
            if isinstance(op, ops.DropColumnOp):
                self.gone[op.schema, op.table_name, op.column_name] = op
            elif isinstance(op, ops.AddColumnOp):
                self.come[op.schema, op.table_name, op.column.name] = op

    def schema(self, name: str | None) -> str | None:
        return None if name == self.autogen.dialect.default_schema_name else name

    def checked(self, rename: Rename) -> Rename:
        """A rename that was given.

        Raises:
            UsageError: one of the columns does not go or come; names the nearest that does.
        """
        schema, table = self.schema(rename.schema), rename.table
        for columns, name, what in ((self.gone, rename.old, "disappears"), (self.come, rename.new, "appears")):
            if (schema, table, name) not in columns:
                same = [column for s, t, column in columns if (s, t) == (schema, table)]
                whole = [f"{t}.{column}" for _, t, column in columns]
                hint = nearest(name, same) or nearest(f"{table}.{name}", whole)
                listed = f"; of those that do there is {', '.join(whole)}" if whole and not hint else ""
                raise UsageError(f"--rename {rename}: no column {table}.{name} {what}{listed}", next_step=hint)
        made = Rename(table, rename.old, rename.new, schema)
        if not self.compatible(made):
            before, after = (type_text(column.type) for column in self.columns(made))
            raise UsageError(
                f"--rename {rename}: {rename.old} is {before}, {rename.new} is {after}; a rename keeps the type",
                next_step="rename with the former type first, and change the type in a revision after that",
            )
        return made

    def columns(self, rename: Rename) -> tuple[Any, Any]:
        gone = self.gone[rename.schema, rename.table, rename.old].to_column()
        return gone, self.come[rename.schema, rename.table, rename.new].column

    def compatible(self, rename: Rename) -> bool:
        old, new = self.columns(rename)
        return not self.autogen.migration_context.impl.compare_type(old, new)

    def possible(self, taken: Sequence[Rename]) -> Iterator[Rename]:
        """Columns that could be each other, as long as neither has been used."""
        for schema, table, old in self.gone:
            for other_schema, other, new in self.come:
                made = Rename(table, old, new, schema)
                if (schema, table) == (other_schema, other) and not overlapping(made, taken) and self.compatible(made):
                    yield made


def overlapping(one: Rename, others: Sequence[Rename]) -> bool:
    same = [other for other in others if (other.schema, other.table) == (one.schema, one.table)]
    return any(one.old == other.old or one.new == other.new for other in same)


def chosen(pairs: Pairs, wanted: Sequence[Rename], ask: Ask) -> list[Rename]:
    """Renames that were given, and those that are confirmed when asked."""
    taken: list[Rename] = []
    for rename in wanted:
        made = pairs.checked(rename)
        if overlapping(made, taken):
            raise UsageError(f"--rename {rename}: one of its columns is renamed already", next_step="give each once")
        taken.append(made)
    for rename in list(pairs.possible(taken)):
        if not overlapping(rename, taken) and ask(rename):
            taken.append(rename)
    return taken


def proposal(rename: Rename, pairs: Pairs) -> Proposal:
    old, new = pairs.columns(rename)
    differs = [
        word for word, differ in (("NULL", old.nullable != new.nullable), ("default", other(old, new))) if differ
    ]
    hint = f"{' and '.join(differs)} of {rename.new} differ from {rename.old}: for a revision after this one."
    made = RenameColumn(rename.table, rename.old, rename.new, schema=rename.schema)
    return Proposal(made, hint if differs else "")


def other(old: Any, new: Any) -> bool:
    return (default_text(old.server_default) is None) != (default_text(new.server_default) is None)


def carried(
    found: Sequence[ops.MigrateOperation], renames: Sequence[Rename], catalog: Catalog
) -> tuple[list[ops.MigrateOperation], list[ops.MigrateOperation]]:
    """What is left to do besides the renames, and what of it has to go before them.

    A rename takes indexes and constraints of the column along, so one that goes
    with the former name and comes with the next one is no difference.
    """
    rest = [op for op in found if not is_renamed(op, renames)]
    leaving = [op for op in rest if isinstance(op, ops.DropIndexOp | ops.DropConstraintOp)]
    coming = [op for op in rest if isinstance(op, ops.CreateIndexOp | ops.AddConstraintOp)]
    first: list[ops.MigrateOperation] = []
    for op in leaving:
        before = covered(op, catalog)
        after = [renamed(op, column, renames) for column in before]
        if before == after:
            continue
        twin = next((new for new in coming if same_place(op, new) and sorted(columns_of(new)) == sorted(after)), None)
        rest.remove(op)
        if twin is None:
            first.append(op)
        else:
            rest.remove(twin)
            coming.remove(twin)
    return rest, first


def covered(op: Any, catalog: Catalog) -> list[str]:
    parts = [touch.part or "" for touch in touched(op, catalog)]
    return list(
        dict.fromkeys(part for part in parts if part not in (f"index {name_of(op)}", f"constraint {name_of(op)}"))
    )


def same_place(op: Any, new: Any) -> bool:
    index = isinstance(op, ops.DropIndexOp) == isinstance(new, ops.CreateIndexOp)
    kind = index and (isinstance(op, ops.DropIndexOp) or op.constraint_type == new.constraint_type)
    return kind and (schema_of(op), table_of(op)) == (schema_of(new), table_of(new))


def renamed(op: Any, column: str, renames: Sequence[Rename]) -> str:
    here = (schema_of(op), table_of(op), column)
    return next((r.new for r in renames if (r.schema, r.table, r.old) == here), column)


def is_renamed(op: Any, renames: Sequence[Rename]) -> bool:
    if isinstance(op, ops.DropColumnOp):
        return any((r.schema, r.table, r.old) == (op.schema, op.table_name, op.column_name) for r in renames)
    if isinstance(op, ops.AddColumnOp):
        return any((r.schema, r.table, r.new) == (op.schema, op.table_name, op.column.name) for r in renames)
    return False
