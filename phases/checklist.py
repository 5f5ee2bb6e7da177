"""The checklist: what has to be so before a deployment or a contract, each with its evidence, its age and its result.

A waiver changes the result of an item that did not pass, and hides nothing of it; facts of this database cannot be
waived. The gate takes no waiver: it has overrides.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from phases.checklist_evidence import evidenced, show
from phases.checklist_facts import EVIDENCED, REPLICAS, WAIVABLE, Item, Known, Result, Waiver
from phases.gate_facts import Verdict

SAFE = ("expanding", "expanded", "migrating", "migrated", "contracted", "purged")
"""States in which both shapes are there, or one of them is gone for good: nothing is half taken away."""
NOBODY_LOOKED = Item(REPLICAS, Result.UNKNOWN, "nobody looked")
UNDER_WAY = ("expanding", "expanded", "migrating")


@dataclass(frozen=True, slots=True)
class Standing:
    """A revision that was begun. `verified`: migrate is over and found no row that differs; `set_aside`: rows."""

    state: str
    verified: bool = False
    set_aside: int = 0


@dataclass(frozen=True, slots=True)
class ListFacts:
    """Everything that the checklist looks at.

    Args:
        known: what was found outside of the database.
        revisions: that were begun, by name.
        gates: of revisions that wait for their contract.
        replicas: what is known of them, judged.
        altered: records that somebody changed by hand.
        revision: the one whose contract is meant; None: a deployment is.
    """

    known: Known
    revisions: Mapping[str, Standing] = field(default_factory=dict)
    gates: Mapping[str, Verdict] = field(default_factory=dict)
    replicas: Item = NOBODY_LOOKED
    altered: Sequence[str] = ()
    waivers: Sequence[Waiver] = ()
    revision: str | None = None


@dataclass(frozen=True, slots=True)
class Checklist:
    """What was found. `met`: nothing stands in the way; `unmet`: names of the items that do."""

    met: bool
    items: tuple[Item, ...]
    unmet: tuple[str, ...]
    notes: tuple[str, ...] = ()


def judge(facts: ListFacts, required: Iterable[str] = (), *, strict: bool = False) -> Checklist:
    """Judge every item, whatever the others say.

    Args:
        required: items that have to be known, too.
        strict: all have to be known.
    """
    items = [evidenced(name, facts.known) for name in EVIDENCED]
    items += [phase(facts), verification(facts), rows(facts), facts.replicas, records(facts)]
    items += [contract_gate(facts, facts.revision)] if facts.revision is not None else []
    judged = tuple(waived(item, facts) for item in items)
    demanded = {*required, *(("gate", "verification") if facts.revision is not None else ())}
    unmet = tuple(item.name for item in judged if stands_in_the_way(item, demanded, strict=strict))
    others = [] if facts.revision is not None else [one_line(name, gate) for name, gate in facts.gates.items()]
    return Checklist(not unmet, judged, unmet, tuple(others))


def stands_in_the_way(item: Item, demanded: Iterable[str], *, strict: bool) -> bool:
    if item.result is Result.UNKNOWN:
        return strict or item.name in demanded
    return item.result is Result.FAILED


def waived(item: Item, facts: ListFacts) -> Item:
    """An item with the newest waiver of it that is not over."""
    if item.result is Result.PASSED or item.name not in WAIVABLE:
        return item
    now = facts.known.now
    held = [each for each in facts.waivers if each.item == item.name and each.at <= now < each.until]
    return replace(item, result=Result.WAIVED, waiver=held[-1]) if held else item


def phase(facts: ListFacts) -> Item:
    """Whether every revision in flight is in expand or migrate, where old and new builds work."""
    half = [f"{name} is {standing.state}" for name, standing in facts.revisions.items() if standing.state not in SAFE]
    if half:
        remedy = "finish it: migrator apply; or take it back: migrator restore REVISION"
        return Item(
            "phase", Result.FAILED, f"a contract, or what takes one back, is half done: {', '.join(half)}", remedy
        )
    flying = [f"{name} {s.state}" for name, s in facts.revisions.items() if s.state in (*UNDER_WAY, "migrated")]
    return Item("phase", Result.PASSED, f"no contract is under way; in flight: {', '.join(flying) or 'none'}")


def verification(facts: ListFacts) -> Item:
    """Whether old and new shape were found equal."""
    meant = [name for name in facts.revisions if facts.revision in (None, name)]
    waiting = {name: facts.revisions[name] for name in meant if facts.revisions[name].state in (*UNDER_WAY, "migrated")}
    differ = [name for name, standing in waiting.items() if standing.state == "migrated" and not standing.verified]
    if differ:
        said = f"rows were not all compared: {', '.join(differ)}"
        return Item("verification", Result.FAILED, said, "migrator apply; see: migrator verify")
    early = [f"migrate of {name} is not over" for name, s in waiting.items() if s.state in UNDER_WAY]
    if early:
        return Item("verification", Result.UNKNOWN, ", ".join(early), "migrator apply")
    done = ", ".join(waiting)
    return Item("verification", Result.PASSED, f"at the end of migrate, of {done}" if done else "nothing to compare")


def rows(facts: ListFacts) -> Item:
    """Whether backfills could change every row."""
    aside = {name: standing.set_aside for name, standing in facts.revisions.items() if standing.set_aside}
    if aside:
        said = ", ".join(f"{count} of {name}" for name, count in aside.items())
        return Item("rows", Result.FAILED, f"set aside: {said}", "mend them, then: migrator retry REVISION")
    return Item("rows", Result.PASSED, "none is set aside")


def records(facts: ListFacts) -> Item:
    if facts.altered:
        said = ", ".join(facts.altered[:3]) + (f" and {len(facts.altered) - 3} more" if len(facts.altered) > 3 else "")
        return Item("records", Result.FAILED, said, "see: migrator audit verify")
    return Item("records", Result.PASSED, "as they were written")


def contract_gate(facts: ListFacts, revision: str) -> Item:
    gate = facts.gates.get(revision)
    if gate is None:
        state = facts.revisions[revision].state if revision in facts.revisions else "not started"
        result = Result.PASSED if state in ("contracted", "purged") else Result.FAILED
        return Item("gate", result, f"{revision} is {state}", "" if result is Result.PASSED else "migrator apply")
    said = one_line(revision, gate)
    return Item(
        "gate", Result.PASSED if gate.open else Result.FAILED, said, "" if gate.open else f"migrator gate {revision}"
    )


def one_line(revision: str, gate: Verdict) -> str:
    """The gate in one line: what is open still."""
    if gate.open:
        return f"the gate of {revision} is open"
    until = f" until {show(gate.opens_at)}" if gate.opens_at is not None else ""
    return f"the gate of {revision} is closed{until}: {', '.join(condition.name for condition in gate.failing)}"
