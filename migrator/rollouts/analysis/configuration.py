"""`[tool.migrator.rollout.analysis]`: the metrics with their limits, and where they are read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from migrator.rollouts.analysis.metrics import TIMED, kind, number, rate_limit
from migrator.rollouts.analysis.model import Metric, Rules
from migrator.rollouts.analysis.sources import NONE, SOURCES
from migrator.rollouts.analysis.statistics import needed
from migrator.rollouts.configuration import SECTION, fields_of, one_of, table
from migrator.setting_values import duration, share, whole

SURE = 0.5
"""Above this share of failures a limit is rather a share of successes that somebody has turned round."""
DEFAULT_MINIMUM = 100
"""Where no limit of failures says how many requests it takes."""

COMPLAINTS = Metric("complaints", "command", max=0.0)
"""What a command has that says with its exit code how an arm does."""

LIMITS = ("max", "min", "max_ratio", "min_ratio")


def flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def significance(value: object) -> float:
    found = number(value)
    if not 0 < found <= 0.5:
        raise ValueError(f"{found:g} is not a chance of a false alarm; write for example 0.01")
    return found


def objective(value: object) -> float:
    found = share(value)
    if not 0 < found < 1:
        raise ValueError(f'{value!r} leaves no error budget; write for example "99.9%"')
    return found


TOP: Mapping[str, Callable[[object], Any]] = {
    "source": one_of(*SOURCES, NONE),
    "every": duration,
    "window": duration,
    "minimum": whole,
    "tolerated": whole,
    "within": whole,
    "consecutive": whole,
    "patience": duration,
    "metrics": table,
    **dict.fromkeys(SOURCES, table),
}


def read(data: Mapping[str, Any]) -> Rules | None:
    """The rules of an analysis; None where `source = "none"` says that there is none.

    Raises:
        ValueError: saying what is wrong.
    """
    given = fields_of(f"[{SECTION}.analysis]", data, TOP)
    if given.get("source") == NONE:
        if set(given) != {"source"}:
            raise ValueError('source = "none" judges nothing, so leave the rest out')
        return None
    metrics = tuple(metric(name, table(limits), given) for name, limits in given.get("metrics", {}).items())
    if not metrics and given.get("source") == "command":
        metrics = (COMPLAINTS,)
    if not metrics:
        raise ValueError(
            'has no metric; write for example metrics.errors = { max = "1%" }, or source = "none" to judge nothing'
        )
    sources = {name: table(given.get(name, {})) for name in dict.fromkeys(each.source for each in metrics)}
    for name in set(SOURCES) & set(given) - set(sources):
        raise ValueError(f"{name}: nothing is read from it; name it as source")
    for name, settings in sources.items():
        SOURCES[name].check(settings)
    for each in metrics:
        refuse_unknown(each, sources[each.source])
    if all(each.max is None and each.min is None for each in metrics):
        raise ValueError(
            "metrics have no limit but that of a baseline, which there is not always, and which may do badly, too:"
            " give one of them a max"
        )
    chosen = {
        key: given[key] for key in ("every", "window", "tolerated", "within", "consecutive", "patience") if key in given
    }
    rules = Rules(metrics, sources, minimum=minimum(given, metrics, sources), **chosen)
    refuse_tolerance(rules)
    return rules


def metric(name: str, limits: Mapping[str, Any], given: Mapping[str, Any]) -> Metric:
    """One metric.

    Raises:
        ValueError: it has no limit, or one that cannot be meant.
    """
    found = fields_of(f"metrics.{name}", limits, readers(name))
    confirmed = found.pop("confirm", False)
    found.setdefault("source", given.get("source", ""))
    made = Metric(name, **found)
    if not made.source:
        raise ValueError(f"metrics.{name}: nothing says where it is read; source is one of {', '.join(SOURCES)}")
    if not set(limits) & set(LIMITS):
        raise ValueError(f"metrics.{name}: has no limit, so it could never fail; give it one of {', '.join(LIMITS)}")
    if name == "burn" and not made.objective:
        raise ValueError('metrics.burn: needs the objective that has the budget, as objective = "99.9%"')
    limit = rate_limit(made)
    if limit is not None and limit > SURE and not confirmed:
        raise ValueError(
            f"metrics.{name}: lets {limit * 100:.3g} % of the requests fail; if that is meant, and not the share that"
            " succeeds, add confirm = true"
        )
    if made.max_ratio is not None and not made.floor:
        raise ValueError(
            f"metrics.{name}: max_ratio needs a floor, up to which a value is never too much:"
            " as many times a baseline of nothing is nothing"
        )
    if name == "latency" and made.max_ratio is None:
        raise ValueError("metrics.latency: is compared with a baseline: give it max_ratio and floor, or limit p95")
    return made


def readers(name: str) -> Mapping[str, Callable[[object], Any]]:
    """What may be said of a metric."""
    value = kind(name).read
    found: dict[str, Callable[[object], Any]] = {
        "source": one_of(*SOURCES),
        "max": value,
        "min": value,
        "max_ratio": number,
        "min_ratio": number,
        "floor": value,
        "confirm": flag,
    }
    if name == "latency":
        found["significance"] = significance
    if name == "burn":
        found |= {"objective": objective, "short": duration}
    return found


def refuse_unknown(each: Metric, data: Mapping[str, Any]) -> None:
    """Refuse a metric that its source does not have."""
    offered = SOURCES[each.source].offers(data)
    if offered is None or each.name in offered:
        return
    others = [name for name in SOURCES if each.name in (SOURCES[name].offers({}) or ())]
    others += ["log"] if each.name in TIMED and each.source != "log" else []
    hint = f"; read it from {' or '.join(others)}" if others else ""
    known = ", ".join(sorted(offered)) or "none"
    raise ValueError(f"metrics.{each.name}: {each.source} does not have it: it has {known}{hint}")


def minimum(given: Mapping[str, Any], metrics: tuple[Metric, ...], sources: Mapping[str, Any]) -> int:
    """How many requests an arm needs to pass: at least as many as make the smallest limit of failures believable.

    Raises:
        ValueError: it is said to be fewer.
    """
    limits = [limit for each in metrics if (limit := rate_limit(each))]
    least = needed(min(limits)) if limits else 0
    said: int = given.get("minimum", least or DEFAULT_MINIMUM)
    for name, settings in sources.items():
        offered = SOURCES[name].offers(settings)
        if said and offered is not None and "traffic" not in offered:
            raise ValueError(
                f"{name}: does not count requests, so nothing says whether there were enough: add a query for requests,"
                " or write minimum = 0"
            )
    if said < least:
        raise ValueError(
            f"minimum: {said} requests say nothing of a limit of {min(limits) * 100:.3g} %: with no failure among them,"
            f" up to {300 / max(said, 1):.3g} % may fail; {least} are needed"
        )
    return said


def refuse_tolerance(rules: Rules) -> None:
    if rules.within <= rules.tolerated:
        raise ValueError(
            f"tolerated: {rules.tolerated} of the last {rules.within} looks is all of them; it could never fail"
        )
    if rules.consecutive > rules.tolerated:
        raise ValueError(
            f"consecutive: {rules.consecutive} in a row never come to pass, because it fails on {rules.tolerated + 1}"
            " in any order"
        )
