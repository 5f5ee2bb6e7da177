"""What several strategies do."""

from __future__ import annotations

from collections.abc import Generator, Iterable

from migrator.rollouts.analysis.model import UNDECIDED
from migrator.rollouts.model import (
    Action,
    Admit,
    Drain,
    Ending,
    Failed,
    Finish,
    Machine,
    MayRun,
    Outcome,
    Part,
    Settle,
    Smoke,
    Start,
    Stop,
    Watch,
    do,
)
from migrator.rollouts.plan import RolloutPlan


def ready(server: str, version: str) -> Part:
    """Have a version ready, and checked, on a server that has no traffic."""
    yield from do(Start(server, version))
    return (yield from do(Smoke(server, version)))


def watched(seconds: float | None, arm: str, against: str, why: str, servers: tuple[str, ...] = ()) -> Part:
    """Watch, and wait on where there was too little to judge from: for data, or for people who decide."""
    if seconds == 0:
        return Outcome(ok=True)
    outcome = yield from do(Watch(seconds, arm, against, why, servers))
    if outcome.facts.get("verdict") in UNDECIDED:
        unsure = f"{why}: {outcome.reason}"
        return (yield from do(Watch(None, arm, against, unsure, servers, until_judged=True)))
    return outcome


def retired(servers: Iterable[str]) -> list[tuple[Action, ...]]:
    """What ends servers that get no more traffic."""
    return [(Drain(server), Stop(server)) for server in servers]


def finished(plan: RolloutPlan, groups: Iterable[Iterable[Action]]) -> Machine:
    """End what the version has made needless; what goes wrong there takes nothing back."""
    yield Settle(f"all traffic is on {plan.version}")
    wrong = yield from each(groups)
    yield Finish(plan.version, "succeeded")
    return Ending("succeeded", f"but {'; '.join(wrong)}" if wrong else "")


def each(groups: Iterable[Iterable[Action]]) -> Generator[Action, Outcome, list[str]]:
    """Ask for every group; the rest of one is left out when one of its actions fails. Returns what went wrong."""
    wrong = []
    for group in groups:
        for action in group:
            outcome = yield action
            if not outcome.ok:
                wrong.append(outcome.reason)
                break
    return wrong


def taken_back(plan: RolloutPlan, problem: Failed, groups: Iterable[Iterable[Action]], *, exposed: bool) -> Machine:
    """Take back what was done, unless the version before may not run any more.

    Args:
        groups: what takes it back, each done whatever became of the others.
        exposed: whether the new version may have had traffic.
    """
    reason = problem.outcome.reason
    allowed = yield MayRun(plan.previous)
    if not allowed.ok:
        yield Finish(plan.version, "failed")
        return Ending("held", f"{reason}; not taken back: {allowed.reason}")
    wrong = yield from each(groups)
    yield Finish(plan.version, "failed" if wrong else "rolled_back")
    if wrong:
        return Ending("failed", f"{reason}; taking it back: {'; '.join(wrong)}")
    return Ending("rolled_back", reason if exposed else f"{reason}; no request has reached {plan.version}")


def replaced(server: str, version: str) -> tuple[Action, ...]:
    """A server with another version, while others have its traffic."""
    return Drain(server), Start(server, version), Smoke(server, version), Admit(server)
