"""One look judged: readings in, a verdict with its reason out. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

from migrator.rollouts.analysis.metrics import AT_ONCE, kind, rate_limit, value_of
from migrator.rollouts.analysis.model import FAIL, INCONCLUSIVE, INSUFFICIENT, PASS, Judgement, Metric, Reading, Rules
from migrator.rollouts.analysis.statistics import chance, mann_whitney

ALARMS = 0.001
"""How unlikely failures have to be at the limit to fail an arm that has fewer requests than it needs to pass."""

SEVERITY = (PASS, INSUFFICIENT, INCONCLUSIVE, FAIL)


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known for one metric. `seconds`: how long a time it is of; `short`: the reading of its shorter span."""

    arm: Reading
    against: Reading | None = None
    seconds: float = 0.0
    short: Reading | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """A metric, judged. `value` and `baseline`: None where there is none."""

    metric: str
    verdict: str
    reason: str
    value: float | None = None
    baseline: float | None = None


def judge(rules: Rules, seen: Mapping[Metric, Seen]) -> Judgement:
    """The worst of what is found: `fail`, then `inconclusive`, then `insufficient_traffic`."""
    found = [judged(metric, rules.minimum, each) for metric, each in seen.items()]
    found += refusals(seen.values())
    return worst(found)


def worst(found: Sequence[Finding]) -> Judgement:
    if not found:
        return Judgement(INCONCLUSIVE, "nothing was judged")
    verdict = max((finding.verdict for finding in found), key=SEVERITY.index)
    reason = "; ".join(dict.fromkeys(finding.reason for finding in found if finding.verdict == verdict))
    return Judgement(verdict, reason, {"metrics": [asdict(finding) for finding in found]})


def refusals(seen: Iterable[Seen]) -> list[Finding]:
    """What sources that judge by themselves say."""
    said = dict.fromkeys(each.arm.refused for each in seen if each.arm.refused)
    return [Finding("", FAIL, reason) for reason in said]


def judged(metric: Metric, minimum: int, seen: Seen) -> Finding:
    """Judge one metric."""
    name, arm = metric.name, seen.arm
    if arm.problem:
        return Finding(name, INCONCLUSIVE, f"{name}: {arm.problem}")
    value = value_of(metric, arm, seen.seconds)
    if value is None and not few(metric, minimum, arm):
        return Finding(name, INCONCLUSIVE, f"{name}: {metric.source} has no value of it")
    if minimum and name not in AT_ONCE and arm.requests is None:
        return Finding(name, INCONCLUSIVE, f"{name}: {metric.source} does not say of how many requests it is", value)
    if value is None or few(metric, minimum, arm):
        return too_few(metric, minimum, arm, value)
    if problem := lasting(metric, value, seen):
        return Finding(name, FAIL, problem, value)
    return compared(metric, minimum, value, seen)


def few(metric: Metric, minimum: int, reading: Reading) -> bool:
    """Whether a reading is of too few requests to judge a metric from."""
    return metric.name not in AT_ONCE and reading.requests is not None and reading.requests < max(minimum, 1)


def too_few(metric: Metric, minimum: int, arm: Reading, value: float | None) -> Finding:
    """Fewer requests than it takes to pass; what fails can be certain before."""
    requests, errors, limit = arm.requests or 0, arm.errors or 0, rate_limit(metric)
    if limit is not None and chance(errors, requests, limit) < ALARMS:
        said = f"{errors} of {requests} requests failed, which a rate of {limit * 100:.3g} % does not explain"
        return Finding(metric.name, FAIL, said, value)
    return Finding(metric.name, INSUFFICIENT, f"{requests} requests, and {max(minimum, 1)} are needed to judge", value)


def beyond(metric: Metric, value: float) -> str:
    """Why a value is beyond the limits of its own; empty where it is not."""
    if metric.max is not None and value > metric.max:
        return f"{metric.name} {shown(metric, value)}, and {shown(metric, metric.max)} is the limit"
    if metric.min is not None and value < metric.min:
        return f"{metric.name} {shown(metric, value)}, and {shown(metric, metric.min)} is the least"
    return ""


def lasting(metric: Metric, value: float, seen: Seen) -> str:
    """The reason of a failure, unless the shorter span shows that it is over."""
    said = beyond(metric, value)
    if not metric.short or seen.short is None:
        return said
    recent = value_of(metric, seen.short, metric.short)
    return said if recent is not None and beyond(metric, recent) else ""


def compared(metric: Metric, minimum: int, value: float, seen: Seen) -> Finding:
    """Judge a value that is within its own limits by that of the baseline."""
    name, against = metric.name, seen.against
    if (metric.max_ratio is None and metric.min_ratio is None) or against is None:
        return Finding(name, PASS, f"{name} {shown(metric, value)}", value)
    if against.problem:
        return Finding(name, INCONCLUSIVE, f"{name} of the baseline: {against.problem}", value)
    if few(metric, minimum, against):
        said = f"the baseline has {against.requests} requests, and {max(minimum, 1)} are needed to compare"
        return Finding(name, INSUFFICIENT, said, value)
    baseline = value_of(metric, against, seen.seconds)
    if baseline is None:
        return Finding(name, INCONCLUSIVE, f"{name}: {metric.source} has no value of the baseline", value)
    said = f"{name} {shown(metric, value)}, and {shown(metric, baseline)} in the baseline"
    verdict = FAIL if apart(metric, value, baseline, seen.arm, against) else PASS
    return Finding(name, verdict, said, value, baseline)


def apart(metric: Metric, value: float, baseline: float, arm: Reading, against: Reading) -> bool:
    """Whether a value is too far from the baseline's.

    A ratio to a baseline of zero says nothing, so what is up to the floor is never too much, and what is above
    it is, where the baseline has nothing.
    """
    if metric.min_ratio is not None and value < metric.min_ratio * baseline:
        return True
    if metric.max_ratio is None or value <= metric.max_ratio * baseline:
        return False
    if metric.name != "latency":
        return value > metric.floor
    if value - baseline <= metric.floor:
        return False
    return mann_whitney(arm.latencies, against.latencies) < metric.significance


def shown(metric: Metric, value: float) -> str:
    return kind(metric.name).shown(value)
