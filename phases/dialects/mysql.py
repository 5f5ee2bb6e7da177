"""MySQL 8.0 to 9 and MariaDB 10.6 to 11.8: the statements, and what can be done there at all.

DDL commits by itself on these servers, so what changes together is a `Script`: statement by statement,
each of which can be asked whether it is done. What an operation needs and these servers have not, or not
yet here, is refused by name before anything is touched (`mysql_limits`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NoReturn

from phases import names
from phases.catalog import Catalog, Column, Constraint, Index, Server, Table, Volatility
from phases.dialects import mysql_backfill, mysql_budget, mysql_columns, mysql_limits, mysql_types
from phases.dialects import mysql_statements as statements
from phases.dialects.base import Change, Changes, TypeChange
from phases.dialects.mysql_constraints import MySQLConstraints
from phases.dialects.mysql_copies import MySQLCopies
from phases.dialects.mysql_rebuilds import MySQLRebuilds
from phases.dialects.mysql_splits import MySQLSplits
from phases.dialects.mysql_statements import literal
from phases.dialects.mysql_triggers import MySQLTriggers
from phases.dialects.mysql_views import MySQLViews
from phases.errors import Refused
from phases.model import (
    BY_SCHEMA,
    IN_TRANSACTION,
    Fill,
    Loss,
    PhasedSteps,
    Script,
    Step,
    TableName,
    Verify,
)
from phases.sql import Expressions, identifier, qualified

LITERAL = re.compile(r"\s*(?:-?\d+(?:\.\d*)?(?:e-?\d+)?|'(?:[^'\\]|''|\\.)*'|true|false|null|[xb]'[0-9a-f]*')\s*", re.I)
MOMENT = re.compile(
    r"\s*\(?\s*(?:(?:now|current_timestamp|localtime|localtimestamp)\s*(?:\(\s*(\d?)\s*\))?)\s*\)?\s*", re.I
)
CHANGES_ROWS = ("INSERT", "UPDATE", "DELETE", "REPLACE", "WITH", "SELECT", "SET", "DO")
UNSURE = ("CALL", "LOAD", "LOCK", "UNLOCK", "HANDLER", "XA", "USE", "PREPARE", "EXECUTE", "DEALLOCATE", "FLUSH")


@dataclass(frozen=True, slots=True)
class MySQL(MySQLSplits, MySQLTriggers, MySQLConstraints, MySQLCopies, MySQLRebuilds, MySQLViews):
    """The dialect of one server of either family.

    Args:
        server: what the server says it is.
        expressions: reads SQL expressions.
        render_type: turns a type that is not text into the server's words.
    """

    server: Server
    expressions: Expressions
    render_type: Callable[[object], str]
    max_name_bytes: int = names.MAX_BYTES
    requires_late: bool = True
    attaches_unique: bool = False
    narrows: bool = False
    refers_early: bool = True

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("_"):
            raise AttributeError(name)
        raise Refused(f"the change needs what there is not yet for {self.server.family} ({name.replace('_', ' ')})")

    @property
    def _expressions(self) -> Expressions:
        return self.expressions

    @property
    def _family(self) -> str:
        return self.server.family

    def needs_copy(self, operation: object, catalog: Catalog) -> bool:
        return mysql_limits.needs_copy(operation, catalog, self)

    def admit(self, operation: object, catalog: Catalog) -> None:
        mysql_columns.admit(operation, catalog, self)
        mysql_limits.admit(operation, catalog, self)

    def afforded(
        self, steps: PhasedSteps, before: Catalog, after: Catalog
    ) -> tuple[PhasedSteps, Catalog, Sequence[str]]:
        return mysql_budget.afforded(steps, before, after)

    def type_text(self, type_: object) -> str:
        return type_ if isinstance(type_, str) else self.render_type(type_)

    def type_name(self, type_: str) -> str:
        return mysql_limits.type_name(type_, self.server)

    def type_change(self, old: str, new: str) -> TypeChange:
        return mysql_types.change(old, new)

    def cast(self, expression: str, type_: str) -> str:
        return mysql_types.cast(expression, type_)

    def volatility(self, expression: str) -> Volatility:
        return volatility_of(expression)

    def as_text(self, expression: str) -> str:
        return f"CAST({expression} AS CHAR)"

    def distinct(self, left: str, right: str) -> str:
        return f"NOT ({left} <=> {right})"

    def row_address(self) -> str:
        return "'a row without a key'"

    def differs(self, column: Column, left: str, right: str) -> str:
        if mysql_backfill.base_type(column.type) in mysql_limits.COLLATED:
            # Equal under a collation is not the same, and two character sets have other bytes for one text.
            left, right = (f"CAST(CONVERT({side} USING utf8mb4) AS BINARY)" for side in (left, right))
        return f"NOT ({left} <=> {right})"

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
        # These servers prepare a statement again where a table has changed; no operation here is bounded.
        del reprepares, bounded
        return Script(
            name=name,
            statements=tuple(change.sql for change in changes),
            locks=tuple(dict.fromkeys(lock for change in changes for lock in change.locks)),
            scans=scans,
            recreates=tuple(recreates),
            unread=unread,
            undo=tuple(undo),
            loses=loses,
            done=tuple(own_kind(change.sql) if unread else change.done for change in changes),
            otherwise=tuple(change.otherwise for change in changes),
            digest=statements.SCHEMA_DIGEST if unread or BY_SCHEMA in [change.done for change in changes] else "",
            asks=tuple(change.asks for change in changes) if any(change.asks for change in changes) else (),
            unless=tuple(change.unless for change in changes) if any(change.unless for change in changes) else (),
        )

    def fill(self, table: Table, assignments: Mapping[str, str], pending: str, *, target: str) -> Fill:
        values = {identifier(column): value for column, value in assignments.items()}
        for column in table.columns:
            # A backfill is no change of the row that its time stamp should show.
            if any(option.lower().startswith("on update") for option in column.options):
                values.setdefault(identifier(column.name), identifier(column.name))
        sets = ", ".join(f"{column} = {value}" for column, value in values.items())
        return Fill(
            name=f"backfill {target}",
            table=table.name,
            target=target,
            assignments=sets,
            pending=pending,
            key=mysql_backfill.key_of(table),
            index=mysql_backfill.index_of(table),
            single_statement=f"UPDATE {qualified(table.name)} SET {sets} WHERE {pending}",
        )

    def verify(
        self, table: Table, mismatch: str, *, target: str, fault: str = "", twin: tuple[str, ...] = ()
    ) -> Verify:
        key, name = mysql_backfill.key_of(table), f"verify {target}"
        index = mysql_backfill.index_of(table)
        return Verify(
            name=name, table=table.name, target=target, mismatch=mismatch, key=key, fault=fault, twin=twin, index=index
        )

    def column_definition(self, column: Column) -> str:
        """Write a column as CREATE TABLE, ADD COLUMN and MODIFY COLUMN take it."""
        mysql_limits.refuse_illegible(column)
        parts = [f"{identifier(column.name)} {column.type}"]
        if column.collation and mysql_backfill.base_type(column.type) in mysql_limits.TEXTS:
            parts.append(f"COLLATE {column.collation}")
        parts.append("NOT NULL" if column.not_null else "NULL")
        if column.default is not None:
            parts.append(f"DEFAULT {default_text(column.default)}")
        if column.sequence and column.sequence.identity:
            parts.append("AUTO_INCREMENT")
        parts += column.options
        if column.comment is not None:
            parts.append(f"COMMENT {literal(column.comment)}")
        return " ".join(parts)

    def add_column(self, table: TableName, column: Column) -> Changes:
        return (statements.add_column(table, column.name, self.column_definition(column)),)

    def copy_column_properties(self, table: TableName, column: Column, target: str) -> Changes:
        return ()  # its comment comes with its definition

    def move_sequence(self, table: TableName, source: Column, target: Column) -> Changes:
        return ()

    def drop_column(
        self, table: TableName, column: str, indexes: Sequence[str] = (), keys: Sequence[Constraint] = ()
    ) -> Changes:
        # An index over several columns would stay, over the others; one that a foreign key needs cannot go.
        dropped = [statements.drop_foreign_key(table, key.name, key.references) for key in keys]
        dropped += [statements.drop_index(table, name) for name in indexes]
        return (*dropped, statements.drop_column(table, column))

    def alter_type(self, table: TableName, column: Column, type_: str) -> Changes:
        return (statements.retype(table, column.name, self.column_definition(replace(column, type=type_)), type_),)

    def rename_column(self, table: TableName, old: str, new: str) -> Changes:
        return (statements.rename_column(table, old, new),)

    def exchange_columns(
        self, table: TableName, first: str, second: str, indexes: Sequence[tuple[str, str]]
    ) -> Changes:
        return (statements.exchange_columns(table, first, second, indexes),)

    def set_default(self, table: TableName, column: Column, expression: str) -> Changes:
        if MOMENT.fullmatch(expression):
            # SET DEFAULT knows it only as an expression, which is something else on MySQL.
            definition = self.column_definition(replace(column, default=expression))
            return (statements.alter(table, f"MODIFY COLUMN {definition}"),)
        if expression == column.default:
            mysql_limits.refuse_illegible(column)
        return (
            statements.alter(table, f"ALTER COLUMN {identifier(column.name)} SET DEFAULT {default_text(expression)}"),
        )

    def drop_default(self, table: TableName, column: Column) -> Changes:
        if mysql_backfill.base_type(column.type) in mysql_limits.WITHOUT_CONSTANT:
            definition = self.column_definition(replace(column, default=None))
            return (statements.alter(table, f"MODIFY COLUMN {definition}"),)
        # A nullable column without any default would refuse an INSERT that leaves it out.
        action = "DROP DEFAULT" if column.not_null else "SET DEFAULT NULL"
        return (statements.alter(table, f"ALTER COLUMN {identifier(column.name)} {action}"),)

    def stand_in(self, column: Column) -> str | None:
        # MariaDB looks at INSERT … SELECT before a trigger can, and refuses one without a required column.
        return mysql_limits.zero(column, self.server)

    def _with_null(self, table: TableName, column: Column, not_null: bool) -> Changes:
        definition = self.column_definition(replace(column, not_null=not_null))
        return (statements.modify(table, column.name, definition, not_null=not_null),)

    def set_not_null(self, table: TableName, column: Column) -> Changes:
        return self._with_null(table, column, True)

    def drop_not_null(self, table: TableName, column: Column) -> Changes:
        return self._with_null(table, column, False)

    def require_values(self, table: TableName, column: Column) -> Sequence[Step]:
        label = f"{table.name}.{column.name}"
        undo = self.together(f"relax {label} NOT NULL", self.drop_not_null(table, column))
        return (self.together(f"make {label} NOT NULL", self.set_not_null(table, column), undo=(undo,)),)

    def check_forgotten(self, table: TableName, column: str) -> Changes:
        return ()

    def create_table(self, table: TableName, parts: Sequence[str], comment: str | None) -> Changes:
        return (statements.create_table(table, ", ".join(parts), comment),)

    def drop_table(self, table: TableName) -> Changes:
        return (statements.drop_table(table),)

    def share_table(self, made: TableName, table: Table) -> Changes:
        return ()  # privileges on a single table are few, and whoever changes schemas need not be able to give them

    def rename_table(self, table: TableName, new: str) -> Changes:
        return (statements.rename_table(table, new),)

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
        keys = ", ".join(key if key.startswith("(") else identifier(key) for key in columns)
        return f"CREATE {'UNIQUE ' if unique else ''}INDEX {identifier(name)} ON {qualified(table)} ({keys})"

    def build_index(self, table: TableName, name: str, create: str, *, undo: bool = True) -> Step:
        back = (self.together(f"drop index {name}", (statements.drop_index(table, name),)),) if undo else ()
        text = self.expressions.copy_index(create, name=name, names={}, concurrently=False)
        return self.together(f"build index {name}", (statements.create_index(table, name, text),), undo=back)

    def remove_index(self, table: TableName, index: Index, *, undo: Sequence[Step] = ()) -> Step:
        return self.together(f"drop index {index.name}", (statements.drop_index(table, index.name),), undo=undo)

    def drop_index_inside(self, table: TableName, index: Index) -> Changes:
        return (statements.drop_index(table, index.name),)

    def rename_index(self, table: TableName, old: str, new: str) -> Changes:
        return (statements.rename_index(table, old, new),)

    def comment_on_index(self, table: TableName, name: str, comment: str) -> Changes:
        return ()  # it comes with its definition

    def functions_naming(self, table: TableName, known: Sequence[str]) -> str:
        return routines_naming(table, (table.name,), known, triggers=True)

    def functions_naming_columns(self, table: TableName, columns: Sequence[str], known: Sequence[str]) -> str:
        return routines_naming(table, columns, known)

    def published(self, table: TableName) -> str:
        return "SELECT 1 WHERE FALSE"


def volatility_of(expression: str) -> Volatility:
    """How often the value of an expression without columns may change; what is not known for sure, every time."""
    if LITERAL.fullmatch(expression):
        return Volatility.IMMUTABLE
    return Volatility.STABLE if MOMENT.fullmatch(expression) else Volatility.VOLATILE


def own_kind(sql: str) -> str:
    """How a statement of the user's is known to be done.

    Raises:
        Refused: it may commit in the middle, or not at all.
    """
    first = next(iter(sql.split()), "").upper().strip("(")
    if first in UNSURE:
        raise Refused(
            f"RunSQL has {first}: after a crash nobody could tell whether it was done",
            remedy="write the statements it runs, each on its own",
        )
    return IN_TRANSACTION if first in CHANGES_ROWS else BY_SCHEMA


def default_text(expression: str) -> str:
    """A default as the server takes it: constants as they are, the moment by its own name, the rest in parentheses."""
    if LITERAL.fullmatch(expression):
        return expression.strip()
    if moment := MOMENT.fullmatch(expression):
        return f"CURRENT_TIMESTAMP({moment[1]})" if moment[1] else "CURRENT_TIMESTAMP"
    return f"({expression})"


def routines_naming(table: TableName, words: Sequence[str], known: Sequence[str], *, triggers: bool = False) -> str:
    """Question for procedures, functions and events whose text has the table and one of these words.

    Args:
        triggers: those of other tables, too.
    """

    def has(name: str) -> str:
        escaped = re.sub(r"([^\w])", r"[\1]", name)
        return f"text_ REGEXP {literal(f'(^|[^[:alnum:]_$]){escaped}($|[^[:alnum:]_$])')}"

    wanted = f"{has(table.name)} AND ({' OR '.join(map(has, words))})"
    listed = ", ".join(literal(name) for name in ("", *known))
    of_triggers = (
        " UNION ALL SELECT CONCAT(trigger_schema, '.', trigger_name), action_statement FROM information_schema.triggers"
        f" WHERE trigger_schema = {literal(table.schema)} AND event_object_table <> {literal(table.name)}"
    )
    of_triggers = of_triggers if triggers else ""
    return (
        "SELECT name_ FROM (SELECT CONCAT(routine_schema, '.', routine_name) AS name_, routine_definition AS text_"
        f" FROM information_schema.routines WHERE routine_schema = {literal(table.schema)}"
        " UNION ALL SELECT CONCAT(event_schema, '.', event_name), event_definition"
        f" FROM information_schema.events WHERE event_schema = {literal(table.schema)}{of_triggers}) AS routines"
        f" WHERE {wanted} AND name_ NOT IN ({listed}) ORDER BY name_ LIMIT 5"
    )
