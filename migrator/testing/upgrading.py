"""Bring a database that nobody uses to a revision, all phases at once."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from migrator.alembic_support import version_context
from migrator.database import create_engine, mapped_errors
from migrator.environment import environment_of
from migrator.errors import MigratorError, StepFailed
from migrator.runs import load_graph
from migrator.testing.defaults import project_of, settings_for

if TYPE_CHECKING:
    from migrator.revisions import RevisionGraph
    from migrator.testing.databases import Fill


def upgrade(url: str, to: str = "head", *, project: str | Path | None = None) -> None:
    """Do what `alembic upgrade` does, without running `env.py`.

    Args:
        url: of a database that nobody uses, and that the ledger does not manage.
        to: the revision to go to, `head` for all of them, or `base` for none.
        project: the folder that `migrator` is run in; that of the test run where not given.

    Raises:
        RevisionError: there is no such revision, or a file is wrong.
        StepFailed: one of them fails.
    """
    graph = load_graph(settings_for(project_of(project), url))
    if to != "base":
        upgrade_to(graph, url, graph.heads if to == "head" else (graph.resolve(to),))


def upgrade_to(graph: RevisionGraph, url: str, revisions: tuple[str, ...]) -> None:
    """The same, to several revisions with whatever they build on."""
    from alembic.runtime.environment import EnvironmentContext

    if not revisions:
        return

    def steps(heads: Any, _context: Any) -> Any:
        return graph.directory._upgrade_revs(revisions, heads)  # type: ignore[arg-type]

    made = create_engine(url, "migrator testing")
    surroundings = EnvironmentContext(graph.config, graph.directory, fn=steps)
    try:
        with mapped_errors(), made.connect() as connection, surroundings:
            options = environment_of(graph).version_options
            surroundings.configure(connection=connection, transaction_per_migration=True, **options)
            with surroundings.begin_transaction():
                surroundings.run_migrations()
    except MigratorError as problem:
        raise failed(revisions, problem) from problem
    finally:
        made.dispose()


def failed(revisions: tuple[str, ...], problem: MigratorError) -> StepFailed:
    return StepFailed(
        f"an empty database cannot be brought to {', '.join(revisions)}: {problem.message}",
        next_step=problem.next_step or "mend the revision; then: alembic upgrade head, on an empty database",
    )


def before(graph: RevisionGraph, revision: str) -> tuple[str, ...]:
    """What a revision builds on."""
    return graph[revision].down_revisions


def has(graph: RevisionGraph, url: str, revision: str) -> bool:
    """Whether a database has a revision, or a part of it."""
    from migrator.database import connect
    from migrator.planning import stamped_revisions
    from migrator.runs import remembered

    with connect(url, "testing") as session, session.transaction() as connection:
        memory = remembered(connection, graph)
        heads = version_context(connection, graph).get_current_heads()
    return revision in memory.revisions or revision in stamped_revisions(graph, frozenset(heads))


def filled(project: Path, at: str = "head", before: str | None = None) -> tuple[Fill | None, Hashable]:
    """What fills a database with the schema of a revision, and a key by which it is known.

    Args:
        at: the revision.
        before: instead: the revision that is to come next.

    Raises:
        RevisionError: there is no such revision.
    """
    settings = settings_for(project, "")
    if at == "base" or (before is None and not settings.scripts.is_dir()):
        return None, None
    graph = load_graph(settings)
    if before is not None:
        wanted = graph[graph.resolve(before)].down_revisions
    else:
        wanted = graph.heads if at == "head" else (graph.resolve(at),)
    return (lambda url: upgrade_to(graph, url, wanted)), (project, wanted)
