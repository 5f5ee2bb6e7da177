"""The controller of a rollout: it asks the strategy for actions, has them done, and keeps the ledger ahead of them.

An action is on record before it is begun. Whoever goes on after a kill makes the
strategy again, sends it the outcomes that are on record, and does the action once more
that has none: every action may be done twice.
"""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import TYPE_CHECKING

from migrator.errors import DriftFound
from migrator.events import Observer, RolloutJudged, RolloutStep
from migrator.ledger import rollouts, store
from migrator.rollouts.analysis.model import FAIL
from migrator.rollouts.model import Action, Ending, Machine, MayRun, Outcome, Settle, Watch, Wish, as_data, words

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from migrator.database import Session
    from migrator.ledger.rollouts import ActionRecord
    from migrator.rollouts.analysis import Judgement
    from migrator.rollouts.performing import World

LISTEN_EVERY = 0.4


class Controller:
    """Drives one rollout to its end.

    Args:
        session: a session that nothing else uses; it holds the lock of the rollout.
        rollout: its number in the ledger.

    Attributes:
        settled: nothing is taken back from here on, so no abort is heard.
        returning: it is taken back; no pause is heard either, since users may be on a version that does badly.
    """

    def __init__(self, session: Session, rollout: int, observer: Observer) -> None:
        self.session, self.rollout, self.observer = session, rollout, observer
        self.settled = False
        self.returning = False
        self._listened = float("-inf")
        self._wish = Wish()
        self._verdict = ""

    def drive(self, machine: Machine, world: World) -> Ending:
        """Have every action done that is not yet."""
        with self.session.transaction() as connection:
            known = rollouts.taken(connection, self.rollout)
        try:
            action = next(machine)
            for position in range(len(known) + 10**6):
                record = known[position] if position < len(known) else None
                self.returning = self.returning or isinstance(action, MayRun)
                outcome = self._past(record, action) or self._done(position, action, record, world)
                self.settled = self.settled or isinstance(action, MayRun | Settle)
                action = machine.send(outcome)
        except StopIteration as over:
            ending: Ending = over.value
            return ending
        raise AssertionError("a strategy without end")

    def _past(self, record: ActionRecord | None, action: Action) -> Outcome | None:
        """The outcome on record of an action; None where it has to be done."""
        if record is None:
            return None
        if rollouts.plain(as_data(action)) != record.action:
            raise DriftFound(
                f"rollout {self.rollout} went another way before: {record.action} and not {words(action)}",
                next_step="go on with the version of migrator that began it",
            )
        return Outcome(**record.outcome) if record.outcome is not None else None

    def _done(self, position: int, action: Action, record: ActionRecord | None, world: World) -> Outcome:
        self._verdict = ""
        begun, elapsed = time.monotonic(), 0.0
        if record is None:
            before = rollouts.plain(world.before(action))
            with self.session.transaction() as connection:
                rollouts.begin_action(connection, self.rollout, position, rollouts.plain(as_data(action)), before)
        else:
            with self.session.transaction() as connection:
                elapsed = max(0.0, (store.clock(connection) - record.started_at).total_seconds())
        self.observer(RolloutStep(position + 1, words(action), "begun", again=record is not None))
        outcome = self._unless_aborted() or world.perform(action, elapsed)
        with self.session.transaction() as connection:
            rollouts.end_action(connection, self.rollout, position, rollouts.plain(asdict(outcome)))
            if outcome.facts.get("heeded") or not outcome.ok:
                self._heed(connection, bad=outcome.facts.get("verdict") == FAIL)
        state = "done" if outcome.ok else "failed"
        seconds = time.monotonic() - begun
        self.observer(RolloutStep(position + 1, words(action), state, outcome.reason, seconds))
        return outcome

    def _unless_aborted(self) -> Outcome | None:
        wish = self.heard()
        return Outcome(ok=False, reason=str(wish)) if wish.what == "abort" else None

    def heard(self, *, wait: bool = True) -> Wish:
        """What somebody asks, looked up now and then.

        Args:
            wait: for the end of a pause; else a pause is an answer.
        """
        while True:
            if time.monotonic() - self._listened >= LISTEN_EVERY:
                self._listened = time.monotonic()
                with self.session.transaction() as connection:
                    record = rollouts.get(connection, self.rollout)
                self._wish = Wish(record.wish, record.said)
            what = self._wish.what
            if (what == "pause" and self.returning) or (what == "abort" and (self.returning or self.settled)):
                return Wish()  # it is taken back already, or is not any more
            if what == "pause" and wait:
                time.sleep(LISTEN_EVERY)
            else:
                return self._wish

    def judged(self, watch: Watch, judgement: Judgement) -> None:
        """Keep what is said of an arm where others see it, and tell it where it is something else than before."""
        said = {"arm": watch.arm, "verdict": judgement.verdict, "reason": judgement.reason, **judgement.facts}
        with self.session.transaction() as connection:
            rollouts.note(connection, self.rollout, {"analysis": rollouts.plain(said)})
        if judgement.verdict != self._verdict:
            self._verdict = judgement.verdict
            self.observer(RolloutJudged(watch.arm, judgement.verdict, judgement.reason))

    def _heed(self, connection: Connection, *, bad: bool) -> None:
        """Take a wish off with the outcome that it led to; `promote all` holds until the end.

        Args:
            bad: the version does badly, which ends a pause, too: users would go on to feel it.
        """
        if bad:
            rollouts.heeded(connection, self.rollout, "pause")  # also one that was not heard of yet
        if self._wish.what in ("abort", "promote"):
            rollouts.heeded(connection, self.rollout, self._wish.what)
        if bad or self._wish.what in ("abort", "promote"):
            self._wish = Wish()
