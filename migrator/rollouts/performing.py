"""Actions of a rollout, done: by the target, the servers, the records and the clock."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from migrator.errors import MigratorError
from migrator.rollouts.analysis.model import FAIL, INCONCLUSIVE, PASS, UNDECIDED, Analyst, Arm, Judgement, Looks
from migrator.rollouts.configuration import Configuration
from migrator.rollouts.flags import Flags
from migrator.rollouts.instances import Instances
from migrator.rollouts.model import (
    Action,
    Admit,
    Begin,
    Drain,
    Finish,
    Flag,
    MayRun,
    Mirror,
    Outcome,
    Settle,
    Smoke,
    Split,
    Start,
    Stop,
    Watch,
    Wish,
)
from migrator.rollouts.plan import Place, RolloutPlan
from migrator.rollouts.recording import Records
from migrator.rollouts.targets.base import Target

EVERY = 0.1


class Heard(Protocol):
    """What somebody asks of the rollout at this moment."""

    def __call__(self, *, wait: bool = True) -> Wish:
        """Ask. `wait`: for the end of a pause; else a pause is an answer."""


Judged = Callable[[Watch, Judgement], None]
"""Told what is said of an arm, at each look."""


class Aborted(Exception):
    """Somebody asked to take the rollout back while an action was waited for."""

    def __init__(self, wish: Wish, facts: Mapping[str, Any] | None = None) -> None:
        super().__init__(str(wish))
        self.facts = facts or {}


@dataclass(slots=True)
class World:
    """Everything that actions reach."""

    configuration: Configuration
    plan: RolloutPlan
    target: Target
    instances: Instances
    records: Records
    analyst: Analyst | None
    heard: Heard
    judged: Judged
    flags: Flags | None = None

    def perform(self, action: Action, elapsed: float = 0.0) -> Outcome:
        """Do an action, which may have been begun by a run that was killed.

        Args:
            elapsed: seconds since it was begun first, on the database's clock.
        """
        try:
            return self._perform(action, elapsed)
        except Aborted as asked:
            return Outcome(ok=False, reason=str(asked), facts=asked.facts)
        except MigratorError as problem:
            return Outcome(ok=False, reason=problem.message, facts={"next": problem.next_step})

    def _perform(self, action: Action, elapsed: float) -> Outcome:
        places = {place.name: place for place in self.plan.places}
        match action:
            case Begin():
                return self.records.begin()
            case Finish(_, status):
                return self.records.finish(status)
            case MayRun(version):
                return self.records.may_run(version)
            case Start(server, version) if "start" in self.target.can:
                self.target.start(server, version)
                self.instances.await_ready(places[server], version)
            case Start(server, version):
                # A run that was killed may have started it, with a deploy script that does not look.
                self._stop(places[server])
                self.instances.start(places[server], version)
            case Smoke(server, version):
                return Outcome(
                    ok=True, facts={"checks": [asdict(ran) for ran in self.instances.check(places[server], version)]}
                )
            case Stop(server):
                self._stop(places[server])
            case Admit(server):
                self.target.admit(server)
            case Drain(server):
                return self._drain(server, elapsed)
            case Split(shares):
                begun = time.monotonic()
                self.target.split(shares)
                return Outcome(ok=True, facts={"switch_seconds": round(time.monotonic() - begun, 4)})
            case Mirror(pool, percent):
                self.target.mirror(pool, percent)
            case Flag(name, shares) if self.flags is not None:
                self.flags.set(name, shares)
            case Watch():
                return self._watch(action, elapsed)
            case Settle():
                pass
            case _:
                return Outcome(ok=False, reason=f"{type(action).__name__} is nothing that this target does")
        return Outcome(ok=True)

    def _stop(self, place: Place) -> None:
        self.target.remove(place.name)
        self.instances.stop(place)

    def before(self, action: Action) -> dict[str, Any]:
        """What the traffic is like before an action that changes it; kept, so that people can see what was."""
        try:
            if isinstance(action, Flag) and self.flags is not None:
                return {"flag": self.flags.look(action.name)}
            if isinstance(action, Admit | Drain | Stop | Split | Mirror):
                return asdict(self.target.look())
        except MigratorError as problem:
            return {"unknown": problem.message}
        return {}

    def _drain(self, server: str, elapsed: float) -> Outcome:
        """Three ends: nothing is left; time is over, and what is left is cut off or stays; somebody aborts."""
        self.target.drain(server)
        begun, limit = time.monotonic() - elapsed, self.configuration.drain.timeout
        asked, left = Wish(), self.target.look().servers[server].in_flight
        while left and asked.what != "abort" and time.monotonic() - begun <= limit:
            time.sleep(EVERY)
            asked, left = self.heard(), self.target.look().servers[server].in_flight
        end = "empty" if not left else "aborted" if asked.what == "abort" else "timeout"
        facts = {"end": end, "seconds": round(time.monotonic() - begun, 3), "left": left}
        if end == "empty":
            return Outcome(ok=True, facts=facts)
        said = f"{server} still works on {left} after {limit:g} s"
        if end == "timeout" and self.configuration.drain.then == "cut":
            self.target.cut(server)
            return Outcome(ok=True, reason=f"{said}: cut off", facts=facts)
        self.target.admit(server)
        return Outcome(ok=False, reason=str(asked) if end == "aborted" else said, facts=facts)

    def _watch(self, watch: Watch, elapsed: float) -> Outcome:
        if self.analyst is None or not watch.arm:
            return self._waited(watch, elapsed, None, 0.0)
        with self.analyst.watch(*arms(self.plan, watch)) as looks:
            return self._waited(watch, elapsed, looks, self.analyst.every)

    def _waited(self, watch: Watch, elapsed: float, looks: Looks | None, every: float) -> Outcome:
        """Wait, and judge meanwhile; ends early where somebody promotes or aborts, or the arm does badly.

        Nothing passes because its time is over: the last look is taken then. While it is paused it does not end well,
        but the looks go on: users still feel what the version does.
        """
        looked = time.monotonic()
        begun = looked - elapsed
        judged = Judgement(INCONCLUSIVE, "nothing was judged") if looks else Judgement(PASS, "")
        while True:
            wish = self.heard(wait=False)
            paused = wish.what == "pause"
            if wish.what == "abort":
                raise Aborted(wish, facts_of(judged) if looks else {})
            if wish.what.startswith("promote"):
                facts = {**judged.facts, "judged": judged.verdict} if looks else {}
                return Outcome(ok=True, reason=str(wish), facts={**facts, "verdict": "promoted", "heeded": True})
            passed = time.monotonic() - begun
            over = not paused and watch.seconds is not None and passed >= watch.seconds
            if looks and (over or time.monotonic() - looked >= every):
                judged, looked = looks.look(), time.monotonic()
                self.judged(watch, judged)
                ending = self._ended(watch, judged, passed)
                if ending and not (paused and ending.ok):
                    return ending
            if over:
                return Outcome(ok=True, reason=judged.reason, facts=facts_of(judged))
            time.sleep(EVERY if paused or watch.seconds is None else min(EVERY, max(0.0, watch.seconds - passed)))

    def _ended(self, watch: Watch, judged: Judgement, passed: float) -> Outcome | None:
        """How a verdict ends a watch before its time; None where it does not."""
        facts = facts_of(judged)
        if judged.verdict == FAIL:
            return Outcome(ok=False, reason=judged.reason, facts=facts)
        if not watch.until_judged:
            return None
        if judged.verdict not in UNDECIDED:
            return Outcome(ok=True, reason=judged.reason, facts=facts)
        patience = self.analyst.patience if self.analyst else None
        if patience is None or passed < patience:
            return None
        return Outcome(ok=False, reason=f"no verdict within {patience:g} s: {judged.reason}", facts=facts)


def facts_of(judged: Judgement) -> dict[str, Any]:
    return {**judged.facts, "verdict": judged.verdict}


def arms(plan: RolloutPlan, watch: Watch) -> tuple[Arm, Arm | None]:
    """What is judged, and what it is compared with."""
    ours = watch.servers or plan.servers(watch.arm)
    arm = Arm(watch.arm, plan.version, ours)
    if not watch.against:
        return arm, None
    others = tuple(server for server in plan.servers(watch.against) if server not in ours)
    return arm, Arm(watch.against, plan.previous, others)
