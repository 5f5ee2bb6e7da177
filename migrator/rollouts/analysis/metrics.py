"""The metrics by name: what each is measured in, and which sources have it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from migrator.rollouts.analysis.model import Metric, Reading
from migrator.rollouts.analysis.statistics import burn, quantile
from migrator.setting_values import lag, share


def number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{value!r} is not a number")
    return float(value)


@dataclass(frozen=True, slots=True)
class Kind:
    """`read` reads a limit as it is written; `shown` writes a value for people."""

    read: Callable[[object], float]
    shown: Callable[[float], str]


def milliseconds(value: float) -> str:
    return f"{value * 1000:.3g} ms" if value < 1 else f"{value:.3g} s"


SHARE = Kind(share, lambda value: f"{value * 100:.3g} %")
SECONDS = Kind(lag, milliseconds)
NUMBER = Kind(number, lambda value: f"{value:.4g}")
QUANTILES: Mapping[str, float] = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
KINDS: Mapping[str, Kind] = {
    "errors": SHARE,
    **dict.fromkeys(QUANTILES, SECONDS),
    "average": SECONDS,
    "latency": SECONDS,
    "saturation": SHARE,
    "traffic": NUMBER,
    "burn": NUMBER,
}
"""Those with a meaning of their own; every other name is a number that a query or a command gives.

errors: share of the requests that failed; average: seconds in the mean; latency: all samples, compared with the
baseline's by rank; saturation: share of what can be worked on at once; traffic: requests a second; burn: how many
times as fast as planned the error budget is used up.
"""
COUNTED = {"errors", "traffic", "burn"}
"""Metrics that are computed from counts of requests."""
TIMED = frozenset({*QUANTILES, "average", "latency"})
"""Metrics that are computed from the latencies of single requests."""
AT_ONCE = {"traffic", "saturation", "complaints"}
"""Metrics that mean the same however few requests there are."""


def kind(name: str) -> Kind:
    return KINDS.get(name, NUMBER)


def rate_limit(metric: Metric) -> float | None:
    """The share of failed requests that a metric limits; None where it limits none."""
    if metric.max is None:
        return metric.floor or None if metric.name == "errors" else None
    if metric.name == "burn":
        return metric.max * (1 - metric.objective)
    return metric.max if metric.name == "errors" else None


def value_of(metric: Metric, reading: Reading, seconds: float) -> float | None:
    """A metric as a reading has it; None where it has not.

    Args:
        seconds: how long a time the reading is of.
    """
    if metric.name in reading.values:
        return reading.values[metric.name]
    counted = reading.requests is not None and (reading.errors is not None or metric.name == "traffic")
    if metric.name in COUNTED and counted:
        return _counted(metric, reading.requests or 0, reading.errors or 0, seconds)
    if metric.name in QUANTILES and reading.latencies:
        return quantile(reading.latencies, QUANTILES[metric.name])
    if metric.name == "average" and reading.latencies:
        return sum(reading.latencies) / len(reading.latencies)
    if metric.name == "latency" and reading.latencies:
        return quantile(reading.latencies, 0.5)
    return None


def _counted(metric: Metric, requests: int, errors: int, seconds: float) -> float | None:
    if metric.name == "traffic":
        return requests / seconds if seconds > 0 else None
    if not requests:
        return None
    return errors / requests if metric.name == "errors" else burn(errors, requests, metric.objective)
