"""What the gate of a revision looks at: records, the clock, the server, and who is connected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from migrator.database import mapped_errors, rows_of
from migrator.dialects import family
from migrator.errors import ConnectionFailed, DatabaseError
from migrator.ledger import audit, deployed, dialect, schema, set_aside, store
from migrator.ledger.records import ConsumerRecord, DeploymentRecord
from migrator.planning import RELEASABLE
from phases.exposure import Consumer, Deployment
from phases.gate_facts import Facts, Reading, Standing
from phases.model import Phase, Verify
from phases.sessions import Session

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from migrator.dialects.base import Family
    from migrator.ledger.places import Place

Ancestors = Mapping[str, frozenset[str]]


def gate_facts(connection: Connection, revision: str, ancestors: Ancestors, evidence: Sequence[Reading] = ()) -> Facts:
    """Collect what the gate of a revision looks at. Writes nothing.

    Args:
        evidence: what other looks at the use of the old shape have found.
    """
    record = store.revision(connection, revision)
    checks = [s for s in store.steps(connection, revision, phase=Phase.MIGRATE) if isinstance(s.step, Verify)]
    migrated = record is not None and record.state in RELEASABLE
    chained = (schema.installed(connection) or 0) >= audit.SINCE
    here, found = dialect.place(connection), deployed.all_deployments(connection)
    kept = [d for d in found if here.takes_over or here.made(d.place)]
    kind = family(connection.dialect.name)
    sessions, unseen = connected(connection, kind)
    newest = audit.newest(connection)  # before the clock is asked: others go on recording
    now = store.clock(connection)
    return Facts(
        now,
        [as_deployment(d, clean=survives(d, revision, ancestors)) for d in kept],
        record.state if record else "not started",
        migrated and all(step.state == "done" for step in checks),
        len(set_aside.by_revision(connection).get(revision, ())),
        compared=bool(checks),
        sessions=sessions,
        unseen=unseen,
        ends_session=kind.ends_session,
        consumers=[as_consumer(c) for c in deployed.all_consumers(connection)],
        evidence=evidence,
        altered=audit.findings(connection) if chained else (),
        standing=standing(here, found, kept, newest, now),
    )


def standing(
    here: Place,
    found: Sequence[DeploymentRecord],
    kept: Sequence[DeploymentRecord],
    newest: datetime | None,
    now: datetime,
) -> Standing:
    """What is known of the clock, and of which server this is."""
    last = {(d.application, d.environment, d.region): d for d in kept}  # the newest comes last
    line = max((d.timeline for d in last.values() if d.timeline is not None), default=None)
    return Standing(
        newest=newest,
        ahead=(now - datetime.now(UTC)).total_seconds(),
        elsewhere=len(found) - len(kept),
        promoted=None not in (line, here.timeline) and line != here.timeline,
        moved=[f"{d.application} in {d.environment}" for d in last.values() if not here.made(d.place)],
        unknown=here.unknown,
    )


def survives(record: DeploymentRecord, revision: str, ancestors: Ancestors) -> bool:
    return record.survives is not None and revision in ancestors.get(record.survives, frozenset())


def connected(connection: Connection, kind: Family) -> tuple[list[Session] | None, str]:
    """Sessions of clients; None and the reason where they cannot be known."""
    whether, which = kind.clients()
    try:
        with mapped_errors():
            if whether and (found := rows_of(connection, whether)):
                return None, str(found[0][0])
            return [Session(*row) for row in rows_of(connection, which)], ""
    except ConnectionFailed:
        raise
    except DatabaseError as problem:
        if not kind.commits_ddl:
            raise  # the transaction is over with it
        return None, problem.message


def as_deployment(record: DeploymentRecord, *, clean: bool = False) -> Deployment:
    """A record as the gate sees it."""
    return Deployment(
        record.application,
        record.environment,
        record.version,
        record.status,
        record.started_at,
        record.finished_at,
        clean,
        region=record.region,
        strategy=record.strategy,
        keeps=record.keeps,
        stopped_at=record.stopped_at,
        declared=record.declared,
        late=record.late,
        digest=record.artifact_digest or "",
    )


def as_consumer(record: ConsumerRecord) -> Consumer:
    return Consumer(record.application, record.environment, record.region, record.kind, record.owner, record.retired_at)
