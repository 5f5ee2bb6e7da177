"""Actions of shadows and A/B tests, done: what is asked, copied, compared and counted."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from migrator.rollouts.analysis.statistics import quantile
from migrator.rollouts.experiments.looking import ExperimentLooks, source_of
from migrator.rollouts.model import Compare, Confine, Gauge, Look, Mark, Outcome, Trial, Watch
from migrator.rollouts.performing import World, arms
from migrator.rollouts.probing import Probe
from migrator.rollouts.shadowing.comparing import Comparer
from migrator.rollouts.shadowing.confining import confined
from migrator.rollouts.shadowing.judging import LEAST, SHARE, ShadowLooks
from migrator.rollouts.strategies.shadow import ROLE

if TYPE_CHECKING:
    from migrator.rollouts.analysis.sources.base import Around
    from migrator.rollouts.experiments.model import Experiment
    from migrator.rollouts.shadowing.configuration import Shadowing

EVERY = 1.0
"""Seconds between looks at a shadow."""
MORE, ENOUGH = 3, 20.0
"""How many times as long as was said answers are timed where there are few, and for how many seconds at least."""


@dataclass(slots=True)
class Tried:
    """The trials of a rollout.

    Args:
        shadowing: of a shadow; None: there is none.
        experiment: of an A/B test; None: there is none.
    """

    around: Around
    shadowing: Shadowing | None = None
    experiment: Experiment | None = None
    probe: Probe = field(init=False)

    def __post_init__(self) -> None:
        self.probe = self.around.probe

    def start_command(self, role: str) -> str:
        """The command of the shadow, where one is started in that role."""
        return self.shadowing.start if self.shadowing is not None and role == ROLE else ""

    def perform(self, action: Trial, elapsed: float, world: World) -> Outcome:
        match action:
            case Confine() if self.shadowing is not None:
                return confined(self.shadowing, world.records.session, self.around.folder)
            case Gauge(seconds):
                return self._gauged(seconds, world)
            case Compare() if self.shadowing is not None:
                return self._compared(action, self.shadowing, elapsed, world)
            case Mark():
                return Outcome(ok=True, facts={"at": world.records.clock()})
            case Look() if self.experiment is not None:
                return self._looked(action, self.experiment, world)
        return Outcome(ok=False, reason=f"{type(action).__name__} is nothing that this rollout is configured for")

    def _waits(self, begun: float) -> Callable[[], list[float]]:
        """Seconds of the good answers that users have had since a moment."""
        return lambda: [sample.seconds for sample in self.probe.since(begun) if not sample.failed]

    def _gauged(self, seconds: float, world: World) -> Outcome:
        """Time answers; from the beginning where a run was killed at it, because what it had is gone."""
        begun = time.monotonic()
        answers, watch = self._waits(begun), Watch(seconds, why="answers are timed")
        waited = world.waited(watch, 0.0)
        while len(answers()) < LEAST and time.monotonic() - begun < max(MORE * seconds, ENOUGH):
            world.waited(replace(watch, seconds=min(seconds, EVERY)), 0.0)
        found = answers()
        if len(found) < LEAST:
            passed = time.monotonic() - begun
            said = f"the client of [probe] had {len(found)} answers in {passed:.0f} s, and {LEAST} are needed"
            return Outcome(ok=False, reason=f"{said}, to see whether users wait longer later")
        p95 = quantile(found, SHARE)
        return Outcome(ok=True, reason=waited.reason, facts={**waited.facts, "p95": p95, "answers": len(found)})

    def _compared(self, action: Compare, settings: Shadowing, elapsed: float, world: World) -> Outcome:
        plan = self.around.plan
        live, shadow = (
            [server for server in plan.fleet if server.pool == pool] for pool in (action.against, action.arm)
        )
        watch = Watch(action.seconds, action.arm, action.against, action.why, until_judged=action.until_judged)
        waits = self._waits(time.monotonic())
        with Comparer(settings, live, shadow, self.around.folder / settings.log) as comparer:
            looks = ShadowLooks(settings, comparer, action.p95, waits, plan.version)
            every = min(EVERY, settings.every * 2)
            return world.waited(watch, elapsed, looks, every, settings.patience)

    def _looked(self, action: Look, experiment: Experiment, world: World) -> Outcome:
        plan = self.around.plan
        rules = plan.rules.experiment
        assert rules is not None
        watch = Watch(None, action.arm, action.against, until_judged=True)
        variant, control = arms(plan, watch)
        assert control is not None
        guarding = world.analyst.watch(variant, control) if world.analyst is not None else nullcontext()
        with guarding as guard:
            looks = ExperimentLooks(
                experiment=experiment,
                rules=rules,
                source=source_of(experiment, self.around),
                number=action.number,
                passed=lambda: world.records.clock() - action.since,
                variant=variant,
                control=control,
                guard=guard,
            )
            every = min(experiment.every, world.analyst.every) if world.analyst is not None else experiment.every
            return world.waited(watch, 0.0, looks, every)
