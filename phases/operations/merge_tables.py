"""Move the columns of a second table into the first while both shapes are in use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from phases.catalog import Catalog, Column, Table
from phases.dialects.base import Change, Dialect
from phases.dual_write import SplitWrite
from phases.errors import Refused
from phases.model import Step, Verify
from phases.names import PREFIX, TRIGGER_PREFIX
from phases.operations.base import (
    Operation,
    Precheck,
    Steps,
    Touch,
    check_new_column,
    check_ordinary,
    check_trigger_order,
    one_or_many,
    without_undo,
)
from phases.operations.constraints import declared
from phases.operations.drop_table import DropTable
from phases.operations.leaving import fills_itself
from phases.operations.one_to_one import check_key, check_moving, check_rights, reference
from phases.operations.two_tables import both_ways
from phases.sql import identifier


@dataclass(frozen=True)
class MergeTables(Operation):
    """Move the columns of a second table, one row each by its key, into a table, and drop the second.

    The key of the second table is unique, NOT NULL, and a foreign key to the primary key
    of the first. The first table gets the columns, which allow NULL there and have no
    default: a row that has none in the second table has NULL in all of them, and a row of
    the second with NULL in all of them says the same as none. Triggers on both carry INSERT,
    UPDATE, DELETE and TRUNCATE to the other; the rows that are there are filled, and
    compared one by one. The foreign key goes in the expand phase, and triggers do what it
    did: it would keep the new version from deleting rows. Indexes and constraints of the
    second table hold until the contract, which renames it away: write those that are to
    stay as operations on the first beside this one (CreateIndex, AddUnique, AddCheck,
    AddForeignKey).

    Whoever writes a row locks that of the first table before that of the second, as
    described for SplitTable, with the same exceptions: DELETE, TRUNCATE and UPDATE of the
    key of the second table, and what has locked its row before, can deadlock with who
    writes the same row of the first.

    Args:
        table: exact name of the table that gets the columns.
        other: exact name of the second table.
        columns: exact names of the columns that move; they keep their names.
        key: names of the key columns of the second table, in the order of the primary key of
            the first; its names where not given.
        forget: columns of the second table that move nowhere and are dropped with it, such as
            a key of its own.
        cascade: True says that whoever deletes a row of the first table deletes that of the
            second, too, where the foreign key refuses it.
        functions: functions whose text has the name of the second table, as
            `"schema.function"`: nobody calls them after the contract.
        schema: schema of both tables; the connection's default where not given.
    """

    table: str
    other: str
    columns: Sequence[str]
    key: Sequence[str] | None = None
    forget: Sequence[str] = ()
    cascade: bool = False
    functions: Sequence[str] = ()
    schema: str | None = None

    def __post_init__(self) -> None:
        for name in ("columns", "key", "forget", "functions"):
            given = getattr(self, name)
            if given is not None:
                object.__setattr__(self, name, one_or_many(given))

    def describe(self) -> str:
        return f"merge {self.other} ({', '.join(self.columns)}) into {self.table}"

    def touches(self, catalog: Catalog, dialect: Dialect) -> tuple[Touch, ...]:
        name = catalog.name(self.table, self.schema)
        return (*self.alone(catalog, dialect), *(Touch(name, column) for column in self.columns))

    def alone(self, catalog: Catalog, dialect: Dialect) -> tuple[Touch, ...]:
        name = catalog.name(self.table, self.schema)
        key = catalog.tables[name].primary_key() if name in catalog.tables else ()
        return (Touch(catalog.name(self.other, self.schema)), *(Touch(name, column) for column in key))

    def warnings(self, catalog: Catalog, dialect: Dialect) -> tuple[str, ...]:
        second = catalog.name(self.other, self.schema)
        found = catalog.tables[second].triggers if second in catalog.tables else ()
        theirs = [t for t in found if t.before_row and not t.name.startswith((PREFIX, TRIGGER_PREFIX))]
        holding = [t.name for t in theirs if " UPDATE" in t.definition.partition(" ON ")[0]]
        return dialect.deadlocks(catalog.name(self.table, self.schema), second, holding)

    def validate(self, catalog: Catalog, dialect: Dialect) -> None:
        table, other = self._tables(catalog)
        if table.name == other.name or not self.columns:
            raise Refused(
                "MergeTables needs two tables, and columns of the second that move",
                remedy='MergeTables("users", "addresses", ["street", "city"], key="user_id")',
            )
        for one in (table, other):
            check_ordinary(one, "MergeTables")
            if one.row_security:
                raise Refused(
                    f'"{one.name}" has row level security, which does not say who may see rows of both tables',
                    remedy="write to both tables from the application",
                )
        check_trigger_order(table)
        check_rights(table, other)
        check_key(table, other, self._key(table))
        self._check_reference(table, other)
        for name in self.columns:
            check_new_column(table, name, dialect)
            check_moving(other, name)
        self._check_rest(table, other)
        self._drop().validate(self._unlinked(catalog), dialect)

    def _check_reference(self, table: Table, other: Table) -> None:
        key = reference(table, other, self._key(table))
        if key is None or key.deferral or not key.validated:
            fault = "no foreign key" if key is None else f"only one that is {key.deferral.lower() or 'not validated'}"
            raise Refused(
                f'"{other.name}" has {fault} from {", ".join(self._key(table))} to the primary key of "{table.name}":'
                " rows of it may belong to none there, and would have nowhere to go",
                remedy="mend or delete those, then AddForeignKey in an earlier revision",
            )
        if key.on_delete != "CASCADE" and not self.cascade:
            raise Refused(
                f'foreign key "{key.name}" of "{other.name}" refuses to delete rows of "{table.name}" that have one'
                " there; one table would delete both",
                remedy="add cascade=True if that may be",
            )

    def _check_rest(self, table: Table, other: Table) -> None:
        named = [*self._key(table), *self.columns, *self.forget]
        if doubled := [name for number, name in enumerate(named) if name in named[:number]]:
            raise Refused(f'"{doubled[0]}" is named twice, in key, columns or forget')
        if left := [column.name for column in other.columns if column.name not in named]:
            raise Refused(
                f'"{other.name}"."{left[0]}" would be lost with its table: no argument names it',
                remedy="name it in columns if it moves, in forget if not",
            )
        for name in self.forget:
            column = other.column(name)
            if column.not_null and not fills_itself(column):
                raise Refused(
                    f'"{other.name}"."{name}" is NOT NULL and has no default: rows that the new version writes'
                    " could not be carried there",
                    remedy="name it in columns, or SetDefault or DropNotNull in an earlier revision",
                )

    def _tables(self, catalog: Catalog) -> tuple[Table, Table]:
        return catalog.table(self.table, self.schema), catalog.table(self.other, self.schema)

    def _key(self, table: Table) -> tuple[str, ...]:
        return tuple(self.key or table.primary_key())

    def _unlinked(self, catalog: Catalog) -> Catalog:
        """The second table without its foreign key to the first."""
        table, other = self._tables(catalog)
        link = reference(table, other, self._key(table))
        return catalog.with_table(replace(other, constraints=tuple(c for c in other.constraints if c is not link)))

    def _drop(self) -> DropTable:
        return DropTable(self.other, keeps_referenced=True, functions=self.functions, schema=self.schema)

    def _link(self, table: Table, other: Table) -> SplitWrite:
        olds = table.primary_key()
        pairs = tuple(zip(olds, self._key(table), strict=True))
        types = tuple(table.column(name).type for name in olds)
        columns = tuple(other.column(name) for name in self.columns)
        return SplitWrite(table.name, other.name, pairs, types, columns, table.owner)

    def _added(self, other: Table) -> tuple[Column, ...]:
        moved = (other.column(name) for name in self.columns)
        return tuple(replace(c, not_null=False, not_null_name=None, default=None) for c in moved)

    def prechecks(self, catalog: Catalog, dialect: Dialect) -> tuple[Precheck, ...]:
        return self._drop().prechecks(catalog, dialect)

    def expand(self, catalog: Catalog, dialect: Dialect) -> Steps:
        """The foreign key last, when triggers do all that it did."""
        table, other = self._tables(catalog)
        link, together = self._link(table, other), dialect.together
        added: list[Change] = []
        removed: list[Change] = []
        for column in self._added(other):
            added += [*dialect.add_column(table.name, column)]
            added += dialect.copy_column_properties(table.name, column, column.name)
            removed += dialect.drop_column(table.name, column.name)
        names = ", ".join(self.columns)
        back = together(f"stop writing to {self.table} from {self.other}", dialect.drop_feed_first(link))
        forth = together(
            f"stop writing to {self.other} from {self.table}",
            (*dialect.drop_draw_second(link), *dialect.drop_feed_second(link)),
        )
        return (
            together(
                f"add {names} to {self.table}", added, undo=(together(f"remove {names} of {self.table}", removed),)
            ),
            together(f"write to {self.table} from {self.other}", dialect.feed_first(link), undo=(back,)),
            together(
                f"write to {self.other} from {self.table}",
                (*dialect.feed_second(link), *dialect.draw_second(link)),
                undo=(forth,),
            ),
            self._release(table, other, dialect),
        )

    def _release(self, table: Table, other: Table, dialect: Dialect) -> Step:
        key = reference(table, other, self._key(table))
        if key is None:
            raise Refused(f'"{other.name}" has no foreign key to "{table.name}"')
        undo = without_undo(declared(dialect, other, key))
        return dialect.together(f"drop foreign key {key.name}", dialect.drop_constraint(other.name, key), undo=undo)

    def _verified(self, table: Table, other: Table, dialect: Dialect) -> tuple[Verify, Verify]:
        link = self._link(table, other)
        return (
            dialect.verify(
                table,
                dialect.split_differs(link),
                target=f"{self.table} against {self.other}",
                twin=dialect.split_twin(link),
            ),
            dialect.verify(other, dialect.without_parent(link), target=f"{self.other} against {self.table}"),
        )

    def _touched(self, table: Table, other: Table, dialect: Dialect) -> Step:
        """Set rows that differ to what they are: triggers that are there do the rest, on one side or the other."""
        themselves = {name: identifier(name) for name in self.columns}
        pending = dialect.split_differs(self._link(table, other))
        target = f"{self.table} ({', '.join(self.columns)})"
        # What triggers of the user's write moves rows away from the walk.
        return replace(dialect.fill(table, themselves, pending, target=target), repeat=True)

    def migrate(self, catalog: Catalog, dialect: Dialect) -> Steps:
        table, other = self._tables(catalog)
        link, verified = self._link(table, other), self._verified(table, other, dialect)
        levels = dialect.level_first(table, link), dialect.level_second(table, link)
        return without_undo(
            (self._touched(table, other, dialect), *both_ways(*verified, *levels, required=link.required))
        )

    def contract(self, catalog: Catalog, dialect: Dialect) -> Steps:
        table, other = self._tables(catalog)
        link, together = self._link(table, other), dialect.together
        *released, aside = self._drop().contract(self._unlinked(catalog), dialect)
        back = together(f"write to {self.table} from {self.other} again", dialect.feed_first(link))
        return (
            *released,
            together(f"stop writing to {self.table} from {self.other}", dialect.drop_feed_first(link), undo=(back,)),
            together(
                f"stop writing to {self.other} from {self.table}",
                (*dialect.drop_draw_second(link), *dialect.drop_feed_second(link)),
                undo=self._caught_up(table, other, dialect),
            ),
            aside,
        )

    def _caught_up(self, table: Table, other: Table, dialect: Dialect) -> Steps:
        """Write to the second table again, and bring the rows up to date that were written meanwhile."""
        link, together = self._link(table, other), dialect.together
        key = {new: identifier(new) for _, new in link.key}
        pruned = dialect.fill(other, key, dialect.without_parent(link), target=f"{self.other} without {self.table}")
        return (
            together(
                f"write to {self.other} from {self.table} again",
                (*dialect.feed_second(link), *dialect.push_second(link)),
            ),
            together(f"delete rows of {self.other} that are gone", dialect.prune_second(link)),
            self._touched(table, other, dialect),
            replace(pruned, repeat=True),
            together(f"{self.other} is up to date", dialect.drop_prune_second(link)),
            together(f"{self.table} fills itself again", (*dialect.drop_push_second(link), *dialect.draw_second(link))),
            *self._verified(table, other, dialect),
        )

    def purge(self, catalog: Catalog, dialect: Dialect) -> Steps:
        return self._drop().purge(self._unlinked(catalog), dialect)

    def outcome(self, catalog: Catalog, dialect: Dialect) -> Catalog:
        table, other = self._tables(catalog)
        after = replace(
            table,
            columns=(*table.columns, *self._added(other)),
            written=(*table.written, *self.columns),
            mirrored=(*table.mirrored, *self.columns),
        )
        return self._drop().outcome(catalog.with_table(after), dialect)
