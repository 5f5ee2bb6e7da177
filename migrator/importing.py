"""Deployments that other systems have written down, recorded in one transaction: all of them, or none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from migrator.builds import UNKNOWN, Build, Going
from migrator.deploying import going, recording
from migrator.errors import MigratorError, UsageError
from migrator.imports import ci
from migrator.imports.reading import read
from migrator.imports.reported import Faults, Given, Reported
from migrator.runs import load_graph

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from migrator.ledger.records import DeploymentRecord
    from migrator.revisions import RevisionGraph
    from migrator.settings import Settings

NOTHING = Given()


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of each report, in their order.

    Args:
        recorded: deployments that were not known.
        finished: deployments that were known, and whose end was not.
        known: reports that say nothing more.
        refused: what is live, and may not run, each with the reason.
    """

    recorded: tuple[DeploymentRecord, ...]
    finished: tuple[DeploymentRecord, ...]
    known: int
    refused: tuple[str, ...] = ()


def deploy_import(
    settings: Settings, name: str, content: str, given: Given = NOTHING, form: str | None = None
) -> Imported:
    """Record the deployments that a text reports; what is known already is not recorded twice.

    When they were is kept as somebody says it; for the gate they begin and end when they are recorded.

    Args:
        name: of the file, for people.
        given: what the reports do not say.
        form: `lines`, `github` or `kubernetes`; None: as it looks.

    Raises:
        UsageError: naming file and line of what is wrong; nothing is recorded then.
    """
    return record(settings, read(name, content, given, form))


def import_job(settings: Settings, environ: Mapping[str, str], given: Given, status: str = "succeeded") -> Imported:
    """Record the deployment that this CI job is.

    Raises:
        UsageError: it is no job that is known, or does not say what it deploys.
    """
    return record(settings, [ci.reported(environ, given, status)])


def record(settings: Settings, reports: Sequence[Reported]) -> Imported:
    from migrator.deployments import hold

    graph = load_graph(settings)
    builds = [(report, build) for report, build in zip(reports, prepared(graph, reports), strict=True)]
    made: list[DeploymentRecord] = []
    ended: list[DeploymentRecord] = []
    refused: dict[int, str] = {}
    with recording(settings) as session, session.transaction() as connection:
        hold(connection)
        for report, build in builds:
            try:
                fresh, changed, reason = one(connection, report, build, graph)
            except UsageError as problem:
                raise UsageError(f"{report.where}: {problem.message}", next_step=problem.next_step) from None
            if changed is not None:
                (made if fresh else ended).append(changed)
                refused[changed.id] = reason
    newest = {item.id: item for item in (*made, *ended)}
    news = tuple(newest[key] for key in dict.fromkeys(item.id for item in made))
    ends = tuple(newest[item.id] for item in ended if item.id not in {new.id for new in news})
    return Imported(news, ends, len(reports) - len(made) - len(ended), tuple(filter(None, refused.values())))


def prepared(graph: RevisionGraph, reports: Sequence[Reported]) -> list[Going]:
    """Builds as they are recorded; nothing is recorded where one of them names what is not there."""
    faults, found = Faults(), []
    for report in reports:
        try:
            found.append(going(graph, build_of(report)))
        except MigratorError as problem:
            faults.add(report.where, problem.message)
    faults.refuse()
    return found


def build_of(report: Reported) -> Build:
    return Build(
        report.application,
        report.version,
        report.environment,
        # A checkout says nothing of what somebody else has deployed.
        shape=report.shape or (report.survives or UNKNOWN),
        survives=report.survives,
        strategy=report.strategy,
        key=report.key,
        commit=report.commit,
        region=report.region,
        digest=report.digest,
        ci_run=report.ci_run,
        claimed=report.at,
        actor=report.actor,
    )


def one(
    connection: Connection, report: Reported, build: Going, graph: RevisionGraph
) -> tuple[bool, DeploymentRecord | None, str]:
    """Record one report: whether it is of a deployment that was not known, what was recorded, and why that may not run.

    A report that comes late takes nothing back: what has ended stays ended.
    """
    from migrator.deployments import begin, finish
    from migrator.ledger import deployed

    known = deployed.by_key(connection, report.key)
    started, refusal = begin(connection, build, graph, live=True)
    ends = report.status != "started" and (started.status == "started" or report.status == "rolled_back")
    if known is not None and (not ends or started.status == report.status):
        return False, None, ""
    changed = finish(connection, started, report.status, report.at) if ends else started
    live = changed.status in ("started", "succeeded")
    return known is None, changed, refusal.message if refusal and live else ""
