"""Where every revision stands: the ledger, the revision files and the runner's own reports, as one frozen value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from migrator.planning import RevisionPlan
from migrator.runs import clock, lagging, load_graph, looking, planned, pressure, recorded

if TYPE_CHECKING:
    from migrator.database import Session
    from migrator.ledger.records import AsideRecord, EventRecord, ProgressRecord
    from migrator.settings import Settings
    from phases.pacing import Control


def rows_aside(session: Session) -> Mapping[str, Sequence[AsideRecord]]:
    """Rows that backfills have set aside, by revision. Writes nothing."""
    from migrator.ledger import set_aside

    with session.transaction() as connection:
        return set_aside.by_revision(connection)


@dataclass(frozen=True, slots=True)
class Status:
    """Where every started or pending revision stands.

    `rows`: backfilled so far, `aside`: rows set aside and not settled; both by revision.
    `replicas`: why batches pause for them, or why it is not known whether they should; empty where neither is so.
    `pressure`: the same of WAL that piles up, and of dead rows where a backfill is under way.
    `progress`: how far the long steps under way are, by revision. `controls`: what people ask of backfills, by
    revision; empty text: of all of them.
    """

    revisions: tuple[RevisionPlan, ...]
    heads: frozenset[str]
    runner: str | None
    clock: datetime
    rows: Mapping[str, int]
    aside: Mapping[str, Sequence[AsideRecord]]
    events: tuple[EventRecord, ...]
    replicas: str = ""
    pressure: tuple[str, ...] = ()
    progress: Mapping[str, ProgressRecord] = field(default_factory=dict)
    controls: Mapping[str, Control] = field(default_factory=dict)


def status(settings: Settings, *, events: int = 0) -> Status:
    """Look at the ledger and the revision files.

    Args:
        events: how many entries of the audit log to read, newest first.
    """
    from migrator.ledger import controls, schema, store
    from migrator.runner_lock import runner_owner

    graph = load_graph(settings)
    with looking(settings, "status") as session:
        found = planned(session, graph, None, strict=False)
        rows: dict[str, int] = {}
        log: tuple[EventRecord, ...] = ()
        said: tuple[Any, ...] = ({}, {})
        with session.transaction() as connection:
            if (version := schema.installed(connection)) is not None:
                rows = store.rows_done(connection)
                log = tuple(store.events(connection, events)) if events else ()
                said = controls.look(connection, version)
        aside, heads = rows_aside(session), recorded(session, graph).heads
        runner, replicas = runner_owner(session), lagging(settings, session)
        pressing = pressure(settings, session, found.revisions)
        return Status(found.revisions, heads, runner, clock(session), rows, aside, log, replicas, pressing, *said)
