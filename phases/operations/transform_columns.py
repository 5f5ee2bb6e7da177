"""Split columns, merge them, or map any to any, while both shapes are in use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from phases import catalog as facts
from phases.catalog import Catalog, Table
from phases.dialects.base import Change, Dialect
from phases.dual_write import DualWrite, has_identity, shared_default
from phases.errors import Refused, nearest
from phases.model import Step
from phases.operations.base import (
    Operation,
    Precheck,
    Steps,
    Touch,
    check_expression,
    check_new_column,
    check_no_dependents,
    check_not_written,
    check_ordinary,
    check_trigger_order,
    column_mentions,
    one_or_many,
    without_undo,
)
from phases.operations.create_table import Column
from phases.operations.enum_types import typed_touches
from phases.operations.leaving import Leaving
from phases.operations.mapping import lossy_pairs, lost_values, null_is_given, refused_writes


@dataclass(frozen=True)
class TransformColumns(Operation):
    """Replace columns by others that say the same: a split, a merge, any mapping with a way back.

    The new columns are added and kept in step with the old ones by triggers in both
    directions, filled, and compared row by row. At the contract the old ones are
    renamed away, at the purge dropped. Indexes of the old columns go with them; write
    those of the new ones as operations beside this one.

    Args:
        table: exact name of the table.
        old: exact names of the columns that go.
        new: the columns that come, each a `Column` of name, type, `nullable` and comment.
        up: for each new column an SQL expression over the old ones.
        down: for each old column an SQL expression over the new ones.
        lossy: True accepts rows that do not come back the same from `down(up(row))`.
        schema: schema of the table; the connection's default where not given.
        functions: functions that name an old column, as for RenameColumn.
    """

    table: str
    old: Sequence[str]
    new: Sequence[Column]
    up: Mapping[str, str] = field(hash=False)
    down: Mapping[str, str] = field(hash=False)
    lossy: bool = False
    schema: str | None = None
    functions: Sequence[str] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "old", one_or_many(self.old))
        object.__setattr__(self, "functions", one_or_many(self.functions))
        object.__setattr__(self, "new", (self.new,) if isinstance(self.new, Column) else tuple(self.new))

    def describe(self) -> str:
        return f"transform {self.table} ({', '.join(self.old)}) to ({', '.join(c.name for c in self.new)})"

    def touches(self, catalog: Catalog, dialect: Dialect) -> tuple[Touch, ...]:
        name = catalog.name(self.table, self.schema)
        table, going = catalog.tables.get(name), set(self.old)
        covering = [f"index {i.name}" for i in table.indexes if going & set(i.columns)] if table else []
        covering += [f"constraint {c.name}" for c in table.constraints if going & set(c.columns)] if table else []
        typed = typed_touches(catalog, name, {c.name: dialect.type_text(c.type) for c in self.new})
        return *(Touch(name, part) for part in (*self.old, *(c.name for c in self.new), *covering)), *typed

    def validate(self, catalog: Catalog, dialect: Dialect) -> None:
        table = catalog.table(self.table, self.schema)
        check_ordinary(table, "TransformColumns")
        if not self.old or not self.new:
            raise Refused("TransformColumns names no columns", remedy='old=["full_name"], new=[Column("name", "text")]')
        check_not_written(table, self.old, "TransformColumns names")
        for name in self.old:
            self._check_old(table, name)
        for column in self.new:
            self._check_new(table, column, dialect)
        olds = replace(table, columns=tuple(table.column(name) for name in self.old))
        news = replace(table, columns=self._news(dialect))
        check_pairs("up", self.up, [c.name for c in self.new], olds, dialect)
        check_pairs("down", self.down, self.old, news, dialect)
        self._check_nulls(table)
        self._leaving(table, dialect).validate()
        check_trigger_order(table)

    def _check_old(self, table: Table, name: str) -> None:
        column = table.column(name)
        check_no_dependents(table, name, "transforming")
        if column.generated is not None:
            raise Refused(f'"{name}" of "{table.name}" is a generated column')
        if has_identity(column) or (column.default is not None and shared_default(column) is None):
            raise Refused(
                f'"{name}" of "{table.name}" gets another value each time nothing is given, which the new'
                " columns cannot be compared with",
                remedy="drop that default in an earlier revision: DropDefault",
            )

    def _check_new(self, table: Table, column: Column, dialect: Dialect) -> None:
        check_new_column(table, column.name, dialect)
        given = (column.default, column.identity, column.references, column.primary_key or None, column.unique or None)
        if any(value is not None for value in given):
            raise Refused(
                f'new column "{column.name}" can have a name, a type, nullable and a comment; it gets its default'
                " from up",
                remedy="write AddUnique, AddForeignKey or SetDefault beside TransformColumns",
            )

    def _check_nulls(self, table: Table) -> None:
        required = [name for name in self.old if table.column(name).not_null]
        if required and all(column.nullable for column in self.new):
            raise Refused(
                f'"{required[0]}" is NOT NULL, but every new column may be NULL: nothing could be written to it then',
                remedy=f'say which is not: Column("{self.new[0].name}", …, nullable=False)',
            )

    def _news(self, dialect: Dialect) -> tuple[facts.Column, ...]:
        made = []
        for column in self.new:
            type_ = dialect.type_name(dialect.type_text(column.type))
            identity = dialect.type_change(type_, type_).equality_is_identity
            made.append(
                facts.Column(
                    column.name,
                    type_,
                    not_null=not column.nullable,
                    comment=column.comment,
                    equality_is_identity=identity,
                )
            )
        return tuple(made)

    def _link(self, table: Table, dialect: Dialect, *, fills_old: bool = False) -> DualWrite:
        olds, news = tuple(table.column(name) for name in self.old), self._news(dialect)

        def cast(columns: Sequence[facts.Column], given: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
            return tuple(
                (c.name, dialect.cast(given[c.name], dialect.type_change(c.type, c.type).cast)) for c in columns
            )

        expressions = (*self.up.values(), *self.down.values())
        limited = any(dialect.type_change(c.type, c.type).limited for c in (*olds, *news))
        fallible = limited or not all(dialect.expressions.total(text) for text in expressions)
        name = ".".join((*self.old, *(c.name for c in news)))
        up, down = cast(news, self.up), cast(olds, self.down)
        return DualWrite(table.name, name, olds, news, up, down, fallible=fallible, fills_old=fills_old)

    def _leaving(self, table: Table, dialect: Dialect) -> Leaving:
        return Leaving(dialect, table, tuple(self.old))

    def warnings(self, catalog: Catalog, dialect: Dialect) -> tuple[str, ...]:
        table = catalog.tables.get(catalog.name(self.table, self.schema))
        if table is None or not all(map(table.has_column, self.old)):
            return ()
        return refused_writes(self._link(table, dialect))

    def prechecks(self, catalog: Catalog, dialect: Dialect) -> tuple[Precheck, ...]:
        table = catalog.table(self.table, self.schema)
        link = self._link(table, dialect)
        remedy = "give them the other names after migrate"
        mentioned = column_mentions(table.name, self.old, self.functions, dialect, remedy)
        asked = (mentioned, null_is_given(link, dialect), lost_values(table, link, dialect))
        return asked if self.lossy else (*asked, lossy_pairs(table, link, dialect))

    @property
    def _target(self) -> str:
        return f"{self.table} ({', '.join(column.name for column in self.new)})"

    def expand(self, catalog: Catalog, dialect: Dialect) -> Steps:
        table = catalog.table(self.table, self.schema)
        link = self._link(table, dialect)
        changes: list[Change] = []
        removal = [*dialect.drop_dual_write(link)]
        for column in link.news:
            changes += dialect.add_column(table.name, replace(column, not_null=False))
            changes += dialect.copy_column_properties(table.name, column, column.name)
            removal += dialect.drop_column(table.name, column.name)
        for column in self._by_then(link, dialect):
            if column.default is not None:
                # Before the triggers, which take what is not the default for written.
                changes += dialect.set_default(table.name, replace(column, not_null=False), column.default)
        changes += dialect.dual_write(link)
        for column in link.olds:
            if (stand_in := dialect.stand_in(column)) is not None:
                changes += dialect.set_default(table.name, column, stand_in)
                removal = [*dialect.drop_default(table.name, column), *removal]
        undo = dialect.together(f"remove {self._target} and their dual write", removal)
        return (dialect.together(f"add {self._target} and dual writes", changes, undo=(undo,)),)

    @staticmethod
    def _by_then(link: DualWrite, dialect: Dialect) -> tuple[facts.Column, ...]:
        """The new columns with the defaults that both sides share."""
        defaults = link.new_defaults(dialect.expressions.substitute, dialect.cast)
        return tuple(replace(column, default=defaults.get(column.name)) for column in link.news)

    def migrate(self, catalog: Catalog, dialect: Dialect) -> Steps:
        table = catalog.table(self.table, self.schema)
        link = self._link(table, dialect)
        disagree = dialect.disagree(link)
        required = () if self._required_late(link, dialect) else self._required(table, link, dialect)
        filled = dialect.fill(table, dict(link.up), disagree, target=self._target)
        return without_undo((filled, *required, dialect.verify(table, disagree, target=self._target)))

    @staticmethod
    def _required_late(link: DualWrite, dialect: Dialect) -> bool:
        return link.fallible or dialect.requires_late

    def _required(self, table: Table, link: DualWrite, dialect: Dialect) -> Steps:
        steps: list[Step] = []
        for column in self._by_then(link, dialect):
            if column.not_null:
                steps += dialect.require_values(table.name, column)
        return tuple(steps)

    def contract(self, catalog: Catalog, dialect: Dialect) -> Steps:
        table = catalog.table(self.table, self.schema)
        link, leaving = self._link(table, dialect), self._leaving(table, dialect)
        last = self._required(table, link, dialect) if self._required_late(link, dialect) else ()
        quarantine = dialect.together(
            f"quarantine {self.table} ({', '.join(self.old)})",
            # Until the old columns are optional, writers of the new ones count on the triggers.
            (*leaving.make_optional(), *dialect.drop_dual_write(link), *leaving.rename_away()),
            undo=self._restore(table, dialect),
        )
        return (*last, *leaving.release_keys(), quarantine)

    def _restore(self, table: Table, dialect: Dialect) -> Steps:
        """Bring the old columns back: writable at once, then filled with what was written meanwhile."""
        link, back = self._link(table, dialect), self._link(table, dialect, fills_old=True)
        leaving, target = self._leaving(table, dialect), f"{self.table} ({', '.join(self.old)})"
        return (
            dialect.together(f"bring back {target}", (*leaving.bring_back(), *dialect.dual_write(back))),
            dialect.fill(table, dict(link.down), dialect.disagree(back), target=target),
            *leaving.judge_again(),
            dialect.together(f"settle dual writes of {target}", dialect.redirect_dual_write(link)),
            dialect.verify(table, dialect.disagree(link), target=target),
        )

    def purge(self, catalog: Catalog, dialect: Dialect) -> Steps:
        return self._leaving(catalog.table(self.table, self.schema), dialect).purge()

    def outcome(self, catalog: Catalog, dialect: Dialect) -> Catalog:
        table, news = catalog.table(self.table, self.schema), self._news(dialect)
        names = tuple(column.name for column in news)
        after = replace(
            table,
            columns=(*(c for c in table.columns if c.name not in self.old), *news),
            leaving=(*table.leaving, *self.old),
            mirrored=(*table.mirrored, *names),
            written=(*table.written, *names),
        )
        return catalog.with_table(after)


def check_pairs(what: str, given: Mapping[str, str], wanted: Sequence[str], over: Table, dialect: Dialect) -> None:
    """Refuse a mapping that leaves a column out, names another, or reads what it may not."""
    for name in given:
        if name not in wanted:
            raise Refused(f'{what} names "{name}", which is none of {", ".join(wanted)}', remedy=nearest(name, wanted))
    for name in wanted:
        if name not in given:
            raise Refused(f'{what} does not say what "{name}" gets', remedy=f'{what}={{"{name}": "<expression>"}}')
        check_expression(given[name], over, dialect, f"{what}[{name!r}]")
