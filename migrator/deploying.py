"""The verbs about deployments: what goes live, what is live, what may go live."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from migrator.database import Session, connect, require_writable
from migrator.errors import UsageError
from migrator.observing import glance
from migrator.runs import install_ledger, load_graph, looking

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from migrator.ledger.records import DeploymentRecord
    from migrator.revisions import RevisionGraph
    from migrator.settings import Settings


@dataclass(frozen=True, slots=True)
class Build:
    """A build that is deployed somewhere.

    Args:
        shape: newest revision whose new shape it uses; None: the head of this checkout; `none`: none.
        survives: newest revision whose contract it survives; None: the same as `shape`.
        key: the same key is recorded once.
    """

    application: str
    version: str
    environment: str = "production"
    shape: str | None = None
    survives: str | None = None
    strategy: str = "rolling"
    key: str | None = None
    commit: str | None = None


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
    graph = load_graph(settings)
    with recording(settings) as session, session.transaction() as connection:
        return _start(connection, graph, build)


def _start(connection: Connection, graph: RevisionGraph, build: Build) -> DeploymentRecord:
    from migrator.alembic_support import stamped
    from migrator.deployments import start_deployment
    from migrator.planning import stamped_revisions

    uses = shape_of(graph, build.shape)
    return start_deployment(
        connection,
        application=build.application,
        version=build.version,
        environment=build.environment,
        strategy=build.strategy,
        uses=uses,
        survives=shape_of(graph, build.survives) if build.survives else uses,
        ancestors=graph.all_ancestors(),
        applied=stamped_revisions(graph, frozenset(stamped(connection, graph))),
        key=build.key,
        commit=build.commit,
    )


def deploy_record(settings: Settings, build: Build) -> DeploymentRecord:
    """Record a deployment that is done, in one go.

    Raises:
        NotYet: the build may not run now.
    """
    from migrator.deployments import finish_deployment

    graph = load_graph(settings)
    with recording(settings) as session, session.transaction() as connection:
        started = _start(connection, graph, build)
        return finish_deployment(connection, started.id, "succeeded")


def deploy_finish(
    settings: Settings, application: str, environment: str, version: str | None, status: str
) -> DeploymentRecord:
    """Record how the running deployment of an application ended.

    Raises:
        UsageError: none is running.
    """
    from migrator.deployments import finish_deployment, running_deployment

    with recording(settings) as session, session.transaction() as connection:
        running = running_deployment(connection, application, environment, version)
        return finish_deployment(connection, running.id, status)


def deployments(settings: Settings) -> tuple[DeploymentRecord, ...]:
    """Every recorded deployment, oldest first. Writes nothing."""
    from migrator.deployments import all_deployments
    from migrator.ledger import schema

    with looking(settings, "deploy") as session, session.transaction() as connection:
        if schema.installed(connection) is None:
            return ()
        return tuple(all_deployments(connection))
