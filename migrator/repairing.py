"""Compare the two shapes of rows, and bring rows back in line that no trigger has seen, from the side that is named."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from migrator.errors import MigratorError, UsageError
from migrator.events import Observer, StepStarted, ignore
from migrator.execution import Execution, explain
from migrator.following import Follower, following
from migrator.runs import execution, load_graph, looking, recorded, running
from phases.model import Fill, Phase, Verify
from phases.repairing import Side, repair

if TYPE_CHECKING:
    from migrator.database import Session
    from migrator.ledger.records import StepRecord
    from migrator.ledger.shadow_reads import ShadowReport
    from migrator.revisions import RevisionGraph
    from migrator.settings import Settings


@dataclass(frozen=True, slots=True)
class Verified:
    """Rows compared by a verification that found no difference.

    `repaired`: rows that were changed before it. `replica`, `position`: where they were compared, and up to where that
    had replayed; `leaves_open`: what is not proven by it. `shadow_reads`: what applications have found that read both.
    """

    revision: str
    rows: int
    repaired: int = 0
    replica: str = ""
    position: str = ""
    leaves_open: str = ""
    shadow_reads: tuple[ShadowReport, ...] = ()


def verify(
    settings: Settings, revision: str | None = None, *, side: str | None = None, observer: Observer = ignore
) -> tuple[Verified, ...]:
    """Compare old and new shape of every migrated revision, or of one.

    Args:
        side: `old` or `new`, which of the two is right where they differ; the other is then written anew. For
            one revision, by name.

    Raises:
        VerificationFailed: rows differ; names some of them.
        UsageError: there is nothing to compare, nothing that could repair it, or no such replica.
        NotYet: the replica of `verify_replica` is behind for too long.
    """
    from migrator.ledger.shadow_reads import of_revision

    graph = load_graph(settings)
    if side is not None and revision is None:
        raise UsageError("--repair is for one revision", next_step="migrator verify REVISION --repair old")
    holding: Callable[[Settings, str], object] = running if side is not None else looking
    with holding(settings, "verify") as session:  # type: ignore[attr-defined]
        work = execution(settings, session, graph, observer)
        names = comparable(session, graph, revision)
        repaired = [repaired_by(work, name, Side(side)) if side is not None else 0 for name in names]
        with ExitStack() as stack:
            replica = stack.enter_context(following(url, session)) if (url := settings.verify_replica) else None
            pairs = zip(names, repaired, strict=True)
            found = tuple(verified(work, name, rows, replica, settings.lock_give_up) for name, rows in pairs)
        with session.transaction() as connection:
            return tuple(replace(each, shadow_reads=of_revision(connection, each.revision)) for each in found)


def verified(work: Execution, revision: str, repaired: int, replica: Follower | None, patience: float) -> Verified:
    """Compare the rows of one revision.

    Args:
        repaired: rows that were changed before.
        replica: where to compare, once it has replayed what was written by now; None: on the server itself.
        patience: seconds to wait for that.
    """
    from migrator.ledger.verifications import COMMAND

    if replica is None:
        return Verified(revision, work.verify(revision, COMMAND), repaired)
    position = replica.reach(revision, patience, work.performer.observer)
    work.performer.comparing.replica = replica.session
    rows = work.verify(revision, COMMAND)
    return Verified(revision, rows, repaired, replica.name, position, replica.leaves_open)


def comparable(session: Session, graph: RevisionGraph, revision: str | None) -> list[str]:
    """Migrated revisions that have something to compare, or the one that is named.

    Raises:
        UsageError: that one has not.
    """
    memory = recorded(session, graph)
    comparing = {name for name, steps in memory.steps.items() if any(map(compares, steps))}
    migrated = [n for n, record in memory.revisions.items() if record.state == "migrated" and n in comparing]
    if revision is None:
        return migrated
    wanted = graph.resolve(revision)
    if wanted not in migrated:
        raise UsageError(f"revision {wanted} has nothing to compare", next_step="migrator status")
    return [wanted]


def compares(step: StepRecord) -> bool:
    """Whether a step compares what is true from migrate on; others ask what becomes true with the contract."""
    return step.phase is Phase.MIGRATE and isinstance(step.step, Verify)


def repaired_by(work: Execution, revision: str, side: Side) -> int:
    """Write one side of the rows that differ anew; returns how many that were.

    Raises:
        UsageError: what differs cannot be made from that side.
        StepFailed: a row cannot be changed.
    """
    from migrator.ledger import store

    with work.session.transaction() as connection:
        records = store.steps(connection, revision)
    rows = 0
    for record, step in planned_repairs(records, side):
        repairing = replace(record, name=step.name, step=step)
        work.performer.observer(StepStarted(revision, record.phase, step.name))
        try:
            changed = work.performer.perform(repairing, records=False).changed
        except MigratorError as problem:
            explain(repairing, problem)
            raise
        rows += changed
        with work.session.transaction() as connection:
            detail = {"side": str(side), "rows": changed}
            store.record_event(connection, "repaired", revision=revision, step=record.name, detail=detail)
    return rows


def planned_repairs(records: Sequence[StepRecord], side: Side) -> list[tuple[StepRecord, Fill]]:
    """What repairs each of the verifications; nothing is begun where one has no repair."""
    migrate = [record.step for record in records if record.phase is Phase.MIGRATE]
    contract = [record.step for record in records if record.phase is Phase.CONTRACT]
    found = []
    for record in records:
        if record.phase is not Phase.MIGRATE or not isinstance(record.step, Verify):
            continue
        step = repair(record.step, migrate, contract, side)
        if step is None:
            other = Side.OLD if side is Side.NEW else Side.NEW
            raise UsageError(
                f"{record.name}: rows that differ cannot be made from the {side} side",
                next_step=f"migrator verify {record.revision} --repair {other}, or write these rows by hand",
            )
        found.append((record, step))
    return found
