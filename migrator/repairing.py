"""Compare the two shapes of rows, and bring rows back in line that no trigger has seen, from the side that is named."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from migrator.errors import MigratorError, UsageError, VerificationFailed
from migrator.events import Observer, StepStarted, ignore
from migrator.execution import Execution, explain
from migrator.following import Follower, following
from migrator.runs import execution, load_graph, looking, recorded, running
from phases.model import Fill, Phase, Verify
from phases.repairing import Side, jointly, remedy, repair

if TYPE_CHECKING:
    from migrator.database import Session
    from migrator.ledger.records import StepRecord
    from migrator.ledger.shadow_reads import ShadowReport
    from migrator.revisions import RevisionGraph
    from migrator.settings import Settings

    Repair = tuple[StepRecord, Fill, int]
    """Verification, what repairs what it finds, and how many rows that is."""


@dataclass(frozen=True, slots=True)
class Verified:
    """Rows compared by a verification that found no difference.

    `repaired`: rows that differed before, and were mended. `replica`, `position`: where they were compared, and up to
    where that had replayed; `leaves_open`: what is not proven by it. `shadow_reads`: what applications have found that
    read both.
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
        repaired: rows that were mended before.
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
    """Write one side of the rows that differ anew; returns how many rows differed.

    Raises:
        UsageError: what differs cannot be made from that side.
        StepFailed: a row cannot be changed.
    """
    from migrator.ledger import store

    with work.session.transaction() as connection:
        records = store.steps(connection, revision)
    planned = planned_repairs(work, records, side)
    for record, step, rows in planned:
        performed(work, replace(record, name=step.name, step=step))
        if rows:
            with work.session.transaction() as connection:
                detail = {"side": str(side), "rows": rows}
                store.record_event(connection, "repaired", revision=revision, step=record.name, detail=detail)
    return sum(rows for _, _, rows in planned)


def performed(work: Execution, record: StepRecord) -> None:
    """Carry out something that is not recorded as a step."""
    work.performer.observer(StepStarted(record.revision, record.phase, record.name))
    try:
        work.performer.perform(record, records=False)
    except MigratorError as problem:
        explain(record, problem)
        raise


def planned_repairs(work: Execution, records: Sequence[StepRecord], side: Side) -> list[Repair]:
    """What repairs each of the verifications, in order; nothing is begun where rows differ that have no repair."""
    phases = {phase: [record.step for record in records if record.phase is phase] for phase in Phase}
    checks = [(r, r.step) for r in records if r.phase is Phase.MIGRATE and isinstance(r.step, Verify)]
    together: list[Repair] = []
    apart: list[Repair] = []
    for record, checked in checks:
        either = {each: repair(checked, phases[Phase.MIGRATE], phases[Phase.CONTRACT], each) for each in Side}
        step, wrong = either[side], differing(work, record)
        if step is not None:
            found = apart if checked.from_old is not None else together
            found.append((record, step, int(wrong.facts["mismatches"]) if wrong else 0))
        elif wrong is not None:
            raise UsageError(
                f"{wrong.message}; they cannot be made from the {side} side",
                next_step=remedy(checked, side, record.revision, other=either[side.other] is not None),
            )
    # Of a copy the last one comes first: what is deleted there because it is not the same is copied again.
    return [*joined(together), *together, *reversed(apart)]


def joined(found: Sequence[Repair]) -> list[Repair]:
    """What repairs rows that differ in several ways, before each of these is looked at by itself.

    Raises:
        UsageError: rows differ in too many ways.
    """
    differ = [step for _, step, rows in found if rows]
    try:
        return [(found[0][0], step, 0) for step in jointly(differ)]
    except ValueError as problem:
        raise UsageError(str(problem), next_step="write the rows of some of them by hand first") from None


def differing(work: Execution, record: StepRecord) -> VerificationFailed | None:
    """What a verification says as long as rows differ."""
    try:
        performed(work, record)
    except VerificationFailed as problem:
        return problem
    return None
