"""Partitioned tables: their trees, and indexes over all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from phases import names
from phases.catalog import Catalog, Table
from phases.dialects.base import Change, Dialect
from phases.errors import Refused
from phases.model import Lock, LockMode, Step, TableName

Writer = Callable[[TableName, str, bool], str]
"""Writes the CREATE INDEX of a table under a name, of it alone or with its partitions."""


def tree(catalog: Catalog, table: Table) -> Iterator[Table]:
    """A table and all its partitions, each before its own."""
    yield table
    for name in sorted(table.children, key=lambda child: (child.schema, child.name)):
        yield from tree(catalog, catalog.tables[name])


def is_partitioned(table: Table) -> bool:
    return bool(table.partition_key)


def check_indexable(catalog: Catalog, table: Table, keys: Sequence[str], *, unique: bool) -> None:
    """Refuse an index over partitions that one of them cannot have.

    Raises:
        Refused: naming the partition, or the column a unique index lacks.
    """
    for part in tree(catalog, table):
        if part.kind == "foreign table" or (not is_partitioned(part) and part.children):
            raise Refused(f'partition "{part.name}" of "{table.name}" can have no index that is a part of another')
        lacking = [column for column in part.partition_key if column not in keys]
        if unique and lacking:
            what = ", ".join(f'"{column}"' if column else "an expression" for column in lacking)
            raise Refused(
                f'"{part.name}" is partitioned by {what}, which a unique index has to have among its columns',
                remedy="add it to the columns, or leave out unique=True" if all(lacking) else "leave out unique=True",
            )


@dataclass(frozen=True, slots=True)
class PartitionedIndex:
    """An index of a partitioned table: declared at the top, built partition by partition, and put together.

    Args:
        keys: words that the names of its parts are made of.
        write: writes the CREATE INDEX statements.
    """

    catalog: Catalog
    dialect: Dialect
    table: Table
    name: str
    keys: tuple[str, ...]
    write: Writer

    def parts(self) -> frozenset[TableName]:
        """Names of the indexes of its partitions."""
        _, *below = tree(self.catalog, self.table)
        return frozenset(TableName(part.name.schema, self._part(part)) for part in below)

    def steps(self) -> tuple[Step, ...]:
        tables = [part.name for part in tree(self.catalog, self.table)]
        top = TableName(self.table.name.schema, self.name)
        undo = self.dialect.drop_partitioned_index(f"drop index {self.name} and its parts", top, tables)
        declared = self._declared(self.table, self.name)
        first = self.dialect.together(f"declare index {self.name}", (declared,), undo=(undo,))
        return (first, *self._below(self.table, top))

    def _declared(self, table: Table, name: str) -> Change:
        # Not valid and empty until every partition has its part; a partition made meanwhile gets one at once.
        return Change(self.write(table.name, name, True), (Lock(table.name, LockMode.SHARE),))

    def _below(self, table: Table, parent: TableName) -> Iterator[Step]:
        for child in (self.catalog.tables[name] for name in table.children):
            name = self._part(child)
            attached = self.dialect.attach_partition_index(child.name, name, parent)
            if is_partitioned(child):
                # Nobody knows an index that is made in the same transaction: attaching it keeps nobody out.
                quiet = [Change(change.sql) for change in attached]
                yield self.dialect.together(f"declare index {name}", (self._declared(child, name), *quiet))
                yield from self._below(child, TableName(child.name.schema, name))
            else:
                yield self.dialect.build_partition_index(child.name, name, self.write(child.name, name, False))
                yield self.dialect.together(f"attach index {name}", attached)

    def _part(self, table: Table) -> str:
        schema, name = table.name.schema, table.name.name
        made = names.composed(name, *self.keys, "idx")
        if self.catalog.taken(made, schema):
            return names.composed(name, *self.keys, names.digest(schema, name, self.name), "idx")
        return made
