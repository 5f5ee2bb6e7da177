"""What a statement of MySQL or MariaDB changes, and what takes it back.

Nothing here says whether it may be run: rules do.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from linters import actions
from linters.actions import Action
from linters.effects import UNKNOWN, AddedColumn, Effect, NoWayBack
from linters.instead import call as written
from linters.instead import text
from linters.mysql.alterations import AlterTable, ImplicitCommit
from linters.mysql.reading import read
from linters.mysql.tokens import Statement
from linters.session import Session
from linters.values import Column, Constraint, Kind, Mode, Name

DROPPED = {Kind.FOREIGN: "FOREIGN KEY", Kind.CHECK: "CONSTRAINT", Kind.UNIQUE: "INDEX"}
"""How constraints go that were added by name."""


def effect_of(statement: Statement, session: Session, made: Collection[Name]) -> Effect:
    """The effect of a statement in the state before it.

    Args:
        made: tables that earlier statements of the same revision create.

    Raises:
        NoWayBack: what takes it back cannot be told.
    """
    match parts_of(statement):
        case [actions.CreateTable() as action, *rest]:
            keys = [each.index.columns for each in rest if isinstance(each, actions.CreateIndex) and is_primary(each)]
            return create_table(action, tuple(keys[0]) if keys else (), session, made)
        case [AlterTable() as action, *_]:
            return alter(action, session, made)
        case [actions.Write() as action] if session.resolve(action.table) in made and action.what == "INSERT":
            return Effect(f"insert into {action.table.name}", table=session.resolve(action.table))
        case [actions.Write()]:
            raise NoWayBack(UNKNOWN, 'RunSQL(migrate="INSERT …", undo="DELETE …")')
    raise NoWayBack(UNKNOWN)


def parts_of(statement: Statement) -> list[Action]:
    return [action for action in read(statement) if not isinstance(action, ImplicitCommit)]


def is_primary(action: actions.CreateIndex) -> bool:
    return action.index.name.name.upper() == "PRIMARY"


def create_table(action: actions.CreateTable, key: tuple[str, ...], session: Session, made: Collection[Name]) -> Effect:
    table, relation = session.resolve(action.table), action.relation
    summary = f"create table {table.name}"
    if relation.temporary:
        raise NoWayBack("it is gone when the session ends", "an ordinary table")
    if action.is_copy or not relation.columns:
        raise NoWayBack("its columns are those of something else", "name the columns")
    reads = referenced(relation.constraints, session, made)
    if action.if_not_exists:  # it may be somebody else's, with rows: nothing builds on it, nothing drops it
        return Effect(summary, reads=reads)
    columns = tuple(added(column) for column in relation.columns)
    others = tuple((name, Mode.ACCESS_EXCLUSIVE) for name in dict.fromkeys(name for name, _ in reads))
    return Effect(
        summary, (table,), table, True, columns, key, locks=others, reads=reads, undo=f"DROP TABLE {sql(table)}",
        undo_locks=((table, Mode.ACCESS_EXCLUSIVE), *others),
    )  # fmt: skip


def alter(action: AlterTable, session: Session, made: Collection[Name]) -> Effect:
    """ALTER TABLE and CREATE INDEX: what is added is dropped again, in the order turned round."""
    table = session.resolve(action.table)
    new = table in made
    columns, undo, constraints = list[AddedColumn](), list[str](), list[Constraint]()
    for part in action.parts:
        undo.insert(0, back(part, new))
        if isinstance(part, actions.AddColumn):
            columns.append(added(part.column))
            constraints += part.column.constraints
        elif isinstance(part, actions.AddConstraint):
            constraints.append(part.constraint)
    reads = referenced(constraints, session, made)
    locks = () if new else ((table, Mode.ACCESS_EXCLUSIVE),)
    names = ", ".join(f"{table.name}.{column.name}" for column in columns)
    built = [part.index.name.name for part in action.parts if isinstance(part, actions.CreateIndex)]
    summary = f"create index {', '.join(built)} on {table.name}" if built else f"alter table {table.name}"
    return Effect(
        f"add {names}" if names else summary, table=table, columns=tuple(columns), locks=locks, reads=reads,
        undo="" if new or not any(undo) else f"ALTER TABLE {sql(table)} {', '.join(filter(None, undo))}",
        undo_locks=locks,
    )  # fmt: skip


def back(part: Action, new: bool) -> str:
    """What takes a part of an ALTER back; of a table that is new nothing has to be."""
    match part:
        case actions.AddColumn() | actions.CreateIndex() if part.if_not_exists:
            raise NoWayBack("what is there already might be something else", "leave IF NOT EXISTS out")
        case actions.AddColumn():
            return f"DROP COLUMN {quoted(part.column.name)}"
        case actions.CreateIndex() if part.index.name.name:
            return f"DROP INDEX {quoted(part.index.name.name)}"
        case actions.AddConstraint(constraint=made) if made.name and made.kind in DROPPED:
            return f"DROP {DROPPED[made.kind]} {quoted(made.name)}"
        case actions.SetDefault() | actions.DropDefault() | actions.AddConstraint() if new:
            return ""
    raise NoWayBack(UNKNOWN)


def referenced(
    constraints: Iterable[Constraint], session: Session, made: Collection[Name]
) -> tuple[tuple[Name, str | None], ...]:
    """Columns of tables in use that foreign keys rely on."""
    found: list[tuple[Name, str | None]] = []
    for constraint in constraints:
        if constraint.kind is Kind.FOREIGN and constraint.references is not None:
            other = session.resolve(constraint.references)
            if other not in made:
                found += [(other, column) for column in constraint.referenced_columns] or [(other, None)]
    return tuple(found)


def added(column: Column) -> AddedColumn:
    default = str(column.default) if column.default is not None and not column.default.is_null else None
    return AddedColumn(column.name, str(column.type), column.not_null, default)


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def sql(name: Name) -> str:
    return f"{quoted(name.schema)}.{quoted(name.name)}"


def ambiguous(statement: Statement) -> str:
    """What means one thing under the server's own sql_mode and another under that of standard SQL; empty: nothing."""
    for token in statement.tokens:
        if token.kind == "string" and token.text.startswith('"'):
            return f"{token.text} is a text or a name, as the sql_mode of the session says"
        if token.text == "||":
            return "|| joins texts or means OR, as the sql_mode of the session says"
    return ""


def in_place(text: str, statement: Statement) -> tuple[str, str]:
    """A statement so that nothing is copied behind a lock, and the same in the other way where the server cannot."""
    match parts_of(statement):
        case [AlterTable(algorithm="", lock=""), *_]:
            if statement.tokens[0].upper == "CREATE":
                return f"{text} ALGORITHM=INPLACE LOCK=NONE", ""
            return f"{text}, ALGORITHM=INSTANT", f"{text}, ALGORITHM=INPLACE, LOCK=NONE"
    return text, ""


def operation_for(statement: Statement) -> str:
    """The operation that does what a statement does, as code; empty where there is none."""
    match parts_of(statement):
        case [AlterTable(parts=(part,)), *_] | [part]:
            return calls(part)
    return ""


def call(operation: str, *names: str) -> str:
    return written(operation, *map(text, names))


def calls(part: Action) -> str:
    match part:
        case actions.DropColumn():
            return call("DropColumn", part.table.name, part.column)
        case actions.RenameColumn():
            return call("RenameColumn", part.table.name, part.column, part.to)
        case actions.RenameTable():
            return call("RenameTable", part.table.name, part.to.name)
        case actions.DropTable():
            return call("DropTable", part.table.name)
        case actions.DropIndex():
            return call("DropIndex", part.index.name)
        case actions.DropDefault():
            return call("DropDefault", part.table.name, part.column)
        case actions.SetDefault():
            return call("SetDefault", part.table.name, part.column, str(part.default))
        case actions.Write(what="UPDATE"):
            return f'Backfill({text(part.table.name)}, {{"…": "…"}}, where="…")'
    return ""
