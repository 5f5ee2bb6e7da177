"""Readings of HAProxy's statistics, by its socket: counts of each server, which begin again with every reload.

A request that a server left without an answer is no 5xx of that server: `eresp` and
`econ` have it. What HAProxy does not count at all only a client sees. There are no
histograms: latencies are read from elsewhere.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from migrator.errors import MigratorError
from migrator.rollouts.analysis.model import Arm, Reading
from migrator.rollouts.analysis.sources.base import Around, Kind
from migrator.rollouts.configuration import fields_of
from migrator.rollouts.targets.haproxy import HAProxy

HAS = frozenset({"errors", "burn", "traffic", "saturation"})
ANSWERED = ("hrsp_1xx", "hrsp_2xx", "hrsp_3xx", "hrsp_4xx", "hrsp_5xx", "hrsp_other")
UNANSWERED = ("eresp", "econ")


@dataclass(frozen=True, slots=True)
class Counts:
    """Of one server. `limit`: how many it may work on at once; 0: there is none."""

    requests: int
    errors: int
    busy: int = 0
    limit: int = 0


class Statistics(Kind):
    """Counts of the servers of an arm since the beginning of a watch."""

    def __init__(self, data: Mapping[str, Any], around: Around) -> None:
        if not isinstance(around.target, HAProxy):
            raise ValueError("source haproxy: is for the target haproxy only; take probe, log, prometheus or command")
        self.target = around.target
        self.kept: list[tuple[float, Mapping[str, Counts], Mapping[str, Counts]]] = []

    @staticmethod
    def check(data: Mapping[str, Any]) -> None:
        fields_of("haproxy of the analysis", data, {})

    @staticmethod
    def offers(_: Mapping[str, Any]) -> frozenset[str]:
        return HAS

    def begin(self) -> None:
        self.kept = []
        self._keep()

    def _keep(self) -> str:
        """Look at the counters; why that cannot be."""
        try:
            found = counts(self.target.ask("show stat"), self.target.backends.values())
        except MigratorError as problem:
            return problem.message
        nothing: Mapping[str, Counts] = {}
        _, last, total = self.kept[-1] if self.kept else (0.0, nothing, nothing)
        self.kept.append((time.monotonic(), found, onwards(total, last, found)))
        return ""

    def read(self, arm: Arm, seconds: float) -> Reading:
        if problem := self._keep():
            return Reading(problem=problem)
        now, found, total = self.kept[-1]
        former = next((each for at, _, each in reversed(self.kept) if at <= now - seconds), self.kept[0][2])
        return reading(arm.servers, former, total, found)


def counts(statistics: str, backends: Iterable[str]) -> dict[str, Counts]:
    """The servers of some backends, from the answer to `show stat`."""
    header, *lines = statistics.splitlines()
    names, wanted = header.lstrip("# ").split(","), set(backends)
    found = {}
    for line in lines:
        row = dict(zip(names, line.split(","), strict=False))
        if row.get("pxname") not in wanted or row["svname"] in ("BACKEND", "FRONTEND"):
            continue
        unanswered = sum(int(row[name] or 0) for name in UNANSWERED)
        found[row["svname"]] = Counts(
            requests=sum(int(row[name] or 0) for name in ANSWERED) + unanswered,
            errors=int(row["hrsp_5xx"] or 0) + unanswered,
            busy=int(row["scur"] or 0),
            limit=int(row["slim"] or 0),
        )
    return found


def onwards(total: Mapping[str, Counts], last: Mapping[str, Counts], found: Mapping[str, Counts]) -> dict[str, Counts]:
    """Totals that go on where counters began again: what is below what it was is all since then."""
    totals = {}
    for name, now in found.items():
        before, so_far = last.get(name, now), total.get(name, Counts(0, 0))
        again = now.requests < before.requests
        requests = now.requests if again else now.requests - before.requests
        errors = now.errors if again else now.errors - before.errors
        totals[name] = Counts(so_far.requests + requests, so_far.errors + errors)
    return totals


def reading(
    servers: Iterable[str], former: Mapping[str, Counts], total: Mapping[str, Counts], found: Mapping[str, Counts]
) -> Reading:
    """What some servers did between two looks; the busiest of them says how busy the arm is."""
    names = list(servers)
    if unknown := [name for name in names if name not in found]:
        return Reading(problem=f"HAProxy has no statistics of {', '.join(unknown)}")
    none = Counts(0, 0)
    busy = [found[name].busy / found[name].limit for name in names if found[name].limit]
    return Reading(
        requests=sum(total[name].requests - former.get(name, none).requests for name in names),
        errors=sum(total[name].errors - former.get(name, none).errors for name in names),
        values={"saturation": max(busy)} if busy else {},
        problem="" if names else "the arm has no server",
    )
