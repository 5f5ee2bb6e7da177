"""What every operation answers, and the checks they share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace

from phases.catalog import Catalog, Table
from phases.dialects.base import Dialect
from phases.errors import Refused
from phases.model import Step, TableName
from phases.names import TRIGGER_PREFIX
from phases.sql import identifier, qualified

Steps = tuple[Step, ...]

RENAMED = "view until its contract is done"
"""Kind of a table that an operation of a revision in flight renames."""


@dataclass(frozen=True, slots=True)
class Touch:
    """A part of a table that an operation claims: a column, `index NAME`, `constraint NAME`; None: all of it.

    `uses`: it has to stay as it is, but is not altered itself.
    """

    table: TableName
    part: str | None = None
    uses: bool = False

    def overlaps(self, other: Touch) -> bool:
        if self.table != other.table:
            return False
        return self.part is None or other.part is None or self.part == other.part


@dataclass(frozen=True, slots=True)
class Precheck:
    """A question about data that must be answered with no rows before anything is touched.

    Its answer names rows by their key. `reads` names the columns it needs; it is
    not asked where one of them is still to come. `asks` is the user's expression it
    computes, by the name of its argument. `backstop` is the later step that finds
    the same rows, before they harm anybody: where there is none, a question that
    takes too long is a reason to refuse.
    """

    sql: str
    problem: str
    remedy: str = ""
    reads: tuple[Touch, ...] = ()
    asks: str = "the condition"
    backstop: str = ""


class Operation:
    """One change of a schema, as a value.

    Steps are returned, never run. All of them are computed from the catalog as
    it was before the first one; what undoes a step is inside the step.
    """

    __slots__ = ()

    def describe(self) -> str:
        """One line for people: what changes."""
        return repr(self)

    def touches(self, catalog: Catalog, dialect: Dialect) -> tuple[Touch, ...]:
        """What the operation claims until its contract is done: what it writes, and what its triggers read."""
        return ()

    def alone(self, catalog: Catalog, dialect: Dialect) -> tuple[Touch, ...]:
        """What no other operation of the same revision may touch."""
        return ()

    def validate(self, catalog: Catalog, dialect: Dialect) -> None:
        """Refuse what cannot be done safely, or whose intent is unclear.

        Raises:
            Refused: with the reason and the remedy.
        """

    def prechecks(self, catalog: Catalog, dialect: Dialect) -> tuple[Precheck, ...]:
        """Questions about the data to ask before the first step."""
        return ()

    def warnings(self, catalog: Catalog, dialect: Dialect) -> tuple[str, ...]:
        """What is not refused, and should be known for as long as both versions live; one line each."""
        return ()

    def expand(self, catalog: Catalog, dialect: Dialect) -> Steps:
        """Additive steps: old and new application work after each of them."""
        return ()

    def migrate(self, catalog: Catalog, dialect: Dialect) -> Steps:
        """Backfill, then indexes and constraints, then verification."""
        return ()

    def contract(self, catalog: Catalog, dialect: Dialect) -> Steps:
        """Steps after which the old application no longer works. Each can be restored."""
        return ()

    def purge(self, catalog: Catalog, dialect: Dialect) -> Steps:
        """Steps that destroy what the contract put aside. Nothing undoes them."""
        return ()

    def outcome(self, catalog: Catalog, dialect: Dialect) -> Catalog:
        """The catalog after the whole operation, for planning what comes later."""
        return catalog

    def inverse(self) -> tuple[Operation, ...] | None:
        """Operations that go back, for `alembic downgrade` on development databases; None: there are none."""
        return None


def admit(operation: Operation, catalog: Catalog, dialect: Dialect) -> None:
    """Refuse what cannot be planned on this server, or on this catalog.

    Raises:
        Refused: with the reason and the remedy.
    """
    check_texts(operation)
    dialect.admit(operation, catalog)
    operation.validate(catalog, dialect)


def check_texts(given: object) -> None:
    """Refuse a value of Python's where SQL or a name has to stand: `default=0` for `default="0"`."""
    for each in fields(given) if is_dataclass(given) else ():
        value = getattr(given, each.name)
        if isinstance(value, tuple):
            for part in value:
                check_texts(part)
        elif each.type in ("str", "str | None") and not isinstance(value, str | None):
            known = str(value).lower() if isinstance(value, bool) else value
            raise Refused(f"{each.name}={value!r} is no text", remedy=f'write it as SQL does: {each.name}="{known}"')


def without_undo(steps: Iterable[Step]) -> Steps:
    """Steps on a column that leaves as a whole when the expand phase is undone."""
    return tuple(replace(step, undo=()) for step in steps)


def check_name(name: str, dialect: Dialect, what: str) -> None:
    """Refuse a name the server would refuse, or cut without a word."""
    if not name or "\0" in name:
        raise Refused(f"the name of the {what} is empty or has a NUL in it")
    size = len(name.encode())
    if size > dialect.max_name_bytes:
        raise Refused(
            f'the name of the {what} "{name}" has {size} bytes; the server cuts names at'
            f" {dialect.max_name_bytes} without a warning",
            remedy="choose a shorter name",
        )


def check_new_column(table: Table, column: str, dialect: Dialect) -> None:
    """Refuse a column that is there already, or whose name cannot be used."""
    check_name(column, dialect, "column")
    if table.has_column(column):
        raise Refused(f'table "{table.name}" already has a column "{column}"')
    if column in table.leaving:
        raise Refused(
            f'column "{column}" of "{table.name}" is still there until its contract is done',
            remedy="use the name again in a later revision",
        )


def check_index_free(catalog: Catalog, name: str, schema: str) -> None:
    """Refuse a name that a table, view, index or sequence has, or has until a planned contract."""
    full = TableName(schema, name)
    if full in catalog.leaving:
        raise Refused(
            f'"{full}" is still there until its contract is done',
            remedy="give the other one a name of its own, or do it in a later revision",
        )
    if catalog.taken(name, schema):
        raise Refused(f'"{full}" already exists', remedy="give it another name=")


def check_table_free(catalog: Catalog, name: TableName) -> None:
    """Refuse a name that a table, view, index, sequence or type has."""
    if catalog.taken(name.name, name.schema) or name in catalog.enums:
        raise Refused(f'"{name}" already exists')


def one_or_many(given: str | Sequence[str]) -> tuple[str, ...]:
    """What takes several names takes a single one as it is."""
    return (given,) if isinstance(given, str) else tuple(given)


def mentions(table: TableName, known: Sequence[str], dialect: Dialect, remedy: str) -> Precheck:
    """Ask for functions whose text names a table: the server does not know that they need it."""
    return Precheck(
        dialect.functions_naming(table, known),
        f'the text of functions has the name of "{table}"',
        f'{remedy}, and say so: functions=["schema.function", …]',
    )


def column_mentions(
    table: TableName, columns: Sequence[str], known: Sequence[str], dialect: Dialect, remedy: str
) -> Precheck:
    """Ask for functions that name columns of a table: they fail, or mean something else, once the name is gone."""
    named = " or ".join(f'"{column}"' for column in columns)
    return Precheck(
        dialect.functions_naming_columns(table, columns, known),
        f'functions name {named} of "{table}"',
        f'{remedy}, and say so: functions=["schema.function", …]',
    )


def check_ordinary(table: Table, what: str) -> None:
    """Refuse tables whose rows live somewhere else."""
    if table.kind == RENAMED:
        raise Refused(f'"{table.name}" is a {RENAMED}', remedy="do it in a later revision, once that contract is done")
    if table.kind != "table" or table.parents or table.children:
        kind = table.kind if table.kind != "table" else "table in an inheritance tree"
        raise Refused(
            f'{what} works on ordinary tables; "{table.name}" is a {kind}',
            remedy="write the statements in RunSQL, phase by phase",
        )


def check_no_dependents(table: Table, column: str, what: str) -> None:
    """Refuse a column that something outside the table's own parts reads, naming all of it."""
    found = [f"{dependent.kind} {dependent.name}" for dependent in table.dependents if column in dependent.columns]
    found += [f"trigger {trigger.name}" for trigger in table.triggers if column in trigger.columns]
    if found:
        raise Refused(
            f'{what} of "{table.name}"."{column}" would break {", ".join(sorted(found))}',
            remedy="drop or rewrite them in an earlier revision; nothing is ever dropped with CASCADE",
        )


def check_expression(expression: str, table: Table, dialect: Dialect, what: str) -> None:
    """Refuse text that is not one expression over columns the table has."""
    try:
        dialect.expressions.check(expression)
        columns = dialect.expressions.columns(expression)
    except ValueError as problem:
        raise Refused(f"{what} is not an SQL expression: {problem}") from None
    for name in sorted(columns):
        column = table.column(name)
        if column.generated is not None:
            raise Refused(f'{what} reads the generated column "{name}", which has no value in a trigger')


def check_not_written(table: Table, columns: Iterable[str], what: str) -> None:
    """Refuse a column that a trigger of the same revision writes: which of two triggers fires first would matter."""
    for name in columns:
        if name in table.written:
            raise Refused(
                f'{what} "{name}", which another operation of this revision adds and fills',
                remedy="do it in a later revision, once this one is contracted",
            )


def check_stays(table: Table, columns: Iterable[str], what: str) -> None:
    """Refuse what goes with a column that another operation of the same revision takes away."""
    for name in columns:
        if name in table.leaving:
            raise Refused(
                f'{what} "{name}", which another operation of this revision takes away with all that is on it',
                remedy="write this one before it; what is meant for its successor, in a later revision",
            )


def reads(table: TableName, expression: str | None, dialect: Dialect) -> tuple[Touch, ...]:
    """What an expression claims: the columns it reads."""
    try:
        columns = dialect.expressions.columns(expression) if expression else ()
    except ValueError:
        return ()  # `validate` says what is wrong with it
    return tuple(Touch(table, column) for column in sorted(columns))


def row_key_text(table: Table, dialect: Dialect, qualifier: str = "") -> str:
    """SQL for the key of a row as one text; its address where the table has none."""
    columns = [identifier(column) for column in table.row_key()] or [dialect.row_address()]
    return " || ', ' || ".join(dialect.as_text(f"{qualifier}{column}") for column in columns)


def computable(fill: str, table: Table, dialect: Dialect) -> tuple[Precheck, ...]:
    """Compute an expression for all rows: its trigger would make any UPDATE of a row fail that it fails for."""
    if not dialect.expressions.columns(fill):
        return ()  # the same for every row
    sql = f"SELECT count(({fill})) FROM {qualified(table.name)} HAVING count(({fill})) < 0"
    needed = reads(table.name, fill, dialect)
    return (Precheck(sql, f'fill fails for rows of "{table.name}"', "mend them first", needed, asks="fill"),)


def check_trigger_order(table: Table) -> None:
    """Refuse user triggers that would fire after ours and change what was just mirrored."""
    later = [
        trigger.name
        for trigger in table.triggers
        if trigger.before_row
        and not trigger.name.startswith(TRIGGER_PREFIX)
        and trigger.name.encode() > TRIGGER_PREFIX.encode()
    ]
    if later:
        raise Refused(
            f'trigger "{later[0]}" of "{table.name}" sorts after the dual-write triggers, so what it'
            " changes would not be mirrored",
            remedy="rename it to a name that starts with an ASCII letter (ALTER TRIGGER … RENAME TO …)",
        )
