"""A whole change in its order: expand, migrate, then the rollout of the version that uses it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from migrator.applying import Applied, apply
from migrator.contracting import judge_gate
from migrator.errors import UsageError
from migrator.events import Observer, ignore
from migrator.ledger import schema, store
from migrator.rolling_out import Rollout, configured, planned, rollout_go_on, rollout_run, rollout_status
from migrator.runs import install_ledger, load_graph, looking, running

if TYPE_CHECKING:
    from migrator.revisions import RevisionGraph
    from migrator.settings import Settings
    from phases.gate_facts import Verdict


@dataclass(frozen=True, slots=True)
class Released:
    """What was done.

    Args:
        gate: when the contract may follow; None where the rollout did not succeed, or there is none.
        held_seconds: the longest that requests were held while a step had its lock.
    """

    revision: str
    applied: Applied
    rollout: Rollout
    gate: Verdict | None
    held_seconds: float = 0.0


def release(
    settings: Settings,
    revision: str,
    version: str,
    *,
    config: Path | None = None,
    strategy: str | None = None,
    previous: str | None = None,
    observer: Observer = ignore,
) -> Released:
    """Expand and migrate up to a revision, then roll out a version that uses it; the contract is left to the gate.

    What is done already is not done again: after a kill or an error the same call goes on.

    Args:
        previous: the version that is live; the newest one that was deployed with success by default.

    Raises:
        UsageError: the rollout cannot be done as it is configured (nothing was done then), or another one is under way.
        MigratorError: what stopped it.
    """
    graph = load_graph(settings)
    name = graph.resolve(revision)
    known = begun(settings, name, version, config)
    if known is None:
        refuse_early(settings, version, config, strategy, previous)
    with holding(config, observer) as watching:
        applied = apply(settings, to=name, observer=watching)
    if known is None:
        done = rollout_run(
            settings, version, config=config, strategy=strategy, previous=previous, shape=name, observer=observer
        )
    elif known.record.status == "running":
        done = rollout_go_on(settings, config=config, observer=observer)
    else:
        done = known
    gate = verdict(settings, graph, name) if done.record.status == "succeeded" else None
    return Released(name, applied, done, gate, round(getattr(watching, "longest", 0.0), 3))


@contextmanager
def holding(config: Path | None, observer: Observer) -> Iterator[Observer]:
    """An observer that has requests held while steps shut tables, where the configuration says so."""
    from migrator.rollouts.driving import made
    from migrator.rollouts.holding import Holding

    found = configured(config)
    if not found.rules.hold:
        yield observer
        return
    watching = Holding(made(found), found.rules.hold, observer)
    try:
        yield watching
    finally:
        watching.end()


def begun(settings: Settings, revision: str, version: str, config: Path | None) -> Rollout | None:
    """The rollout of this version and revision that is under way, or done; None where it is to be begun.

    Raises:
        UsageError: another one is under way.
    """
    found = rollout_status(settings, config=config)
    if found is None:
        return None
    same = found.record.version == version and found.record.plan.get("shape") == revision
    if found.record.status == "running" and not same:
        raise UsageError(
            f"a rollout of {found.record.application} to {found.record.version} is under way",
            next_step="migrator rollout status; then resume or abort it",
        )
    return found if same and found.record.status in ("running", "succeeded") else None


def refuse_early(
    settings: Settings, version: str, config: Path | None, strategy: str | None, previous: str | None
) -> None:
    """Plan the rollout before the database is touched, for what would be refused after it."""
    found = configured(config, strategy)
    with running(settings, "release") as session:
        install_ledger(session)
        with session.transaction() as connection:
            planned(connection, found, version, previous)


def verdict(settings: Settings, graph: RevisionGraph, revision: str) -> Verdict | None:
    """The gate of a revision that has a contract to come."""
    with looking(settings, "gate") as session, session.transaction() as connection:
        if schema.installed(connection) is None:
            return None
        record = store.revision(connection, revision)
        if record is None or record.state != "migrated":
            return None
        return judge_gate(connection, settings, graph, revision)
