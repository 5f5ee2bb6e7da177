"""The checklist of a database: everything that is known, looked at, asked at this moment, and judged."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from migrator import asking
from migrator.contracting import judge_gate
from migrator.database import rows_of
from migrator.errors import DatabaseError
from migrator.evidencing import recorded as known_of
from migrator.evidencing import waivers
from migrator.ledger import audit, schema, set_aside
from migrator.planning import finished
from migrator.replication import Watch
from migrator.runs import load_graph, looking, recorded
from phases import checklist as listing
from phases.checklist_facts import (
    REPLICAS,
    WAIVABLE,
    Evidence,
    Item,
    Result,
)
from phases.model import Phase, Verify

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection

    from migrator.database import Session
    from migrator.ledger.checks import Given
    from migrator.planning import Recorded
    from migrator.revisions import RevisionGraph
    from migrator.settings import Settings
    from phases.gate_facts import Verdict


@dataclass(frozen=True, slots=True)
class Listed:
    """The checklist at a moment of the database's clock. `revision`: whose contract is meant, if one is."""

    checklist: listing.Checklist
    at: datetime
    policy: str
    revision: str | None = None


def checklist(settings: Settings, revision: str | None = None) -> Listed:
    """Look at every item. Asks what the settings name, and writes nothing.

    Args:
        revision: the one whose contract is meant, so that its gate and its verification are items, too.

    Raises:
        RevisionError: there is no such revision.
    """
    graph = load_graph(settings)
    name = graph.resolve(revision) if revision else None
    asked = asking.at_this_moment(settings)  # before a session is opened, which would wait for it
    with looking(settings, "checklist") as session:
        memory, behind, said = recorded(session, graph), replicas(settings, session), server(session)
        with session.transaction() as connection:
            known = known_of(connection, settings)
            facts = listing.ListFacts(
                known=replace(known, evidence=[*known.evidence, *now_found(asked, known.now)], server=said),
                revisions=standings(connection, memory),
                gates=gates(connection, settings, graph, memory, name),
                replicas=behind,
                altered=altered(connection),
                waivers=waivers(connection, WAIVABLE),
                revision=name,
            )
    found = listing.judge(facts, settings.contract_requires, strict=settings.policy == "strict")
    return Listed(found, known.now, settings.policy, name)


def now_found(asked: Sequence[Given], now: datetime) -> list[Evidence]:
    """Answers of this moment, by the database's clock."""
    return [
        Evidence(g.about, g.ok, g.said, g.at or now, "asked at this moment", g.application, g.version, g.share)
        for g in asked
    ]


def standings(connection: Connection, memory: Recorded) -> dict[str, listing.Standing]:
    aside = set_aside.by_revision(connection) if memory.revisions else {}
    found = {}
    for name, record in memory.revisions.items():
        compared = [s for s in memory.steps[name] if s.phase is Phase.MIGRATE and isinstance(s.step, Verify)]
        verified = all(step.state == "done" for step in compared)
        found[name] = listing.Standing(record.state, verified, len(aside.get(name, ())))
    return found


def gates(
    connection: Connection, settings: Settings, graph: RevisionGraph, memory: Recorded, meant: str | None
) -> Mapping[str, Verdict]:
    """Gates of the revisions that wait for their contract, or of the one that is meant."""
    waiting = [
        name
        for name, record in memory.revisions.items()
        if record.state == "migrated" and not finished(record, memory.steps[name]) and meant in (None, name)
    ]
    return {name: judge_gate(connection, settings, graph, name) for name in waiting}


def altered(connection: Connection) -> Sequence[str]:
    return audit.findings(connection) if (schema.installed(connection) or 0) >= audit.SINCE else ()


def replicas(settings: Settings, session: Session) -> Item:
    """Whether replicas have caught up, as batches would be held up by them."""
    if session.facts.in_recovery:
        return Item(REPLICAS, Result.UNKNOWN, "this server is a replica itself", "give the URL of the primary server")
    if not settings.replica_lag:
        return Item(REPLICAS, Result.UNKNOWN, "replica_lag is 0, so nobody looks")
    watch = Watch(session, settings.replica_lag, urls=settings.replicas)
    verdict = watch.look()
    if verdict.reason:
        return Item(REPLICAS, Result.FAILED, verdict.reason, "wait for them: migrator status")
    if verdict.unknown:
        return Item(REPLICAS, Result.UNKNOWN, verdict.unknown, session.family.reads_replicas)
    count = len(watch.readings[-1].replicas)
    said = f"{count} connected, none more than {settings.replica_lag:g} s behind" if count else "none is connected"
    return Item(REPLICAS, Result.PASSED, said)


def server(session: Session) -> list[str]:
    """What the server says of its backups; what a role may not ask is left out."""
    try:
        with session.transaction() as connection:
            return list(session.family.backups.said(lambda sql: rows_of(connection, sql)))
    except DatabaseError as problem:
        return [f"nothing: {problem.message}"]
