"""The questions an operation asks of a database family.

Operations say what is to change; a dialect says with which statements, under
which locks, and which of them can share a transaction. A second family is a
second module beside `postgresql`, and no operation changes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from phases.catalog import Catalog, Column, Constraint, Definition, Index, Server, Table, Volatility
from phases.dialects.base_tables import TableDialect
from phases.dialects.changes import Change as Change
from phases.dialects.changes import Changes as Changes
from phases.dual_write import DualWrite, NullFill, ValueMap
from phases.model import Fill, Loss, PhasedSteps, Step, TableName, Verify
from phases.sql import Expressions


@dataclass(frozen=True, slots=True)
class TypeChange:
    """A change from one type to another.

    Args:
        free: one ALTER does it, which neither rewrites nor reads the table.
        reversible: casting back gives every value again, or raises.
        keeps_values: every value can be cast without loss, though perhaps not back.
        cast: what an expression is cast to, to be compared with the new column.
        equality_is_identity: of the new type.
        limited: an assignment to the new type can raise.
    """

    free: bool
    reversible: bool
    keeps_values: bool
    cast: str
    equality_is_identity: bool
    limited: bool


class Dialect(TableDialect, Protocol):
    """Builds changes and steps for one server."""

    @property
    def server(self) -> Server: ...
    @property
    def expressions(self) -> Expressions: ...
    @property
    def max_name_bytes(self) -> int: ...
    @property
    def requires_late(self) -> bool:
        """Whether a column that triggers fill becomes NOT NULL in the contract, and not before."""

    @property
    def narrows(self) -> bool:
        """Whether a type that was widened by one ALTER can be given back while the column keeps its name."""

    @property
    def attaches_unique(self) -> bool:
        """Whether a unique index becomes a constraint by a statement of its own; else it is one."""

    @property
    def refers_early(self) -> bool:
        """Whether a second table that columns move to has its foreign key from the beginning, not from the contract."""

    def admit(self, operation: object, catalog: Catalog) -> None:
        """Refuse an operation that there is not for this server, or not on such a table.

        Raises:
            Refused: with its name, and what to do instead.
        """

    def afforded(
        self, steps: PhasedSteps, before: Catalog, after: Catalog
    ) -> tuple[PhasedSteps, Catalog, Sequence[str]]:
        """Steps in ways of which the server has some left, the catalog they leave, and what should be known.

        Args:
            before: the catalog before the first step.
            after: as the operations leave it.
        """

    def needs_copy(self, operation: object, catalog: Catalog) -> bool:
        """Whether the server does an operation by writing the table again, and we by a copy beside it."""

    def as_text(self, expression: str) -> str:
        """The value of an expression as text."""

    def row_address(self) -> str:
        """What a row without a key is known by."""

    def distinct(self, left: str, right: str) -> str:
        """Condition under which two values are not equal, where NULL equals NULL."""

    def type_text(self, type_: object) -> str:
        """Write a type as the server does; accepts text and SQLAlchemy types."""

    def type_name(self, type_: str) -> str:
        """A type as the catalog spells it.

        Raises:
            Refused: the text is not a type.
        """

    def type_change(self, old: str, new: str) -> TypeChange:
        """What a change of type costs and may lose."""

    def cast(self, expression: str, type_: str) -> str:
        """The value that a column of a type has once an expression is stored in it."""

    def volatility(self, expression: str) -> Volatility:
        """How often the value of an expression without columns may change."""

    def together(
        self,
        name: str,
        changes: Sequence[Change],
        *,
        undo: Sequence[Step] = (),
        loses: Loss | None = None,
        scans: bool = False,
        reprepares: bool = False,
        recreates: Sequence[str] = (),
        unread: bool = False,
        bounded: bool = False,
    ) -> Step:
        """Changes that become visible at once.

        Args:
            reprepares: the type of a column changes under its name, which statements that
                clients prepared before do not survive.
            recreates: what is dropped and created again, or replaced, for people to read.
            unread: the statements are the user's own, and what they lock is not known.
            bounded: undone where waiting and working together take longer than anybody may wait.
        """

    def build_index(self, table: TableName, name: str, create: str, *, undo: bool = True) -> Step:
        """Build an index without blocking writes. `create` is a plain CREATE INDEX statement."""

    def remove_index(self, table: TableName, index: Index, *, undo: Sequence[Step] = ()) -> Step:
        """Drop an index without blocking writes."""

    def index_statement(
        self,
        table: TableName,
        name: str,
        columns: Sequence[str],
        *,
        unique: bool,
        where: str | None,
        using: str,
        include: Sequence[str],
        only: bool = False,
    ) -> str:
        """Write a plain CREATE INDEX statement. A key in parentheses is an expression.

        `only`: of a partitioned table, without its partitions.
        """

    def build_partition_index(self, table: TableName, name: str, create: str) -> Step:
        """Build an index of a partition without blocking writes; undone only where no other index has it."""

    def attach_partition_index(self, partition: TableName, index: str, parent: TableName) -> Changes:
        """Make an index of a partition a part of the partitioned index `parent`."""

    def detach_partition(
        self, name: str, table: TableName, partition: TableName, referenced: Sequence[TableName]
    ) -> Step:
        """Detach. `referenced`: tables that foreign keys of the partitioned table reference."""

    def drop_constraint_if_exists(self, table: TableName, name: str) -> Changes: ...
    def attach_partition(self, name: str, table: Table, partition: Table, proof: Constraint) -> Step:
        """Attach where it was. `proof`: a valid CHECK of the partition, dropped once it has served."""

    def drop_partitioned_index(self, name: str, index: TableName, tables: Sequence[TableName]) -> Step:
        """Drop a partitioned index with all its parts. `tables`: the table and its partitions, from the top."""

    def fill(self, table: Table, assignments: Mapping[str, str], pending: str, *, target: str) -> Fill:
        """Backfill: assign expressions to columns where `pending` holds."""

    def verify(
        self, table: Table, mismatch: str, *, target: str, fault: str = "", twin: tuple[str, ...] = ()
    ) -> Verify:
        """Compare every row.

        Args:
            fault: what is wrong with a row where `mismatch` holds; nothing where two shapes of it differ.
            twin: how chunks of two tables are compared by hashes, where the shapes are in two tables.
        """

    def differs(self, column: Column, left: str, right: str) -> str:
        """Condition under which two values of a column's type are not the same bytes."""

    def column_definition(self, column: Column) -> str: ...
    def add_column(self, table: TableName, column: Column) -> Changes: ...
    def create_table(self, table: TableName, parts: Sequence[str], comment: str | None) -> Changes: ...
    def drop_table(self, table: TableName) -> Changes: ...
    def rename_table(self, table: TableName, new: str) -> Changes: ...
    def create_view(self, view: TableName, table: Table) -> Changes:
        """A view of a table under another name, which whoever may use the table may use in the same way."""

    def share_table(self, made: TableName, table: Table) -> Changes:
        """Give a table that was just created the owner and the privileges of another."""

    def drop_view(self, view: TableName) -> Changes: ...
    def swap_view(self, view: TableName, table: Table) -> tuple[Step, ...]:
        """Drop a view of a table and give the table its name, and back: whoever uses the view meets either."""

    def granted_apart(self, table: TableName, other: TableName) -> str:
        """Question for whoever may use a table, and not another name of it."""

    def drop_key_aside(self, table: TableName, key: Constraint) -> Changes:
        """Drop a foreign key of a table that nobody uses; what it references may have another name by then."""

    def functions_naming(self, table: TableName, known: Sequence[str]) -> str:
        """Question for functions whose text has the name of a table, but for known ones (`schema.name`)."""

    def functions_naming_columns(self, table: TableName, columns: Sequence[str], known: Sequence[str]) -> str:
        """Question for functions that name a column of a table, but for known ones (`schema.name`).

        Their text has the name, and that of the table, or they are of a trigger of the table or take its rows;
        or a trigger of the table gives them the name as an argument.
        """

    def published(self, table: TableName) -> str:
        """Question for whoever is sent the changes of a table under its name."""

    def drop_column(
        self, table: TableName, column: str, indexes: Sequence[str] = (), keys: Sequence[Constraint] = ()
    ) -> Changes:
        """Drop a column, and the foreign keys and indexes over it, as far as they are there."""

    def rename_column(self, table: TableName, old: str, new: str) -> Changes: ...
    def exchange_columns(
        self, table: TableName, first: str, second: str, indexes: Sequence[tuple[str, str]]
    ) -> Changes:
        """Exchange the names of two columns of one type, and those of the indexes over each.

        Nothing where NOT NULL costs no rebuild, so that the second may as well be given all that the first has.

        Args:
            first: the one that comes first in the table, before the exchange.
        """

    def set_default(self, table: TableName, column: Column, expression: str) -> Changes: ...
    def alter_type(self, table: TableName, column: Column, type_: str) -> Changes: ...
    def drop_default(self, table: TableName, column: Column) -> Changes: ...
    def stand_in(self, column: Column) -> str | None:
        """A default for a required column while a trigger gives its value, where statements could not leave it out."""

    def set_not_null(self, table: TableName, column: Column) -> Changes: ...
    def drop_not_null(self, table: TableName, column: Column) -> Changes: ...
    def move_sequence(self, table: TableName, source: Column, target: Column) -> Changes: ...
    def copy_column_properties(self, table: TableName, column: Column, target: str) -> Changes: ...
    def add_enum_value(self, enum: TableName, value: str, before: str | None, after: str | None) -> Changes: ...
    def rename_enum_value(self, enum: TableName, old: str, new: str) -> Changes:
        """Give a value another label: no row is touched, and what was compiled before has the other label."""

    def enum_value(self, enum: TableName, value: str) -> str:
        """A value of an enum type as an expression."""

    def check_enum_uses(self, enum: TableName, columns: Sequence[tuple[TableName, str]]) -> Changes:
        """Fail where anything but these columns can hold values of an enum type."""

    def functions_quoting(self, value: str, known: Sequence[str]) -> str:
        """Question for functions whose text has a value in quotes, but for known ones (`schema.name`)."""

    def map_value(self, link: ValueMap) -> Changes:
        """Keep a value out of a column."""

    def drop_value_map(self, link: ValueMap) -> Changes: ...
    def add_constraint(self, table: TableName, constraint: Constraint, name: str, definition: str) -> Changes: ...
    def add_exclusion(self, table: TableName, constraint: Constraint) -> Changes:
        """Add an exclusion constraint, which reads the table and builds an index behind an exclusive lock."""

    def without_operator_class(self, table: TableName, columns: Sequence[str], using: str) -> str:
        """Question for columns whose type an index of that method cannot have as it is."""

    def validate_constraint(self, table: TableName, name: str) -> Changes: ...
    def prove(self, table: Table, constraint: Constraint, name: str) -> Step:
        """Look at the rows that were there when a constraint was declared under a name."""

    def support(self, table: Table, constraint: Constraint) -> Sequence[Step]:
        """What a foreign key needs in its own table before it can be declared."""

    def comment_on_index(self, table: TableName, name: str, comment: str) -> Changes: ...
    def attach_index(self, table: TableName, constraint: Constraint, name: str, index: str) -> Changes: ...
    def drop_constraint(self, table: TableName, constraint: Constraint) -> Changes: ...
    def rename_constraint(self, table: TableName, old: str, new: str, constraint: Constraint | None = None) -> Changes:
        """Give a constraint another name. `constraint`: what it is, but for its name; None where it is NOT NULL."""

    def drop_index_inside(self, table: TableName, index: Index) -> Changes: ...
    def rename_index(self, table: TableName, old: str, new: str) -> Changes: ...
    def check_unchanged(self, parts: Sequence[Definition], *, in_place: bool) -> Changes:
        """Fail where something is no longer what the catalog says; `in_place`: of a view look at its query only."""

    def check_forgotten(self, table: TableName, column: str) -> Changes:
        """Fail where a view, policy, trigger, function or statistics reads a column."""

    def drop_defined(self, part: Definition) -> Changes: ...
    def create_defined(self, part: Definition) -> Changes: ...
    def replace_defined(self, part: Definition) -> Changes: ...
    def rehearse(self, changes: Sequence[Change]) -> Changes:
        """Carry changes out and take them back at once: whatever would fail fails."""

    def require_values(self, table: TableName, column: Column) -> Sequence[Step]:
        """Prove NOT NULL without blocking: declared first, scanned under a weak lock, then enforced."""

    def disagree(self, link: DualWrite, row: str = "") -> str:
        """Condition under which the two sides of a row do not say the same; `row` qualifies columns (`NEW.`)."""

    def dual_write(self, link: DualWrite) -> Changes: ...
    def redirect_dual_write(self, link: DualWrite) -> Changes:
        """Replace what an existing dual write does, without a table lock."""

    def drop_dual_write(self, link: DualWrite) -> Changes: ...
    def null_fill(self, link: NullFill) -> Changes: ...
    def drop_null_fill(self, link: NullFill) -> Changes: ...
