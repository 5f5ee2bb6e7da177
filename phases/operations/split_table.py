"""Move columns to a table of their own while both shapes are in use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from phases import catalog as facts
from phases import names
from phases.catalog import Catalog, Constraint, ConstraintKind, Table
from phases.dialects.base import Change, Changes, Dialect
from phases.dual_write import SplitWrite
from phases.errors import Refused
from phases.model import Step, TableName, Verify
from phases.operations.base import (
    Operation,
    Precheck,
    Steps,
    Touch,
    check_name,
    check_no_dependents,
    check_not_written,
    check_ordinary,
    check_table_free,
    column_mentions,
    one_or_many,
    without_undo,
)
from phases.operations.leaving import Leaving
from phases.operations.two_tables import both_ways
from phases.sql import identifier, listed, literal, qualified


@dataclass(frozen=True)
class SplitTable(Operation):
    """Move columns of a table to a second table, one row each by its primary key.

    The second table is created with the key, the columns, their CHECK and UNIQUE
    constraints and the privileges of the first. Triggers on both carry INSERT, UPDATE,
    DELETE and TRUNCATE to the other; the rows that are there are copied, and compared one
    by one. A row with NULL in all the columns has none in the second table. The contract
    renames the columns away and gives the second table a foreign key to the first, with
    ON DELETE CASCADE; before it, triggers do what it would do. Other indexes go with the
    columns: write those of the second table as operations beside this one.

    Whoever writes a row locks that of the first table before that of the second, whichever
    he writes to. Not so DELETE and TRUNCATE of the second table, TRUNCATE of the first,
    UPDATE of the second table's key, and whatever has locked a row of the second table
    before (SELECT … FOR UPDATE, BEFORE UPDATE triggers on it): two transactions of which
    one does that, and the other writes the same row of the first table, can deadlock, and
    the server ends one with 40P01, to be tried again.

    Args:
        table: exact name of the table.
        columns: exact names of the columns that move.
        to: name of the second table.
        key: names of the key columns there; those of the primary key where not given.
        optional: True says that old readers can bear NULL in columns that are NOT NULL, in rows
            that the new version inserts before, or without, their row in the second table.
        schema: schema of both tables; the connection's default where not given.
        functions: functions that name a column that moves, as for RenameColumn.
    """

    table: str
    columns: Sequence[str]
    to: str
    key: Sequence[str] | None = None
    optional: bool = False
    schema: str | None = None
    functions: Sequence[str] = ()

    def __post_init__(self) -> None:
        for name in ("columns", "key", "functions"):
            given = getattr(self, name)
            if given is not None:
                object.__setattr__(self, name, one_or_many(given))

    def describe(self) -> str:
        return f"split {self.table} ({', '.join(self.columns)}) to {self.to}"

    def touches(self, catalog: Catalog, dialect: Dialect) -> tuple[Touch, ...]:
        name = catalog.name(self.table, self.schema)
        table, going = catalog.tables.get(name), set(self.columns)
        covering = [f"index {i.name}" for i in table.indexes if going & set(i.columns)] if table else []
        covering += [f"constraint {c.name}" for c in table.constraints if going & set(c.columns)] if table else []
        parts = (*self.alone(catalog, dialect), *(Touch(name, part) for part in covering))
        return (Touch(catalog.name(self.to, self.schema)), *parts)

    def alone(self, catalog: Catalog, dialect: Dialect) -> tuple[Touch, ...]:
        name = catalog.name(self.table, self.schema)
        key = catalog.tables[name].primary_key() if name in catalog.tables else ()
        return tuple(Touch(name, column) for column in (*key, *self.columns))

    def warnings(self, catalog: Catalog, dialect: Dialect) -> tuple[str, ...]:
        return dialect.deadlocks(catalog.name(self.table, self.schema), catalog.name(self.to, self.schema), ())

    def validate(self, catalog: Catalog, dialect: Dialect) -> None:
        table = catalog.table(self.table, self.schema)
        check_ordinary(table, "SplitTable")
        if not self.columns:
            raise Refused(
                "SplitTable names no columns", remedy=f'SplitTable("{self.table}", ["street"], to="{self.to}")'
            )
        check_name(self.to, dialect, "table")
        check_table_free(catalog, catalog.name(self.to, self.schema))
        if table.row_security:
            raise Refused(
                f'"{table.name}" has row level security, which does not say who may see rows of "{self.to}"',
                remedy="create the table with policies of its own, and write to both from the application",
            )
        self._check_key(table, dialect)
        check_not_written(table, self.columns, "SplitTable names")
        for name in self.columns:
            self._check_column(table, name)
        for constraint in table.constraints:
            self._check_constraint(table, constraint)
        self._leaving(table, dialect).validate()

    def _check_key(self, table: Table, dialect: Dialect) -> None:
        key = next((c for c in table.constraints if c.kind is ConstraintKind.PRIMARY), None)
        if key is None:
            raise Refused(f'"{table.name}" has no primary key, so nothing says which rows belong together')
        if key.deferral:
            raise Refused(f'the primary key "{key.name}" of "{table.name}" is deferrable')
        for name in key.columns:
            column = table.column(name)
            if not column.equality_is_identity or column.constrained_domain or column.generated is not None:
                raise Refused(
                    f'"{name}" in the primary key of "{table.name}" is of type {column.type}, in which values may be'
                    " equal and not the same",
                    remedy="a key of integers, uuid or text can be split by",
                )
        news = self.key or key.columns
        if len(news) != len(key.columns):
            raise Refused(f'key names {len(news)} columns; the primary key of "{table.name}" has {len(key.columns)}')
        for name in news:
            check_name(name, dialect, "column")
        if doubled := [name for i, name in enumerate((*news, *self.columns)) if name in (*news, *self.columns)[:i]]:
            raise Refused(f'"{self.to}" would have two columns "{doubled[0]}"')

    def _check_column(self, table: Table, name: str) -> None:
        column = table.column(name)
        check_no_dependents(table, name, "moving")
        where = f'"{table.name}"."{name}"'
        if column.generated is not None or column.sequence is not None or column.default is not None:
            raise Refused(
                f"{where} gets a value by itself, so a row that has none in the new table yet cannot be told from"
                " one that has",
                remedy="drop that default in an earlier revision (DropDefault), or leave the column where it is",
            )
        if column.constrained_domain:
            raise Refused(
                f"{where} is of a domain with constraints ({column.type}), which may refuse a row without a value",
                remedy="move the constraints of the domain to CHECK constraints of the table first",
            )
        if column.not_null and not self.optional:
            raise Refused(
                f"{where} is NOT NULL: a new version could insert no row before it inserts its row of"
                f' "{self.to}", and nothing says what old readers find meanwhile',
                remedy="add optional=True if old readers can bear NULL, or DropNotNull in an earlier revision",
            )

    def _check_constraint(self, table: Table, constraint: Constraint) -> None:
        if not set(constraint.columns) & set(self.columns):
            return
        what = f'constraint "{constraint.name}" of "{table.name}"'
        if constraint.kind in (ConstraintKind.FOREIGN, ConstraintKind.EXCLUSION):
            raise Refused(
                f"{what} is {'a' if constraint.kind is ConstraintKind.FOREIGN else 'an'} {constraint.kind}, which"
                " cannot hold for both tables at once",
                remedy=f'DropConstraint("{self.table}", "{constraint.name}") in an earlier revision, and declare it'
                f' for "{self.to}" in a later one',
            )
        if "NULLS NOT DISTINCT" in constraint.definition:
            raise Refused(
                f'{what} is NULLS NOT DISTINCT: two rows without their row of "{self.to}" would be one too many',
                remedy=f'DropConstraint("{self.table}", "{constraint.name}") in an earlier revision',
            )
        if constraint.deferral or not constraint.validated:
            raise Refused(
                f"{what} is {constraint.deferral.lower() or 'not validated'}",
                remedy="validate it first" if not constraint.deferral else "make it immediate first",
            )

    def prechecks(self, catalog: Catalog, dialect: Dialect) -> tuple[Precheck, ...]:
        """Ask whether rows without the columns, as the new version inserts them, would be refused."""
        table = catalog.table(self.table, self.schema)
        row = ", ".join(f"NULL::{table.column(name).type} AS {identifier(name)}" for name in self.columns)
        asked = [
            f"SELECT {literal(constraint.name)} FROM (SELECT {row}) AS bare WHERE ({condition(constraint)}) IS FALSE"
            for constraint in self._moving(table)
            if constraint.kind is ConstraintKind.CHECK
        ]
        remedy = "make them find the values in the second table after migrate"
        mentioned = column_mentions(table.name, tuple(self.columns), self.functions, dialect, remedy)
        if not asked:
            return (mentioned,)
        problem = f'CHECK constraints of "{table.name}" refuse rows without a value in the columns that move'
        remedy = "replace them in an earlier revision by some that allow NULL in all of them"
        return mentioned, Precheck(" UNION ALL ".join(asked), problem, remedy)

    def _moving(self, table: Table) -> list[Constraint]:
        going = set(self.columns)
        return [c for c in table.constraints if c.columns and set(c.columns) <= going]

    def _leaving(self, table: Table, dialect: Dialect) -> Leaving:
        return Leaving(dialect, table, tuple(self.columns), tuple(self.columns))

    def _link(self, table: Table) -> SplitWrite:
        key = table.primary_key()
        columns = tuple(table.column(name) for name in self.columns)
        pairs = tuple(zip(key, self.key or key, strict=True))
        types = tuple(table.column(name).type for name in key)
        return SplitWrite(table.name, TableName(table.name.schema, self.to), pairs, types, columns, table.owner)

    def _made(self, table: Table) -> Table:
        """The second table."""
        link = self._link(table)
        default = table.collation
        keys = [bare_key(table.column(old), new, default) for old, new in link.key]
        moved = [replace(c, not_null_name=None, collation=c.collation or default) for c in link.columns]
        primary = Constraint(f"{self.to}_pkey", ConstraintKind.PRIMARY, "", tuple(new for _, new in link.key))
        return Table(
            link.other,
            columns=(*keys, *moved),
            constraints=(primary,),
            owner=table.owner,
            grants=table.grants,
            collation=default,
        )

    def expand(self, catalog: Catalog, dialect: Dialect) -> Steps:
        table = catalog.table(self.table, self.schema)
        link = self._link(table)
        steps: list[Step] = []
        for column in link.columns:
            if column.not_null:
                changes = dialect.drop_not_null(table.name, column)
                required = dialect.require_values(table.name, column)
                steps.append(dialect.together(f"make {self.table}.{column.name} optional", changes, undo=required))
        undo = (
            # One lock at a time: whoever waits behind it waits for one more only then.
            dialect.together(f"stop writing to {self.to}", dialect.drop_feed_second(link)),
            dialect.together(
                f"remove table {self.to}", (*dialect.drop_feed_first(link), *dialect.drop_table(link.other))
            ),
        )
        changes = (*self._create(table, dialect), *dialect.feed_first(link), *dialect.feed_second(link))
        # Nobody else sees the table before this commits, so there is nothing to lock.
        alone = [replace(c, locks=tuple(lock for lock in c.locks if lock.table != link.other)) for c in changes]
        return (*steps, dialect.together(f"create table {self.to} and dual writes", alone, undo=undo))

    def _create(self, table: Table, dialect: Dialect) -> Changes:
        made = self._made(table)
        parts = [dialect.column_definition(column) for column in made.columns]
        parts.append(f"PRIMARY KEY ({listed(made.primary_key())})")
        parts += [constraint.definition for constraint in self._moving(table)]
        if dialect.refers_early:
            key = self._reference(table)
            parts.append(f"CONSTRAINT {identifier(key.name)} {key.definition}")
        changes: list[Change] = [*dialect.create_table(made.name, parts, None), *dialect.share_table(made.name, table)]
        for column in made.columns:
            changes += dialect.copy_column_properties(made.name, column, column.name)
        return tuple(changes)

    def _verified(self, table: Table, dialect: Dialect) -> tuple[Verify, Verify]:
        link = self._link(table)
        return (
            dialect.verify(
                table,
                dialect.split_differs(link),
                target=f"{self.table} against {self.to}",
                twin=dialect.split_twin(link),
            ),
            dialect.verify(self._made(table), dialect.without_parent(link), target=f"{self.to} against {self.table}"),
        )

    def migrate(self, catalog: Catalog, dialect: Dialect) -> Steps:
        table = catalog.table(self.table, self.schema)
        link = self._link(table)
        copied = dialect.copy_rows(table, link, target=self.to)
        levels = dialect.level_second(table, link), dialect.level_first(table, link)
        return without_undo((copied, *both_ways(*self._verified(table, dialect), *levels, required=link.required)))

    def _reference(self, table: Table) -> Constraint:
        """The foreign key of the final shape: it keeps the old version from TRUNCATE, so it comes as late as it can."""
        link = self._link(table)
        olds, news = [old for old, _ in link.key], [new for _, new in link.key]
        definition = (
            f"FOREIGN KEY ({listed(news)}) REFERENCES {qualified(table.name)} ({listed(olds)})"
            " ON UPDATE CASCADE ON DELETE CASCADE"
        )
        name = names.composed(self.to, *news, "fkey")
        return Constraint(
            name,
            ConstraintKind.FOREIGN,
            definition,
            tuple(news),
            references=table.name,
            referenced_columns=tuple(olds),
            on_delete="CASCADE",
        )

    def contract(self, catalog: Catalog, dialect: Dialect) -> Steps:
        """The foreign key first: from then on it does what triggers of the first table did for the second."""
        table = catalog.table(self.table, self.schema)
        link, leaving = self._link(table), self._leaving(table, dialect)
        target = f"{self.table} ({', '.join(self.columns)})"
        stopped, again = dialect.drop_feed_second(link), (*dialect.drop_fetch_second(link), *dialect.feed_second(link))
        left, fed = (
            dialect.drop_feed_first(link),
            dialect.together(f"write to {target} again", dialect.feed_first(link)),
        )
        filled = dialect.fill(table, dialect.fetched(link), dialect.split_differs(link), target=target)
        # An UPDATE of other columns fetches nothing, and may move a row away from the walk.
        filled = replace(filled, repeat=True)
        back = dialect.together(f"bring back {target}", (*leaving.bring_back(), *dialect.fetch_second(link)))
        proved = self._verified(table, dialect) if dialect.refers_early else ()
        return (
            *(() if dialect.refers_early else self._refer(table, dialect)),
            dialect.together(
                f"stop writing to {self.to} from {self.table}",
                stopped,
                undo=(dialect.together(f"write to {self.to} again", again), *proved),
            ),
            dialect.together(f"stop writing to {target}", left, undo=(fed, filled, *leaving.judge_again())),
            dialect.together(f"quarantine {target}", leaving.put_aside(), undo=(back,)),
        )

    def _refer(self, table: Table, dialect: Dialect) -> Steps:
        key, other = self._reference(table), self._link(table).other
        dropped = dialect.together(f"drop foreign key {key.name}", dialect.drop_constraint(other, key))
        added = dialect.add_constraint(other, key, key.name, key.definition)
        undo = (dropped, *self._verified(table, dialect))
        return (
            dialect.together(f"declare foreign key {key.name}", added, undo=undo),
            dialect.together(
                f"validate foreign key {key.name}", dialect.validate_constraint(other, key.name), scans=True
            ),
        )

    def purge(self, catalog: Catalog, dialect: Dialect) -> Steps:
        return self._leaving(catalog.table(self.table, self.schema), dialect).purge()

    def outcome(self, catalog: Catalog, dialect: Dialect) -> Catalog:
        table = catalog.table(self.table, self.schema)
        going = tuple(self.columns)
        left = tuple(column for column in table.columns if column.name not in going)
        kept = tuple(c for c in table.constraints if not set(c.columns) & set(going))
        indexes = tuple(i for i in table.indexes if not set(i.columns) & set(going))
        after = replace(table, columns=left, constraints=kept, indexes=indexes, leaving=(*table.leaving, *going))
        return catalog.with_table(after).with_table(self._made(table))


def bare_key(column: facts.Column, name: str, collation: str | None) -> facts.Column:
    """A key column of the second table: its values come from the first, under its collation or that of the table."""
    return facts.Column(
        name,
        column.type,
        not_null=True,
        collation=column.collation or collation,
        grants=column.grants,
        equality_is_identity=True,
    )


def condition(constraint: Constraint) -> str:
    return constraint.definition.removeprefix("CHECK ").removesuffix(" NO INHERIT")
