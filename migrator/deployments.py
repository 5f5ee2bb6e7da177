"""Deployment records: what is live, what may go live, what the gate has to know."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, select, update

from migrator.database import mapped_errors, rows_of
from migrator.dialects import family
from migrator.errors import ConnectionFailed, DatabaseError, NotYet, UsageError
from migrator.ledger import set_aside, store
from migrator.ledger.dialect import hold_deployments
from migrator.ledger.records import DeploymentRecord
from migrator.ledger.tables import deployments
from migrator.ledger.types import NOW
from migrator.planning import RELEASABLE
from phases.gate import Deployment, Facts, live_until
from phases.model import Phase, Verify
from phases.sessions import Session
from phases.shapes import BuildVerdict, RevisionState, judge_build

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from migrator.dialects.base import Family

Ancestors = Mapping[str, frozenset[str]]

COLUMNS = [
    deployments.c[name]
    for name in [
        "id",
        "idempotency_key",
        "application",
        "version",
        "environment",
        "strategy",
        "status",
        "uses",
        "survives",
        "started_at",
        "finished_at",
        "actor",
        "commit_sha",
    ]
]
FINISHED = ("succeeded", "failed", "rolled_back")


def all_deployments(connection: Connection) -> list[DeploymentRecord]:
    """Every deployment, oldest first."""
    rows = connection.execute(select(*COLUMNS).order_by(deployments.c.started_at, deployments.c.id))
    return [DeploymentRecord(*row) for row in rows]


def gate_facts(connection: Connection, revision: str, ancestors: Ancestors) -> Facts:
    """Collect what the gate of a revision looks at."""
    record = store.revision(connection, revision)
    checks = [s for s in store.steps(connection, revision, phase=Phase.MIGRATE) if isinstance(s.step, Verify)]
    migrated = record is not None and record.state in RELEASABLE
    found = [
        as_deployment(d, clean=d.survives is not None and revision in ancestors.get(d.survives, frozenset()))
        for d in all_deployments(connection)
    ]
    kind = family(connection.dialect.name)
    sessions, unseen = connected(connection, kind)
    return Facts(
        store.clock(connection),
        found,
        record.state if record else "not started",
        migrated and all(step.state == "done" for step in checks),
        len(set_aside.by_revision(connection).get(revision, ())),
        compared=bool(checks),
        sessions=sessions,
        unseen=unseen,
        ends_session=kind.ends_session,
    )


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


def live_builds(connection: Connection, revision: str, ancestors: Ancestors) -> list[DeploymentRecord]:
    """Builds that use the new shape of a revision and are, as far as is recorded, live."""
    seen = [(record, as_deployment(record)) for record in all_deployments(connection)]
    found = []
    for record, deployment in seen:
        same = [other for _, other in seen if other.target == deployment.target]
        uses = record.uses is not None and revision in ancestors.get(record.uses, frozenset())
        if uses and live_until(deployment, same) is None:
            found.append(record)
    return found


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
    )


def check_build(
    connection: Connection,
    uses: str | None,
    survives: str | None,
    ancestors: Ancestors,
    applied: frozenset[str],
) -> BuildVerdict:
    """Judge whether a build may run now."""
    states = {
        name: RevisionState(record.state, record.additive) for name, record in store.revisions(connection).items()
    }
    return judge_build(uses, survives, states, ancestors, applied)


def refuse_build(version: str, verdict: BuildVerdict) -> NotYet:
    """The error that says which revisions stand between a build and going live."""
    reasons, next_step = [], "migrator status"
    if verdict.missing:
        reasons.append(f"it reads shapes that are not there yet: {', '.join(verdict.missing)}")
        next_step = "migrator apply"
    if verdict.gone:
        reasons.append(f"it uses shapes that are gone: {', '.join(verdict.gone)}")
        next_step = f"deploy a build made for {verdict.newest_safe}, or: migrator restore {verdict.gone[-1]}"
    return NotYet(
        f"version {version} may not run now: {'; '.join(reasons)}",
        next_step=next_step,
        missing=list(verdict.missing),
        gone=list(verdict.gone),
        newest_safe=verdict.newest_safe,
    )


def start_deployment(
    connection: Connection,
    *,
    application: str,
    version: str,
    environment: str,
    strategy: str,
    uses: str | None,
    survives: str | None,
    ancestors: Ancestors,
    applied: frozenset[str],
    key: str | None = None,
    commit: str | None = None,
) -> DeploymentRecord:
    """Record that a deployment begins, unless its build may not run.

    With a key that is known already nothing is done, and the first record is returned.

    Raises:
        NotYet: the build is above the ceiling or below the floor.
    """
    hold_deployments(connection, exclusive=False)
    known = by_key(connection, key)
    if known is not None:
        return known
    verdict = check_build(connection, uses, survives, ancestors, applied)
    if not verdict.allowed:
        raise refuse_build(version, verdict)
    values = {
        "idempotency_key": key,
        "application": application,
        "version": version,
        "environment": environment,
        "strategy": strategy,
        "status": "started",
        "uses": uses,
        "survives": survives,
        "actor": store.actor(),
        "commit_sha": commit,
    }
    (made,) = connection.execute(insert(deployments).values(values)).inserted_primary_key or (None,)
    row = connection.execute(select(*COLUMNS).where(deployments.c.id == made)).one()
    store.record_event(connection, "deployment started", detail={"application": application, "version": version})
    return DeploymentRecord(*row)


def by_key(connection: Connection, key: str | None) -> DeploymentRecord | None:
    if key is None:
        return None
    row = connection.execute(select(*COLUMNS).where(deployments.c.idempotency_key == key)).first()
    return DeploymentRecord(*row) if row else None


def finish_deployment(connection: Connection, deployment_id: int, status: str) -> DeploymentRecord:
    """Record how a deployment ended. Saying the same twice is no change.

    Raises:
        UsageError: there is no such deployment, or it ended otherwise already.
    """
    hold_deployments(connection, exclusive=False)
    row = connection.execute(select(*COLUMNS).where(deployments.c.id == deployment_id)).first()
    if row is None:
        raise UsageError(f"there is no deployment {deployment_id}", next_step="migrator deploy list")
    record = DeploymentRecord(*row)
    if record.status == status:
        return record
    if record.status != "started" and status != "rolled_back":
        raise UsageError(f"deployment {deployment_id} is already {record.status}", next_step="migrator deploy list")
    changed = update(deployments).where(deployments.c.id == deployment_id).values(status=status, finished_at=NOW)
    connection.execute(changed)
    row = connection.execute(select(*COLUMNS).where(deployments.c.id == deployment_id)).one()
    detail: dict[str, Any] = {"application": record.application, "version": record.version}
    store.record_event(connection, f"deployment {status}", detail=detail)
    return DeploymentRecord(*row)


def running_deployment(
    connection: Connection, application: str, environment: str, version: str | None
) -> DeploymentRecord:
    """The newest deployment of an application that has not ended.

    Raises:
        UsageError: there is none.
    """
    for record in reversed(all_deployments(connection)):
        same = record.application == application and record.environment == environment
        if same and record.status == "started" and version in (None, record.version):
            return record
    raise UsageError(f"no deployment of {application} is running in {environment}", next_step="migrator deploy list")
