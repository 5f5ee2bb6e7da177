"""Change the type of a column while both versions of the application use it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from phases import names
from phases.catalog import Catalog, Column, ConstraintKind, Table
from phases.dialects.base import Dialect, TypeChange
from phases.errors import Refused
from phases.operations.base import (
    Operation,
    Precheck,
    Steps,
    Touch,
    check_expression,
    check_new_column,
    check_not_written,
    check_ordinary,
    check_trigger_order,
    column_mentions,
    one_or_many,
    without_undo,
)
from phases.operations.dependents import Dependents
from phases.operations.enum_types import typed_touches
from phases.operations.mapping import lossy_pairs, lost_values, null_is_given, refused_writes
from phases.operations.replacing import Replacement, bare
from phases.sql import identifier

INTEGERS = ("smallint", "integer", "bigint")


@dataclass(frozen=True)
class ChangeType(Operation):
    """Change the type of `table.column`.

    With `to` the column of the other type gets a name of its own, and no statement
    of either version notices anything: the form to prefer. Without it the name is
    kept: where one ALTER changes nothing but the catalog that is what is done, in
    expand; else a hidden second column takes the name in the contract. PostgreSQL
    fails statements that a session prepared before a type changed under a name, so
    both wait (exit code 3, naming them) while there are sessions that may hold one.
    Views, policies, statistics and (where the name is kept) triggers that read the
    column are created again over the other one in the same transaction; a change with
    `to` waits for prepared statements, too, where there are such views.

    Args:
        table: exact name of the table.
        column: exact name of the column.
        type: the type it gets, as text or as an SQLAlchemy type.
        to: exact name of the column with the other type; the same name where not given.
        up: SQL expression over `column`: what the other type makes of a value. The cast
            where not given and nothing can be lost.
        down: SQL expression over `to` (or `column`, where the name is kept): the way back.
        lossy: True accepts values that do not come back the same from `down(up(value))`.
        schema: schema of the table; the connection's default where not given.
        null_on_insert: as for RenameColumn.
        functions: with `to`, as for RenameColumn.
    """

    table: str
    column: str
    type: object
    to: str | None = None
    up: str | None = None
    down: str | None = None
    lossy: bool = False
    schema: str | None = None
    null_on_insert: str | None = None
    functions: Sequence[str] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "functions", one_or_many(self.functions))

    def describe(self) -> str:
        named = f" as {self.to}" if self.to else ""
        return f"change type of {self.table}.{self.column} to {self.type}{named}"

    def touches(self, catalog: Catalog, dialect: Dialect) -> tuple[Touch, ...]:
        name = catalog.name(self.table, self.schema)
        table = catalog.tables.get(name)
        covering = [f"index {i.name}" for i in table.indexes if self.column in i.columns] if table else []
        covering += [f"constraint {c.name}" for c in table.constraints if self.column in c.columns] if table else []
        own = tuple(Touch(name, part) for part in (self.column, *([self.to] if self.to else ()), *covering))
        typed = typed_touches(catalog, name, {self.to or self.column: self._type(dialect)})
        return (*own, *self.alone(catalog, dialect), *typed)

    def alone(self, catalog: Catalog, dialect: Dialect) -> tuple[Touch, ...]:
        table = catalog.tables.get(catalog.name(self.table, self.schema))
        return self._dependents(catalog, dialect, table).touches() if table else ()

    def _dependents(self, catalog: Catalog, dialect: Dialect, table: Table) -> Dependents:
        return Dependents(catalog, dialect, table, self.column, retyped=True, renamed=self.to is not None)

    def validate(self, catalog: Catalog, dialect: Dialect) -> None:
        table = catalog.table(self.table, self.schema)
        check_ordinary(table, "ChangeType")
        column = table.column(self.column)
        check_not_written(table, (self.column,), "ChangeType names")
        if self.to is not None:
            check_new_column(table, self.to, dialect)
        if column.type == self._type(dialect) and self.to is None and dialect.narrows:
            raise Refused(f'"{self.column}" of "{table.name}" is of type {column.type} already')
        self._dependents(catalog, dialect, table).validate("changing the type")
        if self.in_one_go(table, dialect):
            return
        if self.column in table.primary_key():
            raise Refused(
                f'"{table.name}"."{self.column}" is part of the primary key',
                remedy=f'write ChangePrimaryKeyType("{self.table}", "{self.column}", "{self._type(dialect)}")',
            )
        if column.sequence is not None and self._type(dialect) not in INTEGERS:
            raise Refused(f'"{self.column}" of "{table.name}" gets its values from a sequence, which gives integers')
        self._check_mapping(table, dialect)
        self._replacement(catalog, dialect).validate(self.null_on_insert)
        check_trigger_order(table)

    def _check_mapping(self, table: Table, dialect: Dialect) -> None:
        change, old, new = self._change(table, dialect), table.column(self.column).type, self._type(dialect)
        name = self.to or self.column
        if self.up is None and not change.keeps_values:
            raise Refused(
                f'a value of "{self.column}" ({old}) may not be one of {new}, and nothing says what becomes of it',
                remedy=f'add up="<expression over {self.column}>", for example up="{dialect.cast(self.column, new)}"',
            )
        if self.down is None and not change.reversible:
            raise Refused(
                f"a value of {new} may not be one of {old}, and nothing says what the old version reads then",
                remedy=f'add down="<expression over {name}>", for example down="{dialect.cast(name, old)}"',
            )
        for what, text, column in (("up", self.up, self.column), ("down", self.down, name)):
            if text is not None:
                known = replace(table, columns=(Column(column, ""),))
                check_expression(text, known, dialect, what)

    def _type(self, dialect: Dialect) -> str:
        return dialect.type_name(dialect.type_text(self.type))

    def _change(self, table: Table, dialect: Dialect) -> TypeChange:
        return dialect.type_change(table.column(self.column).type, self._type(dialect))

    def in_one_go(self, table: Table, dialect: Dialect) -> bool:
        """Whether one ALTER does it: what is computed from the column is checked or built again otherwise."""
        checked = (ConstraintKind.CHECK, ConstraintKind.FOREIGN, ConstraintKind.EXCLUSION)
        judged = any(self.column in c.columns and c.kind in checked for c in table.constraints)
        computed = any(self.column in i.columns and not i.plain_key for i in table.indexes)
        referenced = any(self.column in key.columns for key in table.incoming)
        given = self.up is not None or self.down is not None or self.to is not None
        return self._change(table, dialect).free and not (judged or computed or referenced or given)

    def _shadow(self, table: Table, dialect: Dialect) -> Column:
        column, change = table.column(self.column), self._change(table, dialect)
        name = self.to or names.owned("type", table.name.schema, table.name.name, self.column)
        same_family = change.cast in ("text", "character varying")
        kept = column if same_family else replace(column, collation=None, storage=None, compression=None)
        identity = change.equality_is_identity and (column.equality_is_identity or not same_family)
        # Where NOT NULL is a named constraint (PostgreSQL 18) it has a name of its own until the contract.
        named = self.to is None and column.not_null_name is not None
        not_null = names.owned("not_null", table.name.schema, table.name.name, self.column) if named else None
        return replace(
            bare(kept, name), type=self._type(dialect), equality_is_identity=identity, not_null_name=not_null
        )

    def _replacement(self, catalog: Catalog, dialect: Dialect) -> Replacement:
        table = catalog.table(self.table, self.schema)
        change, shadow = self._change(table, dialect), self._shadow(table, dialect)
        old = table.column(self.column)
        back = dialect.type_change(self._type(dialect), old.type)
        up, down = self.up or identifier(self.column), self.down or identifier(shadow.name)
        if self.down is not None and self.to is None:
            down = dialect.expressions.rename(down, {self.column: shadow.name})
        exact = change.reversible and self.up is None and self.down is None
        total = dialect.expressions.total(up) and dialect.expressions.total(down)
        return Replacement(
            catalog,
            dialect,
            table,
            self.column,
            shadow,
            dialect.cast(up, change.cast),
            dialect.cast(down, back.cast),
            exact=exact,
            fallible=not exact and not (total and not change.limited and not back.limited),
            keeps_name=self.to is None,
        )

    def warnings(self, catalog: Catalog, dialect: Dialect) -> tuple[str, ...]:
        table = catalog.tables.get(catalog.name(self.table, self.schema))
        if table is None or not table.has_column(self.column) or self.in_one_go(table, dialect):
            return ()
        return refused_writes(self._replacement(catalog, dialect).link())

    def prechecks(self, catalog: Catalog, dialect: Dialect) -> tuple[Precheck, ...]:
        table = catalog.table(self.table, self.schema)
        if self.in_one_go(table, dialect):
            return ()
        remedy = "give them the other name after migrate"
        named = column_mentions(table.name, (self.column,), self.functions, dialect, remedy)
        mentioned = (named,) if self.to is not None else ()
        link = self._replacement(catalog, dialect).link()
        if link.exact:
            return mentioned
        asked = (lost_values(table, link, dialect), *(() if self.lossy else (lossy_pairs(table, link, dialect),)))
        return (*mentioned, null_is_given(link, dialect), *asked)

    def expand(self, catalog: Catalog, dialect: Dialect) -> Steps:
        table = catalog.table(self.table, self.schema)
        if not self.in_one_go(table, dialect):
            return self._replacement(catalog, dialect).expand()
        following = self._dependents(catalog, dialect, table)
        altered = dialect.alter_type(table.name, table.column(self.column), self._type(dialect))
        change = (*following.away(), *altered, *following.again(self.column))
        name = f"change type of {self.table}.{self.column} to {self._type(dialect)}"
        if not dialect.narrows:
            return (replace(dialect.together(name, change), stays=True),)
        return (
            dialect.together(
                name, change, undo=self._narrow(catalog, dialect), reprepares=True, recreates=following.names
            ),
        )

    def _narrow(self, catalog: Catalog, dialect: Dialect) -> Steps:
        """Go back by a second column: narrowing in place would rewrite the table under an exclusive lock."""
        table = catalog.table(self.table, self.schema)
        column = identifier(self.column)
        back = replace(self, type=table.column(self.column).type, up=column, down=column)
        there = back._replacement(self.outcome(catalog, dialect), dialect)
        exact = replace(there, exact=True, fallible=False, unchecked=there.dependents.parts)
        return without_undo((*exact.expand(), *exact.migrate(), *exact.contract(), *exact.purge()))

    def migrate(self, catalog: Catalog, dialect: Dialect) -> Steps:
        if self.in_one_go(catalog.table(self.table, self.schema), dialect):
            return ()
        return self._replacement(catalog, dialect).migrate()

    def contract(self, catalog: Catalog, dialect: Dialect) -> Steps:
        if self.in_one_go(catalog.table(self.table, self.schema), dialect):
            return ()
        return self._replacement(catalog, dialect).contract()

    def purge(self, catalog: Catalog, dialect: Dialect) -> Steps:
        if self.in_one_go(catalog.table(self.table, self.schema), dialect):
            return ()
        return self._replacement(catalog, dialect).purge()

    def outcome(self, catalog: Catalog, dialect: Dialect) -> Catalog:
        table = catalog.table(self.table, self.schema)
        if not self.in_one_go(table, dialect):
            return self._replacement(catalog, dialect).outcome()
        columns = tuple(replace(c, type=self._type(dialect)) if c.name == self.column else c for c in table.columns)
        return catalog.with_table(replace(table, columns=columns))

    def inverse(self) -> tuple[Operation, ...] | None:
        return None
