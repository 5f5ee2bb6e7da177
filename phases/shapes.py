"""Which builds may run: not above the ceiling, not below the floor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

MIGRATED = frozenset({"migrated", "contracting", "contracted", "purging", "purged"})
CONTRACTED = frozenset({"contracting", "contracted", "purging", "purged"})


@dataclass(frozen=True, slots=True)
class RevisionState:
    """How far a revision is. `additive`: a build may read its shape as soon as it is expanded."""

    state: str
    additive: bool = False

    @property
    def readable(self) -> bool:
        return self.state in MIGRATED or (self.additive and self.state == "expanded")


@dataclass(frozen=True, slots=True)
class BuildVerdict:
    """`missing`: revisions the build reads that are not ready. `gone`: contracts it does not survive."""

    allowed: bool
    missing: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    newest_safe: str | None = None


def judge_build(
    uses: str | None,
    survives: str | None,
    states: Mapping[str, RevisionState],
    ancestors: Mapping[str, frozenset[str]],
    applied: frozenset[str],
) -> BuildVerdict:
    """Say whether a build may run now.

    Args:
        uses: newest revision whose new shape the build uses; None: none.
        survives: newest revision whose contract it survives; None: none. Of one that nobody knows it survives nothing.
        states: revisions the ledger knows.
        ancestors: each revision's ancestors and itself, base first.
        applied: revisions Alembic has stamped; those the ledger does not know were run by Alembic.
    """
    needed = ancestors.get(uses, frozenset({uses})) if uses else frozenset()
    missing = tuple(
        name
        for name in dict.fromkeys([*ancestors, *([uses] if uses else [])])
        if name in needed and not (states[name].readable if name in states else name in applied)
    )
    survived = ancestors.get(survives, frozenset()) if survives else frozenset()
    gone = tuple(name for name, state in states.items() if state.state in CONTRACTED and name not in survived)
    safe = [name for name in ancestors if name in applied or (name in states and states[name].readable)]
    return BuildVerdict(not missing and not gone, missing, gone, safe[-1] if safe else None)
