"""What would keep a planned step from its rows: found in the catalog, before anything is touched."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from phases.catalog import Catalog, Table
from phases.errors import Refused
from phases.model import Fill, Script, Step, Verify


def refuse_unreachable(steps: Iterable[Step], catalog: Catalog) -> None:
    """Refuse to backfill or compare rows that cannot be updated or are not all seen.

    Args:
        steps: of one operation; what undoes them is looked at, too.
        catalog: as it is before the first step.

    Raises:
        Refused: naming the table, the reason and the remedy.
    """
    for step in flattened(steps):
        if isinstance(step, Script):
            refuse_untriggerable(step, catalog)
        if not isinstance(step, Fill | Verify):
            continue
        table = catalog.tables.get(step.table)
        if table is None:
            continue
        if isinstance(step, Fill):
            refuse_unidentified(table)
        if table.hides_rows:
            raise Refused(
                f'row-level security hides rows of "{table.name}" from you: they would be neither changed nor compared',
                remedy="connect as a role with BYPASSRLS, or take FORCE ROW LEVEL SECURITY from its owner meanwhile",
            )


def refuse_untriggerable(step: Script, catalog: Catalog) -> None:
    if not any(statement.startswith("CREATE TRIGGER") for statement in step.statements):
        return
    for lock in step.locks:
        table = catalog.tables.get(lock.table)
        if table is not None and table.untriggerable:
            raise Refused(
                f'"{table.name}" needs triggers, and this session cannot create them: {table.untriggerable}',
                remedy="see: migrator doctor",
            )


def refuse_unidentified(table: Table) -> None:
    if table.unidentified:
        raise Refused(
            f'"{table.name}" is published by "{table.unidentified}" and has no replica identity:'
            " any UPDATE of it fails, so it cannot be backfilled",
            remedy="give it one first: AddPrimaryKey in an earlier revision, or ALTER TABLE … REPLICA IDENTITY FULL",
        )


def flattened(steps: Iterable[Step]) -> Iterator[Step]:
    for step in steps:
        yield step
        yield from flattened(step.undo)
