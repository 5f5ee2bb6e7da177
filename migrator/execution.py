"""Drive revisions through their phases, and back.

Every function picks up where the last run stopped: what is done is in the
ledger, in the same transaction as the effect itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from migrator.drift import refuse_silence
from migrator.errors import MigratorError, NotSupportedHere, StepFailed, UsageError
from migrator.events import Drifted, NotChecked, PhaseStarted, StateChanged, StepFinished, StepStarted
from migrator.performance import Performer
from migrator.prechecks import look
from migrator.prepared import refuse_prepared
from phases.model import BuildIndex, Phase, RemoveIndex, Script, Step, Transaction, Verify

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from migrator.drift import Drift
    from migrator.ledger.records import StepRecord
    from migrator.planning import RevisionPlan
    from migrator.reconnecting import Reconnecting
    from migrator.revisions import Revision

ENTRY = {
    Phase.EXPAND: "expanding",
    Phase.MIGRATE: "migrating",
    Phase.CONTRACT: "contracting",
    Phase.PURGE: "purging",
}
EXIT = {
    Phase.EXPAND: "expanded",
    Phase.MIGRATE: "migrated",
    Phase.CONTRACT: "contracted",
    Phase.PURGE: "purged",
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """A step that was carried out, and what it cost; `migrator.events.StepFinished` says how locks are measured.

    `paused_seconds`: how long it waited for replicas, for people, or until less had piled up; `replicas`, `pressure`,
    `governed`: why, or why it is not known whether it had to.
    """

    revision: str
    phase: Phase
    name: str
    seconds: float
    lock_held_ms: float
    lock_waited_ms: float
    rows: int
    undoing: bool = False
    lock_at_most_ms: float = 0.0
    online: bool = False
    paused_seconds: float = 0.0
    replicas: str = ""
    pressure: str = ""
    governed: str = ""


Guard = Callable[["Connection"], None]


class Execution:
    """Runs phases on a session that holds the runner lock.

    Args:
        performer: carries out single steps.
        on_state: called in the transaction of every change of state, so that
            what hangs on it (Alembic's stamp) commits with it.
        drift: compares the catalog with what the last phase left.
        reconnecting: opens the session anew.
        precheck_seconds: how long one question about existing rows may take.
    """

    def __init__(
        self,
        performer: Performer,
        on_state: Callable[[Connection, str, str], None],
        drift: Drift,
        reconnecting: Reconnecting,
        *,
        precheck_seconds: float = 30.0,
    ) -> None:
        self.performer = performer
        self.session = performer.session
        self.on_state = on_state
        self.drift = drift
        self.reconnecting = reconnecting
        self.precheck_seconds = precheck_seconds
        self.outcomes: list[Outcome] = []
        self.not_checked: list[NotChecked] = []

    def begin(self, revision: Revision, plan: RevisionPlan) -> None:
        """Record a revision and all its steps, once its data has been looked at.

        Raises:
            PlanRefused: rows are in the way, and the message has keys of some; or it cannot be known.
        """
        from migrator.ledger import store

        if plan.not_ours:
            raise NotSupportedHere(
                f"{revision.path}:{revision.line}: {self.session.facts.user!r} cannot alter it: {plan.not_ours[0]}",
                next_step="connect as that role, or as a member of it (GRANT owner TO you); see: migrator doctor",
                revision=revision.id,
            )
        missed = tuple(look(self.session, plan.prechecks, revision, self.precheck_seconds))
        for miss in missed:
            self.performer.observer(miss)
        with self.session.transaction() as connection:
            self._refuse_early(connection, [planned.step for planned in plan.of(Phase.EXPAND)])
            store.begin(
                connection,
                id=revision.id,
                down_revisions=revision.down_revisions,
                digest=revision.digest,
                message=revision.message,
                additive=plan.additive,
                steps=[(planned.phase, planned.step) for planned in plan.steps],
            )
            store.record_event(connection, "begun", revision=revision.id)
            for miss in missed:
                detail = {"question": miss.problem, "backstop": miss.backstop, "seconds": miss.seconds}
                store.record_event(connection, "not checked", revision=revision.id, detail=detail)
        self.not_checked += missed

    def run_phase(self, revision: str, phase: Phase, guard: Guard | None = None, *, last: bool = True) -> None:
        """Run what is left of a phase.

        Args:
            guard: asked in the transaction that enters the phase; raises to refuse.
            last: whether time will pass before the next one, in which somebody may change things.

        Raises:
            DriftFound: somebody changed what the steps rely on; the phase has not begun.
            MigratorError: the step that failed; the next run starts with it.
        """
        from migrator.ledger import store

        self.performer.observer(PhaseStarted(revision, phase))
        with self.session.transaction() as connection:
            steps = store.steps(connection, revision, phase=phase)

        def may_begin(connection: Connection) -> None:
            if guard is not None:
                guard(connection)
            self.drift.refuse(connection, revision)
            self._refuse_early(connection, [record.step for record in steps if record.state != "done"])

        self.enter(revision, ENTRY[phase], may_begin)
        self._run(lambda connection: store.steps(connection, revision, phase=phase))
        self.enter(revision, EXIT[phase], rests=last)

    def _refuse_early(self, connection: Connection, steps: Iterable[Step]) -> None:
        """Look for what would stop a step before the first one; the step looks again, behind its lock."""
        for step in steps:
            if isinstance(step, Transaction) and step.reprepares:
                refuse_prepared(connection, step.name, self.performer.unprepared)

    def enter(self, revision: str, state: str, guard: Guard | None = None, *, rests: bool = False) -> None:
        """Change the state of a revision; entering the state it is in is no change."""
        from migrator.ledger import store

        with self.session.transaction() as connection:
            record = store.revision(connection, revision)
            if record is not None and record.state == state:
                return
            if guard is not None:
                guard(connection)
            store.transition(connection, revision, state)
            store.record_event(connection, state, revision=revision)
            if rests:
                self.drift.keep(connection, revision)
            self.on_state(connection, revision, state)
        self.performer.observer(StateChanged(revision, state))

    def _run(self, wanted: Callable[[Connection], Sequence[StepRecord]], *, undoing: bool = False) -> None:
        """Run those steps that are not done, through connections that are lost."""
        rows = self.performer.governor.rows
        self.reconnecting.run(wanted, lambda record: self.run_step(record, undoing=undoing), rows)

    def run_step(self, record: StepRecord, *, undoing: bool = False) -> None:
        observer = self.performer.observer
        observer(StepStarted(record.revision, record.phase, record.name, undoing, record.step.shuts))
        try:
            measured = self.performer.perform(record)
        except MigratorError as problem:
            explain(record, problem)
            raise
        locks = (measured.at_most_ms, measured.online)
        cost = (measured.seconds, measured.held_ms, measured.waited_ms, measured.rows, undoing, *locks)
        observer(StepFinished(record.revision, record.phase, record.name, *cost))
        waits = (measured.paused, measured.replicas, measured.pressure, measured.governed)
        self.outcomes.append(Outcome(record.revision, record.phase, record.name, *cost, *waits))

    def catch_up(self, revision: str, doing: str) -> None:
        """Wait until connected replicas have replayed all there is, as long as one may wait for a lock.

        Raises:
            NotYet: naming the replica that has not.
        """
        self.performer.replicas.catch_up(revision, doing, self.performer.policy.give_up_after)

    def abort(self, revision: str, *, discard: bool = False, guard: Guard | None = None) -> None:
        """Take expand and migrate back; the database is as it was before.

        Args:
            discard: throw away data that exists nowhere else.
            guard: asked in the transaction that begins the abort; raises to refuse.

        Raises:
            UsageError: the contract has begun, or data would be lost and `discard` is not given.
        """
        from migrator.ledger import store

        with self.session.transaction() as connection:
            record = store.revision(connection, revision)
        if record is None:
            return  # aborted already, maybe by a run that was killed right after
        if record.state not in ("expanding", "expanded", "migrating", "migrated", "aborting"):
            raise UsageError(
                f"revision {revision} is {record.state}: its contract has begun",
                next_step=f"bring the old shape back first: migrator restore {revision}",
            )
        if record.state != "aborting":
            self._refuse_loss(revision, discard)
        if record.state in ("expanded", "migrated"):
            self._warn_of_drift(revision, discard)
        self._undo(revision, "aborting", (Phase.EXPAND, Phase.MIGRATE), self._forget, guard)

    def restore(self, revision: str) -> None:
        """Take the contract back: the old shape is there again, equal to the new one.

        Raises:
            UsageError: the revision is not that far, or was purged.
        """
        from migrator.ledger import store

        with self.session.transaction() as connection:
            record = store.revision(connection, revision)
        if record is not None and record.state == "migrated":
            return  # restored already, maybe by a run that was killed right after
        if record is None or record.state not in ("contracting", "contracted", "restoring"):
            state = record.state if record else "not started"
            gone = record is not None and record.state in ("purging", "purged")
            raise UsageError(
                f"revision {revision} is {state}: "
                + ("what it removed is gone for good" if gone else "there is no contract to take back"),
                next_step="migrator status",
            )
        if record.state == "contracting":
            self._complete(revision)
        self._undo(revision, "restoring", (Phase.CONTRACT,), self._back_to_migrated)

    def _complete(self, revision: str) -> None:
        """Go on with a script that was interrupted: what takes it back begins where it ends.

        One that cannot go on is taken back as far as it came.
        """
        from migrator.ledger import store

        with self.session.transaction() as connection:
            steps = store.steps(connection, revision, phase=Phase.CONTRACT)
        for record in steps:
            if record.state == "running" and isinstance(record.step, Script):
                with suppress(StepFailed):
                    self.run_step(record)

    def _refuse_loss(self, revision: str, discard: bool) -> None:
        from migrator.ledger import store

        with self.session.transaction() as connection:
            steps = store.steps(connection, revision)
        for record in steps:
            loss = record.step.loses
            if record.state != "done" or loss is None or discard:
                continue
            rows = self.session.query(loss.count)[0][0]
            if rows:
                raise UsageError(
                    f"aborting {revision} would throw away {loss.what} ({rows} rows or more)",
                    next_step=f"keep them elsewhere first, or say so: migrator abort {revision} --discard-data",
                    rows=rows,
                )

    def _warn_of_drift(self, revision: str, discard: bool) -> None:
        """Say what was changed by hand; refuse where writes may be in the new shape alone because of it."""
        with self.session.transaction() as connection:
            found = self.drift.differences(connection, revision)
        for each in found:
            self.performer.observer(Drifted(revision, each.part, each.was, each.found))
        if not discard:
            refuse_silence(revision, found)

    def _undo(
        self,
        revision: str,
        state: str,
        phases: Sequence[Phase],
        finish: Callable[[Connection, str, Sequence[StepRecord]], None],
        guard: Guard | None = None,
    ) -> None:
        """Run what undoes the steps done, last step first, then `finish` in one transaction."""
        from migrator.ledger import store

        with self.session.transaction() as connection:
            record = store.revision(connection, revision)
            done = [s for s in store.steps(connection, revision) if s.phase in phases and left_something(s)]
            done.reverse()
            if record is not None and record.state != state:
                if guard is not None:
                    guard(connection)
                undo = [(step, back) for step in done for back in step.step.undo]
                self._refuse_early(connection, [back for _, back in undo])
                store.transition(connection, revision, state)
                store.record_event(connection, state, revision=revision)
                store.add_undo(connection, revision, undo)
                self.on_state(connection, revision, state)
        self.performer.observer(StateChanged(revision, state))
        self._run(lambda connection: store.undo_steps(connection, revision), undoing=True)
        with self.session.transaction() as connection:
            finish(connection, revision, done)

    def _forget(self, connection: Connection, revision: str, done: Sequence[StepRecord]) -> None:
        from migrator.ledger import store

        store.forget(connection, revision)
        store.record_event(connection, "aborted", revision=revision, detail={"steps": len(done)})
        self.on_state(connection, revision, "aborted")

    def _back_to_migrated(self, connection: Connection, revision: str, done: Sequence[StepRecord]) -> None:
        from migrator.ledger import store

        for step in done:
            store.reset_step(connection, step.id)
        store.remove_undo(connection, revision)
        store.transition(connection, revision, "migrated")
        self.drift.keep(connection, revision)
        store.record_event(connection, "restored", revision=revision)

    def verify(self, revision: str, purpose: str) -> int:
        """Compare old and new shape again; where it was interrupted a moment ago, from there on.

        Args:
            purpose: who compares (`migrator.ledger.verifications`).

        Returns:
            The rows compared.

        Raises:
            VerificationFailed: rows differ.
        """
        from migrator.ledger import store

        with self.session.transaction() as connection:
            steps = store.steps(connection, revision, phase=Phase.MIGRATE)
        compared = 0
        for record in steps:
            if isinstance(record.step, Verify):
                self.performer.observer(StepStarted(revision, record.phase, record.name))
                try:
                    compared += self.performer.perform(record, records=False, purpose=purpose).rows
                except MigratorError as problem:
                    explain(record, problem)
                    raise
        return compared


def explain(record: StepRecord, problem: MigratorError) -> None:
    """Say which step a problem is of; the server's own errors become a `StepFailed`."""
    problem.facts.setdefault("revision", record.revision)
    problem.facts.setdefault("phase", record.phase.value)
    problem.facts.setdefault("step", record.name)
    if problem.__class__.__name__ == "DatabaseError":
        raise StepFailed(
            f"{record.name}: {problem.message}",
            next_step=f"mend the cause and run the same command again{way_back(record)}",
            **problem.facts,
        ) from problem


def way_back(record: StepRecord) -> str:
    verb = {Phase.CONTRACT: "restore", Phase.PURGE: ""}.get(record.phase, "abort") if record.undoes is None else ""
    return f", or: migrator {verb} {record.revision}" if verb else ""


def left_something(record: StepRecord) -> bool:
    """Whether a step may have changed the database: a killed index build has, an unfinished transaction has not."""
    if record.state == "done":
        return True
    return record.state == "running" and isinstance(record.step, BuildIndex | RemoveIndex | Script)
