"""Write a table again as a whole while it is in use: everything that changes, changes with one copy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from phases import names
from phases.catalog import Catalog, Column, Index, Table
from phases.dialects.base import Changes, Dialect
from phases.dual_write import TableCopy
from phases.errors import Refused
from phases.model import Step, TableName, Verify
from phases.operations.base import (
    Operation,
    Precheck,
    Steps,
    Touch,
    check_expression,
    check_ordinary,
    one_or_many,
    row_key_text,
    without_undo,
)
from phases.operations.two_tables import copied_again
from phases.rebuilding import Rebuilding
from phases.rebuilding import compared as cost
from phases.sql import identifier, listed, qualified


@dataclass(frozen=True)
class RebuildTable(Operation):
    """Give a table of MySQL or MariaDB another primary key, collation, types, and conditions, all with one copy.

    Expand creates a second table like the first but for what changes, and triggers by which it follows every
    INSERT, UPDATE and DELETE. Migrate copies the rows in small transactions, builds the indexes, and compares
    both tables row by row. In the contract one RENAME TABLE gives the second table the name of the first, which
    follows it from then on, so that a restore can bring it back until the purge drops it. Both versions of the
    application use the same name all the time.

    A row that the second table does not take (NULL where a value is required, a key that another row has, a value
    that is too long) is not in it: no statement of the application fails because of it, the verification names it,
    and the contract waits. The former primary key stays as a unique one: both tables find their rows by it.

    Args:
        table: exact name of the table.
        primary_key: columns of its primary key from then on.
        types: columns and the types they get, as text or as SQLAlchemy types.
        up: what a column gets, as an SQL expression over the columns it has, where that is not its value.
        down: the way back, for each column that `up` has.
        not_null: columns that have to have a value from then on.
        checks: conditions that every row has to meet from then on, by their names.
        collation: of the table and all its columns of text, with their character set: `"utf8mb4_unicode_ci"`.
        row_format: `"DYNAMIC"` or `"COMPRESSED"`, for example.
        partition_by: what follows `PARTITION BY`: `"HASH (id) PARTITIONS 8"`. Every unique key has the columns.
        schema: schema of the table; the connection's default where not given.
    """

    table: str
    primary_key: Sequence[str] = ()
    types: Mapping[str, object] = field(default_factory=dict)
    up: Mapping[str, str] = field(default_factory=dict)
    down: Mapping[str, str] = field(default_factory=dict)
    not_null: Sequence[str] = ()
    checks: Mapping[str, str] = field(default_factory=dict)
    collation: str | None = None
    row_format: str | None = None
    partition_by: str | None = None
    schema: str | None = None

    def __post_init__(self) -> None:
        for name in ("primary_key", "not_null"):
            object.__setattr__(self, name, one_or_many(getattr(self, name)))
        for name in ("types", "up", "down", "checks"):
            object.__setattr__(self, name, dict(getattr(self, name)))

    def describe(self) -> str:
        key = [f"primary key ({', '.join(self.primary_key)})"] if self.primary_key else []
        types = [f"{name} as {type_}" for name, type_ in self.types.items()]
        rest = [f"{name} required" for name in self.not_null] + [f"check {text}" for text in self.checks.values()]
        given = [self.collation, f"row format {self.row_format}" if self.row_format else None]
        given.append(f"partitions by {self.partition_by}" if self.partition_by else None)
        return f"rebuild {self.table}: {', '.join([*key, *types, *rest, *filter(None, given)])}"

    def touches(self, catalog: Catalog, dialect: Dialect) -> tuple[Touch, ...]:
        return (Touch(catalog.name(self.table, self.schema)),)

    def alone(self, catalog: Catalog, dialect: Dialect) -> tuple[Touch, ...]:
        return self.touches(catalog, dialect)

    def _wanted(self, dialect: Dialect) -> Rebuilding:
        return Rebuilding(
            tuple((name, dialect.type_text(type_)) for name, type_ in self.types.items()),
            tuple(self.up.items()),
            tuple(self.down.items()),
            tuple(self.not_null),
            tuple(self.primary_key),
            tuple(self.checks.items()),
            self.collation or "",
            self.row_format or "",
            self.partition_by or "",
        )

    def _rebuilt(self, catalog: Catalog, dialect: Dialect) -> tuple[Table, Changes, Sequence[Index]]:
        table = catalog.table(self.table, self.schema)
        return dialect.rebuild(table, self._own(table, "draft"), self._own(table, "copy"), self._wanted(dialect))

    @staticmethod
    def _own(table: Table, kind: str) -> TableName:
        return TableName(table.name.schema, names.behind(kind, table.name.schema, table.name.name))

    def _copy(self, catalog: Catalog, dialect: Dialect) -> TableCopy:
        """The second table follows the first."""
        table, after = catalog.table(self.table, self.schema), self._rebuilt(catalog, dialect)[0]
        stored = [column.name for column in table.columns if column.generated is None]
        olds = tuple(explicit(column, table) for column in table.columns if column.name in stored)
        news = tuple(column for column in after.columns if column.name in stored)
        made, up, down = self._own(table, "copy"), tuple(self.up.items()), tuple(self.down.items())
        copy = TableCopy(table.name, made, table.row_key(), tuple(stored), table.owner, olds=olds, news=news)
        return replace(copy, up=up, down=down, primary=bool(table.primary_key()))

    def validate(self, catalog: Catalog, dialect: Dialect) -> None:
        table = catalog.table(self.table, self.schema)
        check_ordinary(table, "RebuildTable")
        given = (self.primary_key, self.types, self.not_null, self.checks, self.collation, self.row_format)
        if not any((*given, self.partition_by)):
            raise Refused("RebuildTable changes nothing", remedy='for example: types={"amount": "decimal(20,4)"}')
        for name in (*self.primary_key, *self.types, *self.not_null, *self.up, *self.down):
            table.column(name)
        for what, expressions in (("up", self.up), ("down", self.down)):
            for name, text in expressions.items():
                if name not in self.types:
                    raise Refused(
                        f'{what} has "{name}", which gets no other type', remedy=f'add it to types={{"{name}": …}}'
                    )
                check_expression(text, table, dialect, what)
        for name, text in self.checks.items():
            check_expression(text, table, dialect, f'check "{name}"')
            if any(constraint.name == name for constraint in table.constraints):
                raise Refused(f'"{table.name}" already has a constraint "{name}"', remedy="give it another name")
        for name in self.primary_key:
            if not table.column(name).not_null and name not in self.not_null:
                raise Refused(
                    f'"{name}" may be NULL, and a primary key may not', remedy=f'add it to not_null=["{name}"]'
                )
        self._rebuilt(catalog, dialect)

    def warnings(self, catalog: Catalog, dialect: Dialect) -> tuple[str, ...]:
        table = catalog.tables.get(catalog.name(self.table, self.schema))
        if table is None or table.rows <= 0:
            return ()
        types = tuple((name, str(type_)) for name, type_ in self.types.items())
        wanted = Rebuilding(
            types,
            not_null=tuple(self.not_null),
            primary_key=tuple(self.primary_key),
            checks=tuple(self.checks.items()),
            collation=self.collation or "",
            row_format=self.row_format or "",
            partition_by=self.partition_by or "",
        )
        return (f"{self.table}: {cost(table, wanted)}",)

    def prechecks(self, catalog: Catalog, dialect: Dialect) -> tuple[Precheck, ...]:
        table = catalog.table(self.table, self.schema)
        shown = f"SELECT {row_key_text(table, dialect)} FROM {qualified(table.name)} WHERE"
        empty = " OR ".join(f"{identifier(name)} IS NULL" for name in (*self.not_null, *self.primary_key))
        broken = " OR ".join(f"NOT ({text})" for text in self.checks.values())
        backstop, found = f"backfill copy of {self.table}", []
        for condition, what in ((empty, "have no value where one is required"), (broken, "break a check")):
            if condition:
                sql = f"{shown} {condition} LIMIT 5"
                problem = f'rows of "{table.name}" {what}'
                found.append(Precheck(sql, problem, "mend them first, for example with Backfill", backstop=backstop))
        if self.primary_key:
            columns = listed(self.primary_key)
            sql = f"SELECT {columns} FROM {qualified(table.name)} GROUP BY {columns} HAVING COUNT(*) > 1 LIMIT 5"
            problem = f'rows of "{table.name}" have one primary key'
            found.append(Precheck(sql, problem, "give each a key of its own first", backstop=backstop))
        return tuple(found)

    def expand(self, catalog: Catalog, dialect: Dialect) -> Steps:
        table, copy = catalog.table(self.table, self.schema), self._copy(catalog, dialect)
        draft = self._own(table, "draft")
        _, made, _ = self._rebuilt(catalog, dialect)
        gone = (*dialect.drop_table(draft), *dialect.drop_table(copy.other))
        drop = dialect.together(f"drop the copy of {self.table}", gone)
        stop = dialect.together(f"stop feeding the copy of {self.table}", dialect.unfollow(copy))
        feed = dialect.together(f"feed the copy of {self.table}", dialect.follow(copy), undo=(stop,))
        return (
            dialect.together(f"create a copy of {self.table}", made, undo=(drop,)),
            replace(feed, meanwhile=True),
        )

    def migrate(self, catalog: Catalog, dialect: Dialect) -> Steps:
        copy, late = self._copy(catalog, dialect), self._rebuilt(catalog, dialect)[2]
        place = (copy.other.schema, copy.other.name)
        copied = dialect.copy_table(copy, target=f"copy of {self.table}")
        steps: list[Step] = [copied]
        for index in late:
            text = dialect.expressions.copy_index(
                index.definition, name=index.name, names={}, concurrently=False, table=place
            )
            steps.append(dialect.build_index(copy.other, index.name, text, undo=False))
        compared, extra = self._verified(catalog, dialect, copy, "its copy")
        strays = dialect.remove_strays(copy.other, copy.table, copy)
        return without_undo((*steps, *copied_again(compared, [extra], [strays], copied)))

    def _compared(self, catalog: Catalog, dialect: Dialect, copy: TableCopy, target: str, *, back: bool) -> Verify:
        """Look for rows of a table that the one that follows it has not, or the other way round (`back`)."""
        rows, other = (copy.other, copy.table) if back else (copy.table, copy.other)
        table = replace(catalog.table(self.table, self.schema), name=rows)
        twin = () if back else dialect.copy_twin(copy)
        return dialect.verify(table, dialect.missing_from(rows, other, copy), target=target, twin=twin)

    def _verified(self, catalog: Catalog, dialect: Dialect, copy: TableCopy, label: str) -> tuple[Verify, Verify]:
        """Compare both ways: a TRUNCATE fires no trigger."""
        return (
            self._compared(catalog, dialect, copy, f"{self.table} against {label}", back=False),
            self._compared(catalog, dialect, copy, f"{label} against {self.table}", back=True),
        )

    def contract(self, catalog: Catalog, dialect: Dialect) -> Steps:
        """The triggers of the way back are made before the names change, and those of the way there dropped after.

        Each names a table that is not there for as long as both are, which costs a little, and fails under LOCK TABLES.
        """
        table, copy = catalog.table(self.table, self.schema), self._copy(catalog, dialect)
        aside, made, label = self._own(table, "quarantine"), copy.other, f"the former {self.table}"
        there, back = replace(copy, table=aside), copy.reversed(made, aside)
        after = replace(back, table=table.name)
        undo = (
            *self._verified(catalog, dialect, after, label),
            *self._levelled(table, aside, label, dialect),
            dialect.together(f"give {label} its name back", dialect.exchange(table.name, made, aside)),
        )
        exchanged = dialect.exchange(table.name, aside, made)
        withdraw = dialect.together(f"stop feeding {label}", dialect.unfollow(back))
        feed = dialect.together(f"feed {label}", dialect.follow(back), undo=(withdraw,))
        again = dialect.together(f"feed the copy of {self.table} again", dialect.follow(there))
        stop = dialect.together(f"stop feeding the copy of {self.table}", dialect.unfollow(there), undo=(again,))
        return (
            *self._levelled(table, made, f"the copy of {self.table}", dialect),
            replace(feed, meanwhile=True),
            dialect.together(f"put its copy in the place of {self.table}", exchanged, undo=undo),
            replace(stop, meanwhile=True),
            # What a statement that the copy did not take has written since the last look is not lost.
            self._compared(catalog, dialect, after, f"{label} against {self.table}", back=True),
        )

    def _levelled(self, table: Table, other: TableName, label: str, dialect: Dialect) -> Steps:
        if not any(column.sequence is not None for column in table.columns):
            return ()
        name = f"let numbers of {label} go on where they are"
        return (replace(dialect.together(name, dialect.level_numbers(table.name, other)), meanwhile=True),)

    def purge(self, catalog: Catalog, dialect: Dialect) -> Steps:
        table, copy = catalog.table(self.table, self.schema), self._copy(catalog, dialect)
        aside = self._own(table, "quarantine")
        stop = dialect.unfollow(copy.reversed(copy.table, aside))
        return (
            replace(dialect.together(f"stop feeding the former {self.table}", stop), meanwhile=True),
            dialect.together(f"drop the former {self.table}", dialect.drop_table(aside)),
        )

    def outcome(self, catalog: Catalog, dialect: Dialect) -> Catalog:
        return catalog.with_table(self._rebuilt(catalog, dialect)[0])


def explicit(column: Column, table: Table) -> Column:
    """A column with the collation it has, be it that of its table."""
    return replace(column, collation=column.collation or table.collation or None)
