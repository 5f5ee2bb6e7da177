"""The course of an experiment: baseline, command, fault, restore, what holds afterwards, verdict. Does nothing itself.

A generator that yields what it wants done and is sent how it went. Whoever drives it
takes faults away at the end whatever happens; that does not depend on this.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping

from migrator.chaos.model import (
    Action,
    Again,
    Answers,
    Await,
    Finish,
    Inject,
    Launch,
    Look,
    Machine,
    Outcome,
    Probe,
    Restore,
    Verdict,
)


def experiment(faults: int, *, command: bool, afterwards: bool) -> Machine:
    """An experiment with so many faults.

    Args:
        command: whether something runs meanwhile.
        afterwards: whether something has to succeed once all is restored.
    """
    calm = yield Look("baseline")
    if not calm.ok:
        return Verdict("refused", f"the hypothesis does not hold before anything is done: {calm.reason}")
    if command:
        launched = yield Launch()
        if not launched.ok:
            return Verdict("failed", launched.reason)
    due = yield Await()
    if not due.ok:
        if command:
            yield Finish()
        return Verdict("inconclusive", due.reason)
    begun, wrong, unrestored, untouched = yield from faulty(faults)
    ended = (yield Finish()) if command else Outcome(ok=True)
    later = (yield Again()) if afterwards else Outcome(ok=True)
    after = yield Look("after")
    if unrestored:
        return Verdict("not_restored", "; ".join(unrestored))
    if wrong:
        return Verdict("failed", wrong)
    if untouched:
        return Verdict("inconclusive", "; ".join(untouched))
    broken = [outcome.reason for outcome in (begun, ended, later, after) if not outcome.ok]
    return Verdict("broken", "; ".join(broken)) if broken else Verdict("held", "the hypothesis held")


def faulty(faults: int) -> Generator[Action, Outcome, tuple[Outcome, str, list[str], list[str]]]:
    """Have the faults begin, look, and take away each that may have begun, the last one first.

    Returns:
        What was seen; why a fault could not begin; what was not restored; faults that nothing felt.
    """
    begun, wrong, seen = 0, "", Outcome(ok=True)
    for number in range(faults):
        begun = number + 1
        injected = yield Inject(number)
        if not injected.ok:
            wrong = injected.reason
            break
    if not wrong:
        seen = yield Look("fault")
    unrestored, untouched = [], []
    for number in reversed(range(begun)):
        restored = yield Restore(number)
        if not restored.ok:
            unrestored.append(restored.reason)
        elif not restored.facts.get("touched", 1):
            untouched.append(f"nothing felt the fault: {restored.facts.get('what', number)}")
    return seen, wrong, unrestored, untouched


def held(stage: str, probes: tuple[Probe, ...], answers: Mapping[str, Answers], recovered: set[str]) -> Outcome:
    """Whether the hypothesis held in a stage.

    Before the fault every answer is good; while it lasts as many as each probe says; afterwards each becomes good.

    Args:
        recovered: probes whose newest answer was good.
    """
    wrong = []
    for probe in probes:
        found = answers[probe.name]
        said = f"{probe.name}: {found.failed} of {found.asked} answers bad ({found.problem})"
        if stage == "after" and probe.name not in recovered:
            wrong.append(f"{probe.name} is not good again: {found.problem}")
        elif stage == "fault" and found.failed > probe.tolerated * found.asked:
            wrong.append(f"{said}, {probe.tolerated:.0%} tolerated")
        elif stage == "baseline" and found.failed:
            wrong.append(said)
    return Outcome(ok=not wrong, reason="; ".join(wrong))
