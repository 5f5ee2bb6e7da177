"""The schema of a database as frozen values, read once and never written.

Filled by `migrator.introspection`. Every definition here is the server's own
text (`pg_get_constraintdef` and its kin), so what is rebuilt from it is exact.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from phases.errors import Refused, nearest
from phases.model import TableName


class Volatility(enum.StrEnum):
    """How often a default may change: decides whether it is evaluated once or for every row."""

    IMMUTABLE = "immutable"
    STABLE = "stable"
    VOLATILE = "volatile"


class ConstraintKind(enum.StrEnum):
    CHECK = "check"
    UNIQUE = "unique"
    PRIMARY = "primary key"
    FOREIGN = "foreign key"
    EXCLUSION = "exclusion"


@dataclass(frozen=True, slots=True)
class Sequence:
    """A sequence that belongs to a column (`serial`, identity or OWNED BY)."""

    schema: str
    name: str
    identity: str | None = None
    """`ALWAYS` or `BY DEFAULT` for an identity column, None for an owned sequence."""
    options: str = ""
    """`AS type START … INCREMENT … MINVALUE … MAXVALUE … CACHE … [NO] CYCLE`, for identity."""


@dataclass(frozen=True, slots=True)
class Grant:
    """A privilege on a table or one column. `grantee` is a quoted role or PUBLIC."""

    privilege: str
    grantee: str
    grantable: bool = False


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    type: str
    """As `format_type` writes it: `character varying(20)`, `"Shop"."Colour"`."""
    not_null: bool = False
    not_null_name: str | None = None
    """Name of the NOT NULL constraint where the server has one (PostgreSQL 18)."""
    default: str | None = None
    """Expression text; None where there is none, and for identity and generated columns."""
    default_volatility: Volatility = Volatility.IMMUTABLE
    collation: str | None = None
    """Quoted, and only where it is not the type's own."""
    sequence: Sequence | None = None
    generated: str | None = None
    """Expression of a generated column."""
    comment: str | None = None
    statistics: int | None = None
    storage: str | None = None
    """Only where it is not the type's own."""
    compression: str | None = None
    options: tuple[str, ...] = ()
    """Attribute options: `n_distinct=5`."""
    grants: tuple[Grant, ...] = ()
    equality_is_identity: bool = False
    """True where `=` of the type means the same bytes (integers, uuid, text under a
    deterministic collation); not for numeric, float, citext, json and most others."""
    constrained_domain: bool = False
    """The type is, or contains, a domain with NOT NULL or CHECK."""
    illegible: bool = False
    """The server shows a `?` in its type or default, which may stand for a letter that it cannot show."""


@dataclass(frozen=True, slots=True)
class Index:
    schema: str
    name: str
    definition: str
    """`pg_get_indexdef`."""
    columns: tuple[str, ...]
    """Every column it reads: keys, INCLUDE, expressions and predicate."""
    unique: bool = False
    valid: bool = True
    constraint: str | None = None
    """Name of the constraint it serves, if any."""
    comment: str | None = None
    plain_key: tuple[str, ...] = ()
    """The key columns, where all keys are plain columns and there is no predicate."""
    clustered: bool = False
    replica_identity: bool = False


@dataclass(frozen=True, slots=True)
class Constraint:
    name: str
    kind: ConstraintKind
    definition: str
    """`pg_get_constraintdef`."""
    columns: tuple[str, ...] = ()
    validated: bool = True
    comment: str | None = None
    index: str | None = None
    deferral: str = ""
    """`DEFERRABLE INITIALLY DEFERRED`, `DEFERRABLE` or empty."""
    references: TableName | None = None
    referenced_columns: tuple[str, ...] = ()
    on_delete: str = ""
    """`CASCADE`, `SET NULL` and so on, for a foreign key."""


@dataclass(frozen=True, slots=True)
class IncomingKey:
    """A foreign key of another table that points here."""

    table: TableName
    constraint: str
    columns: tuple[str, ...]
    """The columns of *this* table that it references."""


@dataclass(frozen=True, slots=True)
class Trigger:
    name: str
    definition: str
    before_row: bool
    columns: tuple[str, ...] = ()
    """Columns of `UPDATE OF`, and of WHEN."""
    enabled: bool = True
    """Whether it fires in an ordinary session, which is no replica."""


@dataclass(frozen=True, slots=True)
class Definition:
    """How the server drops something that reads a column, and creates it just as it was."""

    kind: str
    """`view`, `policy`, `trigger` or `statistics`."""
    name: str
    """As the server writes it; of a view and of statistics with its schema."""
    relation: TableName
    """The view itself, or the table it belongs to."""
    drop: str
    create: tuple[str, ...]
    """It, its owner, privileges, comments, and whatever else hangs on it."""
    replace: str = ""
    """Of a view: puts another query of the same columns in its place, and leaves all the rest."""
    obstacles: tuple[str, ...] = ()
    """Why it would not be the same again."""

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


@dataclass(frozen=True, slots=True)
class Dependent:
    """Something outside the table's own parts that would break with a column."""

    kind: str
    """`view`, `materialized view`, `policy`, `rule`, `generated column`, `publication`,
    `statistics`, `function`."""
    name: str
    columns: tuple[str, ...] = ()
    """Empty: the whole table."""
    view: TableName | None = None
    """Where it is a plain view."""


@dataclass(frozen=True, slots=True)
class Table:
    name: TableName
    kind: str = "table"
    """`table`, `partitioned table`, `partition`, `view`, `materialized view`, `foreign table`."""
    columns: tuple[Column, ...] = ()
    indexes: tuple[Index, ...] = ()
    constraints: tuple[Constraint, ...] = ()
    incoming: tuple[IncomingKey, ...] = ()
    triggers: tuple[Trigger, ...] = ()
    dependents: tuple[Dependent, ...] = ()
    parents: tuple[TableName, ...] = ()
    children: tuple[TableName, ...] = ()
    rows: int = 0
    """Estimate of the statistics; -1 where never analysed."""
    pages: int = 0
    foreign_owner: str | None = None
    """The owner, where the session is no member of it and so cannot alter the table."""
    owner: str = ""
    """Quoted."""
    comment: str | None = None
    row_security: bool = False
    grants: tuple[Grant, ...] = ()
    """Privileges on the table as a whole, without its owner's."""
    readers: tuple[str, ...] = ()
    """Objects of other tables, and of none, that keep the server from dropping this one: foreign keys apart,
    and of a view other views."""
    partition_key: tuple[str, ...] = ()
    """Columns of a partitioned table's key; empty text stands for an expression."""
    bound: str = ""
    """`FOR VALUES …` or `DEFAULT`, of a partition."""
    partition_condition: str = ""
    """What the rows of a partition have in common, as SQL."""
    published: tuple[str, ...] = ()
    """Publications that send its changes to subscribers."""
    unidentified: str = ""
    """One of them that publishes updates while the table has no replica identity: no UPDATE of it works."""
    hides_rows: bool = False
    """Row-level security applies to this session."""
    definitions: tuple[Definition, ...] = ()
    """Of a view its own; of a table those of its policies, triggers and statistics."""
    viewed_by: tuple[TableName, ...] = ()
    """Of a view: the plain views over it."""
    leaving: tuple[str, ...] = ()
    """Columns that a planned contract will remove: gone for planning, their names not free yet."""
    leaving_constraints: tuple[str, ...] = ()
    """Constraints that a planned contract will drop, likewise."""
    collation: str | None = None
    """What its text columns have where they name none; only where a table has one of its own."""
    untriggerable: str = ""
    """Why this session cannot create triggers on it, though it may alter it."""
    instant_left: int | None = None
    """How often columns of it may still be added or dropped INSTANT; None where the server counts that for none."""
    written: tuple[str, ...] = ()
    """Columns that triggers of the revision being planned write to …"""
    mirrored: tuple[str, ...] = ()
    """… and those of them that are dual writes, which fire first."""
    shared: frozenset[str] = frozenset()
    """Columns that several operations of the revision being planned are about."""

    def column(self, name: str) -> Column:
        """Find a column.

        Raises:
            Refused: no such column; the message names the nearest one.
        """
        for column in self.columns:
            if column.name == name:
                return column
        hint = nearest(name, [c.name for c in self.columns])
        raise Refused(f'table "{self.name}" has no column "{name}"', remedy=hint)

    def has_column(self, name: str) -> bool:
        return any(column.name == name for column in self.columns)

    def primary_key(self) -> tuple[str, ...]:
        """Columns of the primary key; empty where there is none."""
        for constraint in self.constraints:
            if constraint.kind is ConstraintKind.PRIMARY:
                return constraint.columns
        return ()

    def partial_readers(self) -> tuple[str, ...]:
        """Roles that may do something to the table or to some columns, but not read all of it."""
        readers = {grant.grantee for grant in self.grants if grant.privilege == "SELECT"}
        if "PUBLIC" in readers:
            return ()
        granted = [*self.grants, *(grant for column in self.columns for grant in column.grants)]
        return tuple(sorted({grant.grantee for grant in granted} - readers))

    def row_key(self) -> tuple[str, ...]:
        """Columns that name a row: primary key, else a unique key of NOT NULL columns."""
        if key := self.primary_key():
            return key
        for index in self.indexes:
            key = index.plain_key
            if index.unique and index.valid and key and all(self.column(c).not_null for c in key):
                return key
        return ()


@dataclass(frozen=True, slots=True)
class Enum:
    """An enum type. Its name is a `TableName`, because tables and types share their names."""

    name: TableName
    labels: tuple[str, ...]
    """In the order in which they sort."""
    foreign_owner: str | None = None
    """The owner, where the session is no member of it and so cannot alter the type."""
    inside: tuple[str, ...] = ()
    """What has the type in it: columns of arrays, domains, composite and range types."""
    functions: tuple[str, ...] = ()
    """Functions that take it and are marked immutable: an index may hold what they made of a label."""


@dataclass(frozen=True, slots=True)
class Server:
    family: str
    """`postgresql`, `mysql` or `mariadb`."""
    version: tuple[int, ...]
    """Two numbers of PostgreSQL, three of the others."""

    def __str__(self) -> str:
        return f"{self.family} {'.'.join(map(str, self.version))}"


@dataclass(frozen=True, slots=True)
class Catalog:
    """What one database looks like. `default_schema` is where unqualified names live."""

    server: Server
    default_schema: str
    tables: Mapping[TableName, Table] = field(default_factory=dict)
    relations: frozenset[TableName] = frozenset()
    """Every name taken by a table, view, index or sequence."""
    enums: Mapping[TableName, Enum] = field(default_factory=dict)
    constrained_types: frozenset[str] = frozenset()
    """Names of domains with NOT NULL or CHECK, and of types that contain one."""
    leaving: frozenset[TableName] = frozenset()
    """Indexes that a planned contract will drop: gone for planning, their names not free yet."""

    def name(self, table: str, schema: str | None = None) -> TableName:
        return TableName(schema or self.default_schema, table)

    def table(self, table: str, schema: str | None = None) -> Table:
        """Find a table by its exact name.

        Raises:
            Refused: no such table; the message names the nearest one.
        """
        name = self.name(table, schema)
        if found := self.tables.get(name):
            return found
        hint = nearest(table, [t.name for t in self.tables if t.schema == name.schema])
        elsewhere = sorted(t.schema for t in self.tables if t.name == table)
        if elsewhere:
            hint = f'it exists in schema "{elsewhere[0]}": add schema="{elsewhere[0]}"'
        raise Refused(f'there is no table "{name}"', remedy=hint)

    def enum(self, type_: str, schema: str | None = None) -> Enum:
        """Find an enum type by its exact name.

        Raises:
            Refused: no such type; the message names the nearest one.
        """
        name = self.name(type_, schema)
        if found := self.enums.get(name):
            return found
        hint = nearest(type_, [enum.name for enum in self.enums if enum.schema == name.schema])
        elsewhere = sorted(enum.schema for enum in self.enums if enum.name == type_)
        if elsewhere:
            hint = f'it exists in schema "{elsewhere[0]}": add schema="{elsewhere[0]}"'
        raise Refused(f'there is no enum type "{name}"', remedy=hint)

    def taken(self, name: str, schema: str) -> bool:
        """Whether a relation of that name exists in the schema."""
        return TableName(schema, name) in self.relations

    def with_table(self, table: Table) -> Catalog:
        names = {table.name} | {TableName(i.schema, i.name) for i in table.indexes}
        return replace(
            self,
            tables={**self.tables, table.name: table},
            relations=self.relations | names,
        )

    def without_table(self, name: TableName) -> Catalog:
        kept = {key: value for key, value in self.tables.items() if key != name}
        return replace(self, tables=kept, relations=self.relations - {name})
