"""How fast a backfill may go: what people ask of it, and what the applications feel, before each transaction."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from migrator.events import Observer, Resumed, Slowed, Unjudged, Waiting, ignore
from migrator.foreground import Probe
from migrator.pruning import Pruning
from migrator.reporting import Report
from phases.effects import Progress
from phases.model import Fill, Verify
from phases.pacing import Allowance, Control, Felt, Grading, graded
from phases.staffing import Staff, counted

if TYPE_CHECKING:
    from migrator.database import Session
    from migrator.ledger.records import StepRecord

EVERY = 1.0
"""Seconds between two looks at the ledger, and between two verdicts."""
WORTH_IT = 1.0
"""Seconds after which a backfill is worth a probe."""
READINGS = 12
PATIENCE = 2.0
AGAIN = 300.0
"""Seconds after which it is learnt anew what a look takes without us."""


class Governor:
    """Holds back the transactions of long steps.

    Args:
        session: the runner's.
        url: of the database, for a second session that only looks; empty: nobody looks.
        limit: seconds that a look may take; None: several times what it took before (`phases.pacing.SLOWER`).
        observer: told of every change.
        pause: waits; no transaction is open meanwhile.
        clock: seconds, of any beginning.
    """

    def __init__(
        self,
        session: Session,
        url: str = "",
        limit: float | None = None,
        observer: Observer = ignore,
        pause: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.session = session
        self.url = url
        self.limit = limit
        self.observer = observer
        self.pause = pause
        self.clock = clock
        self.staff = Staff()
        self.pruning = Pruning(session, clock)
        self.stripes = 1
        self.control = Control()
        self.asked: float | None = None
        self.allowance = Allowance()
        self.probe: Probe | None = None
        self.begin()

    def begin(self) -> None:
        """Forget what was felt of the step before."""
        self.quieten: Callable[[], None] = lambda: None
        """Waits until nobody writes, where others write than who calls this."""
        self.report = Report(self.session, self.clock)
        self.begun = self.learnt = self.judged = self.clock()
        self.before = Felt()
        self.compares = False
        self.held: deque[bool] = deque(maxlen=10)
        self.commits: deque[float] = deque(maxlen=10)
        self.grading = Grading()
        self.staff = Staff()
        self.pruning.begin()

    def end(self) -> None:
        """Look no more."""
        if self.probe is not None:
            self.probe.close()
            self.probe = None

    def rows(self) -> int:
        """Rows of the step under way, or of the one that has just ended, as it said last."""
        return self.report.progress.rows if self.report.progress else 0

    @property
    def allowed(self) -> float | None:
        """Seconds that a look may take, where somebody says so."""
        return self.control.max_latency or self.limit

    @property
    def limits(self) -> str:
        """What is kept to, for people."""
        rate, latency = self.control.rows_per_second, self.allowed
        parts = [f"{rate:g} rows/s"] if rate is not None else []
        parts += [f"latency {latency * 1000:g} ms"] if latency is not None else []
        parts += [counted(self.staff.workers)] if self.staff.workers > 1 or self.staff.reason else []
        return ", ".join(parts)

    @property
    def slow(self) -> str:
        """Why it is slower than it could be."""
        rate = self.control.rows_per_second
        asked = f"{rate:g} rows/s are allowed by {self.control.said}" if rate is not None else ""
        felt = f"{self.grading.reason}: rests {self.grading.rest:g} x as long as it writes" if self.grading.rest else ""
        staff = self.staff.reason if self.staff.reason != self.grading.reason else ""
        return "; ".join(filter(None, (asked, felt, staff, self.pruning.room.reason)))

    def progress(self, record: StepRecord, progress: Progress) -> None:
        """Keep how far a step is, and wait where it is paused."""
        self.report.step(record, progress, self.limits, self.slow)
        self.hold(record)

    def hold(self, record: StepRecord) -> tuple[float, str]:
        """Wait as long as somebody has paused it.

        Returns:
            Seconds, and why.
        """
        begun, reason = self.clock(), ""
        self.ask(record.revision)
        while self.control.paused:
            reason = f"paused by {self.control.said}"
            self.observer(Waiting(record.name, f"{reason}; to go on: migrator resume", self.clock() - begun))
            self.report.waiting(record, self.limits, reason)
            self.pause(EVERY)
            self.ask(record.revision)
        if reason:
            self.observer(Resumed(record.name, self.clock() - begun))
        return (self.clock() - begun, reason) if reason else (0.0, "")

    def ask(self, revision: str) -> None:
        """What people ask for; the ledger is asked once a second at most."""
        from migrator.ledger import controls

        if self.asked is not None and self.clock() - self.asked < EVERY:
            return
        self.asked = self.clock()
        with self.session.transaction() as connection:
            self.control = controls.of(connection, revision)

    def wait(self, record: StepRecord) -> tuple[float, str]:
        """Wait until another transaction may be begun.

        Returns:
            Seconds, and why.
        """
        waited, reason = self.hold(record)
        while (rest := self.due()) > 0:
            self.pause(min(rest, EVERY))
            waited += min(rest, EVERY)
            held, why = self.hold(record)
            waited, reason = waited + held, why or reason
        self.feel(record)
        return waited, reason or (self.slow if waited else "")

    def due(self) -> float:
        """Seconds until more rows may be written."""
        return self.allowance.wait(self.control.rows_per_second, self.clock())

    def look(self, record: StepRecord) -> tuple[float, str]:
        """Wait as long as somebody has paused it, and judge what is felt of it.

        Returns:
            Seconds, and why.
        """
        held = self.hold(record)
        self.feel(record)
        return held

    def feel(self, record: StepRecord) -> None:
        """Judge how much room updates find, and what the applications feel; once a second at most."""
        if isinstance(record.step, Fill):
            self.pruning.follow(record.step, self.stripes, self.staff.workers)
        now = self.clock()
        if not self.url or now - self.begun < WORTH_IT or now - self.judged < EVERY:
            return
        self.judged = now
        if self.probe is None or now - self.learnt > AGAIN or (self.allowed is None and not self.compares):
            self.learn(record)
            return
        if self.probe.problem:
            self.observer(Unjudged(record.name, f"what others feel of it is not known: {self.probe.problem}"))
            self.url = ""
            return
        felt = Felt(self.probe.recent(), tuple(self.commits), sum(self.held) / max(1, len(self.held)))
        was = self.grading
        self.grading = graded(was, felt, self.before, self.allowed)
        if was.grade != self.grading.grade:
            self.probe.forget()
            self.observer(Slowed(record.name, self.grading.rest, self.grading.reason))

    def learn(self, record: StepRecord) -> None:
        """What looks take while we write nothing; where somebody says what they may take, nothing waits for that."""
        assert isinstance(record.step, Fill | Verify)
        self.compares = self.allowed is None
        if self.compares:
            self.quieten()
        if self.probe is None:
            self.probe = Probe(self.url, record.step.table)
            self.probe.start()
        looks = self.probe.learn(READINGS if self.compares else 0, PATIENCE, self.pause)
        self.before = Felt(looks or self.before.probes, self.before.commits or tuple(self.commits))
        self.learnt = self.clock()

    def wrote(self, rows: int, seconds: float, commit: float, *, blocked: bool) -> float:
        """Count a transaction. Returns seconds to rest after it.

        Args:
            seconds: it took, its commit among them.
            commit: seconds of that.
            blocked: it met rows that others hold.
        """
        self.held.append(blocked)
        if not blocked:
            self.commits.append(commit)
            self.pruning.batches.append(seconds)
        self.allowance.spend(rows, self.control.rows_per_second, self.clock())
        return self.grading.rest * seconds
