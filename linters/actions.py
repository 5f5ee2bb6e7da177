"""What one statement does, in no dialect, as frozen values. A statement is one action or several."""

from __future__ import annotations

from dataclasses import dataclass

from linters.values import Column, Constraint, Domain, Expression, Index, Labels, Mode, Name, Relation, Routine, Type


@dataclass(frozen=True, slots=True)
class Action:
    """Anything that a statement does."""


@dataclass(frozen=True, slots=True)
class OfTable(Action):
    """Something done to one table."""

    table: Name


@dataclass(frozen=True, slots=True)
class CreateTable(OfTable):
    relation: Relation
    if_not_exists: bool = False
    bound: str = ""
    is_copy: bool = False


@dataclass(frozen=True, slots=True)
class AddColumn(OfTable):
    column: Column
    if_not_exists: bool = False
    position: str = ""  # FIRST, or the column that it comes after


@dataclass(frozen=True, slots=True)
class DropColumn(OfTable):
    column: str
    cascade: bool = False


@dataclass(frozen=True, slots=True)
class RenameColumn(OfTable):
    column: str
    to: str


@dataclass(frozen=True, slots=True)
class ChangeType(OfTable):
    column: str
    type: Type
    using: Expression | None = None
    collation: str = ""


@dataclass(frozen=True, slots=True)
class SetNotNull(OfTable):
    column: str


@dataclass(frozen=True, slots=True)
class DropNotNull(OfTable):
    column: str


@dataclass(frozen=True, slots=True)
class SetDefault(OfTable):
    column: str
    default: Expression


@dataclass(frozen=True, slots=True)
class DropDefault(OfTable):
    """The default, identity or sequence of a column goes."""

    column: str


@dataclass(frozen=True, slots=True)
class AddIdentity(OfTable):
    column: str
    always: bool = True


@dataclass(frozen=True, slots=True)
class SetExpression(OfTable):
    """A generated column gets another expression, or none where `expression` is None."""

    column: str
    expression: Expression | None


@dataclass(frozen=True, slots=True)
class AddConstraint(OfTable):
    constraint: Constraint


@dataclass(frozen=True, slots=True)
class ValidateConstraint(OfTable):
    name: str


@dataclass(frozen=True, slots=True)
class DropConstraint(OfTable):
    name: str
    if_exists: bool = False


@dataclass(frozen=True, slots=True)
class RenameTable(OfTable):
    """A relation gets another name or schema."""

    to: Name
    kind: str = "table"


@dataclass(frozen=True, slots=True)
class RenameOther(Action):
    """Another object gets another name: `kind` in the words of SQL (`INDEX`, `FUNCTION`, `TYPE`)."""

    kind: str
    name: str
    to: str
    table: Name | None = None


@dataclass(frozen=True, slots=True)
class DropTable(OfTable):
    kind: str = "table"
    cascade: bool = False
    if_exists: bool = False


@dataclass(frozen=True, slots=True)
class DropOther(Action):
    """Another object goes: `kind` in the words of SQL."""

    kind: str
    name: str
    cascade: bool = False
    table: Name | None = None


@dataclass(frozen=True, slots=True)
class CreateIndex(OfTable):
    index: Index
    concurrently: bool = False
    if_not_exists: bool = False
    only: bool = False


@dataclass(frozen=True, slots=True)
class DropIndex(Action):
    index: Name
    concurrently: bool = False


@dataclass(frozen=True, slots=True)
class Reindex(Action):
    """`what`: INDEX, TABLE, SCHEMA or DATABASE."""

    what: str
    name: Name
    concurrently: bool = False


@dataclass(frozen=True, slots=True)
class AttachIndex(Action):
    parent: Name
    index: Name


@dataclass(frozen=True, slots=True)
class AttachPartition(OfTable):
    partition: Name
    bound: str


@dataclass(frozen=True, slots=True)
class DetachPartition(OfTable):
    partition: Name
    concurrently: bool = False
    finalize: bool = False


@dataclass(frozen=True, slots=True)
class CreateTrigger(OfTable):
    name: str
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SwitchTrigger(OfTable):
    name: str
    enabled: bool


@dataclass(frozen=True, slots=True)
class DropTrigger(OfTable):
    name: str


@dataclass(frozen=True, slots=True)
class CreateView(OfTable):
    relation: Relation
    replace: bool = False


@dataclass(frozen=True, slots=True)
class RefreshView(OfTable):
    concurrently: bool = False


@dataclass(frozen=True, slots=True)
class CreateRoutine(Action):
    routine: Routine
    replace: bool = False


@dataclass(frozen=True, slots=True)
class CallRoutine(Action):
    name: str


@dataclass(frozen=True, slots=True)
class CreateDomain(Action):
    domain: Domain


@dataclass(frozen=True, slots=True)
class AlterDomain(Action):
    """A constraint of a domain comes (`constraint`), or changes in a way that breaks nobody (None)."""

    domain: Name
    constraint: Constraint | None = None
    validates: bool = False


@dataclass(frozen=True, slots=True)
class CreateEnum(Action):
    labels: Labels


@dataclass(frozen=True, slots=True)
class AddEnumValue(Action):
    type: Name
    value: str


@dataclass(frozen=True, slots=True)
class RenameEnumValue(Action):
    type: Name
    value: str
    to: str


@dataclass(frozen=True, slots=True)
class AlterComposite(Action):
    """An attribute of a composite type changes. `cascade`: in every table of that type too."""

    type: Name
    what: str
    cascade: bool = False


@dataclass(frozen=True, slots=True)
class Rewrite(OfTable):
    by: str  # in the words of SQL: VACUUM FULL, CLUSTER, SET LOGGED
    to: str = ""


@dataclass(frozen=True, slots=True)
class LockTable(OfTable):
    mode: Mode
    nowait: bool = False


@dataclass(frozen=True, slots=True)
class Truncate(OfTable):
    cascade: bool = False


@dataclass(frozen=True, slots=True)
class RowSecurity(OfTable):
    """ENABLE, DISABLE, FORCE or NO FORCE ROW LEVEL SECURITY, or a policy: CREATE, ALTER or DROP POLICY."""

    what: str
    policy: str = ""
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReplicaIdentity(OfTable):
    what: str


@dataclass(frozen=True, slots=True)
class Tune(OfTable):
    """A property that no statement of an application sees, with the lock it takes."""

    what: str
    mode: Mode
    options: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Publish(Action):
    what: str
    tables: tuple[Name, ...] = ()


@dataclass(frozen=True, slots=True)
class Write(OfTable):
    """INSERT, UPDATE, DELETE, MERGE or COPY FROM. `bounded`: it names its rows, or how many.

    `keys`: columns that it demands to be equal to constants.
    `labels`: string constants it writes, among which may be values of an enum type.
    """

    what: str
    filtered: bool = True
    bounded: bool = False
    from_query: bool = False
    reads: tuple[Name, ...] = ()
    labels: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Read(Action):
    """SELECT, or whatever else only reads. `bounded`: it stops early, or names its rows one by one."""

    tables: tuple[Name, ...] = ()
    labels: tuple[str, ...] = ()
    calls: tuple[str, ...] = ()
    bounded: bool = False


@dataclass(frozen=True, slots=True)
class Begin(Action): ...


@dataclass(frozen=True, slots=True)
class Commit(Action): ...


@dataclass(frozen=True, slots=True)
class Rollback(Action):
    """ROLLBACK, or to a savepoint."""

    savepoint: str = ""


@dataclass(frozen=True, slots=True)
class Savepoint(Action):
    name: str


@dataclass(frozen=True, slots=True)
class Set(Action):
    """A setting. `value` is None for its default."""

    name: str
    value: str | None
    local: bool = False


@dataclass(frozen=True, slots=True)
class Revoke(Action):
    what: str
    role: str
    tables: tuple[Name, ...] = ()


@dataclass(frozen=True, slots=True)
class OutsideTransaction(Action):
    """A statement that no transaction may hold, and that nobody waits for: VACUUM, CREATE DATABASE."""

    what: str


@dataclass(frozen=True, slots=True)
class Harmless(Action):
    """Nobody waits for it, and nobody's statement fails of it."""

    what: str


@dataclass(frozen=True, slots=True)
class Refused(Action):
    """The server refuses it wherever it stands."""

    reason: str


@dataclass(frozen=True, slots=True)
class Opaque(Action):
    reason: str
