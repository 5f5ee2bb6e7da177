"""A connection that is lost in the middle of a step: opened anew, to the server that has what was committed.

Whatever a killed runner leaves the next one finishes, and so can the same one. What it has to know first is who
answers: the same server, a replica that was promoted and may lack the last that was committed, or another one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from migrator.database import require_writable
from migrator.dialects.base import Trouble
from migrator.errors import ConnectionFailed, DatabaseError, MigratorError, NotSupportedHere, RunnerBusy
from migrator.events import Observer, Reconnected, Waiting, ignore
from migrator.locking import LockPolicy
from migrator.runner_lock import take_runner_lock
from phases.model import Fill

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from migrator.database import Session
    from migrator.ledger.records import StepRecord
    from migrator.ledger.servers import Host

SAME_PLACE = 3
"""How often in a row a connection may be lost without any progress: what ends it every time is not tried for ever."""


@dataclass(frozen=True, slots=True)
class Committed:
    """What a run knows to be committed: steps that are done, and rows of the one that is under way."""

    steps: frozenset[int] = frozenset()
    rows: int = 0


class Reconnecting:
    """Opens the session of a run anew.

    Args:
        session: of the run, which holds the runner lock.
        seconds: how long to try; 0: not at all.
        prepare: sets what the session had been set to.
        observer: told of every try.
        pause: waits.
    """

    def __init__(
        self,
        session: Session,
        seconds: float,
        prepare: Callable[[], None],
        observer: Observer = ignore,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self.session = session
        self.seconds = seconds
        self.prepare = prepare
        self.observer = observer
        self.pause = pause
        self.policy = LockPolicy(first_wait=0.2, longest_wait=5.0)
        self.host: Host | None = None
        self.losses: list[tuple[int, str]] = []

    def begin(self, connection: Connection) -> None:
        """Remember which server this is, before anything can be lost."""
        from migrator.ledger import servers

        self.host = self.host or servers.host(connection)

    def gone(self, problem: DatabaseError) -> bool:
        """Whether an error says that this connection is of no use any more, and another one may be."""
        trouble = self.session.family.trouble(problem.facts.get("sqlstate"))
        read_only = isinstance(problem, NotSupportedHere) and trouble is Trouble.READ_ONLY
        return self.seconds > 0 and self.host is not None and (read_only or isinstance(problem, ConnectionFailed))

    def again(self, record: StepRecord, lost: DatabaseError, committed: Committed) -> None:
        """Go back to the server, with the runner lock.

        Args:
            record: the step that was under way.
            lost: what said so.
            committed: by this run.

        Raises:
            ConnectionFailed: nobody answers for too long, it is lost at one place again and again, or who answers
                has not got what this run is about.
        """
        from migrator.ledger import servers, store, verifications

        begun = time.monotonic()
        self._open(record, lost, begun)
        with self.session.transaction() as connection:
            here = servers.host(connection)
            self._recognise(here, lost)
            servers.recognise(connection)
            at = store.cursor(connection, record.id), verifications.get(connection, record.id, verifications.STEP)
            missing = servers.missing(connection, record, committed.steps, committed.rows)
            said = "; ".join(filter(None, (self._moved(here), missing)))
            store.record_event(
                connection, "reconnected", revision=record.revision, step=record.name, detail={"said": said}
            )
        self.host = here
        self.losses = [each for each in self.losses if each == (record.id, str(at))] + [(record.id, str(at))]
        if len(self.losses) >= SAME_PLACE:
            raise ConnectionFailed(
                f"{record.name}: the connection was lost {SAME_PLACE} times at the same place: {lost.message}",
                next_step="look into the log of the server for what ends it there, then run the same command again",
            )
        self.prepare()
        self.observer(Reconnected(record.name, time.monotonic() - begun, said))

    def _open(self, record: StepRecord, lost: DatabaseError, begun: float) -> None:
        attempt, last = 0, lost.message
        while True:
            attempt += 1
            spent = time.monotonic() - begun
            if spent >= self.seconds:
                raise ConnectionFailed(
                    f"{lost.message}; for {spent:.0f} s no server took its place: {last}",
                    next_step="run the same command again when the server is back; it continues where it stopped",
                )
            self.observer(Waiting(record.name, f"{lost.message}; it is opened anew", spent))
            self.pause(min(self.policy.wait(attempt), self.seconds))
            try:
                self.session.reopen()
                require_writable(self.session)  # one that is to be promoted may still be a replica
                take_runner_lock(self.session, ())
            except (ConnectionFailed, NotSupportedHere, RunnerBusy) as problem:
                last = problem.message
            else:
                return

    def _recognise(self, here: Host | None, lost: MigratorError) -> None:
        assert self.host is not None
        if here is None or here.history != self.host.history:
            raise ConnectionFailed(
                f"{lost.message}; the server that answers has another ledger, or none: it is not the database that"
                " this run is about",
                next_step="see to it that the URL leads to the right server, then run the same command again",
            )
        if here.system != self.host.system and here.system and self.host.system:
            raise ConnectionFailed(
                f"{lost.message}; the server that answers is another one (system {here.system}, and not"
                f" {self.host.system}): rows may lie elsewhere there",
                next_step="run the same command again; backfills that are under way begin again there",
            )

    def _moved(self, here: Host | None) -> str:
        assert self.host is not None
        assert here is not None
        return f"another server took its place: {here.server}, and before {self.host.server}" * (
            here.server != self.host.server
        )

    def run(
        self,
        wanted: Callable[[Connection], Sequence[StepRecord]],
        perform: Callable[[StepRecord], None],
        rows: Callable[[], int],
    ) -> None:
        """Carry out steps, as the ledger has them after every connection that was lost.

        Args:
            wanted: asks the ledger for them.
            perform: carries out one.
            rows: changed by the one under way, as far as is known.
        """
        done: set[int] = set()
        steps = self._ask(wanted)
        while True:
            for record in steps:
                if record.state == "done":
                    continue
                try:
                    perform(record)
                except DatabaseError as lost:
                    if not self.gone(lost):
                        raise
                    known = rows() if isinstance(record.step, Fill) else 0
                    self.again(record, lost, Committed(frozenset(done), known))
                    break
                done.add(record.id)
            else:
                return
            steps = self._ask(wanted)
            done = {step.id for step in steps if step.state == "done"} & done

    def _ask(self, wanted: Callable[[Connection], Sequence[StepRecord]]) -> Sequence[StepRecord]:
        with self.session.transaction() as connection:
            self.begin(connection)
            return wanted(connection)
