"""What the running application makes of a flag: it is asked for many users, and has to answer as the flag was set."""

from __future__ import annotations

import http.client
import json
import math
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from migrator.rollouts.configuration import Configuration
from migrator.rollouts.instances import names
from migrator.rollouts.model import Flag
from migrator.rollouts.plan import Server
from migrator.rollouts.targets.base import TargetFailed

USERS = tuple(f"migrator-{number}" for number in range(1000))
"""Keys that it is asked for: so many that 1 % of them is not none."""
FEW = 20
"""Of them, for a segment, all of which get the same."""
DEVIATIONS = 4.0
"""How far, in standard deviations, what it evaluates may be from a share."""
SURELY = 9.0
"""A share that so many of the keys should have is not one that none of them has."""
EVERY = 0.2

Evaluated = Sequence[str]
"""Variants, one for each of the keys."""


@dataclass(slots=True)
class Evaluator:
    """Asks every server that has traffic.

    Args:
        url: of the application; named in braces is what commands may name, too.
        attending: called while it is waited; ends the wait by what it raises.
    """

    configuration: Configuration
    url: str
    servers: Sequence[Server]
    timeout: float
    attending: Callable[[], bool] = lambda: False
    before: dict[str, Evaluated] = field(default_factory=dict)
    seen: dict[str, Evaluated] = field(default_factory=dict)

    def remember(self, action: Flag) -> None:
        """Keep what is evaluated before the flag is set, to see who changes."""
        self.before = {}
        for server in self.servers:
            with suppress(TargetFailed):  # who does not answer is found out when the flag is set
                self.before[server.name] = self.ask(server, action.name)

    def confirm(self, action: Flag) -> dict[str, Any]:
        """Wait until every server evaluates a flag as it was set.

        Returns:
            Facts: percent by variant as it is evaluated, over all servers.

        Raises:
            TargetFailed: one does not in time, naming it and what it evaluates.
        """
        begun, late = time.monotonic(), 0.0
        while said := self._otherwise(action):
            if time.monotonic() - begun - late > self.timeout:
                raise TargetFailed(
                    f"after {self.timeout:g} s {said}", next_step="does the application watch the file, and that key?"
                )
            late += EVERY if self.attending() else 0.0
            time.sleep(EVERY)
        found = Counter(variant for evaluated in self.seen.values() for variant in evaluated)
        whole = sum(found.values()) or 1
        return {"evaluated": {variant: round(count * 100 / whole, 1) for variant, count in sorted(found.items())}}

    def _otherwise(self, action: Flag) -> str:
        """Which server evaluates the flag otherwise, and how; empty where none does."""
        for server in self.servers:
            try:
                self.seen[server.name] = found = self.ask(server, action.name)
                said = differs(found, action.shares, self.before.get(server.name, ())) or self._ahead(server, action)
            except TargetFailed as problem:
                said = problem.message
            if said:
                return f"{server.name}: {said}"
        return ""

    def _ahead(self, server: Server, action: Flag) -> str:
        """Why a segment does not get what it should."""
        for segment in action.segments if action.ahead else ():
            for value in segment.values:
                found = self.ask(server, action.name, {segment.attribute: value}, USERS[:FEW])
                if set(found) != {action.ahead}:
                    others = ", ".join(sorted(set(found) - {action.ahead}))
                    return f"users whose {segment.attribute} is {value} get {others} and not {action.ahead}"
        return ""

    def ask(
        self, server: Server, flag: str, context: Mapping[str, str] | None = None, keys: Sequence[str] = USERS
    ) -> Evaluated:
        """What a server evaluates.

        Raises:
            TargetFailed: it gives no answer, or another one than a variant for each key.
        """
        url = self.url.format_map(names(self.configuration, server, ""))
        asked = json.dumps({"flag": flag, "keys": keys, "context": context or {}}).encode()
        request = urllib.request.Request(url, asked, {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=self.timeout) as response:
                found = json.loads(response.read())["variants"]
                if len(found) != len(keys) or not all(isinstance(variant, str) for variant in found):
                    raise ValueError(f"not a variant for each of {len(keys)} keys")
        except urllib.error.HTTPError as problem:
            raise TargetFailed(f"{url} answers {problem.code}") from None
        except (OSError, http.client.HTTPException) as problem:
            raise TargetFailed(f"{url} does not answer: {problem}") from None
        except (ValueError, KeyError, TypeError) as problem:
            raise TargetFailed(f'{url} does not answer {{"variants": […]}}: {problem}') from None
        return list(found)


def differs(found: Evaluated, shares: Mapping[str, float], before: Evaluated = ()) -> str:
    """Why what is evaluated is not what was set; empty where it is.

    Args:
        shares: percent by variant.
        before: what the same keys had; who has a variant whose share has grown keeps it.
    """
    count, former, whole = Counter(found), Counter(before), len(found)
    if unknown := sorted(set(count) - set(shares)):
        return f"evaluates {', '.join(unknown)}, which nobody should have"
    for variant, share in shares.items():
        expected = whole * share / 100
        spread = DEVIATIONS * math.sqrt(expected * (1 - share / 100)) + (1 if 0 < share < 100 else 0)
        if abs(count[variant] - expected) > spread or (expected > SURELY and not count[variant]):
            return f"{count[variant] * 100 / whole:.1f} % get {variant}, and {share:g} % should"
    for variant in shares:
        lost = sum(was == variant != now for was, now in zip(before, found, strict=False))
        if lost and count[variant] > former[variant]:
            return f"{lost} of {whole} users lost {variant} while its share grew: is the key the same each time?"
    return ""
