"""The looks of an A/B test: both arms counted from its beginning, whoever drives it by then."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from migrator.rollouts.analysis.model import FAIL, Arm, Judgement, Looks, Reading
from migrator.rollouts.analysis.sources import SOURCES
from migrator.rollouts.analysis.sources.base import Around, Kind
from migrator.rollouts.experiments.judging import judge
from migrator.rollouts.experiments.model import Arms, Counted, Experiment
from migrator.rollouts.plan import ExperimentRules


@dataclass(slots=True)
class ExperimentLooks:
    """Counts both arms at each look; what does harm by the rules of the analysis ends it at once.

    Args:
        number: of the look of the test that is waited for.
        passed: seconds since the test began.
        guard: looks of the analysis; None: there is none.
    """

    experiment: Experiment
    rules: ExperimentRules
    source: Kind
    number: int
    passed: Callable[[], float]
    variant: Arm
    control: Arm
    guard: Looks | None = None

    def look(self) -> Judgement:
        guarded = self.guard.look() if self.guard is not None else None
        if guarded is not None and guarded.verdict == FAIL:
            return replace(guarded, reason=f"the variant does harm: {guarded.reason}")
        seconds, self.source.until = self.passed(), time.time()
        limit = self.experiment.seconds
        arms = counted(self.source.read(self.control, seconds), self.source.read(self.variant, seconds))
        found = judge(self.experiment, self.rules, self.number, arms, over=limit is not None and seconds >= limit)
        return replace(found, facts={**found.facts, "version": self.variant.version})


def counted(control: Reading, variant: Reading) -> Arms:
    """Both arms, from what their source says."""
    found: dict[str, Counted] = {}
    for name, reading in (("control", control), ("variant", variant)):
        if problem := reading.problem or reading.refused:
            return Arms(problem=f"{name}: {problem}")
        missing = [key for key in ("users", "conversions") if key not in reading.values]
        if missing:
            return Arms(problem=f"{name}: the source does not say {' and '.join(missing)}")
        found[name] = Counted(round(reading.values["users"]), round(reading.values["conversions"]))
    return Arms(found["control"], found["variant"])


def source_of(experiment: Experiment, around: Around) -> Kind:
    """What counts.

    Raises:
        ValueError: it has nothing to read from.
    """
    return SOURCES[experiment.source](experiment.reads, around)
