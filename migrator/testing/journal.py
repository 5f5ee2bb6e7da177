"""What is seen while both versions live through a migration: moments, and which statements failed in which."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from migrator.testing.advice import advice
from migrator.testing.statements import Failure, Statement

SHOWN = 5
"""Failing statements that are shown in full."""

BELOW = "\n          "
"""Where what belongs to a line goes on."""


@dataclass
class Failing:
    """A statement that failed, with the first error and every moment in which it failed."""

    version: str
    first: Failure
    moments: set[int] = field(default_factory=set)


class Journal:
    """Moments in order, and what failed in each.

    Args:
        revision: what is tried.
        does: the statements of each version.
    """

    def __init__(self, revision: str, does: Mapping[str, Sequence[Statement]]) -> None:
        self.revision, self.does = revision, does
        self.moments: list[str] = []
        self.asked: dict[str, set[int]] = {version: set() for version in does}
        self.failing: dict[tuple[str, int, str], Failing] = {}
        self.rounds = 0
        self.lock = threading.Lock()

    def begin(self, moment: str) -> None:
        """A moment begins: whatever fails from here on fails in it. One in a row of the same name is the same."""
        with self.lock:
            if not self.moments or self.moments[-1] != moment:
                self.moments.append(moment)

    def round(self, version: str, work: Callable[[], Failure | None]) -> None:
        """Do a round of a version, and keep what failed in it.

        A failure counts where the round ended; where it began if it failed there already: what ends it came later.
        """
        with self.lock:
            began = len(self.moments) - 1
        failure = work()
        with self.lock:
            self.rounds += 1
            here = len(self.moments) - 1
            if failure is not None:
                key = (version, failure.statement, failure.code)
                failed = self.failing.setdefault(key, Failing(version, failure)).moments
                here = began if began in failed else here
                failed.add(here)
            self.asked[version].add(here)

    def report(self) -> str:
        """Every failing statement: where it fails first and last, with what, and what to do."""
        shown = list(self.failing.values())
        parts = [f"{self.revision} breaks {self.broken()}"]
        parts += [self.described(each) for each in shown[:SHOWN]]
        if len(shown) > SHOWN:
            parts.append(f"and {len(shown) - SHOWN} more")
        return "\n\n".join(parts)

    def broken(self) -> str:
        versions = sorted({each.version for each in self.failing.values()}, reverse=True)
        return " and ".join(f"the {version} version" for version in versions)

    def described(self, failing: Failing) -> str:
        does, place = self.does[failing.version], failing.first.statement
        first = min(failing.moments)
        worked = [n for n in self.asked[failing.version] if n < first]
        return "\n".join(
            [
                f"{failing.version} version, statement {place + 1} of {len(does)}: {does[place]}",
                f"  fails   {self.stretch(failing)}",
                f"  with    {failing.first.said}",
                f"  worked  {f'last {self.moments[max(worked)]}' if worked else 'never before'}",
                f"  to do   {advice(failing.version, failing.first.code)}",
            ]
        )

    def stretch(self, failing: Failing) -> str:
        """From when to when a statement fails, of the moments in which it was asked."""
        first = min(failing.moments)
        sound = [n for n in self.asked[failing.version] - failing.moments if n > first]
        lines = [self.moments[first]]
        if not sound:
            return BELOW.join([*lines, "and from there on"] if len(failing.moments) > 1 else lines)
        last = max(n for n in failing.moments if n < min(sound))
        lines += [f"until {self.moments[last]}"] if last != first else []
        lines.append(f"works again {self.moments[min(sound)]}")
        lines += ["and fails once more later"] if max(failing.moments) > min(sound) else []
        return BELOW.join(lines)
