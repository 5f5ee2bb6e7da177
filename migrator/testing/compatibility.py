"""`assert_compatible`: neither version of an application is harmed by any step of a migration."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from migrator.errors import MigratorError, UsageError
from migrator.runs import load_graph
from migrator.testing.advice import advice, kind_of
from migrator.testing.databases import Database, fresh_database
from migrator.testing.defaults import project_of, settings_for, usual_server
from migrator.testing.statements import Client, Statement, plain_engine, statements
from migrator.testing.trial import BEFORE, NEW, OLD, Trial
from migrator.testing.upgrading import before, has, upgrade_to

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from migrator.revisions import RevisionGraph
    from migrator.settings import Settings

GRACE = 2
"""Times the lock timeout: one for the wait, and as much again for the statement itself and a busy machine."""

LEAST_PATIENCE_MS = 1000
"""The shortest wait for a lock that MySQL and MariaDB know."""


class Incompatible(AssertionError):
    """A migration harms a version of the application, or cannot be carried out.

    Args:
        report: every statement that fails: where first and last, with what, and what to do.
        revision: what was tried.
        moments: every moment that was looked at, in order.
    """

    def __init__(self, report: str, revision: str, moments: tuple[str, ...] = ()) -> None:
        super().__init__(report)
        self.revision, self.moments = revision, moments


@dataclass(frozen=True, slots=True)
class Compatible:
    """What was tried, where nothing failed.

    Args:
        moments: of the migration in which statements were run, in order.
        rounds: how often a version ran all its statements.
    """

    revision: str
    moments: tuple[str, ...]
    rounds: int


def assert_compatible(
    revision: str,
    *,
    old: Any,
    new: Any,
    given: Any = (),
    database: Database | None = None,
    server: str | None = None,
    project: str | Path | None = None,
    engine: Callable[[str], Engine] | None = None,
    new_from: str | None = None,
    back: bool = True,
    concurrent: bool = True,
) -> Compatible:
    """Assert that no statement of either version fails, waits too long or reads something wrong in any step.

    The revision is carried out on a database of its own, with the statements of the old version run before it, and
    during and after each step of expand and migrate, also between batches; those of the new one from when it may be
    released. It is aborted and carried out again; then the old version goes, and with the new one at work the revision
    is contracted, restored, contracted again and purged. Every row is compared before the contract.

    Args:
        revision: its id, or the beginning of it, or `head`.
        old, new: what each version does, in the order of a round: SQL in which `:n` is a number that no other
            round has, functions that take a `Session` or a `Connection`, `Statement`, or pairs of one of these and
            what it has to give. Rounds run one after another and beside each other, so a round writes rows of its own.
        given: SQL or functions that are run once before, for rows that are there.
        database: where to do it, instead of a fresh one; with no revision that comes after.
        server: what to try it on: `postgresql`, `postgresql-16`, `mysql`, `mariadb`; as the project where not given.
        project: the folder that `migrator` is run in; that of the test run where not given.
        engine: makes an SQLAlchemy engine from the URL, as the application does; a plain one where not given.
        new_from: `expand` for a new version that is released before the backfill, `migrate` for one that needs it;
            after expand where the revision has nothing to migrate.
        back: also try the ways back, abort and restore.
        concurrent: also run statements while a step is under way.

    Raises:
        Incompatible: naming step, statement and error, and what to do.
        UsageError: it cannot be tried as it is written.
    """
    __tracebackhide__ = True
    folder = project_of(project)
    graph = load_graph(settings_for(folder, ""))
    name = graph.resolve(revision)
    does = {OLD: statements(old), NEW: statements(new)}
    with prepared(graph, name, database, server or usual_server(folder)) as used:
        settings = settings_for(folder, used.url)
        with at_work(settings, name, does, engine or plain_engine, given, concurrent=concurrent) as trial:
            live(trial, new_from, back=back)
    return Compatible(name, tuple(trial.journal.moments), trial.journal.rounds)


@contextmanager
def at_work(
    settings: Settings,
    revision: str,
    does: Mapping[str, Sequence[Statement]],
    engine: Callable[[str], Engine],
    given: Any,
    *,
    concurrent: bool,
) -> Iterator[Trial]:
    """A trial on a database that has its rows; nobody is at work in it afterwards."""
    patience = max(LEAST_PATIENCE_MS, GRACE * settings.lock_timeout_ms)
    seed(engine, settings.require_url(), given, patience)
    trial = Trial(settings, revision, does, engine, patience, concurrent=concurrent)
    try:
        yield trial
    finally:
        trial.close()


@contextmanager
def prepared(graph: RevisionGraph, revision: str, given: Database | None, server: str) -> Iterator[Database]:
    """A database as it is right before a revision.

    Raises:
        UsageError: the given one has the revision.
    """
    below = before(graph, revision)

    def fill(url: str) -> None:
        upgrade_to(graph, url, below)

    key = (str(graph.directory.dir), below, tuple(graph[name].digest for name in below))
    with nullcontext(given) if given is not None else fresh_database(server, fill, key) as database:
        if given is not None:
            if has(graph, database.url, revision):
                raise UsageError(
                    f"{revision} is in the database already, so there is nothing to try",
                    next_step=f'@pytest.mark.migrator(before="{revision}") on the test, or leave database= out',
                )
            fill(database.url)
        yield database


def seed(engine: Callable[[str], Engine], url: str, given: Any, patience_ms: int) -> None:
    """Put rows where both versions find them.

    Raises:
        UsageError: one of the statements fails.
    """
    does = statements(given)
    if not does:
        return
    made = engine(url)
    client = Client(made, does, patience_ms)
    try:
        failed = client.round()
    finally:
        client.close()
        made.dispose()
    if failed is not None:
        raise UsageError(
            f"given: {does[failed.statement]} fails: {failed.said}",
            next_step="write it for the schema before the revision",
        )


def live(trial: Trial, new_from: str | None, *, back: bool) -> None:
    """The whole life of the change.

    Raises:
        Incompatible: at its end, of all that failed; or where it cannot go on.
    """
    __tracebackhide__ = True
    if new_from not in (None, "expand", "migrate"):
        raise UsageError(f"new_from is {new_from!r}", next_step='new_from="expand", or "migrate"')
    try:
        plan = trial.plan()
        trial.start(OLD)
        trial.round(BEFORE)
        refuse_unfit(trial)
        begins = new_from or ("expand" if plan.additive else "migrate")
        if back:
            trial.there_and_back(begins)
        trial.forward(begins)
        trial.through(plan, back=back)
    except MigratorError as problem:
        raise stopped(trial, problem) from None
    if trial.journal.failing:
        raise Incompatible(trial.journal.report(), trial.revision, tuple(trial.journal.moments))


def refuse_unfit(trial: Trial) -> None:
    """Refuse statements that fail before anything is changed.

    Raises:
        Incompatible: naming them.
    """
    __tracebackhide__ = True
    if not trial.journal.failing:
        return
    lines = [f"the old version does not work before {trial.revision}, so nothing can be said of it"]
    for failing in trial.journal.failing.values():
        does = trial.does[OLD][failing.first.statement]
        lines.append(f"\n  statement {failing.first.statement + 1}: {does}\n  with       {failing.first.said}")
    lines.append("\nto do: write it for the schema before the revision, and put rows that it needs into given=")
    raise Incompatible("\n".join(lines), trial.revision, tuple(trial.journal.moments))


def stopped(trial: Trial, problem: MigratorError) -> Incompatible:
    """What to say where the migration itself cannot go on; statements that failed before are shown first."""
    moments = trial.journal.moments
    parts = [trial.journal.report()] if trial.journal.failing else []
    where = f"stops {moments[-1]}" if moments and moments[-1] != BEFORE else "cannot be carried out"
    lines = [f"{trial.revision} {where}: {problem.message}"]
    known = kind_of(str(problem.facts.get("sqlstate") or ""))
    said = advice(OLD, str(problem.facts["sqlstate"])) if known else problem.next_step
    lines += [f"to do: {said}"] if said else []
    return Incompatible("\n\n".join([*parts, "\n".join(lines)]), trial.revision, tuple(moments))
