"""Actions of a rollout, done: by the target, the servers, the records and the clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from migrator.errors import MigratorError
from migrator.rollouts.analysis import Analyst, Judgement
from migrator.rollouts.configuration import Configuration
from migrator.rollouts.instances import Instances
from migrator.rollouts.model import (
    Action,
    Admit,
    Begin,
    Drain,
    Finish,
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

Heard = Callable[[], Wish]
"""What somebody asks of the rollout at this moment; waits while it is paused."""


class Aborted(Exception):
    """Somebody asked to take the rollout back while an action was waited for."""


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

    def perform(self, action: Action, elapsed: float = 0.0) -> Outcome:
        """Do an action, which may have been begun by a run that was killed.

        Args:
            elapsed: seconds since it was begun first, on the database's clock.
        """
        try:
            return self._perform(action, elapsed)
        except Aborted as asked:
            return Outcome(ok=False, reason=str(asked))
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
            case Start(server, version):
                # A run that was killed may have started it, with a deploy script that does not look.
                self._stop(places[server])
                self.instances.start(places[server], version)
            case Smoke(server, version):
                self.instances.check(places[server], version)
            case Stop(server):
                self._stop(places[server])
            case Admit(server):
                self.target.admit(server)
            case Drain(server):
                return self._drain(server)
            case Split(shares):
                begun = time.monotonic()
                self.target.split(shares)
                return Outcome(ok=True, facts={"switch_seconds": round(time.monotonic() - begun, 4)})
            case Mirror(pool, percent):
                self.target.mirror(pool, percent)
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
        if not isinstance(action, Admit | Drain | Stop | Split | Mirror):
            return {}
        try:
            return asdict(self.target.look())
        except MigratorError as problem:
            return {"unknown": problem.message}

    def _drain(self, server: str) -> Outcome:
        """Three ends: nothing is left; time is over, and what is left is cut off or stays; somebody aborts."""
        self.target.drain(server)
        begun, limit = time.monotonic(), self.configuration.drain.timeout
        while left := self.target.look().servers[server].in_flight:
            if time.monotonic() - begun > limit:
                break
            wish = self.heard()
            if wish.what == "abort":
                self.target.admit(server)
                raise Aborted(str(wish))
            time.sleep(EVERY)
        facts = {"end": "timeout" if left else "empty", "seconds": round(time.monotonic() - begun, 3), "left": left}
        if not left:
            return Outcome(ok=True, facts=facts)
        said = f"{server} still works on {left} after {limit:g} s"
        if self.configuration.drain.then == "cut":
            self.target.cut(server)
            return Outcome(ok=True, reason=f"{said}: cut off", facts=facts)
        self.target.admit(server)
        return Outcome(ok=False, reason=said, facts=facts)

    def _watch(self, watch: Watch, elapsed: float) -> Outcome:
        """Wait, and judge meanwhile; ends early where somebody promotes or aborts, or the arm does badly."""
        begun = time.monotonic() - elapsed
        looked, judged = begun, Judgement("pass", "")
        while True:
            wish = self.heard()
            if wish.what == "abort":
                raise Aborted(str(wish))
            if wish.what.startswith("promote"):
                return Outcome(ok=True, reason=str(wish), facts={"verdict": "promoted", "heeded": True})
            passed = time.monotonic() - begun
            over = watch.seconds is not None and passed >= watch.seconds
            if watch.arm and self.analyst and (over or time.monotonic() - looked >= self.analyst.every):
                looked, judged = time.monotonic(), self.analyst.look(watch.arm, watch.against, passed)
                if judged.verdict == "fail":
                    return Outcome(ok=False, reason=judged.reason, facts={**judged.facts, "verdict": "fail"})
            if over:
                return Outcome(ok=True, reason=judged.reason, facts={**judged.facts, "verdict": judged.verdict})
            time.sleep(min(EVERY, max(0.0, watch.seconds - passed)) if watch.seconds is not None else EVERY)
