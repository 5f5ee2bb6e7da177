"""All phases at once, for a database that nobody uses: what `alembic upgrade` runs."""

from __future__ import annotations

from collections.abc import Sequence

from migrator.planning import steps_of, ways
from phases.catalog import Catalog
from phases.dialects.base import Dialect
from phases.model import BuildIndex, Fill, RemoveIndex, Step, Transaction
from phases.operations import Operation


def straight(operations: Sequence[Operation], catalog: Catalog, dialect: Dialect) -> list[str | Fill]:
    """Statements that run all phases at once, for a database that nobody uses; and backfills of functions.

    Raises:
        Refused: by the first operation that cannot be done.
    """
    steps, _ = steps_of(ways(operations, catalog, dialect)[0], catalog, dialect)
    return [sql for _, step in steps for sql in plain_statements(step)]


def plain_statements(step: Step) -> tuple[str | Fill, ...]:
    """What a step amounts to inside one ordinary transaction."""
    if step.meanwhile:
        return ()
    match step:
        case Transaction():
            return step.statements
        case BuildIndex():
            return (step.create_inside,)
        case RemoveIndex():
            return (step.drop_inside,)
        case Fill():
            return (step if step.function else step.single_statement,)
    return ()
