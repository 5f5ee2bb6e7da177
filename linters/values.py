"""What SQL text talks about, in no dialect: names, types, expressions, columns and constraints, as frozen values."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, IntEnum
from typing import NamedTuple

from linters.frozen import Frozen


class Name(NamedTuple):
    """A name with its schema, exact. Without one it is looked for on the search path."""

    schema: str
    name: str

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}" if self.schema not in ("", "public") else self.name


class Mode(IntEnum):
    """Lock modes of a table, from the weakest. Their order is that of the PostgreSQL manual."""

    NONE = 0
    ACCESS_SHARE = 1
    ROW_SHARE = 2
    ROW_EXCLUSIVE = 3
    SHARE_UPDATE_EXCLUSIVE = 4
    SHARE = 5
    SHARE_ROW_EXCLUSIVE = 6
    EXCLUSIVE = 7
    ACCESS_EXCLUSIVE = 8

    def __str__(self) -> str:
        return self.name.replace("_", " ")

    @property
    def blocks_writes(self) -> bool:
        return self >= Mode.SHARE

    @property
    def blocks_reads(self) -> bool:
        return self is Mode.ACCESS_EXCLUSIVE


class Type(NamedTuple):
    """A type as its server names it: `varchar(20)[]` is `Type("varchar", (20,), 1)`."""

    name: str
    modifiers: tuple[int, ...] = ()
    dimensions: int = 0
    schema: str = ""

    def __str__(self) -> str:
        limits = f"({','.join(map(str, self.modifiers))})" if self.modifiers else ""
        return f"{f'{self.schema}.' if self.schema else ''}{self.name}{limits}{'[]' * self.dimensions}"


UNKNOWN_TYPE = Type("?")


class Expression(Frozen):
    """An expression.

    Args:
        write: gives its SQL; called for messages only.
        calls: names of the functions it calls, and of the types it casts to by a function.
        columns: columns it reads.
        required: columns that it demands to be NOT NULL, being true.
        is_null: it is the constant NULL.
    """

    write: Callable[[], str]
    calls: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    is_null: bool = False

    __eq__ = object.__eq__  # equal text may be another expression
    __hash__ = object.__hash__

    def __str__(self) -> str:
        return self.write()


class Kind(Enum):
    """Kinds of a constraint."""

    CHECK = "CHECK"
    NOT_NULL = "NOT NULL"
    UNIQUE = "UNIQUE"
    PRIMARY = "PRIMARY KEY"
    FOREIGN = "FOREIGN KEY"
    EXCLUSION = "EXCLUDE"


class Constraint(Frozen):
    """A constraint of a table or of a domain.

    Args:
        columns: columns it is on; those a CHECK reads.
        using_index: index that it takes over.
        actions: what a foreign key does ON DELETE and ON UPDATE, empty for nothing.
        inline: a reference that is written beside its column.
    """

    kind: Kind
    name: str = ""
    columns: tuple[str, ...] = ()
    expression: Expression | None = None
    references: Name | None = None
    referenced_columns: tuple[str, ...] = ()
    validated: bool = True
    enforced: bool = True
    using_index: str = ""
    nulls_not_distinct: bool = False
    actions: tuple[str, str] = ("", "")
    inline: bool = False


class Column(Frozen):
    """A column.

    Args:
        generated: STORED, VIRTUAL or empty.
        sequence: it is serial, an identity, or AUTO_INCREMENT.
        charset: its character set, on MySQL and MariaDB; empty for that of the table.
        labels: the values of an ENUM or SET written with the column.
        born: the number of the script that adds it to a table that was there, 0 for what was there before.
    """

    name: str
    type: Type
    not_null: bool = False
    default: Expression | None = None
    generated: str = ""
    sequence: str = ""
    collation: str = ""
    constraints: tuple[Constraint, ...] = ()
    charset: str = ""
    labels: tuple[str, ...] = ()
    born: int = 0


class Index(Frozen):
    """An index. `expressions`: columns its expressions and its condition read. `method`: FULLTEXT, SPATIAL or empty."""

    name: Name
    table: Name
    columns: tuple[str, ...] = ()
    unique: bool = False
    expressions: tuple[str, ...] = ()
    partial: bool = False
    valid: bool = True
    plain: bool = True
    constraint: str = ""
    method: str = ""


class Relation(Frozen):
    """A table, view or materialized view as far as it is known.

    Args:
        kind: `table`, `partitioned`, `view`, `materialized view`, `foreign` or `sequence`.
        complete: all of its columns and constraints are known.
        temporary: no other session sees it.
        born: the number of the transaction that creates it, 0 for what was there before.
        parents: tables it inherits from or is a partition of.
        of_type: composite type whose attributes are its columns.
        reads: for a view, what it reads: tables, and columns of them.
        bytes: its size with indexes, where it is known.
        options: on MySQL and MariaDB, ENGINE, CHARSET and so on.
        row_versions: columns that came or went INSTANTly since it was written last.
    """

    name: Name
    kind: str = "table"
    columns: tuple[Column, ...] = ()
    constraints: tuple[Constraint, ...] = ()
    complete: bool = False
    temporary: bool = False
    unlogged: bool = False
    born: int = 0
    parents: tuple[Name, ...] = ()
    partition_key: tuple[str, ...] = ()
    bound: str = ""
    has_default_partition: bool = False
    triggers: tuple[tuple[str, tuple[str, ...]], ...] = ()
    policies: tuple[tuple[str, tuple[str, ...]], ...] = ()
    reads: tuple[tuple[Name, str], ...] = ()
    row_security: bool = False
    of_type: str = ""
    published: bool = False
    bytes: int | None = None
    options: tuple[tuple[str, str], ...] = ()
    row_versions: int = 0

    def option(self, name: str) -> str:
        return dict(self.options).get(name, "")

    def column(self, name: str) -> Column | None:
        return next((column for column in self.columns if column.name == name), None)

    def constraint(self, name: str) -> Constraint | None:
        return next((constraint for constraint in self.constraints if constraint.name == name), None)


class Domain(Frozen):
    """A domain: its base type, and whether anything constrains its values."""

    name: Name
    base: Type
    constrained: bool = False


class Routine(Frozen):
    """A function or procedure. `body`: the block of PL/pgSQL that it runs, None where it is not known.

    `of_triggers`: it returns `trigger`, so that no statement can call it.
    """

    name: str
    volatile: bool = True
    constant: bool = False
    body: str | None = None
    of_triggers: bool = False


class Labels(Frozen):
    """An enum type and its values. `born`: as that of a relation."""

    name: Name
    values: tuple[str, ...] = ()
    born: int = 0
