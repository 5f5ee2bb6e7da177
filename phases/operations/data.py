"""Change rows, or run statements of the user's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from phases.catalog import Catalog, Table
from phases.dialects.base import Change, Dialect
from phases.errors import Refused
from phases.model import Fill, Phase, Step
from phases.operations.base import Operation, Steps, Touch, check_ordinary, one_or_many, reads
from phases.sql import identifier


@dataclass(frozen=True)
class Backfill(Operation):
    """Bring existing rows to a new value in small transactions.

    No trigger covers what writers do meanwhile, so the walk is repeated until no
    row matches `where`.

    What SQL cannot express (encryption, somebody else's service) a function computes: it is given a list of
    rows, each a dict of the key and of `reads`, and returns a list with the value of each row, or a dict of
    `writes`. It may be `async`. It is called while no transaction is open, and its answers are written where the
    row is still what it was given. A row that it raises for is found by halving, and set aside.

    Args:
        table: exact name of the table.
        set: column to SQL expression over the row's columns.
        where: condition of the rows still to do; must be false for a row once done.
        wrong: condition of rows that must not be there afterwards, such as `name IS DISTINCT FROM full_name`: every row
            is compared at the end of migrate, and by `migrator verify`.
        function: in place of `set`: a function of the revision file or of a module, or its name, `"module:name"`.
        reads: exact names of the columns that it is given, besides the key.
        writes: exact names of the columns that it computes.
        schema: schema of the table; the connection's default where not given.
    """

    table: str
    set: Mapping[str, str] | None = field(default=None, hash=False)
    where: str = ""
    schema: str | None = None
    function: Callable[..., Any] | str | None = None
    reads: Sequence[str] = ()
    writes: Sequence[str] = ()
    wrong: str = ""
    call: ClassVar[Callable[..., Any] | None] = None

    def __post_init__(self) -> None:
        # Kept beside the fields: a step and a digest can have its name only.
        object.__setattr__(self, "call", self.function if callable(self.function) else None)
        object.__setattr__(self, "function", name_of(self.function))
        object.__setattr__(self, "reads", one_or_many(self.reads))
        object.__setattr__(self, "writes", one_or_many(self.writes))

    @property
    def _set(self) -> Mapping[str, str]:
        return self.set or {}

    @property
    def _written(self) -> tuple[str, ...]:
        return tuple(self.writes) if self.function else tuple(self._set)

    def describe(self) -> str:
        return f"backfill {self.table} ({', '.join(self._written)})"

    def touches(self, catalog: Catalog, dialect: Dialect) -> tuple[Touch, ...]:
        table = catalog.name(self.table, self.schema)
        read = [
            touch
            for text in (*self._set.values(), self.where, self.wrong)
            if text
            for touch in reads(table, text, dialect)
        ]
        return *(Touch(table, column) for column in self._written), *read, *(Touch(table, c) for c in self.reads)

    def validate(self, catalog: Catalog, dialect: Dialect) -> None:
        table = catalog.table(self.table, self.schema)
        check_ordinary(table, "Backfill")
        if self.function is not None:
            self._validate_function(table)
        elif not self._set:
            raise Refused("set= names no column", remedy='set={"column": "<expression>"}')
        if not self.where.strip():
            raise Refused("where= does not say which rows are still to do", remedy='where="column IS NULL"')
        for column in self._written:
            if table.column(column).generated is not None:
                raise Refused(f'"{column}" of "{table.name}" is a generated column')
        for column, expression in self._set.items():
            dialect_check(expression, dialect, f"set[{column!r}]")
        dialect_check(self.where, dialect, "where")
        if self.wrong:
            dialect_check(self.wrong, dialect, "wrong")

    def _validate_function(self, table: Table) -> None:
        if self._set:
            raise Refused(
                "Backfill has set= and function=", remedy="one of them computes the rows: leave the other out"
            )
        if not self.writes:
            raise Refused("function= says not which columns it computes", remedy='add writes=["column"]')
        if "<" in str(self.function) or "." in str(self.function).rpartition(":")[2]:
            raise Refused(
                f"function= is {self.function}, which the next run could not find by its name",
                remedy="write it as a function of the revision file, or of a module",
            )
        key = table.row_key()
        if not key:
            raise Refused(
                f'"{table.name}" has no key by which the answers of a function could find their rows',
                remedy="give it a primary key, or a unique index over NOT NULL columns, in an earlier revision",
            )
        if changed := sorted({*key} & {*self.writes}):
            raise Refused(f'function= computes "{changed[0]}", by which the rows of "{table.name}" are found')
        for column in self.reads:
            table.column(column)

    def migrate(self, catalog: Catalog, dialect: Dialect) -> Steps:
        table = catalog.table(self.table, self.schema)
        target = f"{self.table} ({', '.join(self._written)})"
        compared = (dialect.verify(table, f"({self.wrong})", target=target),) if self.wrong else ()
        if self.function is None:
            return (repeated(dialect.fill(table, self._set, f"({self.where})", target=target)), *compared)
        step = dialect.fill(table, {c: identifier(c) for c in self.writes}, f"({self.where})", target=target)
        computed = replace(
            step,
            repeat=True,
            function=str(self.function),
            reads=tuple(identifier(column) for column in self.reads if column not in table.row_key()),
            writes=tuple(identifier(column) for column in self.writes),
            types=tuple(table.column(column).type for column in (*table.row_key(), *self.writes)),
            single_statement=f"-- {self.function} computes {', '.join(self.writes)} of {self.table} where {self.where}",
        )
        return (computed, *compared)

    def inverse(self) -> tuple[Operation, ...]:
        return ()


def name_of(function: Callable[..., Any] | str | None) -> str | None:
    """A function by the name that a later run finds it by; those of a revision file have no module."""
    if function is None or isinstance(function, str):
        return function
    name = getattr(function, "__qualname__", repr(function))
    inside = {"revision", "down_revision"} <= getattr(function, "__globals__", {}).keys()
    return name if inside else f"{function.__module__}:{name}"


def repeated(step: Step) -> Step:
    return replace(step, repeat=True) if isinstance(step, Fill) else step


def dialect_check(expression: str, dialect: Dialect, what: str) -> None:
    """Refuse text that is not one expression."""
    try:
        dialect.expressions.check(expression)
    except ValueError as problem:
        raise Refused(f"{what} is not an SQL expression: {problem}") from None


@dataclass(frozen=True)
class RunSQL(Operation):
    """Run statements of your own, each phase's in one transaction.

    Args:
        expand, migrate, contract: SQL of the phase; several statements are separated by `;`.
        undo: SQL that takes expand and migrate back, for `abort`; `""` says there is nothing to take back.
        restore: SQL that takes the contract back; `""` says there is nothing to take back.
        accept: rules of the linter whose findings in this SQL do no harm here; else an error is refused.
        reason: why they do no harm; required with `accept`, and shown in the plan.
    """

    expand_sql: str = ""
    migrate_sql: str = ""
    contract_sql: str = ""
    undo: str | None = None
    restore: str | None = None
    accept: tuple[str, ...] = ()
    reason: str = ""

    def __init__(
        self,
        *,
        expand: str = "",
        migrate: str = "",
        contract: str = "",
        undo: str | None = None,
        restore: str | None = None,
        accept: str | Sequence[str] = (),
        reason: str = "",
    ) -> None:
        accepted = (accept,) if isinstance(accept, str) else tuple(accept)
        values = (expand, migrate, contract, undo, restore, accepted, reason)
        fields = ("expand_sql", "migrate_sql", "contract_sql", "undo", "restore", "accept", "reason")
        for name, value in zip(fields, values, strict=True):
            object.__setattr__(self, name, value)

    def describe(self) -> str:
        return f"run SQL: {opening(self.expand_sql or self.migrate_sql or self.contract_sql)}"

    def scripts(self) -> dict[Phase, str]:
        """SQL by phase, empty where there is none."""
        return {
            Phase.EXPAND: self.expand_sql,
            Phase.MIGRATE: self.migrate_sql,
            Phase.CONTRACT: self.contract_sql,
        }

    def validate(self, catalog: Catalog, dialect: Dialect) -> None:
        if not any(self.scripts().values()):
            raise Refused("RunSQL has no statements", remedy='RunSQL(expand="…", undo="…")')
        if (self.expand_sql or self.migrate_sql) and self.undo is None:
            raise Refused("RunSQL does not say how it is taken back", remedy='add undo="…", or undo="" if nothing is')
        if self.contract_sql and self.restore is None:
            raise Refused("RunSQL does not say how its contract is taken back", remedy='add restore="…", or restore=""')
        if self.accept and not self.reason.strip():
            raise Refused("RunSQL accepts what the linter finds without a reason", remedy='add reason="…"')
        for phase, script in (
            *self.scripts().items(),
            ("undo", self.undo or ""),
            ("restore", self.restore or ""),
        ):
            for statement in self._split(script, dialect, str(phase)):
                refuse_outside_transaction(statement, str(phase))

    def _split(self, script: str, dialect: Dialect, what: str) -> tuple[str, ...]:
        try:
            return dialect.expressions.split(script) if script else ()
        except ValueError as problem:
            raise Refused(f"{what}= of RunSQL is not SQL: {problem}") from None

    def _steps(self, phase: Phase, undo: str, dialect: Dialect) -> Steps:
        def step(name: str, script: str, undo_steps: Steps = ()) -> Steps:
            changes = [Change(sql) for sql in self._split(script, dialect, name)]
            return (dialect.together(name, changes, undo=undo_steps, unread=True),) if changes else ()

        back = step(f"take back SQL of {phase}", undo)
        script = self.scripts()[phase]
        return step(f"run SQL of {phase}: {opening(script)}", script, back)

    def expand(self, catalog: Catalog, dialect: Dialect) -> Steps:
        return self._steps(Phase.EXPAND, self.undo or "", dialect)

    def migrate(self, catalog: Catalog, dialect: Dialect) -> Steps:
        undo = "" if self.expand_sql else self.undo or ""
        return self._steps(Phase.MIGRATE, undo, dialect)

    def contract(self, catalog: Catalog, dialect: Dialect) -> Steps:
        return self._steps(Phase.CONTRACT, self.restore or "", dialect)

    def inverse(self) -> tuple[Operation, ...]:
        back = [script for script in (self.restore, self.undo) if script]
        return tuple(RunSQL(expand=script, undo="") for script in back)


def opening(script: str) -> str:
    """The first words of a script, on one line."""
    return " ".join(script.split())[:60]


def refuse_outside_transaction(statement: str, where: str) -> None:
    """Refuse statements that manage transactions or cannot run in one."""
    words = statement.upper().split()
    alone = {"VACUUM", "BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "START", "END"}
    if words and (words[0] in alone or "CONCURRENTLY" in words[:4]):
        raise Refused(
            f"{where}= of RunSQL has {' '.join(words[:2])}, which cannot run inside its transaction",
            remedy="indexes: CreateIndex and DropIndex build and drop concurrently",
        )
