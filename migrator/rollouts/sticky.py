"""How often the version changes that a user gets: each should move once to the one that goes live, and stay."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Users:
    """Users who are told apart, and the versions that they were given. An answer that names none is no change.

    Attributes:
        versions: of each user, one after the other, each time it was another one than before.
    """

    versions: dict[str, list[str]] = field(default_factory=dict)
    requests: int = 0
    failures: int = 0

    def note(self, user: str, version: str, *, failed: bool) -> None:
        self.requests += 1
        self.failures += failed
        had = self.versions.setdefault(user, [])
        if version and not failed and (not had or had[-1] != version):
            had.append(version)

    def facts(self) -> dict[str, Any]:
        """`arm_changes`: of how many users; `most` of one; `mean` of all; `back`: changes to one they had before."""
        if not self.requests:
            return {}
        changes = [max(0, len(had) - 1) for had in self.versions.values()]
        back = sum(len(had) - len(set(had)) for had in self.versions.values())
        of = {"users": len(changes), "most": max(changes), "mean": round(sum(changes) / len(changes), 2), "back": back}
        return {"arm_changes": of}
