"""Deployments: what goes live, what is live, what may go live."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from migrator.builds import DECLARED, NOT_DECLARED, RECORDED, UNKNOWN, Build, Going, Shape
from migrator.errors import NotYet, UsageError
from migrator.gathering import Ancestors, as_consumer, as_deployment
from migrator.ledger import audit, deployed, dialect, store
from migrator.ledger.dialect import hold_deployments
from migrator.ledger.records import DeploymentRecord
from migrator.ledger.types import NOW
from phases.exposure import KEEPING, SHADOW, Exposure, exposures
from phases.shapes import BuildVerdict, RevisionState, judge_build

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from migrator.revisions import RevisionGraph


@dataclass(frozen=True, slots=True)
class Ground:
    """What a build is judged by: every revision's ancestors, and which are applied."""

    ancestors: Ancestors
    applied: frozenset[str]
    states: Mapping[str, RevisionState]

    def judge(self, shape: Shape) -> BuildVerdict:
        return judge_build(shape.uses, shape.survives, self.states, self.ancestors, self.applied)


def lineage(connection: Connection, graph: RevisionGraph) -> dict[str, frozenset[str]]:
    """Every revision's ancestors and itself, base first; a checkout of an older build lacks some the ledger knows."""
    return with_recorded(connection, graph.all_ancestors())


def with_recorded(connection: Connection, known: Mapping[str, frozenset[str]]) -> dict[str, frozenset[str]]:
    """The same of revisions that are known, and of those that the ledger knows besides."""
    from migrator.ledger import schema

    ancestors = dict(known)
    records = store.revisions(connection) if schema.installed(connection) is not None else {}
    for name, record in records.items():  # in the order in which they were begun
        if name not in ancestors:
            below = [ancestors.get(down, frozenset({down})) for down in record.down_revisions]
            ancestors[name] = frozenset({name}).union(*below)
    return ancestors


def ground(connection: Connection, graph: RevisionGraph) -> Ground:
    """What builds are judged by."""
    from migrator.alembic_support import stamped
    from migrator.planning import stamped_revisions

    states = recorded_states(connection)
    heads, ancestors = frozenset(stamped(connection, graph)), lineage(connection, graph)
    applied = stamped_revisions(graph, heads).union(*(ancestors[head] for head in heads if head in ancestors))
    return Ground(ancestors, applied, states)


def recorded_states(connection: Connection) -> dict[str, RevisionState]:
    from migrator.ledger import schema

    records = store.revisions(connection) if schema.installed(connection) is not None else {}
    return {name: RevisionState(record.state, record.additive) for name, record in records.items()}


def ground_without_files(connection: Connection, shape: Shape) -> Ground:
    """The same for who has no revision files at hand: what the ledger knows, and Alembic's version table.

    Whether Alembic has run a revision that the ledger does not know, beneath one that it does not know either, only
    their files say: then it is taken to have run what the build uses.
    """
    from sqlalchemy import inspect, text

    table = "alembic_version"
    asked = text(f"SELECT version_num FROM {table}")
    heads = set(connection.execute(asked).scalars()) if inspect(connection).has_table(table) else set()
    ancestors = with_recorded(connection, {})
    applied = frozenset(heads).union(*(ancestors[head] for head in heads if head in ancestors))
    if shape.uses is not None and shape.uses not in ancestors and not heads.issubset(ancestors):
        applied |= {shape.uses}
    return Ground(ancestors, applied, recorded_states(connection))


def hold(connection: Connection) -> None:
    """Keep contracts out until the transaction ends, and whoever else records something."""
    hold_deployments(connection, exclusive=False)
    audit.hold(connection)


def columns(build: Build) -> dict[str, Any]:
    """A build as its record has it."""
    return {
        "idempotency_key": build.key,
        "application": build.application,
        "version": build.version,
        "environment": build.environment,
        "region": build.region,
        "strategy": build.strategy,
        "actor": build.actor or store.actor(),
        "commit_sha": build.commit,
        "artifact_digest": build.digest,
        "ci_run": build.ci_run,
        "weight": build.weight,
        "keeps": build.strategy in KEEPING if build.keeps is None else build.keeps,
        "claimed_started_at": build.claimed,
    }


def known_shape(connection: Connection, build: Build) -> Shape | None:
    """What was recorded before of a version; NOT_DECLARED where that was another artifact."""
    same = [
        d
        for d in deployed.all_deployments(connection)
        if (d.application, d.version) == (build.application, build.version) and d.declared
    ]
    if not same:
        return None
    if another(same[-1].artifact_digest, build.digest) or another(same[-1].commit_sha, build.commit):
        return NOT_DECLARED
    return Shape(same[-1].uses, same[-1].survives, RECORDED)


def another(known: str | None, given: str | None) -> bool:
    return known is not None and given is not None and known != given


def refuse_build(version: str, verdict: BuildVerdict, shape: Shape, safe: str | None, *, live: bool = False) -> NotYet:
    """The error that says which revisions stand between a build and going live.

    Args:
        safe: newest version of that application that may run.
        live: it was recorded as live all the same, because it is.
    """
    reasons, next_step = [], "migrator status"
    if verdict.missing:
        reasons.append(f"it reads shapes that are not there yet: {', '.join(verdict.missing)}")
        next_step = "migrator apply"
    if verdict.gone:
        unsaid = " (what it uses was not declared: --shape REVISION)" if shape.source == UNKNOWN else ""
        reasons.append(f"it uses shapes that are gone: {', '.join(verdict.gone)}{unsaid}")
        build = f"version {safe}, which may run" if safe else f"a build made for {verdict.newest_safe}"
        next_step = f"deploy {build}, or: migrator restore {verdict.gone[-1]}"
    recorded = "; it is recorded as live" if live else ""
    return NotYet(
        f"version {version} may not run now: {'; '.join(reasons)}{recorded}",
        next_step=next_step,
        missing=list(verdict.missing),
        gone=list(verdict.gone),
        newest_safe=verdict.newest_safe,
        newest_safe_version=safe,
    )


def newest_safe_version(connection: Connection, application: str, on: Ground) -> str | None:
    """The newest version of an application that was live, and that may run now."""
    for record in reversed(deployed.all_deployments(connection)):
        arrived = record.status == "succeeded" and record.strategy != SHADOW
        usable = record.application == application and arrived and record.declared
        if usable and on.judge(Shape(record.uses, record.survives)).allowed:
            return record.version
    return None


def may_run(connection: Connection, build: Build, shape: Shape, on: Ground, *, live: bool = False) -> NotYet | None:
    """Why a build may not run now; None where it may. Every verb that could start one asks this."""
    verdict = on.judge(shape)
    if verdict.allowed:
        return None
    safe = newest_safe_version(connection, build.application, on)
    return refuse_build(build.version, verdict, shape, safe, live=live)


def shape_for(connection: Connection, going: Going) -> Shape:
    """What a build needs: as declared, else as recorded before, else as computed."""
    if going.shape.source == DECLARED:
        return going.shape
    return known_shape(connection, going.build) or going.shape


def begin(
    connection: Connection, going: Going, graph: RevisionGraph, *, live: bool = False
) -> tuple[DeploymentRecord, NotYet | None]:
    """Record that a deployment begins, unless its build may not run.

    With a key that is known already the first record is returned; what it lacks is added.

    Args:
        live: it is live already, so it is recorded whether it may run or not.

    Returns:
        The record, and why the build may not run although it does.

    Raises:
        NotYet: the build is above the ceiling or below the floor.
        UsageError: the key is that of another build.
    """
    hold(connection)  # before anything is read: a contract may be about to commit
    shape = shape_for(connection, going)
    refusal = may_run(connection, going.build, shape, ground(connection, graph), live=live)
    if refusal is not None and not live:
        raise refusal
    known = deployed.by_key(connection, going.build.key)
    shaped = {"uses": shape.uses, "survives": shape.survives, "shape_source": shape.source}
    if known is None:
        values = {**columns(going.build), **shaped, **where(connection), "status": "started"}
        return deployed.add(connection, values, "deployment started"), refusal
    refuse_other(known, going)
    if known.declared or shape.source == UNKNOWN:
        return known, refusal
    return deployed.change(connection, known.id, shaped, "deployment declared"), refusal


def refuse_other(known: DeploymentRecord, going: Going) -> None:
    if (known.application, known.version, known.environment, known.region) != (
        going.build.application,
        going.build.version,
        going.build.environment,
        going.build.region,
    ):
        raise UsageError(
            f"key {known.idempotency_key!r} is that of {known.application} {known.version} in {known.environment}",
            next_step="give each deployment a key of its own, such as the CI run with the name of the application",
        )


def where(connection: Connection) -> dict[str, Any]:
    """Columns that say in which database a record is made."""
    here = dialect.place(connection)
    return {"place": here.name, "timeline": here.timeline}


def late(connection: Connection) -> int:
    """Seconds that the clock of this machine is ahead of the database's; 0 where it is not."""
    return max(0, int((datetime.now(UTC) - store.clock(connection)).total_seconds()))


def finish(
    connection: Connection, record: DeploymentRecord, status: str, claimed: datetime | None = None
) -> DeploymentRecord:
    """Record how a deployment ended. Saying the same twice is no change. The caller holds.

    Raises:
        UsageError: it ended otherwise already.
    """
    if record.status == status:
        return record
    if record.status != "started" and status != "rolled_back":
        raise UsageError(f"deployment {record.id} is already {record.status}", next_step="migrator deploy list")
    values = {"status": status, "finished_at": NOW, "claimed_finished_at": claimed, "late": late(connection)}
    return deployed.change(connection, record.id, values, f"deployment {status}")


def finish_first(connection: Connection, going: Going, status: str, claimed: datetime | None) -> DeploymentRecord:
    """Record the end of a deployment whose start was not heard of yet. The caller holds."""
    shape = shape_for(connection, going)
    values = {
        **columns(going.build),
        **where(connection),
        "status": status,
        "finished_at": NOW,
        "uses": shape.uses,
        "survives": shape.survives,
        "shape_source": shape.source,
        "claimed_finished_at": claimed,
        "late": late(connection),
    }
    return deployed.add(connection, values, f"deployment {status}")


def ending(
    connection: Connection, application: str, environment: str, region: str, version: str | None, status: str
) -> DeploymentRecord | None:
    """The newest deployment of an application that has not ended; to roll back: or that has succeeded."""
    open_ones = ("started", "succeeded") if status == "rolled_back" and version else ("started",)
    for record in reversed(deployed.all_deployments(connection)):
        same = (record.application, record.environment, record.region) == (application, environment, region)
        if same and record.status in open_ones and version in (None, record.version):
            return record
    return None


def stop(
    connection: Connection, application: str, environment: str, region: str, version: str
) -> list[DeploymentRecord]:
    """Record that what was kept of a version is gone: a warm blue, an arm, a shadow. The caller holds.

    Raises:
        UsageError: nothing of it is live, or its deployment is still running.
    """
    live = [r for r, e in lived(connection) if e.until is None and r.version == version]
    live = [r for r in live if (r.application, r.environment, r.region) == (application, environment, region)]
    if any(record.status == "started" for record in live):
        raise UsageError(f"the deployment of {application} {version} has not ended", next_step="migrator deploy finish")
    if not live:
        raise UsageError(f"nothing of {application} {version} is recorded as live", next_step="migrator deploy list")
    values = {"stopped_at": NOW, "late": late(connection)}
    return [deployed.change(connection, record.id, values, "deployment stopped") for record in live]


def lived(connection: Connection) -> list[tuple[DeploymentRecord, Exposure]]:
    """Every deployment, oldest first, with the time in which it was live."""
    records = deployed.all_deployments(connection)
    consumers = [as_consumer(consumer) for consumer in deployed.all_consumers(connection)]
    known = [(record, as_deployment(record)) for record in records]
    times = {id(e.deployment): e for e in exposures([d for _, d in known], consumers)}
    return [(record, times[id(deployment)]) for record, deployment in known]


def live_builds(connection: Connection, revision: str, ancestors: Ancestors) -> list[DeploymentRecord]:
    """Builds that use the new shape of a revision and are, as far as is recorded, live."""
    return [
        record
        for record, exposure in lived(connection)
        if exposure.until is None and record.uses is not None and revision in ancestors.get(record.uses, frozenset())
    ]
