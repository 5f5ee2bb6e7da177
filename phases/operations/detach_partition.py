"""Detach a partition whose rows only the old version reads."""

from __future__ import annotations

from dataclasses import dataclass, replace

from phases import names
from phases.catalog import Catalog, Constraint, ConstraintKind, Table
from phases.dialects.base import Dialect
from phases.errors import Refused, nearest
from phases.model import Step
from phases.operations.base import Operation, Steps, Touch
from phases.operations.constraints import declared


@dataclass(frozen=True)
class DetachPartition(Operation):
    """Detach a partition, in the contract: a table of its own from then on.

    Old readers find its rows in the partitioned table until they are gone. The
    new version must not write rows that belong there: after the contract no
    partition takes them. A restore proves the rows with a CHECK first, so that
    attaching reads none of them. Drop the table in a later revision.

    Args:
        table: exact name of the partitioned table.
        partition: exact name of the partition.
        schema: schema of both; the connection's default where not given.
    """

    table: str
    partition: str
    schema: str | None = None

    def describe(self) -> str:
        return f"detach partition {self.partition} of {self.table}"

    def touches(self, catalog: Catalog, dialect: Dialect) -> tuple[Touch, ...]:
        return tuple(Touch(catalog.name(table, self.schema)) for table in (self.table, self.partition))

    def alone(self, catalog: Catalog, dialect: Dialect) -> tuple[Touch, ...]:
        return self.touches(catalog, dialect)

    def _find(self, catalog: Catalog) -> tuple[Table, Table]:
        return catalog.table(self.table, self.schema), catalog.table(self.partition, self.schema)

    def validate(self, catalog: Catalog, dialect: Dialect) -> None:
        table, partition = self._find(catalog)
        if partition.name not in table.children or not table.partition_key:
            hint = nearest(self.partition, [child.name for child in table.children])
            raise Refused(f'"{partition.name}" is no partition of "{table.name}"', remedy=hint)
        if partition.children or table.parents:
            raise Refused(
                "DetachPartition works where partitions have none of their own",
                remedy="write the statements in RunSQL, phase by phase",
            )
        if partition.bound.startswith("FOR VALUES WITH"):
            raise Refused(f'"{table.name}" is partitioned by hash: rows of every kind would have no partition')
        for child in table.children:
            if catalog.tables[child].bound == "DEFAULT":
                raise Refused(
                    f'"{child}" is the default partition of "{table.name}": rows that belong into "{partition.name}"'
                    " would go there, and attaching it again would read them all while others wait",
                    remedy="detach it in a maintenance window",
                )
        for key in table.incoming:
            raise Refused(
                f'foreign key "{key.constraint}" of "{key.table}" references "{table.name}":'
                " detaching would look for its rows while others wait",
                remedy="drop that foreign key in an earlier revision",
            )

    def contract(self, catalog: Catalog, dialect: Dialect) -> Steps:
        table, partition = self._find(catalog)
        referenced = [c.references for c in table.constraints if c.kind is ConstraintKind.FOREIGN and c.references]
        detach = dialect.detach_partition(self.describe(), table.name, partition.name, referenced)
        return (replace(detach, undo=self._attached(table, partition, dialect)),)

    def _attached(self, table: Table, partition: Table, dialect: Dialect) -> Steps:
        proof = Constraint(
            names.owned("partition", partition.name.schema, partition.name.name),
            ConstraintKind.CHECK,
            f"CHECK ({partition.partition_condition})",
        )
        proven: list[Step] = [replace(step, undo=()) for step in declared(dialect, partition, proof)]
        name = f"attach partition {self.partition} to {self.table}"
        return *proven, dialect.attach_partition(name, table, partition, proof)

    def outcome(self, catalog: Catalog, dialect: Dialect) -> Catalog:
        table, partition = self._find(catalog)
        kept = tuple(child for child in table.children if child != partition.name)
        changed = catalog.with_table(replace(table, children=kept))
        return changed.with_table(replace(partition, kind="table", parents=(), bound="", partition_condition=""))
