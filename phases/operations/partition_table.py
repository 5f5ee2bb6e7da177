"""Make a table a partitioned one while it is in use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from phases import names
from phases.catalog import Catalog, Constraint, ConstraintKind, Index, Table
from phases.dialects.base import Change, Dialect
from phases.errors import Refused
from phases.model import Step, TableName, Verify
from phases.operations.base import (
    Operation,
    Precheck,
    Steps,
    Touch,
    check_name,
    check_ordinary,
    check_table_free,
    one_or_many,
    without_undo,
)
from phases.operations.constraints import declared
from phases.operations.exchange import Exchange
from phases.operations.partitionable import BOUNDS, EXAMPLES, check_bounds, check_keys, check_properties, check_triggers
from phases.operations.partitions import PartitionedIndex
from phases.operations.two_tables import copied_again
from phases.sql import listed

KEYS = (ConstraintKind.PRIMARY, ConstraintKind.UNIQUE)


@dataclass(frozen=True)
class PartitionTable(Operation):
    """Make a table a partitioned one, under its name.

    Expand creates the partitioned table with its partitions under another name, and triggers
    by which it follows every INSERT, UPDATE, DELETE and TRUNCATE of the table. Migrate copies
    the rows, builds the indexes partition by partition, analyzes, and compares both row by row.
    In the contract the two change names in one short transaction; views over the table, its
    triggers, extended statistics, sequences and foreign keys come along. From then on the former
    table follows the partitioned one, so that a restore can bring it back, until the purge drops it.
    Both versions of the application use the same name all the time.

    Writers never meet a row without a partition: RANGE and LIST have a default partition, and
    the partitions of HASH are complete. The primary key and every unique key have the columns
    that rows are partitioned by.

    Args:
        table: exact name of the table.
        method: `"range"`, `"list"` or `"hash"`.
        columns: exact names of the columns that rows are partitioned by.
        partitions: bound of each partition by its name, `"FOR VALUES FROM (…) TO (…)"`.
        default: name of the default partition, for RANGE and LIST.
        keeps_key: True says that BEFORE ROW triggers of the table leave these columns as they are:
            a partitioned table refuses rows that such a trigger moves to another partition.
        schema: schema of the table and its partitions; the connection's default where not given.
    """

    table: str
    method: str
    columns: Sequence[str]
    partitions: Mapping[str, str]
    default: str | None = None
    keeps_key: bool = False
    schema: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "method", self.method.lower())
        object.__setattr__(self, "columns", one_or_many(self.columns))
        object.__setattr__(self, "partitions", dict(self.partitions))

    def describe(self) -> str:
        return f"partition {self.table} by {self.method} ({', '.join(self.columns)})"

    def touches(self, catalog: Catalog, dialect: Dialect) -> tuple[Touch, ...]:
        name = catalog.name(self.table, self.schema)
        table = catalog.tables.get(name)
        views = [view.relation for view in self._exchange(catalog, table, dialect).views()] if table else []
        return tuple(Touch(each) for each in (name, *views, *(part for part, _ in self._bounds(catalog))))

    def alone(self, catalog: Catalog, dialect: Dialect) -> tuple[Touch, ...]:
        return self.touches(catalog, dialect)

    def _bounds(self, catalog: Catalog) -> list[tuple[TableName, str]]:
        default = [(self.default, "DEFAULT")] if self.default is not None else []
        return [(catalog.name(name, self.schema), bound) for name, bound in (*self.partitions.items(), *default)]

    def _exchange(self, catalog: Catalog, table: Table, dialect: Dialect) -> Exchange:
        name = table.name
        made = TableName(name.schema, names.owned("partitioned", name.schema, name.name))
        return Exchange(catalog, dialect, table, made, tuple(part for part, _ in self._bounds(catalog)))

    def validate(self, catalog: Catalog, dialect: Dialect) -> None:
        table = catalog.table(self.table, self.schema)
        check_ordinary(table, "PartitionTable")
        self._check_partitions(catalog, dialect)
        check_bounds(self.method, self.partitions, dialect)
        check_keys(table, self.columns)
        check_properties(table)
        check_triggers(table, self.columns, dialect, keeps_key=self.keeps_key)
        self._check_readers(self._exchange(catalog, table, dialect))

    def _check_partitions(self, catalog: Catalog, dialect: Dialect) -> None:
        if self.method not in BOUNDS:
            raise Refused(f'there is no method "{self.method}"', remedy='"range", "list" or "hash"')
        if not self.columns or not self.partitions:
            what = "columns" if not self.columns else "partitions"
            raise Refused(f"PartitionTable names no {what}", remedy=f'partitions={{"…": "{EXAMPLES[self.method]}"}}')
        if self.default in self.partitions:
            raise Refused(f'"{self.default}" has a bound, so it is not the default partition')
        for name, _ in self._bounds(catalog):
            check_name(name.name, dialect, "partition")
            check_table_free(catalog, name)
        if self.method != "hash" and self.default is None:
            raise Refused(
                "rows that fit no partition could not be written, by a version that knows of none",
                remedy=f'name a default partition: default="{self.table}_rest"; drop it once it has no rows and the'
                " old version is gone",
            )
        if self.method == "hash" and self.default is not None:
            raise Refused("partitions by hash have no default")

    def _check_readers(self, exchange: Exchange) -> None:
        following = {str(view) for view in exchange.views()}
        if staying := [reader for reader in exchange.table.readers if reader not in following]:
            raise Refused(
                f'{", ".join(staying)} would stay with the table that goes when "{exchange.table.name}" becomes'
                " another table",
                remedy="drop them in an earlier revision, and create them again after the contract of this one",
            )

    def prechecks(self, catalog: Catalog, dialect: Dialect) -> tuple[Precheck, ...]:
        table = catalog.name(self.table, self.schema)
        problem = f'"{table}" has something that no partitioned table can take over'
        remedy = "take it away in an earlier revision, or partition the table in a maintenance window"
        return (Precheck(dialect.unpartitionable(table), problem, remedy),)

    def expand(self, catalog: Catalog, dialect: Dialect) -> Steps:
        table = catalog.table(self.table, self.schema)
        exchange = self._exchange(catalog, table, dialect)
        undo = (
            # One lock at a time: whoever waits behind it waits for one more only then.
            dialect.together(f"stop feeding the partitions of {self.table}", dialect.unfollow(exchange.copy())),
            dialect.together(f"drop the partitions of {self.table}", dialect.drop_table(exchange.made)),
        )
        # Nobody else sees the tables before this commits, so there is nothing to lock.
        made = [Change(change.sql) for change in self._create(catalog, exchange)]
        changes = (*made, *dialect.follow(exchange.copy()))
        return (dialect.together(f"create partitions of {self.table} and feed them", changes, undo=undo),)

    def _create(self, catalog: Catalog, exchange: Exchange) -> Iterator[Change]:
        dialect, table, made = exchange.dialect, exchange.table, exchange.made
        keys = [(exchange.temporary(c.name), c) for c in table.constraints if c.kind in KEYS]
        by = f"{self.method.upper()} ({listed(self.columns)})"
        yield from dialect.create_partitioned(made, table, by, keys, self._bounds(catalog))
        for column in table.columns:
            # What CREATE TABLE … LIKE has taken along is left out.
            rest = replace(column, comment=None, storage=None, compression=None)
            yield from dialect.copy_column_properties(made, rest, column.name)
        for index in exchange.indexes():
            if index.constraint is not None and index.comment is not None:
                yield from dialect.comment_on_index(made, exchange.temporary(index.name), index.comment)
        yield from dialect.share_table(made, table)
        for part in exchange.parts:
            yield from dialect.share_table(part, replace(table, grants=()))

    def migrate(self, catalog: Catalog, dialect: Dialect) -> Steps:
        table = catalog.table(self.table, self.schema)
        exchange = self._exchange(catalog, table, dialect)
        copied = dialect.copy_table(exchange.copy(), target=f"partitions of {self.table}")
        compared, *extra = self._verified(exchange, table.name, exchange.made)
        strays = [dialect.remove_strays(part, table.name, exchange.copy()) for part in exchange.parts]
        steps = (
            copied,
            *(self._indexes(catalog, exchange) or self._barrier(exchange)),
            dialect.together(f"analyze partitions of {self.table}", dialect.analyze(exchange.made), scans=True),
            *copied_again(compared, extra, strays, copied),
        )
        return without_undo(steps)

    def _indexes(self, catalog: Catalog, exchange: Exchange) -> Steps:
        """Built once the rows are there: keeping them up to date while rows are copied would cost more."""
        dialect, made, steps = exchange.dialect, self._made(catalog, exchange), list[Step]()
        catalog = self._with(catalog, made, exchange)
        for index in exchange.indexes():
            if index.constraint is not None:
                continue
            name, definition = exchange.temporary(index.name), index.definition

            def write(on: TableName, named: str, only: bool, definition: str = definition) -> str:
                place, copy = (on.schema, on.name), dialect.expressions.copy_index
                return copy(definition, name=named, names={}, concurrently=False, table=place, only=only)

            words = index.plain_key or (names.digest(index.name),)
            built = PartitionedIndex(catalog, dialect, made, name, words, write)
            steps += built.steps()
            catalog = replace(catalog, relations=catalog.relations | built.parts())
            if index.comment is not None:
                comment = dialect.comment_on_index(made.name, name, index.comment)
                steps.append(dialect.together(f"comment on index {name}", comment))
        return tuple(steps)

    def _barrier(self, exchange: Exchange) -> Steps:
        """Wait for transactions whose snapshots are older than the copied rows, as every concurrent build does.

        They would find the rows missing once the partitions have the name.
        """
        dialect, table, part = exchange.dialect, exchange.table, exchange.parts[-1]
        name = names.owned("barrier", table.name.schema, table.name.name)
        key = table.primary_key()
        create = dialect.index_statement(part, name, key, unique=False, where="false", using="btree", include=())
        index = Index(part.schema, name, create, key)
        return dialect.build_index(part, name, create), dialect.remove_index(part, index)

    def _verified(self, exchange: Exchange, whole: TableName, parted: TableName) -> tuple[Verify, ...]:
        """Compare both ways; `whole` is the name of the table that goes, `parted` of the partitioned one."""
        dialect, table, copy = exchange.dialect, exchange.table, exchange.copy()
        missing, twin = dialect.missing_from(whole, parted, copy), dialect.copy_twin(replace(copy, other=parted))
        target = f"{self.table} against its partitions"
        steps = [dialect.verify(replace(table, name=whole), missing, target=target, twin=twin)]
        for part in exchange.parts:
            extra = dialect.missing_from(part, whole, copy)
            steps.append(dialect.verify(replace(table, name=part), extra, target=f"{part.name} against {self.table}"))
        return tuple(steps)

    def contract(self, catalog: Catalog, dialect: Dialect) -> Steps:
        table = catalog.table(self.table, self.schema)
        exchange = self._exchange(catalog, table, dialect)
        former = replace(table, name=exchange.aside)
        referring = [step for key in exchange.foreign_keys() for step in declared(dialect, former, key)]
        undo = (
            *without_undo(referring),
            *self._verified(exchange, exchange.aside, table.name),
            exchange.backward(f"give {self.table} its place back"),
        )
        referred = [step for key in exchange.foreign_keys() for step in self._refer(exchange, key)]
        return (*referred, exchange.forward(f"put its partitions in the place of {self.table}", undo))

    def _refer(self, exchange: Exchange, key: Constraint) -> Iterator[Step]:
        """A foreign key of the partitions, one by one: of a partitioned table it would be checked under a lock.

        Only while the names are about to change do both tables have it, the one that is written to first. So
        whoever changes what it references locks their rows in the same order as everybody else.
        """
        dialect, plain = exchange.dialect, replace(key, comment=None)
        for part in exchange.parts:
            declare, validate = declared(dialect, replace(exchange.table, name=part), plain)
            withdrawn = dialect.drop_constraint_if_exists(part, key.name)
            undo = dialect.together(f"drop foreign key {key.name} of {part.name}", withdrawn)
            yield replace(declare, name=f"{declare.name} of {part.name}", undo=(undo,))
            yield replace(validate, name=f"{validate.name} of {part.name}")
        withdrawn = dialect.drop_constraint_if_exists(exchange.made, key.name)
        undo = dialect.together(f"drop foreign key {key.name} of the partitions", withdrawn)
        adopted = dialect.adopt_foreign_key(exchange.made, exchange.parts, key)
        yield dialect.together(f"put foreign key {key.name} of the partitions together", adopted, undo=(undo,))

    def purge(self, catalog: Catalog, dialect: Dialect) -> Steps:
        exchange = self._exchange(catalog, catalog.table(self.table, self.schema), dialect)
        return (
            dialect.together(f"stop feeding the former {self.table}", dialect.unfollow(exchange.reverse())),
            dialect.together(f"drop the former {self.table}", dialect.drop_table(exchange.aside)),
        )

    def _made(self, catalog: Catalog, exchange: Exchange) -> Table:
        columns = tuple(self.columns)
        return replace(
            exchange.table,
            name=exchange.made,
            kind="partitioned table",
            partition_key=columns,
            children=exchange.parts,
            indexes=(),
        )

    def _with(self, catalog: Catalog, made: Table, exchange: Exchange) -> Catalog:
        catalog = catalog.with_table(made)
        for name, bound in self._bounds(catalog):
            part = replace(exchange.table, name=name, kind="partition", parents=(made.name,), bound=bound, indexes=())
            catalog = catalog.with_table(replace(part, triggers=(), definitions=(), readers=()))
        return catalog

    def outcome(self, catalog: Catalog, dialect: Dialect) -> Catalog:
        exchange = self._exchange(catalog, catalog.table(self.table, self.schema), dialect)
        made = replace(self._made(catalog, exchange), name=exchange.table.name, indexes=exchange.table.indexes)
        return self._with(catalog, made, exchange)
