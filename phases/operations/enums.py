"""Values of enum types."""

from __future__ import annotations

from dataclasses import dataclass, replace

from phases.catalog import Catalog
from phases.dialects.base import Dialect
from phases.errors import Refused, nearest
from phases.operations.base import Operation, Steps, Touch, check_name


@dataclass(frozen=True)
class AddEnumValue(Operation):
    """Add a value to an enum type, at once, so that the new version may write it from its first moment.

    Old readers must be able to bear the value before the new version is
    released. No server can drop it again: an abort leaves it behind, unused,
    and the next run finds it there. A value cannot be used in the transaction
    that adds it, so with `alembic upgrade` it is used in a later revision,
    under `transaction_per_migration`.

    Args:
        type: exact name of the enum type.
        value: exact text of the value.
        before: the value it sorts right before; it sorts last where neither is given.
        after: the value it sorts right after.
        schema: schema of the type; the connection's default where not given.
    """

    type: str
    value: str
    before: str | None = None
    after: str | None = None
    schema: str | None = None

    def describe(self) -> str:
        return f"add value '{self.value}' to {self.type}"

    def touches(self, catalog: Catalog, dialect: Dialect) -> tuple[Touch, ...]:
        return (Touch(catalog.name(self.type, self.schema), f"value {self.value}"),)

    def validate(self, catalog: Catalog, dialect: Dialect) -> None:
        enum = catalog.enum(self.type, self.schema)
        check_name(self.value, dialect, "value")
        if self.before is not None and self.after is not None:
            raise Refused("a value is put before one value or after one, not both", remedy="leave one of them out")
        neighbour = self.after if self.before is None else self.before
        if neighbour is not None and (neighbour == self.value or neighbour not in enum.labels):
            hint = nearest(neighbour, [label for label in enum.labels if label != self.value])
            raise Refused(f'enum type "{enum.name}" has no other value "{neighbour}"', remedy=hint)
        if self.value in enum.labels and not self._in_place(enum.labels):
            raise Refused(
                f'"{self.value}" is a value of "{enum.name}" already, in another place: {", ".join(enum.labels)}',
                remedy="leave out before= and after=",
            )

    def _in_place(self, labels: tuple[str, ...]) -> bool:
        at = labels.index(self.value)
        if self.before is not None:
            return labels[at + 1 : at + 2] == (self.before,)
        return self.after is None or labels[max(at - 1, 0)] == self.after

    def expand(self, catalog: Catalog, dialect: Dialect) -> Steps:
        enum = catalog.enum(self.type, self.schema)
        if self.value in enum.labels:
            return ()  # left behind by an abort
        changes = dialect.add_enum_value(enum.name, self.value, self.before, self.after)
        return (replace(dialect.together(self.describe(), changes), stays=True),)

    def outcome(self, catalog: Catalog, dialect: Dialect) -> Catalog:
        enum = catalog.enum(self.type, self.schema)
        if self.value in enum.labels:
            return catalog
        at = len(enum.labels)
        if self.before is not None:
            at = enum.labels.index(self.before)
        elif self.after is not None:
            at = enum.labels.index(self.after) + 1
        labels = (*enum.labels[:at], self.value, *enum.labels[at:])
        return replace(catalog, enums={**catalog.enums, enum.name: replace(enum, labels=labels)})

    def inverse(self) -> tuple[Operation, ...]:
        return ()
