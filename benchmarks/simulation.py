"""A model of a server, and a backfill on it that is held back by the controllers of the real one.

The controllers are pure functions (`phases.pacing`, `phases.pressure`, `phases.replication`), so they cannot tell: they
are given readings of the model once a second of its clock, as they are given those of a server. What is modelled is
only what they react to: how long a look at the table takes, how much log is on its way, which rows are dead.
"""

from __future__ import annotations

import math
import random
from collections import Counter, deque
from dataclasses import dataclass, field, replace

from phases.backfill import Pacing
from phases.pacing import Felt, Grading, Servo, graded
from phases.pressure import Archive, Limits, Rows, Wait, judge_archive, judge_rows
from phases.replication import Reading, Replica, Verdict, judge, kept

DAY = 86_400.0
LOOKS, KEPT = 5, 20
"""Looks at the table in a second, and how many are judged."""
AGAIN = 300
"""Seconds after which it is learnt anew what a look takes."""
NAP = 60
"""Seconds between two looks of autovacuum at a table."""
SCALE_FACTOR = 0.2
"""Dead rows as a share of all, from which autovacuum takes a table on."""
PAGE = 8192
NOISE = 0.25


@dataclass(frozen=True)
class Rates:
    """How fast a server is, and what else it has to do. What is not measured by `benchmarks.scale` is for you to say.

    Args:
        rows_per_second: one backfill, where nothing holds it back.
        commit_seconds: of a commit that waits for the disk.
        wal_bytes_per_row, heap_bytes_per_row: bytes.
        heap_growth: by how much of its size the heap grows.
        dead_per_row: dead rows that one that was written leaves for vacuum.
        vacuum_rows_per_second: rows of the table that vacuum goes through.
        verify_rows_per_second: rows compared.
        replay_bytes_per_second: log that the slowest replica replays.
        archive_bytes_per_second: log that is archived.
        look_seconds: a look at the table, where nobody else is about.
        busy, peak: share of the server that the applications take, on average and in the busiest hour of a day.
        share: what the backfill takes of it while it writes.
        foreground_wal: bytes of log a second that the applications write at the average.
    """

    rows_per_second: float = 75_000.0
    commit_seconds: float = 0.001
    wal_bytes_per_row: float = 560.0
    heap_bytes_per_row: float = 230.0
    heap_growth: float = 0.25
    dead_per_row: float = 0.23
    vacuum_rows_per_second: float = 1_000_000.0
    verify_rows_per_second: float = 500_000.0
    replay_bytes_per_second: float = 60e6
    archive_bytes_per_second: float = 50e6
    look_seconds: float = 0.0005
    busy: float = 0.3
    peak: float = 0.6
    share: float = 0.3
    foreground_wal: float = 2e6


@dataclass
class Outcome:
    """What became of a backfill: seconds, bytes, and what held it back.

    Args:
        held: seconds that it waited, by what for.
        rests: seconds at each grade of the rate.
        reasons: the first of each kind, as it would have been said.
    """

    rows: int
    seconds: float = 0.0
    verify_seconds: float = 0.0
    wal: float = 0.0
    transactions: float = 0.0
    rows_of_a_transaction: float = 0.0
    most_lag: float = 0.0
    most_archived_late: float = 0.0
    most_dead: float = 0.0
    longest_look: float = 0.0
    vacuums: int = 0
    held: Counter[str] = field(default_factory=Counter)
    rests: Counter[float] = field(default_factory=Counter)
    reasons: dict[str, str] = field(default_factory=dict)


class Model:
    """The server: what it has been given, and how far it is with it."""

    def __init__(self, rows: int, rates: Rates, seed: int) -> None:
        self.rows, self.rates, self.chance = rows, rates, random.Random(seed)
        self.flushed = self.replayed = self.archived = 0.0
        self.dead = self.doomed = 0.0
        self.vacuums, self.vacuum_left = 0, 0.0

    def busy(self, now: float) -> float:
        """What the applications take: a wave a day, lowest when it begins."""
        wave = (1 - math.cos(2 * math.pi * now / DAY)) / 2
        low = max(0.0, 2 * self.rates.busy - self.rates.peak)
        return low + (self.rates.peak - low) * wave

    def speed(self, now: float) -> float:
        return self.rates.rows_per_second * (1 - self.busy(now))

    def look(self, now: float, duty: float) -> float:
        """Seconds of a look at the table, while a backfill writes for a share of the time: a queue before a server."""
        load = min(0.98, self.busy(now) + duty * self.rates.share)
        return self.rates.look_seconds / (1 - load) * self.chance.lognormvariate(0, NOISE)

    def pass_second(self, now: float, rows: float) -> None:
        """A second in which so many rows were written."""
        rates = self.rates
        written = rows * rates.wal_bytes_per_row + rates.foreground_wal * self.busy(now) / max(rates.busy, 0.01)
        self.flushed += written
        self.replayed = min(self.flushed, self.replayed + rates.replay_bytes_per_second)
        self.archived = min(self.flushed, self.archived + rates.archive_bytes_per_second)
        self.dead += rows * rates.dead_per_row
        if self.vacuum_left > 0:
            self.vacuum_left -= rates.vacuum_rows_per_second * (1 - self.busy(now))
            if self.vacuum_left <= 0:
                self.dead, self.vacuums = self.dead - self.doomed, self.vacuums + 1
        elif int(now) % NAP == 0 and self.dead > SCALE_FACTOR * self.rows + 50:
            self.vacuum_left, self.doomed = float(self.rows), self.dead

    @property
    def late(self) -> float:
        """Seconds that the replica needs for what it has not replayed."""
        return (self.flushed - self.replayed) / self.rates.replay_bytes_per_second


class Backfill:
    """A walk over the table of a model, with the controllers of the real one."""

    def __init__(self, model: Model, limits: Limits, replica_lag: float, pacing: Pacing) -> None:
        self.model, self.limits, self.replica_lag, self.pacing = model, limits, replica_lag, pacing
        self.servo, self.window = Servo(pacing.target_seconds), pacing.first_window
        self.grading, self.before = Grading(), Felt()
        self.looks: deque[float] = deque(maxlen=KEPT)
        self.readings: list[Reading] = []
        self.waiting: dict[str, float] = {}
        self.forgiven, self.vacuums = 0, 0
        self.outcome = Outcome(model.rows)

    def run(self) -> Outcome:
        done, now = 0.0, 0.0
        while done < self.model.rows:
            rows, duty = (0.0, 0.0) if self.held(now) else self.write(now, self.model.rows - done)
            self.model.pass_second(now, rows)
            self.feel(now, duty)
            done, now = done + rows, now + 1.0
            self.note()
        rates = self.model.rates
        self.outcome.seconds, self.outcome.wal = now, done * rates.wal_bytes_per_row
        self.outcome.verify_seconds = done / (rates.verify_rows_per_second * (1 - rates.busy))
        self.outcome.rows_of_a_transaction = done / max(self.outcome.transactions, 1.0)
        self.outcome.vacuums = self.model.vacuums
        return self.outcome

    def held(self, now: float) -> bool:
        """Whether a second passes without a batch, and for what."""
        verdicts = {
            "replica": self.judge_replica(now),
            "archive": self.judge_archive(),
            "dead rows": self.judge_rows(now),
        }
        for what, verdict in verdicts.items():
            if verdict.go:
                self.waiting.pop(what, None)
                continue
            self.waiting.setdefault(what, now)
            self.outcome.held[what] += 1
            self.outcome.reasons.setdefault(what, verdict.reason)
        return not all(verdict.go for verdict in verdicts.values())

    def judge_replica(self, now: float) -> Verdict:
        model = self.model
        replica = Replica("r", replayed=int(model.replayed), lag=model.late)
        self.readings = [*kept(self.readings, self.replica_lag), Reading(now, int(model.flushed), (replica,))]
        return judge(self.readings, self.replica_lag, paused="replica" in self.waiting)

    def judge_archive(self) -> Verdict:
        queued = Archive(int(self.model.flushed - self.model.archived))
        return judge_archive(queued, self.limits.archive, paused="archive" in self.waiting)

    def judge_rows(self, now: float) -> Verdict:
        begun, model = self.waiting.get("dead rows"), self.model
        if begun is None:
            self.vacuums = model.vacuums
        rows = Rows("t", model.rows, int(model.dead), model.vacuums)
        self.forgiven = min(self.forgiven, rows.dead)
        wait = Wait(now - begun, self.vacuums) if begun is not None else None
        verdict = judge_rows(rows, self.limits.dead, forgiven=self.forgiven, wait=wait)
        if wait and verdict.go and not judge_rows(rows, self.limits.dead, forgiven=self.forgiven).go:
            self.forgiven = rows.dead
        return verdict

    def write(self, now: float, left: float) -> tuple[float, float]:
        """The rows of a second, and the share of it that they took; the rest is rest."""
        rates, size = self.model.rates, self.window
        rows = max(1.0, size * PAGE / rates.heap_bytes_per_row / self.pacing.stripes)
        seconds = rows / self.model.speed(now)
        rest = self.grading.rest
        number = 1.0 / (seconds * (1 + rest))
        self.servo.learn(size, seconds, int(rows))
        self.window = self.servo.size(size, self.pacing.smallest_window, self.pacing.largest_window)
        self.outcome.transactions += number
        self.outcome.rests[rest] += 1
        return min(left, number * rows), 1 / (1 + rest)

    def feel(self, now: float, duty: float) -> None:
        """Judge what the applications feel, once a second."""
        if int(now) % AGAIN == 0:
            self.before = Felt(tuple(self.model.look(now, 0.0) for _ in range(KEPT)))
            return
        found = [self.model.look(now, duty) for _ in range(LOOKS)]
        self.outcome.longest_look = max(self.outcome.longest_look, *found)
        self.looks.extend(found)
        if not duty:
            return
        was = self.grading
        self.grading = graded(was, Felt(tuple(self.looks)), self.before)
        if was.grade != self.grading.grade:
            self.looks.clear()
            if self.grading.grade > was.grade:
                self.outcome.reasons.setdefault("latency", self.grading.reason)

    def note(self) -> None:
        model, outcome = self.model, self.outcome
        outcome.most_lag = max(outcome.most_lag, model.late)
        outcome.most_archived_late = max(outcome.most_archived_late, model.flushed - model.archived)
        outcome.most_dead = max(outcome.most_dead, model.dead / model.rows)


def simulate(
    rows: int,
    rates: Rates,
    limits: Limits | None = None,
    replica_lag: float = 10.0,
    pacing: Pacing | None = None,
    seed: int = 1,
) -> Outcome:
    """Carry a backfill out on a model.

    Args:
        limits: what may pile up; that of the settings' defaults where not given.
        replica_lag: seconds.
    """
    known = limits or Limits(archive=2 * 1024**3, dead=1.0)
    return Backfill(Model(rows, rates, seed), known, replica_lag, pacing or Pacing()).run()


def with_rates(rates: Rates, given: dict[str, float]) -> Rates:
    """Other rates in their place.

    Raises:
        ValueError: there is no such rate, or it makes no sense.
    """
    known = Rates.__dataclass_fields__
    if unknown := sorted(given.keys() - known.keys()):
        raise ValueError(f"no rate is called {unknown[0]}; there are: {', '.join(known)}")
    if wrong := [name for name, value in given.items() if value < 0 or (name.endswith("_second") and not value)]:
        raise ValueError(f"{wrong[0]} cannot be {given[wrong[0]]}")
    return replace(rates, **given)
