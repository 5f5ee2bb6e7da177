"""The analyst: reads what the rules name, at each look, and has it judged."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from migrator.rollouts.analysis.judging import Seen, judge
from migrator.rollouts.analysis.model import Arm, Judgement, Looks, Metric, Reading, Rules, Source
from migrator.rollouts.analysis.sources import SOURCES
from migrator.rollouts.analysis.sources.base import Around
from migrator.rollouts.analysis.tolerance import together


@dataclass(frozen=True, slots=True)
class RuleAnalyst:
    """Judges by rules. `sources`: by name."""

    rules: Rules
    sources: Mapping[str, Source]

    @property
    def every(self) -> float:
        return self.rules.every

    @property
    def patience(self) -> float | None:
        return self.rules.patience

    @contextmanager
    def watch(self, arm: Arm, against: Arm | None) -> Iterator[Looks]:
        try:
            for source in self.sources.values():
                source.begin()
            yield Watching(self.rules, self.sources, arm, against, time.monotonic())
        finally:
            for source in self.sources.values():
                source.end()


@dataclass(slots=True)
class Watching:
    """The looks of a watch, of which the newest are kept."""

    rules: Rules
    sources: Mapping[str, Source]
    arm: Arm
    against: Arm | None
    begun: float
    judged: list[Judgement] = field(default_factory=list)
    count: int = 0

    def look(self) -> Judgement:
        passed = time.monotonic() - self.begun
        seconds = min(passed, self.rules.window) if self.rules.window else passed
        read = Read(self.sources)
        seen = {}
        for metric in self.rules.metrics:
            relative = metric.max_ratio is not None or metric.min_ratio is not None
            seen[metric] = Seen(
                arm=read.of(metric, self.arm, seconds),
                against=read.of(metric, self.against, seconds) if relative and self.against else None,
                seconds=seconds,
                short=read.of(metric, self.arm, min(passed, metric.short)) if metric.short else None,
            )
        self.count += 1
        self.judged = [*self.judged, judge(self.rules, seen)][-self.rules.within :]
        found = together(self.rules, self.judged)
        facts = {"looks": self.count, "requests": read.requests(self.arm), "version": self.arm.version}
        return replace(found, facts={**found.facts, **facts})


@dataclass(frozen=True, slots=True)
class Read:
    """What was read for one look: of each source once for each arm and span."""

    sources: Mapping[str, Source]
    known: dict[tuple[str, Arm, float], Reading] = field(default_factory=dict)

    def of(self, metric: Metric, arm: Arm, seconds: float) -> Reading:
        key = (metric.source, arm, seconds)
        if key not in self.known:
            self.known[key] = self.sources[metric.source].read(arm, seconds)
        return self.known[key]

    def requests(self, arm: Arm) -> int:
        """The most that any source counted for an arm."""
        return max((found.requests or 0 for (_, of, _), found in self.known.items() if of == arm), default=0)


def analyst(rules: Rules | None, around: Around) -> RuleAnalyst | None:
    """What judges by some rules; None where nothing is judged.

    Raises:
        ValueError: a source has nothing to read from.
    """
    if rules is None:
        return None
    return RuleAnalyst(rules, {name: SOURCES[name](data, around) for name, data in rules.sources.items()})
