"""Make a table a partition of another, proved and indexed beforehand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from phases import names
from phases.catalog import Catalog, Constraint, ConstraintKind, Index, Table
from phases.dialects.base import Dialect
from phases.errors import Refused
from phases.model import Step
from phases.operations.base import Operation, Precheck, Steps, Touch, one_or_many, row_key_text
from phases.operations.constraints import declared
from phases.sql import identifier, qualified


@dataclass(frozen=True)
class AttachPartition(Operation):
    """Attach an ordinary table as a partition of a partitioned one, in expand.

    A CHECK proves first that every row belongs there, and the indexes that the
    partitioned table has are built concurrently, so that attaching reads nothing.
    From the CHECK on, the table refuses rows that do not belong there.

    Args:
        table: exact name of the partitioned table, whose key is one column.
        partition: exact name of the table that becomes a partition.
        start, end: SQL constants of a range, from `start` up to and without `end`.
        values: SQL constants of a list.
        schema: schema of both; the connection's default where not given.
    """

    table: str
    partition: str
    start: str | None = None
    end: str | None = None
    values: Sequence[str] = ()
    schema: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", one_or_many(self.values))

    def describe(self) -> str:
        return f"attach {self.partition} as a partition of {self.table}"

    def touches(self, catalog: Catalog, dialect: Dialect) -> tuple[Touch, ...]:
        return tuple(Touch(catalog.name(table, self.schema)) for table in (self.table, self.partition))

    def alone(self, catalog: Catalog, dialect: Dialect) -> tuple[Touch, ...]:
        return self.touches(catalog, dialect)

    def _find(self, catalog: Catalog) -> tuple[Table, Table]:
        return catalog.table(self.table, self.schema), catalog.table(self.partition, self.schema)

    def validate(self, catalog: Catalog, dialect: Dialect) -> None:
        table, partition = self._find(catalog)
        if not table.partition_key:
            raise Refused(f'"{table.name}" is not partitioned')
        if len(table.partition_key) > 1 or not table.partition_key[0]:
            raise Refused(
                f'"{table.name}" is partitioned by more than one plain column',
                remedy="attach it in a maintenance window",
            )
        if partition.kind != "table" or partition.parents or partition.children:
            raise Refused(f'"{partition.name}" is no ordinary table ({partition.kind}), or is in an inheritance tree')
        self._check_bound(catalog, table, dialect)
        check_columns(table, partition)
        check_constraints(table, partition)

    def _check_bound(self, catalog: Catalog, table: Table, dialect: Dialect) -> None:
        ranged = self.start is not None and self.end is not None
        if ranged == bool(self.values) or (self.start is None) != (self.end is None):
            raise Refused("a partition has a range or a list", remedy='start="…", end="…"; or values=["…"]')
        for text in (self.start, self.end, *self.values):
            try:
                reads = dialect.expressions.columns(text) if text is not None else ()
            except ValueError as problem:
                raise Refused(f"{text!r} is not an SQL constant: {problem}") from None
            if reads:
                raise Refused(f"{text!r} reads a column", remedy="a text constant needs quotes of its own: \"'x'\"")
        for child in table.children:
            bound = catalog.tables[child].bound
            if bound == "DEFAULT":
                raise Refused(
                    f'"{child}" is the default partition of "{table.name}": attaching another reads all its rows'
                    " while others wait",
                    remedy="attach it in a maintenance window",
                )
            if bound and bound.startswith("FOR VALUES FROM") != ranged:
                raise Refused(f'"{table.name}" has partitions like "{child}" {bound}')

    def _bound(self) -> str:
        if self.values:
            return f"FOR VALUES IN ({', '.join(self.values)})"
        return f"FOR VALUES FROM ({self.start}) TO ({self.end})"

    def _condition(self, table: Table) -> str:
        key = table.column(table.partition_key[0])
        column = identifier(key.name)
        if self.values:
            belongs = f"{column} IN ({', '.join(f'({value})::{key.type}' for value in self.values)})"
        else:
            belongs = f"{column} >= ({self.start})::{key.type} AND {column} < ({self.end})::{key.type}"
        return f"{column} IS NOT NULL AND {belongs}"

    def prechecks(self, catalog: Catalog, dialect: Dialect) -> tuple[Precheck, ...]:
        table, partition = self._find(catalog)
        sql = (
            f"SELECT {row_key_text(partition, dialect)} FROM {qualified(partition.name)}"
            f" WHERE NOT coalesce({self._condition(table)}, false) LIMIT 5"
        )
        return (Precheck(sql, f'rows of "{partition.name}" do not belong into this partition', "move them first"),)

    def expand(self, catalog: Catalog, dialect: Dialect) -> Steps:
        table, partition = self._find(catalog)
        name = names.owned("partition", partition.name.schema, partition.name.name)
        proof = Constraint(name, ConstraintKind.CHECK, f"CHECK ({self._condition(table)})")
        # Attaching drops the proof, so an abort after it finds none.
        declare, validate = declared(dialect, partition, proof)
        withdrawn = dialect.together(f"drop {name}", dialect.drop_constraint_if_exists(partition.name, name))
        bound = replace(partition, bound=self._bound())
        attach = dialect.attach_partition(self.describe(), table, bound, proof)
        keys = [c.references for c in table.constraints if c.kind is ConstraintKind.FOREIGN and c.references]
        detach = dialect.detach_partition(f"detach {self.partition}", table.name, partition.name, keys)
        built = self._indexes(catalog, table, partition, dialect)
        return (replace(declare, undo=(withdrawn,)), validate, *built, replace(attach, undo=(detach,)))

    def _indexes(self, catalog: Catalog, table: Table, partition: Table, dialect: Dialect) -> Steps:
        copy = dialect.expressions.copy_index

        def shape(index: Index) -> str:
            return copy(
                index.definition, name="same", names={}, concurrently=False, table=(table.name.schema, table.name.name)
            )

        there = {(shape(index), index.constraint is not None) for index in partition.indexes if index.valid}
        steps: list[Step] = []
        for index in table.indexes:
            if (shape(index), index.constraint is not None) in there:
                continue
            name = part_name(catalog, table, partition, index)
            create = copy(
                index.definition,
                name=name,
                names={},
                concurrently=False,
                table=(partition.name.schema, partition.name.name),
            )
            steps.append(dialect.build_index(partition.name, name, create))
            steps += self._attached_key(table, partition, index, name, dialect)
        return tuple(steps)

    @staticmethod
    def _attached_key(table: Table, partition: Table, index: Index, name: str, dialect: Dialect) -> Steps:
        key = next((c for c in table.constraints if c.name == index.constraint), None)
        if key is None:
            return ()
        own = replace(key, name=name, comment=None)
        undo = dialect.together(f"drop {key.kind} {name}", dialect.drop_constraint(partition.name, own))
        attached = dialect.attach_index(partition.name, own, name, name)
        return (dialect.together(f"attach {key.kind} {name}", attached, undo=(undo,)),)

    def outcome(self, catalog: Catalog, dialect: Dialect) -> Catalog:
        table, partition = self._find(catalog)
        grown = catalog.with_table(replace(table, children=(*table.children, partition.name)))
        child = replace(partition, kind="partition", parents=(table.name,), bound=self._bound())
        return grown.with_table(child)


def part_name(catalog: Catalog, table: Table, partition: Table, index: Index) -> str:
    """Name of the partition's part of an index, as the server would choose it where that is free."""
    own, schema = partition.name.name, partition.name.schema
    kind = next((c.kind for c in table.constraints if c.name == index.constraint), None)
    end = {ConstraintKind.PRIMARY: "pkey", ConstraintKind.UNIQUE: "key"}.get(kind, "idx") if kind else "idx"
    words = () if end == "pkey" else index.plain_key or (names.digest(index.name),)
    made = names.composed(own, *words, end)
    alike = [other.name for other in table.indexes if other.plain_key == index.plain_key and other.name < index.name]
    if catalog.taken(made, schema) or alike:
        return names.composed(own, *words, names.digest(index.name), end)
    return made


def check_columns(table: Table, partition: Table) -> None:
    """Refuse a partition whose columns are not those of the table."""
    own = {column.name: column for column in partition.columns}
    for column in table.columns:
        other = own.pop(column.name, None)
        if other is None or other.type != column.type or other.collation != column.collation:
            found = f"{other.type}" if other else "not there"
            raise Refused(f'column "{column.name}" is {column.type} in "{table.name}", {found} in "{partition.name}"')
        if column.not_null and not other.not_null:
            raise Refused(
                f'column "{column.name}" is NOT NULL in "{table.name}" and not in "{partition.name}"',
                remedy=f'in an earlier revision: SetNotNull("{partition.name.name}", "{column.name}")',
            )
        if column.sequence and column.sequence.identity:
            raise Refused(f'"{column.name}" of "{table.name}" is an identity column, which partitions share')
    if own:
        raise Refused(f'"{partition.name}" has a column "{min(own)}" that "{table.name}" has not')


def check_constraints(table: Table, partition: Table) -> None:
    """Refuse a partition that lacks a condition or a reference: attaching would check all rows while others wait."""
    own = {constraint.definition for constraint in partition.constraints if constraint.validated}
    for constraint in table.constraints:
        if constraint.kind in (ConstraintKind.CHECK, ConstraintKind.FOREIGN) and constraint.definition not in own:
            add = "AddCheck" if constraint.kind is ConstraintKind.CHECK else "AddForeignKey"
            raise Refused(
                f'"{partition.name}" lacks {constraint.definition}, which "{table.name}" has',
                remedy=f"add it in an earlier revision, under the name {constraint.name}: {add}",
            )
    if table.incoming:
        key = table.incoming[0]
        raise Refused(f'foreign key "{key.constraint}" of "{key.table}" references "{table.name}"')
