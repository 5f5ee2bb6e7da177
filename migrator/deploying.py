"""The verbs about deployments: what goes live, what is live, what may go live."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from migrator.builds import COMPUTED, DECLARED, NOT_DECLARED, UNKNOWN, Build, Going, Shape
from migrator.database import Session, connect, require_writable
from migrator.errors import UsageError
from migrator.observing import glance
from migrator.runs import install_ledger, load_graph, looking

if TYPE_CHECKING:
    from migrator.ledger.records import DeploymentRecord
    from migrator.revisions import RevisionGraph
    from migrator.settings import Settings


@dataclass(frozen=True, slots=True)
class Lived:
    """A deployment, and when its build was live; `until` is None while it is."""

    deployment: DeploymentRecord
    since: datetime
    until: datetime | None


def shape_of(graph: RevisionGraph, given: str | None) -> str | None:
    """The revision a build names, or the one head of the checkout.

    Raises:
        RevisionError: no such revision.
        UsageError: the checkout has several heads, so one has to be named.
    """
    if given == "none":
        return None
    if given is not None:
        return graph.resolve(given)
    if len(graph.heads) > 1:
        raise UsageError(
            f"this checkout has several heads: {', '.join(graph.heads)}",
            next_step="name one: --shape REVISION",
        )
    return graph.heads[0] if graph.heads else None


def needs(graph: RevisionGraph, build: Build) -> Shape:
    """What a build says it needs; what it does not say is the head of this checkout."""
    if build.shape == UNKNOWN:
        return NOT_DECLARED
    uses = shape_of(graph, build.shape)
    survives = shape_of(graph, build.survives) if build.survives else uses
    return Shape(uses, survives, COMPUTED if build.shape is None and build.survives is None else DECLARED)


def going(graph: RevisionGraph, build: Build) -> Going:
    """A build as it is recorded.

    Raises:
        UsageError: an application or a version without a name, or a weight that is no percentage.
    """
    for name, value in (("--app", build.application), ("--version", build.version), ("--strategy", build.strategy)):
        if not value.strip():
            raise UsageError(f"{name} is empty", next_step="is the variable set that the script passes on?")
    if build.weight is not None and not 0 <= build.weight <= 100:
        raise UsageError(f"a weight of {build.weight:g} is no percentage", next_step="--weight 1")
    return Going(build, needs(graph, build))


@contextmanager
def recording(settings: Settings) -> Iterator[Session]:
    """A session that writes deployment records: beside a runner, so without its lock."""
    with connect(settings.require_url(), "deploy") as session:
        require_writable(session)
        install_ledger(session)
        # What was run until here is no use of the time after it.
        glance(settings, session)
        yield session


def deploy_start(settings: Settings, build: Build) -> DeploymentRecord:
    """Record that a deployment begins.

    Raises:
        NotYet: the build reads a shape that is not there yet, or uses one that is gone.
    """
    from migrator.deployments import begin

    graph = load_graph(settings)
    with recording(settings) as session, session.transaction() as connection:
        return begin(connection, going(graph, build), graph)[0]


def deploy_record(settings: Settings, build: Build) -> DeploymentRecord:
    """Record a deployment that is done, in one go. What is live is recorded whether it may be or not.

    Raises:
        NotYet: it is recorded, and the build may not run.
    """
    from migrator.deployments import begin, finish

    graph = load_graph(settings)
    with recording(settings) as session:
        with session.transaction() as connection:
            made, refusal = begin(connection, going(graph, build), graph, live=True)
            if made.finished_at is None:
                made = finish(connection, made, "succeeded", build.claimed)
        if refusal is not None:
            raise refusal
        return made


def deploy_finish(
    settings: Settings,
    application: str,
    environment: str,
    version: str | None,
    status: str,
    *,
    region: str = "",
    key: str | None = None,
    claimed: datetime | None = None,
    build: Build | None = None,
) -> DeploymentRecord:
    """Record how the running deployment of an application ended.

    Args:
        key: of the deployment; its end may be heard of before its start.
        build: what is known of one whose start was not heard of; None: nothing but its version.

    Raises:
        UsageError: none is running, and no key and version are given.
    """
    from migrator.deployments import ending, finish, finish_first, hold
    from migrator.ledger import deployed

    with recording(settings) as session, session.transaction() as connection:
        hold(connection)
        found = deployed.by_key(connection, key)
        if found is None and key is None:
            found = ending(connection, application, environment, region, version, status)
        if found is not None:
            return finish(connection, found, status, claimed)
        if key is None or version is None:
            raise not_running(application, environment, version)
        unheard = build or Build(application, version, environment, UNKNOWN, key=key, region=region)
        return finish_first(connection, going(load_graph(settings), unheard), status, claimed)


def not_running(application: str, environment: str, version: str | None) -> UsageError:
    what = f"{application} {version}" if version else application
    return UsageError(
        f"no deployment of {what} is running in {environment}",
        next_step="migrator deploy list; where the end is heard of before the start: --version and --key",
    )


def deploy_stop(
    settings: Settings, application: str, environment: str, version: str, *, region: str = ""
) -> tuple[DeploymentRecord, ...]:
    """Record that what was kept of a version is gone.

    Raises:
        UsageError: nothing of it is live, or its deployment is still running.
    """
    from migrator.deployments import hold, stop

    with recording(settings) as session, session.transaction() as connection:
        hold(connection)
        return tuple(stop(connection, application, environment, region, version))


def deployments(settings: Settings) -> tuple[Lived, ...]:
    """Every recorded deployment, oldest first, and when its build was live. Writes nothing."""
    from migrator.deployments import lived
    from migrator.ledger import schema

    with looking(settings, "deploy") as session, session.transaction() as connection:
        if schema.installed(connection) is None:
            return ()
        return tuple(Lived(record, time.since, time.until) for record, time in lived(connection))
