"""Rename values of enum types, or remove them, while clients know them by their labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from phases import names
from phases.catalog import Catalog, Column, Enum, Table
from phases.dialects.base import Change, Dialect
from phases.dual_write import ValueMap
from phases.errors import Refused, nearest
from phases.model import Step
from phases.operations.base import (
    Operation,
    Precheck,
    Steps,
    Touch,
    check_name,
    check_not_written,
    check_ordinary,
    check_trigger_order,
    one_or_many,
    row_key_text,
)
from phases.operations.enum_types import columns_of
from phases.sql import identifier, literal, qualified


@dataclass(frozen=True)
class Held:
    """A value of an enum type and the columns that may hold it.

    Args:
        catalog: the catalog before the change.
        dialect: of the server.
        enum: the type.
        value: the value that no row gets.
        stored: what is stored in its place; empty: the statement is refused.
    """

    catalog: Catalog
    dialect: Dialect
    enum: Enum
    value: str
    stored: tuple[str, ...] = ()

    def columns(self) -> list[tuple[Table, Column]]:
        found = columns_of(self.catalog, self.enum.name)
        return [(self.catalog.tables[table], self.catalog.tables[table].column(column)) for table, column in found]

    def touches(self) -> tuple[Touch, ...]:
        return Touch(self.enum.name), *(Touch(table.name, column.name) for table, column in self.columns())

    def validate(self, what: str) -> None:
        """Refuse a value that is not there, and columns that no trigger can see to."""
        check_value(self.enum, self.value)
        inside = [*self.enum.inside, *(f"{t.name}.{c.name}" for t, c in self.columns() if c.type.endswith("]"))]
        if inside:
            raise Refused(
                f'values of "{self.enum.name}" are inside of other types: {", ".join(inside)}',
                remedy="write the statements in RunSQL, phase by phase",
            )
        for table, column in self.columns():
            check_ordinary(table, what)
            check_not_written(table, (column.name,), f"{what} changes")
            check_trigger_order(table)

    def _links(self) -> list[ValueMap]:
        # A generated column follows the columns it is computed from; no writer gives it a value.
        given = [(table, column) for table, column in self.columns() if column.generated is None]
        return [ValueMap(t.name, c.name, self.enum.name, self.value, self.stored) for t, c in given]

    def kept_out(self) -> Steps:
        """No row gets the value from here on, column by column, each under its own lock."""
        verb = f"store '{self.stored[0]}' for" if self.stored else "refuse"
        return tuple(
            replace(self._step(f"{verb} '{self.value}' in", link, self.dialect.map_value(link)), undo=(dropped,))
            for link, dropped in zip(self._links(), self.let_in(), strict=True)
        )

    def let_in(self) -> Steps:
        """Drop what keeps the value out."""
        return tuple(
            self._step(f"drop the trigger for '{self.value}' of", link, self.dialect.drop_value_map(link))
            for link in self._links()
        )

    def _step(self, verb: str, link: ValueMap, changes: tuple[Change, ...]) -> Step:
        # A value cannot be compared with in the transaction that adds it, which may be one for all phases.
        return replace(self.dialect.together(f"{verb} {link.table.name}.{link.column}", changes), meanwhile=True)

    def _has(self, column: Column) -> str:
        return f"{identifier(column.name)} = {self.dialect.enum_value(self.enum.name, self.value)}"

    def filled(self) -> Steps:
        """Give the rows that have the value what is stored in its place."""
        value = self.dialect.enum_value(self.enum.name, self.stored[0])
        return tuple(
            self.dialect.fill(table, {column.name: value}, self._has(column), target=f"{table.name.name}.{column.name}")
            for table, column in self.columns()
            if column.generated is None
        )

    def verified(self) -> Steps:
        """No row has the value."""
        fault = f"have the value '{self.value}'"
        return tuple(
            self.dialect.verify(table, self._has(column), target=f"{table.name.name}.{column.name}", fault=fault)
            for table, column in self.columns()
        )

    def absent(self, problem: str, remedy: str, backstop: str) -> tuple[Precheck, ...]:
        """Look for rows that have the value; `problem` goes on after the table and the column."""
        return tuple(
            Precheck(
                f"SELECT {row_key_text(table, self.dialect)} FROM {qualified(table.name)}"
                f" WHERE {self._has(column)} LIMIT 5",
                f'rows of "{table.name}" have \'{self.value}\' in "{column.name}"{problem}',
                remedy,
                (Touch(table.name, column.name),),
                backstop=backstop,
            )
            for table, column in self.columns()
        )

    def unquoted(self, value: str, known: Sequence[str]) -> Precheck:
        """Look for functions with a value in their text, which the server does not see."""
        return Precheck(
            self.dialect.functions_quoting(value, known),
            f"functions have '{value}' in their text, which means something else after the contract",
            'make them do without it, or see to them, and say so: functions=["schema.function", …]',
        )

    def unchanged(self) -> tuple[Change, ...]:
        """Fail where a column came that nothing keeps the value out of."""
        return self.dialect.check_enum_uses(self.enum.name, [(t.name, c.name) for t, c in self.columns()])


def check_value(enum: Enum, value: str) -> None:
    """Refuse a value that the type has not, or that was removed from it."""
    if value.startswith(names.QUARANTINE_PREFIX) or value not in enum.labels:
        known = [label for label in enum.labels if not label.startswith(names.QUARANTINE_PREFIX)]
        raise Refused(f'enum type "{enum.name}" has no value "{value}"', remedy=nearest(value, known))


@dataclass(frozen=True)
class RenameEnumValue(Operation):
    """Rename a value of an enum type, without a change of any row.

    From expand on both labels are valid, and what is written under the new one is stored as
    the old value: the old version never meets a label it does not know, and the new version reads the old
    label until the contract, even where it has just written the new one. It has to take both for the same in what
    it reads and what it compares with (`mood IN ('sad', 'glad')`). The contract swaps the labels,
    in milliseconds; rows, indexes, defaults and constraints follow. The old label stays valid, as a value that no row
    has: once no build knows it, `RemoveEnumValue` takes it away in a later revision. Subscribers of a publication are
    sent the new label after the contract, and have to have it by then.

    Args:
        type: exact name of the enum type.
        old: exact text of the value.
        new: its text after the contract.
        reads_both: True says that the new version takes both labels for the same.
        functions: functions whose text has the old value in quotes, as `"schema.function"`: nobody calls
            them after the contract, or they take both labels for the same.
        schema: schema of the type; the connection's default where not given.
    """

    type: str
    old: str
    new: str
    reads_both: bool = False
    functions: Sequence[str] = ()
    schema: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "functions", one_or_many(self.functions))

    def describe(self) -> str:
        return f"rename value '{self.old}' of {self.type} to '{self.new}'"

    def _held(self, catalog: Catalog, dialect: Dialect) -> Held:
        # Whatever the two are called: of both labels, looked up one after the other while they are being
        # swapped, one is always that of the value that was not written.
        stored = (self.old, self.new, self.old)
        return Held(catalog, dialect, catalog.enum(self.type, self.schema), self.new, stored)

    def touches(self, catalog: Catalog, dialect: Dialect) -> tuple[Touch, ...]:
        return self._held(catalog, dialect).touches()

    def alone(self, catalog: Catalog, dialect: Dialect) -> tuple[Touch, ...]:
        return self.touches(catalog, dialect)

    def validate(self, catalog: Catalog, dialect: Dialect) -> None:
        enum = catalog.enum(self.type, self.schema)
        check_value(enum, self.old)
        check_name(self.new, dialect, "value")
        if self.new in enum.labels and not self._beside(enum):
            raise Refused(
                f'"{self.new}" is a value of "{enum.name}" already: {", ".join(enum.labels)}',
                remedy=f'to make the two one, write RemoveEnumValue("{self.type}", "{self.old}",'
                f' replaced_by="{self.new}")',
            )
        if enum.functions:
            raise Refused(
                f'{", ".join(enum.functions)} takes "{enum.name}" and is marked immutable: what indexes and generated'
                " columns hold of a label would not follow",
                remedy="mark it stable, or drop it, in an earlier revision",
            )
        if not self.reads_both:
            raise Refused(
                f"until the contract the new version reads '{self.old}' where it has written '{self.new}'",
                remedy="make it take both for the same, and say so: reads_both=True; or give the column a second name,"
                " and the values a second type: ChangeType(…, to=…, up=…, down=…)",
            )
        held = self._held(catalog, dialect)
        replace(held, value=self.old).validate("RenameEnumValue")

    def _beside(self, enum: Enum) -> bool:
        """Whether the other value is where an abort has left it behind; rows that have it are looked for."""
        at = enum.labels.index(self.old)
        return enum.labels[at + 1 : at + 2] == (self.new,)

    def prechecks(self, catalog: Catalog, dialect: Dialect) -> tuple[Precheck, ...]:
        held = self._held(catalog, dialect)
        texts = (held.unquoted(self.old, self.functions),)
        if self.new not in held.enum.labels:
            return texts
        remedy = f'to make the two one, write RemoveEnumValue("{self.type}", "{self.old}", replaced_by="{self.new}")'
        return *held.absent(" already", remedy, "the verification in migrate"), *texts

    def expand(self, catalog: Catalog, dialect: Dialect) -> Steps:
        held = self._held(catalog, dialect)
        kept_out = held.kept_out()
        if self.new in held.enum.labels:
            return kept_out
        added = dialect.add_enum_value(held.enum.name, self.new, None, self.old)
        return replace(dialect.together(f"add value '{self.new}' to {self.type}", added), stays=True), *kept_out

    def migrate(self, catalog: Catalog, dialect: Dialect) -> Steps:
        return self._held(catalog, dialect).verified()

    def contract(self, catalog: Catalog, dialect: Dialect) -> Steps:
        held, name = self._held(catalog, dialect), f"'{self.old}' and '{self.new}' of {self.type}"
        back = dialect.together(f"swap {name} back", self._swapped(held, self.new, self.old))
        return (
            dialect.together(
                f"swap {name}", (*held.unchanged(), *self._swapped(held, self.old, self.new)), undo=(back,)
            ),
        )

    def _swapped(self, held: Held, first: str, second: str) -> tuple[Change, ...]:
        enum, rename = held.enum.name, held.dialect.rename_enum_value
        aside = names.owned("label", enum.schema, enum.name, first, second)
        return *rename(enum, second, aside), *rename(enum, first, second), *rename(enum, aside, first)

    def purge(self, catalog: Catalog, dialect: Dialect) -> Steps:
        return self._held(catalog, dialect).let_in()

    def outcome(self, catalog: Catalog, dialect: Dialect) -> Catalog:
        enum = catalog.enum(self.type, self.schema)
        at = enum.labels.index(self.old)
        rest = [label for label in enum.labels[at + 1 :] if label != self.new]
        return with_labels(catalog, enum, (*enum.labels[:at], self.new, self.old, *rest))

    def inverse(self) -> tuple[Operation, ...]:
        return (RenameEnumValue(self.type, self.new, self.old, True, self.functions, self.schema),)


@dataclass(frozen=True)
class RemoveEnumValue(Operation):
    """Remove a value of an enum type, once the old version is gone.

    Nothing is done before the contract: the new version does not write the value, but has to bear it in what it reads.
    The contract keeps it out, gives the rows that have it another one, verifies that none is left, and renames
    its label away, in milliseconds. PostgreSQL cannot drop a value: under the other label it stays behind for good,
    and constraints and views that name it show that label.
    A restore brings the label back, but not the rows that had it. A materialized view has it until it is refreshed.

    Args:
        type: exact name of the enum type.
        value: exact text of the value.
        replaced_by: the value that rows get in its place. Without it a row that has it keeps the contract shut.
        functions: functions whose text has the value in quotes, as `"schema.function"`: nobody calls
            them after the contract, or it means something else.
        schema: schema of the type; the connection's default where not given.
    """

    type: str
    value: str
    replaced_by: str | None = None
    functions: Sequence[str] = ()
    schema: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "functions", one_or_many(self.functions))

    def describe(self) -> str:
        return f"remove value '{self.value}' of {self.type}"

    def _held(self, catalog: Catalog, dialect: Dialect) -> Held:
        stored = () if self.replaced_by is None else (self.replaced_by,)
        return Held(catalog, dialect, catalog.enum(self.type, self.schema), self.value, stored)

    def touches(self, catalog: Catalog, dialect: Dialect) -> tuple[Touch, ...]:
        return self._held(catalog, dialect).touches()

    def alone(self, catalog: Catalog, dialect: Dialect) -> tuple[Touch, ...]:
        return self.touches(catalog, dialect)

    def validate(self, catalog: Catalog, dialect: Dialect) -> None:
        held = self._held(catalog, dialect)
        held.validate("RemoveEnumValue")
        if self.replaced_by is not None:
            check_value(held.enum, self.replaced_by)
            if self.replaced_by == self.value:
                raise Refused(f"'{self.value}' cannot be replaced by itself", remedy="name another value")
        for table, column in held.columns():
            if literal(self.value) in (column.generated or column.default or ""):
                given = "is generated from" if column.generated else "has as its default"
                raise Refused(
                    f'"{column.name}" of "{table.name}" {given} \'{self.value}\'',
                    remedy="change that in an earlier revision: SetDefault or DropDefault",
                )

    def prechecks(self, catalog: Catalog, dialect: Dialect) -> tuple[Precheck, ...]:
        held = self._held(catalog, dialect)
        texts = (held.unquoted(self.value, self.functions),)
        if self.replaced_by is not None:
            return texts
        problem, remedy = ", and nothing says which value they get", 'add replaced_by="<value>"'
        return *held.absent(problem, remedy, "the verification in contract"), *texts

    def contract(self, catalog: Catalog, dialect: Dialect) -> Steps:
        held = self._held(catalog, dialect)
        enum, aside = held.enum.name, self._aside(held.enum)
        back = dialect.together(
            f"bring back '{self.value}' of {self.type}", dialect.rename_enum_value(enum, aside, self.value)
        )
        renamed = (*held.unchanged(), *dialect.rename_enum_value(enum, self.value, aside))
        quarantine = dialect.together(f"quarantine '{self.value}' of {self.type}", renamed, undo=(back,))
        filled = held.filled() if held.stored else ()
        return *held.kept_out(), *filled, *held.verified(), quarantine

    def _aside(self, enum: Enum) -> str:
        """A label for good: one of an earlier removal may be there still."""
        number = sum(label.startswith(names.QUARANTINE_PREFIX) for label in enum.labels)
        return names.quarantine(enum.name.schema, enum.name.name, str(number), self.value)

    def purge(self, catalog: Catalog, dialect: Dialect) -> Steps:
        return self._held(catalog, dialect).let_in()

    def outcome(self, catalog: Catalog, dialect: Dialect) -> Catalog:
        enum = catalog.enum(self.type, self.schema)
        labels = tuple(self._aside(enum) if label == self.value else label for label in enum.labels)
        return with_labels(catalog, enum, labels)


def with_labels(catalog: Catalog, enum: Enum, labels: tuple[str, ...]) -> Catalog:
    return replace(catalog, enums={**catalog.enums, enum.name: replace(enum, labels=labels)})
