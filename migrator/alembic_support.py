"""Where Alembic and we meet: dev databases, the version table, autogenerate."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from alembic.util import CommandError

from migrator.errors import MigratorError, UsageError
from phases.errors import Refused
from phases.names import PREFIX

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from migrator.migration import Migration
    from migrator.revisions import RevisionGraph
    from phases.catalog import Catalog
    from phases.dialects.base import Dialect
    from phases.operations import Operation


class RefusedInAlembic(UsageError, CommandError):
    """Why a command of Alembic stops. Alembic shows its own errors in one line, others as a traceback."""

    def __str__(self) -> str:
        return f"{self.message}\nnext: {self.next_step}" if self.next_step else self.message


@contextmanager
def shown_by_alembic() -> Iterator[None]:
    try:
        yield
    except RefusedInAlembic:
        raise
    except (MigratorError, Refused) as problem:
        reason = problem.message if isinstance(problem, MigratorError) else problem.reason
        remedy = problem.next_step if isinstance(problem, MigratorError) else problem.remedy
        raise RefusedInAlembic(reason, next_step=remedy) from None


def stamped(connection: Connection) -> tuple[str, ...]:
    """Revisions in Alembic's version table; empty where there is none. Writes nothing."""
    from alembic.runtime.migration import MigrationContext

    return tuple(MigrationContext.configure(connection).get_current_heads())


def stamp(connection: Connection, graph: RevisionGraph, revision: str, *, upgrade: bool) -> None:
    """Move Alembic's version table over one revision, in the caller's transaction."""
    from alembic.runtime.migration import HeadMaintainer, MigrationContext, RevisionStep

    context = MigrationContext.configure(connection)
    context._ensure_version_table()
    heads = HeadMaintainer(context, context.get_current_heads())
    step = RevisionStep(graph.directory.revision_map, graph.directory.get_revision(revision), upgrade)
    heads.update_to_step(step)


def include_object(item: Any, name: str | None, kind: str, reflected: bool, compare_to: Any) -> bool:
    """For `context.configure(include_object=…)`: hide what a migration in flight has put aside.

    Without it `alembic check` and autogenerate would propose to drop quarantined columns.
    """
    del kind, compare_to
    schema = getattr(item, "schema", None)
    return not (reflected and ((name or "").startswith(PREFIX) or schema == "migrator"))


def run_straight(migration: Migration, *, downgrade: bool) -> None:
    """Run all phases of a migration at once, inside `alembic upgrade` or `downgrade`.

    Raises:
        RefusedInAlembic: the database has a ledger, Alembic runs offline, or an operation cannot be
            done on this database, or not be taken back.
    """
    from alembic import op

    with shown_by_alembic():
        if op.get_context().as_sql:
            raise UsageError(
                "a migration of operations looks at the database, so it cannot be written offline",
                next_step="migrator plan --sql",
            )
        connection = op.get_bind()
        refuse_managed(connection, downgrade=downgrade)
        if downgrade:
            for operation in reversed(migration.operations):
                run_all(connection, straight_back(connection, operation))
        else:
            run_all(connection, straight_on(connection, migration.operations))


def refuse_managed(connection: Connection, *, downgrade: bool) -> None:
    from migrator.ledger import schema

    if schema.installed(connection) is not None:
        verb = "abort REVISION" if downgrade else "apply"
        raise UsageError(
            "this database is managed: its revisions are run phase by phase, while it is in use",
            next_step=f"migrator {verb}",
        )


def planning_material(connection: Connection) -> tuple[Catalog, Dialect]:
    from migrator.introspection import read_catalog, volatility_reader
    from migrator.planning import dialect_for

    catalog = read_catalog(connection)
    return catalog, dialect_for(catalog.server, volatility_reader(connection))


def straight_on(connection: Connection, operations: Sequence[Operation]) -> list[str]:
    """Statements of all phases of some operations."""
    from migrator.planning import straight

    return straight(operations, *planning_material(connection))


def straight_back(connection: Connection, operation: Operation) -> list[str]:
    """Statements that take one operation back: those of its inverse or, without one, of its undo steps.

    Raises:
        Refused: what it removed is gone.
    """
    from migrator.planning import plain_statements, straight

    catalog, dialect = planning_material(connection)
    inverse = operation.inverse()
    if inverse is not None:
        return straight([inverse], catalog, dialect)
    try:
        if operation.purge(catalog, dialect):
            raise Refused("it has a purge")
        phases = (operation.expand, operation.migrate, operation.contract)
        steps = [step for make in phases for step in make(catalog, dialect)]
    except Refused:
        raise Refused(
            f"there is no way back from: {operation.describe()}", remedy="build the development database anew"
        ) from None
    return [sql for step in reversed(steps) for undo in step.undo for sql in plain_statements(undo)]


def run_all(connection: Connection, statements: Sequence[str]) -> None:
    from migrator.database import mapped_errors, run

    with mapped_errors():
        for statement in statements:
            run(connection, statement)
