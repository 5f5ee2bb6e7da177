"""Add a column while writers that do not know it go on."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from phases.catalog import Catalog, Column, Table, Volatility
from phases.dialects.base import Dialect
from phases.dual_write import NullFill
from phases.errors import Refused
from phases.model import Loss, Step
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
    computable,
    reads,
    row_key_text,
    without_undo,
)
from phases.operations.drop_column import DropColumn
from phases.operations.enum_types import typed_touches
from phases.sql import identifier, qualified


@dataclass(frozen=True)
class AddColumn(Operation):
    """Add a column.

    Args:
        table: exact name of the table.
        column: exact name of the column.
        type: type as the server writes it, or an SQLAlchemy type.
        nullable: False demands a value in every row.
        default: SQL expression the server uses where a writer gives nothing. A
            volatile one (`gen_random_uuid()`) is evaluated for every row; until all
            have a value, NULL counts as not written.
        fill: SQL expression over the table's other columns: what rows get that
            were written without this column. Until the contract, NULL counts as not written. A row
            it fails for once the change has begun stays NULL, and a NOT NULL column keeps the contract shut
            until somebody has given it a value.
        schema: schema of the table; the connection's default where not given.
        comment: stored with the column.
    """

    table: str
    column: str
    type: object
    nullable: bool = True
    default: str | None = None
    fill: str | None = None
    schema: str | None = None
    comment: str | None = None

    def describe(self) -> str:
        return f"add column {self.table}.{self.column}"

    def touches(self, catalog: Catalog, dialect: Dialect) -> tuple[Touch, ...]:
        table = catalog.name(self.table, self.schema)
        typed = typed_touches(catalog, table, {self.column: dialect.type_text(self.type)})
        return Touch(table, self.column), *reads(table, self.fill, dialect), *typed

    def validate(self, catalog: Catalog, dialect: Dialect) -> None:
        table = catalog.table(self.table, self.schema)
        check_ordinary(table, "AddColumn")
        check_new_column(table, self.column, dialect)
        check_type(dialect.type_text(self.type), catalog, dialect)
        if not self.nullable and self.default is None and self.fill is None:
            raise Refused(
                f'"{self.column}" is NOT NULL, but nothing says what rows get that are written without it',
                remedy='add fill="<expression over the other columns>", or default="<expression>"',
            )
        if self.default is not None:
            check_default(self.default, dialect)
        if self.fill is not None:
            check_expression(self.fill, table, dialect, "fill")
            check_filled_reads(self.fill, table, dialect)
        if not self._in_one_go(dialect):
            check_trigger_order(table)

    def prechecks(self, catalog: Catalog, dialect: Dialect) -> tuple[Precheck, ...]:
        if self.fill is None:
            return ()
        table = catalog.table(self.table, self.schema)
        if self.nullable:
            return computable(self.fill, table, dialect)
        sql = f"SELECT {row_key_text(table, dialect)} FROM {qualified(table.name)} WHERE ({self.fill}) IS NULL LIMIT 5"
        problem = f'fill gives NULL for rows of "{table.name}", but "{self.column}" is NOT NULL'
        needed = reads(table.name, self.fill, dialect)
        remedy = f'write fill="coalesce({self.fill}, …)"'
        return (Precheck(sql, problem, remedy, needed, asks="fill"),)

    def _column(self, dialect: Dialect) -> Column:
        return Column(self.column, dialect.type_text(self.type), comment=self.comment)

    def _volatile(self, dialect: Dialect) -> bool:
        return self.default is not None and dialect.volatility(self.default) is Volatility.VOLATILE

    def _in_one_go(self, dialect: Dialect) -> bool:
        """Whether one ALTER TABLE does it all without touching a row (PostgreSQL 11 and later)."""
        return self.fill is None and not self._volatile(dialect)

    @property
    def _value(self) -> str:
        return self.fill or self.default or "NULL"

    def _link(self, catalog: Catalog, dialect: Dialect) -> NullFill | None:
        """What fills rows on every write: the backfill never sees one that moves behind it."""
        if self._in_one_go(dialect):
            return None
        table = catalog.table(self.table, self.schema)
        return NullFill(table.name, self.column, self._column(dialect), self._value)

    def expand(self, catalog: Catalog, dialect: Dialect) -> Steps:
        table, column = catalog.table(self.table, self.schema), self._column(dialect)
        link = self._link(catalog, dialect)
        if self._in_one_go(dialect):
            column = replace(column, default=self.default, not_null=not self.nullable)
        changes = [*dialect.add_column(table.name, column)]
        if self.default is not None and not self._in_one_go(dialect):
            changes += dialect.set_default(table.name, column, self.default)
        changes += dialect.copy_column_properties(table.name, column, self.column)
        removal = [*dialect.drop_column(table.name, self.column)]
        if link:
            changes += dialect.null_fill(link)
            removal = [*dialect.drop_null_fill(link), *removal]
        name = f"{self.table}.{self.column}"
        undo = dialect.together(f"remove {name}", removal)
        loses = self._loss(qualified(table.name), dialect)
        return (dialect.together(f"add {name}", changes, undo=(undo,), loses=loses),)

    def _loss(self, table: str, dialect: Dialect) -> Loss | None:
        """Rows whose value nobody could compute again.

        A default that changes from call to call cannot be told from a value an
        application wrote, so such rows are not counted.
        """
        if self.fill is None and self.default and dialect.volatility(self.default) is not Volatility.IMMUTABLE:
            return None
        written = dialect.distinct(identifier(self.column), f"({self._value})")
        given = "fill=" if self.fill else "the default"
        return Loss(
            f"values of {self.table}.{self.column} that {given} would not give again",
            f"SELECT count(*) FROM (SELECT 1 FROM {table} WHERE {identifier(self.column)} IS NOT NULL"
            f" AND {written} LIMIT 1000) AS written",
        )

    def migrate(self, catalog: Catalog, dialect: Dialect) -> Steps:
        if self._in_one_go(dialect):
            return ()
        table, column = catalog.table(self.table, self.schema), self._column(dialect)
        target, missing = f"{self.table}.{self.column}", f"{identifier(self.column)} IS NULL"
        steps: list[Step] = [dialect.fill(table, {self.column: self._value}, missing, target=target)]
        if not self.nullable:
            steps.append(dialect.verify(table, missing, target=target, fault=self._fault))
        if self.fill is not None:
            return without_undo(steps)
        if not self.nullable:
            steps += dialect.require_values(table.name, replace(column, default=self.default))
        # Once every row has a value, the default alone gives old writers theirs.
        return (*without_undo(steps), *self._stop_filling(catalog, dialect))

    @property
    def _fault(self) -> str:
        return f'have no value in "{self.column}"'

    def contract(self, catalog: Catalog, dialect: Dialect) -> Steps:
        if self.fill is None:
            return ()
        if self.nullable:
            return self._stop_filling(catalog, dialect)
        # Not before: what old writers give may be something that `fill` makes NULL of, or fails for.
        table, column = catalog.table(self.table, self.schema), self._column(dialect)
        missing, target = f"{identifier(self.column)} IS NULL", f"{self.table}.{self.column}"
        again = dialect.verify(table, missing, target=target, fault=self._fault)
        required = dialect.require_values(table.name, replace(column, default=self.default))
        return (again, *required, *self._stop_filling(catalog, dialect))

    def _stop_filling(self, catalog: Catalog, dialect: Dialect) -> Steps:
        link = self._link(catalog, dialect)
        if link is None:
            return ()
        name = f"{self.table}.{self.column}"
        undo = dialect.together(f"fill {name} again", dialect.null_fill(link))
        changes = dialect.drop_null_fill(link)
        return (dialect.together(f"stop filling {name}", changes, undo=(undo,)),)

    def outcome(self, catalog: Catalog, dialect: Dialect) -> Catalog:
        table = catalog.table(self.table, self.schema)
        column = replace(self._column(dialect), default=self.default, not_null=not self.nullable)
        written = table.written if self._in_one_go(dialect) else (*table.written, self.column)
        return catalog.with_table(replace(table, columns=(*table.columns, column), written=written))

    def inverse(self) -> tuple[Operation, ...]:
        return (DropColumn(self.table, self.column, fill="NULL", schema=self.schema),)


GENERATED = re.compile(r"\bGENERATED\b", re.I)
SERIAL = re.compile(r"(small|big)?serial[248]?", re.I)
COLLATED = re.compile(r"""\s+COLLATE\s+("[^"]+"|\w+)(\s*\.\s*("[^"]+"|\w+))?$""", re.I)


def check_type(type_: str, catalog: Catalog, dialect: Dialect) -> None:
    """Refuse what is more than a type, and types for which the server rewrites the table under an exclusive lock.

    Raises:
        Refused: with what to write instead.
    """
    if GENERATED.search(type_):
        raise Refused(
            "adding a generated or identity column rewrites the table while nobody can use it",
            remedy='write a plain type and fill="<expression>", and let the new version or a trigger of your own'
            " keep the value up",
        )
    if SERIAL.fullmatch(type_.strip()):
        raise Refused(
            f'"{type_}" is a type with a default that differs from row to row, which rewrites the table',
            remedy="create the sequence in an earlier revision, and write an integer type with"
            " default=\"nextval('sequence')\"",
        )
    name = dialect.type_name(COLLATED.sub("", type_.strip()))
    if name.split(".")[-1].strip('"') in catalog.constrained_types:
        raise Refused(
            f'"{type_}" has constraints of its own, which the server would check row by row under an exclusive lock',
            remedy="use the type under it, and AddCheck",
        )


def check_filled_reads(fill: str, table: Table, dialect: Dialect) -> None:
    """Refuse to read what a trigger of the same kind fills; dual writes fire before, and may be read."""
    filled = [c for c in sorted(dialect.expressions.columns(fill)) if c not in table.mirrored]
    check_not_written(table, filled, "fill reads")


def check_default(default: str, dialect: Dialect) -> None:
    """Refuse a default that is not one expression without columns."""
    try:
        dialect.expressions.check(default)
        columns = dialect.expressions.columns(default)
    except ValueError as problem:
        raise Refused(f"default is not an SQL expression: {problem}") from None
    if columns:
        raise Refused(
            f'default reads the column "{min(columns)}"; a default cannot',
            remedy="a text constant needs quotes of its own: default=\"'x'\";"
            " for expressions over columns there is fill=",
        )
