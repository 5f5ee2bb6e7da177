"""Create and drop indexes without blocking writes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from phases import names
from phases.catalog import Catalog, Index, Table
from phases.dialects.base import Dialect
from phases.errors import Refused, nearest
from phases.model import TableName
from phases.operations.base import (
    Operation,
    Precheck,
    Steps,
    Touch,
    check_expression,
    check_index_free,
    check_name,
    check_ordinary,
    check_stays,
    one_or_many,
    reads,
    row_key_text,
)
from phases.operations.partitions import PartitionedIndex, check_indexable, is_partitioned
from phases.sql import identifier, qualified


def duplicates(table: Table, columns: Sequence[str], dialect: Dialect, where: str | None = None) -> Precheck:
    """Ask for rows that a unique index would refuse: what they share, and the keys of two of them."""
    parts = [key if key.startswith("(") else identifier(key) for key in columns]
    keys, name = ", ".join(parts), row_key_text(table, dialect)
    shared = " || ', ' || ".join(dialect.as_text(part) for part in parts)
    present = " AND ".join(f"{part} IS NOT NULL" for part in parts)
    condition = f"{present} AND ({where})" if where else present
    sql = (
        f"SELECT {shared} || ' in ' || min({name}) || ' and ' || max({name})"
        f" FROM {qualified(table.name)} WHERE {condition} GROUP BY {keys} HAVING count(*) > 1 LIMIT 5"
    )
    needed = tuple(Touch(table.name, key) for key in columns if not key.startswith("("))
    problem = f'rows of "{table.name}" share a value of {keys}'
    # The build would find them too, but until it does its index refuses any UPDATE that moves one of them.
    return Precheck(sql, problem, "make them differ first", needed, asks="the key")


def find_index(catalog: Catalog, name: str, schema: str | None) -> tuple[Table, Index]:
    """Find an index by its exact name, and its table.

    Raises:
        Refused: no such index; the message names the nearest one.
    """
    full = catalog.name(name, schema)
    known, found = [], []
    for table in catalog.tables.values():
        for index in table.indexes:
            if TableName(index.schema, index.name) == full:
                found.append((table, index))
            elif index.schema == full.schema:
                known.append(index.name)
    if len(found) > 1:
        tables = " and ".join(sorted(f'"{table.name}"' for table, _ in found))
        remedy = "give one of them another name first: ALTER TABLE … RENAME INDEX"
        raise Refused(f'{tables} each have an index "{name}"', remedy=remedy)
    if found:
        return found[0]
    raise Refused(f'there is no index "{full}"', remedy=nearest(name, known))


@dataclass(frozen=True)
class CreateIndex(Operation):
    """Build an index concurrently.

    Of a partitioned table it is built partition by partition, each concurrently,
    and put together; partitions made meanwhile get theirs at once. An abort drops
    it with a short lock on the table and all its partitions.

    Args:
        table: exact name of the table.
        columns: column names; text in parentheses is an expression, `"(lower(email))"`.
        name: exact name; `<table>_<columns>_idx` where not given.
        unique: refuse equal keys.
        where: condition of a partial index.
        using: access method.
        include: further columns stored in the index.
        schema: schema of the table; the connection's default where not given.
    """

    table: str
    columns: Sequence[str]
    name: str | None = None
    unique: bool = False
    where: str | None = None
    using: str = "btree"
    include: Sequence[str] = ()
    schema: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "columns", one_or_many(self.columns))
        object.__setattr__(self, "include", tuple(self.include))

    def describe(self) -> str:
        return f"create index {self.index_name} on {self.table}"

    @property
    def index_name(self) -> str:
        if self.name is not None:
            return self.name
        return names.composed(self.table, *self._words, "idx")

    @property
    def _words(self) -> tuple[str, ...]:
        return tuple("expr" if key.startswith("(") else key for key in self.columns)

    def touches(self, catalog: Catalog, dialect: Dialect) -> tuple[Touch, ...]:
        table = catalog.name(self.table, self.schema)
        plain = [key for key in (*self.columns, *self.include) if not key.startswith("(")]
        expressions = [key for key in self.columns if key.startswith("(")]
        read = [touch for text in (*expressions, self.where) for touch in reads(table, text, dialect)]
        return *(Touch(table, key) for key in plain), *read

    def validate(self, catalog: Catalog, dialect: Dialect) -> None:
        table = catalog.table(self.table, self.schema)
        if is_partitioned(table) and not table.parents:
            check_indexable(catalog, table, self.columns, unique=self.unique)
        elif table.kind != "partition" or table.children:
            check_ordinary(table, "CreateIndex")
        check_name(self.index_name, dialect, "index")
        check_index_free(catalog, self.index_name, table.name.schema)
        for key in (*self.columns, *self.include):
            if key.startswith("("):
                check_expression(key, table, dialect, "index key")
            else:
                table.column(key)
        if self.where is not None:
            check_expression(self.where, table, dialect, "where")

    def prechecks(self, catalog: Catalog, dialect: Dialect) -> tuple[Precheck, ...]:
        if not self.unique:
            return ()
        check = duplicates(catalog.table(self.table, self.schema), self.columns, dialect, self.where)
        return (replace(check, reads=self.touches(catalog, dialect)),)

    def expand(self, catalog: Catalog, dialect: Dialect) -> Steps:
        table = catalog.table(self.table, self.schema)
        if is_partitioned(table):
            return self._partitioned(catalog, dialect, table).steps()
        return (dialect.build_index(table.name, self.index_name, self._statement(dialect, table.name)),)

    def _partitioned(self, catalog: Catalog, dialect: Dialect, table: Table) -> PartitionedIndex:
        def write(part: TableName, name: str, only: bool) -> str:
            return self._statement(dialect, part, name, only=only)

        return PartitionedIndex(catalog, dialect, table, self.index_name, self._words, write)

    def _statement(self, dialect: Dialect, table: TableName, name: str | None = None, *, only: bool = False) -> str:
        return dialect.index_statement(
            table,
            name or self.index_name,
            self.columns,
            unique=self.unique,
            where=self.where,
            using=self.using,
            include=self.include,
            only=only,
        )

    def outcome(self, catalog: Catalog, dialect: Dialect) -> Catalog:
        table = catalog.table(self.table, self.schema)
        create = self._statement(dialect, table.name)
        columns = tuple(key for key in (*self.columns, *self.include) if not key.startswith("("))
        index = Index(table.name.schema, self.index_name, create, columns, unique=self.unique)
        changed = catalog.with_table(replace(table, indexes=(*table.indexes, index)))
        if not is_partitioned(table):
            return changed
        return replace(changed, relations=changed.relations | self._partitioned(catalog, dialect, table).parts())

    def inverse(self) -> tuple[Operation, ...]:
        return (DropIndex(self.index_name, schema=self.schema),)


@dataclass(frozen=True)
class DropIndex(Operation):
    """Drop an index concurrently, once no version of the application needs it.

    Args:
        index: exact name of the index.
        schema: its schema; the connection's default where not given.
    """

    index: str
    schema: str | None = None

    def describe(self) -> str:
        return f"drop index {self.index}"

    def touches(self, catalog: Catalog, dialect: Dialect) -> tuple[Touch, ...]:
        table, index = find_index(catalog, self.index, self.schema)
        return Touch(table.name, f"index {index.name}"), *(Touch(table.name, column) for column in index.columns)

    def validate(self, catalog: Catalog, dialect: Dialect) -> None:
        table, index = find_index(catalog, self.index, self.schema)
        check_ordinary(table, "DropIndex")
        check_stays(table, index.columns, f'"{self.index}" covers')
        if index.constraint is not None:
            raise Refused(
                f'index "{index.name}" serves the constraint "{index.constraint}" of "{table.name}"',
                remedy="drop the constraint instead",
            )
        if index.replica_identity:
            raise Refused(f'index "{index.name}" is the replica identity of "{table.name}"')

    def contract(self, catalog: Catalog, dialect: Dialect) -> Steps:
        table, index = find_index(catalog, self.index, self.schema)
        undo = [dialect.build_index(table.name, index.name, index.definition, undo=False)]
        if index.comment is not None:
            comment = dialect.comment_on_index(table.name, index.name, index.comment)
            undo.append(dialect.together(f"comment on index {index.name}", comment))
        return (dialect.remove_index(table.name, index, undo=undo),)

    def outcome(self, catalog: Catalog, dialect: Dialect) -> Catalog:
        table, index = find_index(catalog, self.index, self.schema)
        kept = tuple(i for i in table.indexes if i is not index)
        smaller = catalog.with_table(replace(table, indexes=kept))
        return replace(smaller, leaving=smaller.leaving | {TableName(index.schema, index.name)})
