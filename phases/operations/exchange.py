"""One table takes the name of another, with everything that hangs on the name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from phases import names
from phases.catalog import Catalog, Constraint, ConstraintKind, Definition, Index, Table
from phases.dialects.base import Change, Dialect
from phases.dual_write import TableCopy
from phases.model import Step, TableName

Namer = Callable[[str], str]

FOLLOWING = ("trigger", "statistics")
"""Kinds of definitions of a table that are created again on the one that comes."""


@dataclass(frozen=True)
class Exchange:
    """The changes by which a table and its copy change places, and change them back.

    Args:
        catalog: the catalog before.
        dialect: of the server.
        table: the table that goes.
        made: name of the copy until then.
        parts: partitions of the copy.
    """

    catalog: Catalog
    dialect: Dialect
    table: Table
    made: TableName
    parts: tuple[TableName, ...]

    @property
    def aside(self) -> TableName:
        """Name of the table that goes, afterwards."""
        name = self.table.name
        return TableName(name.schema, names.quarantine(name.schema, name.name))

    def copy(self) -> TableCopy:
        """The copy follows the table."""
        stored = tuple(column.name for column in self.table.columns if column.generated is None)
        return TableCopy(self.table.name, self.made, self.table.primary_key(), stored, self.table.owner)

    def reverse(self) -> TableCopy:
        """The table follows the copy, which has its name by then."""
        return replace(self.copy(), other=self.aside, parts=self.parts)

    def indexes(self) -> list[Index]:
        """Those that the copy has, too."""
        return [index for index in self.table.indexes if index.valid]

    def temporary(self, index: str) -> str:
        """Name of an index of the copy until they change places."""
        return names.owned("index", self.table.name.schema, self.table.name.name, index)

    def foreign_keys(self) -> list[Constraint]:
        return [c for c in self.table.constraints if c.kind is ConstraintKind.FOREIGN]

    def views(self) -> list[Definition]:
        """Views over the table: each is given its query again, over the table that has the name."""
        found = (t.definitions[0] for t in self.catalog.tables.values() if t.kind == "view" and t.definitions)
        return sorted((view for view in found if str(view) in self.table.readers), key=str)

    def own(self) -> list[Definition]:
        return [part for part in self.table.definitions if part.kind in FOLLOWING]

    @property
    def recreated(self) -> tuple[str, ...]:
        return tuple(str(part) for part in (*self.views(), *self.own()))

    def forward(self, name: str, undo: Iterable[Step]) -> Step:
        changes = (
            *self._away(self.copy()),
            *self._rename(self.aside, self.made, self._aside_index, self.temporary),
            *self._again(self.aside, self.reverse()),
        )
        return self._switch(name, changes, self.made, undo)

    def backward(self, name: str) -> Step:
        changes = (
            *self._away(self.reverse()),
            *self._rename(self.made, self.aside, self.temporary, self._aside_index),
            *self._again(self.made, self.copy()),
        )
        return self._switch(name, changes, self.aside, ())

    def _switch(self, name: str, changes: Iterable[Change], other: TableName, undo: Iterable[Step]) -> Step:
        """Behind the table that is written to nobody writes to the one that follows it."""
        referenced = (key.references for key in self.foreign_keys() if key.references is not None)
        order = dict.fromkeys((self.table.name, other, *sorted(referenced, key=str)))
        return self.dialect.switch(name, tuple(changes), tuple(order), tuple(undo))

    def _away(self, following: TableCopy) -> Iterator[Change]:
        dialect, parts = self.dialect, [*self.views(), *self.own()]
        if parts:
            yield from dialect.check_unchanged(parts, in_place=True)
        for part in self.own():
            yield from dialect.drop_defined(part)
        yield from dialect.unfollow(following)
        for key in self.foreign_keys():
            yield from dialect.drop_constraint(self.table.name, key)

    def _rename(self, gone: TableName, comes: TableName, put_aside: Namer, taken_from: Namer) -> Iterator[Change]:
        dialect, name = self.dialect, self.table.name
        yield from dialect.rename_table(name, gone.name)
        for index in self.indexes():
            yield from dialect.rename_index(name, index.name, put_aside(index.name))
        yield from dialect.rename_table(comes, name.name)
        for index in self.indexes():
            yield from dialect.rename_index(name, taken_from(index.name), index.name)

    def _again(self, gone: TableName, following: TableCopy) -> Iterator[Change]:
        dialect, name = self.dialect, self.table.name
        for column in self.table.columns:
            yield from dialect.hand_over_sequence(gone, name, column)
        for part in self.own():
            yield from dialect.create_defined(part)
        for view in self.views():
            yield from dialect.replace_defined(view)
        yield from dialect.check_alone(gone, name)
        yield from dialect.follow(following)

    def _aside_index(self, index: str) -> str:
        return names.quarantine(self.table.name.schema, self.table.name.name, index)
