"""Keep Alembic's version table in step with what may be released.

A revision is stamped when the new version of the application may go live: its
migrate phase is verified or, where it has none, its expand phase is done. Alembic
knows no gaps, so a revision waits for every revision it builds on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from migrator.alembic_support import stamp, stamped
from migrator.ledger import store
from migrator.planning import RELEASABLE, stamped_revisions

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from migrator.revisions import RevisionGraph

RELEASING = frozenset({"migrated", "expanded"})


def follow(connection: Connection, graph: RevisionGraph, revision: str, state: str) -> None:
    """Move Alembic's version table after a change of state, in the caller's transaction."""
    if state == "aborting":
        if revision in stamped_revisions(graph, frozenset(stamped(connection, graph))):
            stamp(connection, graph, revision, upgrade=False)
    elif state in RELEASING:
        stamp_releasable(connection, graph)


def stamp_releasable(connection: Connection, graph: RevisionGraph) -> None:
    """Stamp, in order, every revision that may be released and whose ancestors are stamped."""
    records = store.revisions(connection)
    done = set(stamped_revisions(graph, frozenset(stamped(connection, graph))))
    for revision in graph.ordered():
        record = records.get(revision.id)
        if record is None or revision.id in done:
            continue
        releasable = record.state in RELEASABLE or (record.additive and record.state == "expanded")
        if releasable and graph.ancestors(revision.id) - {revision.id} <= done:
            stamp(connection, graph, revision.id, upgrade=True)
            store.mark_released(connection, revision.id)
            done.add(revision.id)
