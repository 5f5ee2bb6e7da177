"""What one statement does, in no dialect, as frozen values. A statement is one action or several."""

from __future__ import annotations

from linters.frozen import Frozen
from linters.values import Column, Constraint, Domain, Expression, Index, Labels, Mode, Name, Relation, Routine, Type


class Action(Frozen):
    """Anything that a statement does."""


class OfTable(Action):
    """Something done to one table."""

    table: Name


class CreateTable(OfTable):
    relation: Relation
    if_not_exists: bool = False
    bound: str = ""
    is_copy: bool = False


class AddColumn(OfTable):
    column: Column
    if_not_exists: bool = False
    position: str = ""  # FIRST, or the column that it comes after


class DropColumn(OfTable):
    column: str
    cascade: bool = False


class RenameColumn(OfTable):
    column: str
    to: str


class ChangeType(OfTable):
    column: str
    type: Type
    using: Expression | None = None
    collation: str = ""


class SetNotNull(OfTable):
    column: str


class DropNotNull(OfTable):
    column: str


class SetDefault(OfTable):
    column: str
    default: Expression


class DropDefault(OfTable):
    """The default, identity or sequence of a column goes."""

    column: str


class AddIdentity(OfTable):
    column: str
    always: bool = True


class SetExpression(OfTable):
    """A generated column gets another expression, or none where `expression` is None."""

    column: str
    expression: Expression | None


class AddConstraint(OfTable):
    constraint: Constraint


class ValidateConstraint(OfTable):
    name: str


class DropConstraint(OfTable):
    """`cascade`: foreign keys that need it go, too."""

    name: str
    if_exists: bool = False
    cascade: bool = False


class RenameTable(OfTable):
    """A relation gets another name or schema."""

    to: Name
    kind: str = "table"


class RenameOther(Action):
    """Another object gets another name: `kind` in the words of SQL (`INDEX`, `FUNCTION`, `TYPE`)."""

    kind: str
    name: str
    to: str
    table: Name | None = None


class DropTable(OfTable):
    kind: str = "table"
    cascade: bool = False
    if_exists: bool = False


class DropOther(Action):
    """Another object goes: `kind` in the words of SQL."""

    kind: str
    name: str
    cascade: bool = False
    table: Name | None = None


class CreateIndex(OfTable):
    index: Index
    concurrently: bool = False
    if_not_exists: bool = False
    only: bool = False


class DropIndex(Action):
    index: Name
    concurrently: bool = False


class Reindex(Action):
    """`what`: INDEX, TABLE, SCHEMA or DATABASE."""

    what: str
    name: Name
    concurrently: bool = False


class AttachIndex(Action):
    parent: Name
    index: Name


class AttachPartition(OfTable):
    partition: Name
    bound: str


class DetachPartition(OfTable):
    partition: Name
    concurrently: bool = False
    finalize: bool = False


class CreateTrigger(OfTable):
    name: str
    columns: tuple[str, ...] = ()


class SwitchTrigger(OfTable):
    name: str
    enabled: bool


class DropTrigger(OfTable):
    name: str


class CreateView(OfTable):
    relation: Relation
    replace: bool = False


class RefreshView(OfTable):
    concurrently: bool = False


class CreateRoutine(Action):
    routine: Routine
    replace: bool = False


class CallRoutine(Action):
    name: str


class CreateDomain(Action):
    domain: Domain


class AlterDomain(Action):
    """A constraint of a domain comes (`constraint`), or changes in a way that breaks nobody (None)."""

    domain: Name
    constraint: Constraint | None = None
    validates: bool = False


class CreateEnum(Action):
    labels: Labels


class AddEnumValue(Action):
    type: Name
    value: str


class RenameEnumValue(Action):
    type: Name
    value: str
    to: str


class AlterComposite(Action):
    """An attribute of a composite type changes. `cascade`: in every table of that type too."""

    type: Name
    what: str
    cascade: bool = False


class Rewrite(OfTable):
    by: str  # in the words of SQL: VACUUM FULL, CLUSTER, SET LOGGED
    to: str = ""


class LockTable(OfTable):
    mode: Mode
    nowait: bool = False


class Truncate(OfTable):
    cascade: bool = False


class RowSecurity(OfTable):
    """ENABLE, DISABLE, FORCE or NO FORCE ROW LEVEL SECURITY, or a policy: CREATE, ALTER or DROP POLICY."""

    what: str
    policy: str = ""
    columns: tuple[str, ...] = ()


class ReplicaIdentity(OfTable):
    what: str


class Tune(OfTable):
    """A property that no statement of an application sees, with the lock it takes."""

    what: str
    mode: Mode
    options: tuple[tuple[str, str], ...] = ()


class Publish(Action):
    what: str
    tables: tuple[Name, ...] = ()


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


class Read(Action):
    """SELECT, or whatever else only reads. `bounded`: it stops early, or names its rows one by one."""

    tables: tuple[Name, ...] = ()
    labels: tuple[str, ...] = ()
    calls: tuple[str, ...] = ()
    bounded: bool = False


class Begin(Action): ...


class Commit(Action): ...


class Rollback(Action):
    """ROLLBACK, or to a savepoint."""

    savepoint: str = ""


class Savepoint(Action):
    name: str


class Set(Action):
    """A setting. `value` is None for its default."""

    name: str
    value: str | None
    local: bool = False


class Revoke(Action):
    what: str
    role: str
    tables: tuple[Name, ...] = ()


class OutsideTransaction(Action):
    """A statement that no transaction may hold, and that nobody waits for: VACUUM, CREATE DATABASE."""

    what: str


class Harmless(Action):
    """Nobody waits for it, and nobody's statement fails of it."""

    what: str


class Refused(Action):
    """The server refuses it wherever it stands."""

    reason: str


class Opaque(Action):
    reason: str
