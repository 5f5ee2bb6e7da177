"""Where Alembic and we meet: dev databases, the version table, autogenerate."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

from alembic.util import CommandError

from migrator.database import rows_of, run, run_each
from migrator.dialects import family
from migrator.errors import MigratorError, PlanRefused, StepFailed, UsageError
from phases.effects import Batch, Batched, Compute, Failure, Query
from phases.errors import Refused
from phases.names import PREFIX

if TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext
    from sqlalchemy import Connection

    from migrator.migration import Migration
    from migrator.revisions import RevisionGraph
    from phases.catalog import Server
    from phases.model import Fill


LEDGER = "migrator"


@cache
def ledger_tables() -> tuple[str, ...]:
    """Names of the ledger's tables where a schema is a database: there they have a prefix."""
    from migrator.ledger.tables import metadata

    return tuple(f"{LEDGER}_{table.name}" for table in metadata.tables.values())


class RefusedInAlembic(UsageError, CommandError):
    """Why a command of Alembic stops: it shows its own errors in one line, and others as a traceback."""

    def __str__(self) -> str:
        return f"{self.message}\nnext: {self.next_step}" if self.next_step else self.message


@contextmanager
def shown_by_alembic() -> Iterator[None]:
    try:
        yield
    except MigratorError as problem:
        raise RefusedInAlembic(problem.message, next_step=problem.next_step, **problem.facts) from problem


def version_context(connection: Connection, graph: RevisionGraph | None) -> MigrationContext:
    """Alembic's view of its version table, which is where the project's `env.py` says."""
    from alembic.runtime.migration import MigrationContext

    from migrator.environment import environment_of

    options = environment_of(graph).version_options if graph is not None else {}
    return MigrationContext.configure(connection, opts=dict(options))


def stamped(connection: Connection, graph: RevisionGraph | None = None) -> tuple[str, ...]:
    """Revisions in Alembic's version table; empty where there is none. Writes nothing.

    Args:
        graph: the revisions whose `env.py` names the table; `alembic_version` where not given.
    """
    return tuple(version_context(connection, graph).get_current_heads())


def stamp(connection: Connection, graph: RevisionGraph, revision: str, *, upgrade: bool) -> None:
    """Move Alembic's version table over one revision, in the caller's transaction."""
    from alembic.runtime.migration import HeadMaintainer, RevisionStep

    context = version_context(connection, graph)
    context._ensure_version_table()
    heads = HeadMaintainer(context, context.get_current_heads())
    step = RevisionStep(graph.directory.revision_map, graph.directory.get_revision(revision), upgrade)
    heads.update_to_step(step)


def include_object(item: Any, name: str | None, kind: str, reflected: bool, compare_to: Any) -> bool:
    """For `context.configure(include_object=…)`: hide what a migration in flight has put aside.

    Without it `alembic check` and autogenerate would propose to drop quarantined columns and tables.
    """
    del kind, compare_to
    schema = getattr(item, "schema", None)
    ours = (name or "").startswith((PREFIX, *ledger_tables())) or schema == LEDGER
    return not (reflected and ours)


def run_straight(migration: Migration, *, downgrade: bool) -> None:
    """Run all phases of a migration at once, inside `alembic upgrade` or `downgrade`.

    Raises:
        RefusedInAlembic: the database has a ledger, Alembic runs offline, or an operation cannot be
            done on this database.
    """
    with shown_by_alembic():
        execute_straight(migration, downgrade=downgrade)


def execute_straight(migration: Migration, *, downgrade: bool) -> None:
    from alembic import op

    from migrator.introspection import read_catalog, volatility_reader
    from migrator.ledger import schema
    from migrator.planning import dialect_for
    from migrator.straight import straight

    if op.get_context().as_sql:
        raise UsageError(
            "a migration of operations looks at the database, so it cannot be written offline",
            next_step="migrator plan --sql",
        )
    connection = op.get_bind()
    if schema.installed(connection) is not None:
        verb = "abort REVISION" if downgrade else "apply"
        raise UsageError(
            "this database is managed: its revisions are run phase by phase, while it is in use",
            next_step=f"migrator {verb}",
        )
    catalog = read_catalog(connection)
    dialect = dialect_for(catalog.server, volatility_reader(connection))
    try:
        operations = inverted(migration) if downgrade else migration.operations
        steps = straight(operations, catalog, dialect)
    except Refused as refusal:
        raise PlanRefused(refusal.reason, next_step=refusal.remedy) from None
    before, after = family(connection.dialect.name).speaking()
    for step in (*before, *steps, *after):
        if isinstance(step, str):
            run(connection, step)
        else:
            compute_straight(connection, step, catalog.server, migration)


def compute_straight(connection: Connection, step: Fill, server: Server, migration: Migration) -> None:
    """Let a function compute all rows of a table that nobody else uses.

    Raises:
        StepFailed: it fails for a row.
    """
    from migrator.functions import Functions, function_of
    from phases.backfill import Pacing, perform_fill

    functions = Functions(lambda _, name: function_of(migration, name))
    answer: Any = None
    steps = perform_fill(step, None, server, Pacing())
    try:
        while True:
            match effect := steps.send(answer):
                case Query():
                    answer = rows_of(connection, effect.sql)
                case Compute():
                    answer = functions.compute("", step, effect)
                case Batch():
                    answer = Batched(run_each(connection, effect.sql, effect.parameters), 0.0)
                case _:
                    answer = None
            if isinstance(answer, Failure):
                raise StepFailed(f"{step.name}: {answer.message}", next_step="mend the function or the row")
    except StopIteration:
        functions.close()


def inverted(migration: Migration) -> list[Any]:
    """The operations that go back, last first.

    Raises:
        Refused: one of them has no way back.
    """
    found: list[Any] = []
    for operation in reversed(migration.operations):
        inverse = operation.inverse()
        if inverse is None:
            raise Refused(
                f"there is no way back from: {operation.describe()}", remedy="build the development database anew"
            )
        found += inverse
    return found
