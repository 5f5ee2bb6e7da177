"""Add constraints without a long lock, and drop them once nobody counts on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from phases import names
from phases.catalog import Catalog, Constraint, ConstraintKind, IncomingKey, Index, Table
from phases.dialects.base import Dialect
from phases.errors import Refused, nearest
from phases.model import Step, TableName
from phases.operations.base import (
    Operation,
    Precheck,
    Steps,
    Touch,
    check_expression,
    check_name,
    check_ordinary,
    check_stays,
    one_or_many,
    reads,
    row_key_text,
)
from phases.sql import identifier, listed, qualified

MOST_ROWS = 1000
"""A table of no more is read, and an index of it built, well within a lock timeout."""

ACTIONS = ("NO ACTION", "RESTRICT", "CASCADE", "SET NULL", "SET DEFAULT")


def check_free(table: Table, name: str, dialect: Dialect, *, in_contract: bool = False) -> None:
    """Refuse a name that a constraint of the table has, or, before the contract, has until then."""
    check_name(name, dialect, "constraint")
    if name in table.leaving_constraints and not in_contract:
        raise Refused(
            f'constraint "{name}" of "{table.name}" is still there until its contract is done',
            remedy="give the other one a name of its own, or do it in a later revision",
        )
    if any(constraint.name == name for constraint in table.constraints):
        raise Refused(f'"{table.name}" already has a constraint "{name}"', remedy="give it another name=")


def constraints_of(table: Table, dialect: Dialect) -> tuple[Constraint, ...]:
    """The constraints of a table, unique indexes among them where these are constraints."""
    if dialect.attaches_unique:
        return table.constraints
    found = (index for index in table.indexes if index.unique and index.constraint is None)
    uniques = (
        Constraint(i.name, ConstraintKind.UNIQUE, f"UNIQUE ({listed(i.columns)})", i.columns, index=i.name)
        for i in found
    )
    return (*table.constraints, *uniques)


def index_of(table: Table, constraint: Constraint) -> Index | None:
    """The index that serves a constraint of its own table."""
    own = constraint.kind in (ConstraintKind.UNIQUE, ConstraintKind.PRIMARY)
    served = (i for i in table.indexes if i.constraint == constraint.name or (own and i.name == constraint.index))
    return next(served, None)


def find_constraint(table: Table, name: str, dialect: Dialect) -> Constraint:
    """Find a constraint of a table by its exact name.

    Raises:
        Refused: no such constraint; the message names the nearest one.
    """
    known = constraints_of(table, dialect)
    for constraint in known:
        if constraint.name == name:
            return constraint
    hint = nearest(name, [constraint.name for constraint in known])
    raise Refused(f'"{table.name}" has no constraint "{name}"', remedy=hint)


def declared(dialect: Dialect, table: Table, constraint: Constraint) -> tuple[Step, Step]:
    """Declare, which checks new rows; then validate, which reads the old ones under a weak lock."""
    drop = dialect.together(
        f"drop {constraint.kind} {constraint.name}", dialect.drop_constraint(table.name, constraint)
    )
    added = dialect.add_constraint(table.name, constraint, constraint.name, constraint.definition)
    return (
        dialect.together(f"declare {constraint.kind} {constraint.name}", added, undo=(drop,)),
        dialect.prove(table, constraint, constraint.name),
    )


def exclude(dialect: Dialect, table: TableName, constraint: Constraint, *, undo: bool) -> Step:
    """Add an exclusion constraint, for no longer than readers and writers may wait."""
    name = f"{constraint.kind} constraint {constraint.name}"
    drop = dialect.together(f"drop {name}", dialect.drop_constraint(table, constraint))
    added = dialect.add_exclusion(table, constraint)
    return dialect.together(f"add {name}", added, undo=(drop,) if undo else (), bounded=True)


def check_brief(table: Table, so: str, remedy: str) -> None:
    """Refuse a table that is known to be too large to be read while reads and writes of it wait."""
    if table.rows > MOST_ROWS:
        raise Refused(
            f'"{table.name}" has about {table.rows:,} rows: the server builds the index of an exclusion constraint'
            f" while reads and writes wait, which is brief up to {MOST_ROWS:,} rows; {so} online",
            remedy=remedy,
        )


def few_rows(table: Table, remedy: str) -> Precheck:
    """Ask whether a table has more rows than its statistics say."""
    sql = (
        f"SELECT 'more than {MOST_ROWS:,} rows' FROM (SELECT FROM {qualified(table.name)} LIMIT {MOST_ROWS + 1}) AS few"
        f" HAVING count(*) > {MOST_ROWS}"
    )
    problem = f'"{table.name}" is too large for the index of an exclusion constraint: reads and writes wait for it'
    return Precheck(sql, problem, remedy, (Touch(table.name),))


def with_constraint(catalog: Catalog, table: Table, constraint: Constraint) -> Catalog:
    return catalog.with_table(replace(table, constraints=(*table.constraints, constraint)))


@dataclass(frozen=True)
class AddCheck(Operation):
    """Demand a condition of every row, in the contract: old writers may break it until they are gone.

    Args:
        table: exact name of the table.
        check: SQL condition over the table's columns.
        name: exact name; `<table>_<columns>_check` where not given.
        schema: schema of the table; the connection's default where not given.
    """

    table: str
    check: str
    name: str | None = None
    schema: str | None = None

    def describe(self) -> str:
        return f"check {self.table}: {self.check}"

    def touches(self, catalog: Catalog, dialect: Dialect) -> tuple[Touch, ...]:
        return reads(catalog.name(self.table, self.schema), self.check, dialect)

    def validate(self, catalog: Catalog, dialect: Dialect) -> None:
        table = catalog.table(self.table, self.schema)
        check_ordinary(table, "AddCheck")
        check_expression(self.check, table, dialect, "check")
        check_free(table, self._constraint(dialect).name, dialect, in_contract=True)

    def constraint_name(self, dialect: Dialect) -> str:
        """What the constraint is called."""
        return self.name or names.composed(self.table, *sorted(dialect.expressions.columns(self.check)), "check")

    def _constraint(self, dialect: Dialect) -> Constraint:
        columns = tuple(sorted(dialect.expressions.columns(self.check)))
        return Constraint(self.constraint_name(dialect), ConstraintKind.CHECK, f"CHECK ({self.check})", columns)

    def prechecks(self, catalog: Catalog, dialect: Dialect) -> tuple[Precheck, ...]:
        table = catalog.table(self.table, self.schema)
        sql = f"SELECT {row_key_text(table, dialect)} FROM {qualified(table.name)} WHERE NOT ({self.check}) LIMIT 5"
        problem = f'rows of "{table.name}" break the check'
        remedy, needed = "mend them first, for example with Backfill", self.touches(catalog, dialect)
        # Once declared the check refuses any UPDATE of such a row: nothing later may find them.
        return (Precheck(sql, problem, remedy, needed, asks="check"),)

    def contract(self, catalog: Catalog, dialect: Dialect) -> Steps:
        table, constraint = catalog.table(self.table, self.schema), self._constraint(dialect)
        broken, fault = f"NOT ({self.check})", f"break the check {constraint.name}"
        # Rows that old writers left behind: declared, it would refuse any UPDATE of them.
        verified = dialect.verify(table, broken, target=constraint.name, fault=fault)
        return (verified, *declared(dialect, table, constraint))

    def outcome(self, catalog: Catalog, dialect: Dialect) -> Catalog:
        return with_constraint(catalog, catalog.table(self.table, self.schema), self._constraint(dialect))


@dataclass(frozen=True)
class AddForeignKey(Operation):
    """Reference another table: new rows are checked from expand on, old ones in migrate.

    Args:
        table: exact name of the table.
        columns: its columns.
        to: exact name of the table that is referenced.
        to_columns: its columns, of a primary or unique key.
        on_delete: `CASCADE`, `SET NULL`, `RESTRICT`, `SET DEFAULT`; nothing where not given.
        on_update: the same.
        name: exact name; `<table>_<columns>_fkey` where not given.
        schema: schema of the table; the connection's default where not given.
        to_schema: schema of the table that is referenced; the same where not given.
    """

    table: str
    columns: Sequence[str]
    to: str
    to_columns: Sequence[str]
    on_delete: str | None = None
    on_update: str | None = None
    name: str | None = None
    schema: str | None = None
    to_schema: str | None = None

    def __post_init__(self) -> None:
        for field in ("columns", "to_columns"):
            object.__setattr__(self, field, one_or_many(getattr(self, field)))

    def describe(self) -> str:
        return f"reference {self.to} from {self.table} ({', '.join(self.columns)})"

    def touches(self, catalog: Catalog, dialect: Dialect) -> tuple[Touch, ...]:
        table, other = catalog.name(self.table, self.schema), self._other(catalog).name
        return *(Touch(table, c) for c in self.columns), *(Touch(other, c) for c in self.to_columns)

    def _other(self, catalog: Catalog) -> Table:
        return catalog.table(self.to, self.to_schema or self.schema)

    def validate(self, catalog: Catalog, dialect: Dialect) -> None:
        table, other = catalog.table(self.table, self.schema), self._other(catalog)
        check_ordinary(table, "AddForeignKey")
        check_ordinary(other, "AddForeignKey")
        for column in self.columns:
            table.column(column)
        for column in self.to_columns:
            other.column(column)
        for action in (self.on_delete, self.on_update):
            if action is not None and action.upper() not in ACTIONS:
                raise Refused(f'"{action}" is not an action of a foreign key', remedy=nearest(action.upper(), ACTIONS))
        keys = [other.primary_key(), *(i.plain_key for i in other.indexes if i.unique and i.valid)]
        if not any(set(key) == set(self.to_columns) for key in keys if key):
            raise Refused(
                f'no unique key of "{other.name}" is ({", ".join(self.to_columns)})',
                remedy="add one in an earlier revision: AddUnique",
            )
        check_free(table, self._constraint(catalog).name, dialect)

    def _constraint(self, catalog: Catalog) -> Constraint:
        other = self._other(catalog).name
        text = f"FOREIGN KEY ({listed(self.columns)}) REFERENCES {qualified(other)} ({listed(self.to_columns)})"
        text += f" ON DELETE {self.on_delete.upper()}" if self.on_delete else ""
        text += f" ON UPDATE {self.on_update.upper()}" if self.on_update else ""
        name = self.name or names.composed(self.table, *self.columns, "fkey")
        return Constraint(
            name,
            ConstraintKind.FOREIGN,
            text,
            tuple(self.columns),
            references=other,
            referenced_columns=tuple(self.to_columns),
        )

    def prechecks(self, catalog: Catalog, dialect: Dialect) -> tuple[Precheck, ...]:
        table, other = catalog.table(self.table, self.schema), self._other(catalog)
        pairs = " AND ".join(
            f"other.{identifier(b)} = mine.{identifier(a)}" for a, b in zip(self.columns, self.to_columns, strict=False)
        )
        given = " AND ".join(f"mine.{identifier(column)} IS NOT NULL" for column in self.columns)
        values = " || ', ' || ".join(dialect.as_text(f"mine.{identifier(column)}") for column in self.columns)
        sql = (
            f"SELECT {row_key_text(table, dialect, 'mine.')} || ' references ' || {values}"
            f" FROM {qualified(table.name)} AS mine WHERE {given}"
            f" AND NOT EXISTS (SELECT 1 FROM {qualified(other.name)} AS other WHERE {pairs}) LIMIT 5"
        )
        problem = f'rows of "{table.name}" reference rows that "{other.name}" does not have'
        needed = self.touches(catalog, dialect)
        # Until it is validated an UPDATE of other columns does not look at the reference.
        return (Precheck(sql, problem, "mend them first", needed, backstop="the validation in migrate"),)

    def expand(self, catalog: Catalog, dialect: Dialect) -> Steps:
        table, constraint = catalog.table(self.table, self.schema), self._constraint(catalog)
        return (*dialect.support(table, constraint), *declared(dialect, table, constraint)[:1])

    def migrate(self, catalog: Catalog, dialect: Dialect) -> Steps:
        return declared(dialect, catalog.table(self.table, self.schema), self._constraint(catalog))[1:]

    def outcome(self, catalog: Catalog, dialect: Dialect) -> Catalog:
        table, key = catalog.table(self.table, self.schema), self._constraint(catalog)
        after = with_constraint(catalog, table, key)
        other = after.tables[self._other(catalog).name]
        incoming = (*other.incoming, IncomingKey(table.name, key.name, tuple(self.to_columns)))
        return after.with_table(replace(other, incoming=incoming))


@dataclass(frozen=True)
class DropConstraint(Operation):
    """Drop a CHECK, UNIQUE, EXCLUDE or FOREIGN KEY, in the contract.

    Old writers may count on it (`ON CONFLICT`, cascades) until they are gone. EXCLUDE only of a table of very
    few rows: of a larger one a restore could not bring it back online.

    Args:
        table: exact name of the table.
        name: exact name of the constraint.
        schema: schema of the table; the connection's default where not given.
    """

    table: str
    name: str
    schema: str | None = None

    def describe(self) -> str:
        return f"drop constraint {self.name} of {self.table}"

    def touches(self, catalog: Catalog, dialect: Dialect) -> tuple[Touch, ...]:
        table = catalog.table(self.table, self.schema)
        constraint = find_constraint(table, self.name, dialect)
        covered = (Touch(table.name, column) for column in constraint.columns)
        return Touch(table.name, f"constraint {self.name}"), *covered

    def validate(self, catalog: Catalog, dialect: Dialect) -> None:
        table = catalog.table(self.table, self.schema)
        constraint = find_constraint(table, self.name, dialect)
        check_ordinary(table, "DropConstraint")
        check_stays(table, constraint.columns, f'"{self.name}" covers')
        if constraint.kind is ConstraintKind.PRIMARY:
            raise Refused(f'"{self.name}" is a {constraint.kind} constraint, which cannot be brought back online')
        if constraint.kind is ConstraintKind.EXCLUSION:
            check_brief(table, f'a restore could not bring "{self.name}" back', self._for_good(table))
        for key in table.incoming:
            if constraint.kind is ConstraintKind.UNIQUE and set(key.columns) == set(constraint.columns):
                raise Refused(
                    f'foreign key "{key.constraint}" of "{key.table}" needs "{self.name}"',
                    remedy="drop that foreign key in an earlier revision",
                )

    def _for_good(self, table: Table) -> str:
        drop = f"ALTER TABLE {qualified(table.name)} DROP CONSTRAINT {identifier(self.name)}"
        return f"drop it for good: RunSQL(contract='{drop}', restore=\"\")"

    def prechecks(self, catalog: Catalog, dialect: Dialect) -> tuple[Precheck, ...]:
        table = catalog.table(self.table, self.schema)
        excludes = find_constraint(table, self.name, dialect).kind is ConstraintKind.EXCLUSION
        return (few_rows(table, self._for_good(table)),) if excludes else ()

    def contract(self, catalog: Catalog, dialect: Dialect) -> Steps:
        table = catalog.table(self.table, self.schema)
        constraint = find_constraint(table, self.name, dialect)
        dropped = dialect.drop_constraint(table.name, constraint)
        undo = self._back(table, constraint, dialect)
        return (dialect.together(f"drop {constraint.kind} {self.name}", dropped, undo=undo),)

    def _back(self, table: Table, constraint: Constraint, dialect: Dialect) -> Steps:
        if constraint.kind is ConstraintKind.UNIQUE:
            index = index_of(table, constraint)
            assert index is not None
            built = dialect.build_index(table.name, self.name, index.definition, undo=False)
            if not dialect.attaches_unique:
                return (built,)
            attach = dialect.attach_index(table.name, constraint, self.name, self.name)
            return built, dialect.together(f"attach unique constraint {self.name}", attach)
        if constraint.kind is ConstraintKind.EXCLUSION:
            return (exclude(dialect, table.name, constraint, undo=False),)
        needed = dialect.support(table, constraint) if constraint.kind is ConstraintKind.FOREIGN else ()
        steps = declared(dialect, table, constraint)
        return *needed, *(steps if constraint.validated else steps[:1])

    def outcome(self, catalog: Catalog, dialect: Dialect) -> Catalog:
        table = catalog.table(self.table, self.schema)
        constraint = find_constraint(table, self.name, dialect)
        kept, served = tuple(c for c in table.constraints if c is not constraint), index_of(table, constraint)
        indexes = tuple(i for i in table.indexes if i is not served)
        leaving = (*table.leaving_constraints, constraint.name)
        smaller = catalog.with_table(replace(table, constraints=kept, indexes=indexes, leaving_constraints=leaving))
        gone = {TableName(served.schema, served.name)} if served is not None else set()
        return replace(smaller, leaving=smaller.leaving | gone)
