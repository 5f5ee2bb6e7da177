"""Actions of a rollout, done: by the target, the servers, the records and the clock."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from migrator.errors import MigratorError
from migrator.rollouts.analysis.model import FAIL, INCONCLUSIVE, PASS, UNDECIDED, Analyst, Arm, Judgement, Looks
from migrator.rollouts.configuration import Configuration
from migrator.rollouts.draining import Drained
from migrator.rollouts.evaluating import Evaluator
from migrator.rollouts.flags import Flags
from migrator.rollouts.instances import Instances
from migrator.rollouts.model import (
    Action,
    Admit,
    Begin,
    Compare,
    Confine,
    Drain,
    Finish,
    Flag,
    Gauge,
    Look,
    Mark,
    MayRun,
    Mirror,
    Outcome,
    Settle,
    Smoke,
    Split,
    Start,
    Stop,
    Trial,
    Watch,
    Wish,
)
from migrator.rollouts.plan import RolloutPlan, Server
from migrator.rollouts.recording import Records
from migrator.rollouts.switching import switched
from migrator.rollouts.targets.base import Target

EVERY = 0.1


class Heard(Protocol):
    """What somebody asks of the rollout at this moment."""

    def __call__(self, *, wait: bool = True) -> Wish:
        """Ask. `wait`: for the end of a pause; else a pause is an answer."""


Judged = Callable[[Watch, Judgement], None]
"""Told what is said of an arm, at each look."""


class Trials(Protocol):
    """Does the actions of shadows and A/B tests, which wait in the world as every other does."""

    def start_command(self, role: str) -> str:
        """The command that starts a version in a role; empty: as every other."""

    def perform(self, action: Trial, elapsed: float, world: World) -> Outcome:
        """Do an action, which may have been begun by a run that was killed."""


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
    evaluator: Evaluator | None = None
    trials: Trials | None = None
    deaf: bool = False

    def __post_init__(self) -> None:
        for waiting in (self.target, self.instances, self.evaluator):
            if waiting is not None:
                waiting.attending = self.attend

    def attend(self) -> bool:
        """Whether somebody has paused; called while a server is waited for.

        Raises:
            Aborted: somebody asks to take the rollout back.
        """
        asked = Wish() if self.deaf else self.heard(wait=False)
        if asked.what == "abort":
            raise Aborted(asked)
        return asked.what == "pause"

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
        fleet = {server.name: server for server in self.plan.fleet}
        match action:
            case Begin():
                return self.records.begin(action.strategy)
            case Finish(_, status, strategy):
                return self.records.finish(status, strategy)
            case MayRun(version):
                return self.records.may_run(version)
            case Start(server, version) if "start" in self.target.can:
                self.target.start(server, version, lambda: self.heard(wait=False).what)
                self.instances.await_ready(fleet[server], version)
            case Start(server, version, role):
                # A run that was killed may have started it, with a deploy script that does not look.
                self._stop(fleet[server])
                self.instances.start(fleet[server], version, self.trials.start_command(role) if self.trials else "")
            case Smoke(server, version):
                return Outcome(
                    ok=True, facts={"checks": [asdict(ran) for ran in self.instances.check(fleet[server], version)]}
                )
            case Stop(server):
                self._stop(fleet[server])
            case Admit(server):
                self.target.admit(server)
            case Drain(server):
                return self._drain(server, elapsed)
            case Split(shares):
                return switched(self.target, self.plan, shares)
            case Mirror(pool, percent):
                self.target.mirror(pool, percent)
            case Flag() if self.flags is not None:
                return self._flag(action, self.flags)
            case Watch():
                return self._watch(action, elapsed)
            case Confine() | Gauge() | Compare() | Mark() | Look() if self.trials is not None:
                return self.trials.perform(action, elapsed, self)
            case Settle():
                pass
            case _:
                return Outcome(ok=False, reason=f"{type(action).__name__} is nothing that this target does")
        return Outcome(ok=True)

    def _stop(self, server: Server) -> None:
        self.target.remove(server.name)
        self.instances.stop(server)

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
        ended = Drained(self.target, server, self.configuration.drain, elapsed).until(lambda: self.heard(wait=False))
        if not ended.ok:
            self.deaf = True  # it has its traffic again before anybody hears of the abort that ended this
            try:
                self.target.admit(server)
            finally:
                self.deaf = False
        return ended

    def _flag(self, action: Flag, flags: Flags) -> Outcome:
        refused = self.records.may_select(action) if self.plan.toggle else ""
        if refused:
            return Outcome(ok=False, reason=refused)
        begun = time.monotonic()
        if self.evaluator is not None:
            self.evaluator.remember(action)
        flags.set(action.name, action.shares, action.segments, action.ahead)
        seen = self.evaluator.confirm(action) if self.evaluator is not None else {}
        return Outcome(ok=True, facts={"switch_seconds": round(time.monotonic() - begun, 4), **seen})

    def _watch(self, watch: Watch, elapsed: float) -> Outcome:
        if self.analyst is None or not watch.arm:
            return self.waited(watch, elapsed)
        with self.analyst.watch(*arms(self.plan, watch)) as looks:
            return self.waited(watch, elapsed, looks, self.analyst.every, self.analyst.patience)

    def waited(
        self,
        watch: Watch,
        elapsed: float,
        looks: Looks | None = None,
        every: float = 0.0,
        patience: float | None = None,
    ) -> Outcome:
        """Wait, and judge meanwhile; ends early where somebody promotes or aborts, or the arm does badly.

        Nothing passes because its time is over: the last look is taken then. While it is paused it does not end well,
        but the looks go on: users still feel what the version does.

        Args:
            every: seconds between two looks.
            patience: seconds to wait for a verdict; None: until somebody decides.
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
                ending = ended(watch, judged, patience, passed)
                if ending and not (paused and ending.ok):
                    return ending
            if over:
                return Outcome(ok=True, reason=judged.reason, facts=facts_of(judged))
            time.sleep(EVERY if paused or watch.seconds is None else min(EVERY, max(0.0, watch.seconds - passed)))


def ended(watch: Watch, judged: Judgement, patience: float | None, passed: float) -> Outcome | None:
    """How a verdict ends a watch before its time; None where it does not."""
    facts = facts_of(judged)
    if judged.verdict == FAIL:
        return Outcome(ok=False, reason=judged.reason, facts=facts)
    if not watch.until_judged:
        return None
    if judged.verdict not in UNDECIDED:
        return Outcome(ok=True, reason=judged.reason, facts=facts)
    if patience is None or passed < patience:
        return None
    return Outcome(ok=False, reason=f"no verdict within {patience:g} s: {judged.reason}", facts=facts)


def facts_of(judged: Judgement) -> dict[str, Any]:
    return {**judged.facts, "verdict": judged.verdict}


def arms(plan: RolloutPlan, watch: Watch) -> tuple[Arm, Arm | None]:
    """What is judged, and what it is compared with: pools of servers, or variants of a flag on the same servers."""
    if plan.toggle is not None:
        servers = plan.servers(plan.live)
        return Arm(watch.arm, watch.arm, servers), Arm(watch.against, watch.against, servers) if watch.against else None
    ours = watch.servers or plan.servers(watch.arm)
    arm = Arm(watch.arm, plan.version, ours)
    if not watch.against:
        return arm, None
    others = tuple(server for server in plan.servers(watch.against) if server not in ours)
    return arm, Arm(watch.against, plan.previous, others)
