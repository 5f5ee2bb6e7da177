"""Feature flags that choose between the shapes of a revision: which variants users may have, and what the gate says.

A flag has three variants. One reads and writes the old shape, one writes both and reads
the old one, one reads the new shape. A version that can select the old path is a build
that uses the old shape, whatever share of the users has it at this moment.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from phases.gate_facts import Looked, Reading
from phases.shapes import CONTRACTED, RevisionState

WITHOUT_OLD = CONTRACTED | {"restoring"}
WITH_BOTH = frozenset({"expanded", "migrating", "migrated"})
NAME = "no flag on the old path"


@dataclass(frozen=True, slots=True)
class Variants:
    """The variants of a flag by what they do with the shapes of its revision."""

    legacy: str
    dual: str
    new: str


@dataclass(frozen=True, slots=True)
class Selecting:
    """A version that a flag was moved in, and so can select each of its variants.

    Args:
        shares: percent of the users by variant, as they were set last.
        live: the version is.
        until: when it stopped being live.
    """

    flag: str
    application: str
    environment: str
    version: str
    shares: Mapping[str, float]
    live: bool
    until: datetime | None = None


def refusal(variants: Variants, revision: str, state: RevisionState, wanted: Sequence[str]) -> str:
    """Why nobody may be given some of the variants; empty where everybody may.

    Args:
        state: of the revision; `none` where it was not begun.
        wanted: the variants that somebody would have.
    """
    if variants.new in wanted and not state.readable:
        return f"{variants.new} is refused before {revision} is migrated: it is {said(state)}"
    if variants.dual in wanted and state.state not in WITH_BOTH:
        when = "once it is contracted" if state.state in WITHOUT_OLD else "before it is expanded"
        return f"{variants.dual} writes both shapes of {revision} and is refused {when}: it is {said(state)}"
    if variants.legacy in wanted and state.state in WITHOUT_OLD:
        return f"{variants.legacy} is refused once {revision} is contracted: it is {said(state)}"
    return ""


def needs(
    uses: str | None,
    survives: str | None,
    revision: str,
    below: str | None,
    ancestors: Mapping[str, frozenset[str]],
    *,
    new: bool,
) -> tuple[str | None, str | None]:
    """What a version needs while a flag chooses between the shapes of a revision: what it uses, and survives.

    Args:
        uses: what it needs without the flag; `survives` likewise.
        below: the revision that this one builds on.
        new: users get the variant that reads the new shape; else nobody does any more.
    """

    def within(name: str | None) -> bool:
        return name is not None and revision in ancestors.get(name, frozenset())

    if new and not within(uses):
        uses = revision
    elif not new and within(uses):
        uses = below
    return uses, below if within(survives) else survives


def said(state: RevisionState) -> str:
    return "not begun" if state.state == "none" else state.state


def reading(found: Sequence[Selecting]) -> Reading | None:
    """What the gate makes of the flags of a revision; None where it has none."""
    if not found:
        return None
    live = [each for each in found if each.live]
    if live:
        remedy = "deploy a version without the flag in its place; see: migrator rollout flags"
        return Reading(NAME, Looked.SEEN, "; ".join(map(able, live)), remedy)
    last = max((each.until for each in found if each.until is not None), default=None)
    names = ", ".join(dict.fromkeys(each.flag for each in found))
    return Reading(NAME, Looked.CLEAN, f"no version that is live has {names}", last_seen=last)


def able(each: Selecting) -> str:
    shares = ", ".join(f"{variant} {share:g} %" for variant, share in each.shares.items() if share)
    set_to = f", which is at {shares}" if shares else ""
    who = f"{each.application} {each.version} in {each.environment}"
    return f"{who} can select the old path by flag {each.flag}{set_to}"
