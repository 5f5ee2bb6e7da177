"""Whether two answers to one request are the same, but for what differs anyway. Pure."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from migrator.rollouts.shadowing.configuration import Shadowing


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered. `status` 0: nothing, for a `problem`."""

    status: int
    body: bytes = b""
    seconds: float = 0.0
    problem: str = ""

    def facts(self, settings: Shadowing) -> dict[str, Any]:
        """It as the log of differences has it: nothing of what it says, which may be about people."""
        found = {"status": self.status, "bytes": len(self.body), "seconds": round(self.seconds, 4)}
        if self.problem:
            return {**found, "problem": self.problem}
        return {**found, "digest": hashlib.sha256(canonical(self.body, settings).encode()).hexdigest()[:16]}


def difference(live: Answer, shadow: Answer, settings: Shadowing) -> str:
    """How a shadow's answer differs from the live one; empty where it does not."""
    if live.status != shadow.status:
        return f"status {shadow.status or shadow.problem} instead of {live.status}"
    if not settings.body:
        return ""
    ours, theirs = canonical(shadow.body, settings), canonical(live.body, settings)
    if ours == theirs:
        return ""
    first, second = parsed(live.body), parsed(shadow.body)
    if isinstance(first, dict | list) and isinstance(second, dict | list):
        place = where(stripped(first, settings.ignored), stripped(second, settings.ignored))
        return f"body: {place or 'the order of its fields'}"
    return f"body: {len(shadow.body)} bytes instead of {len(live.body)}, or other ones"


def canonical(body: bytes, settings: Shadowing) -> str:
    """A body without what is ignored, its fields in one order."""
    data = parsed(body)
    text = body.decode(errors="replace")
    if isinstance(data, dict | list):
        text = json.dumps(stripped(data, settings.ignored), sort_keys=True, ensure_ascii=False)
    for pattern in settings.patterns:
        text = re.sub(pattern, "", text)
    return text


def parsed(body: bytes) -> Any:
    """The data of a JSON answer; None of another one."""
    if body[:1] not in (b"{", b"["):
        return None
    try:
        return json.loads(body)
    except ValueError:
        return None


def stripped(data: Any, ignored: Sequence[Sequence[str]]) -> Any:
    """Data without fields; a list is looked through as each of its items."""
    if isinstance(data, list):
        return [stripped(item, ignored) for item in data]
    if not isinstance(data, Mapping):
        return data
    kept = {}
    for name, value in data.items():
        below = [path[1:] for path in ignored if path and path[0] in (name, "*")]
        if () not in [tuple(path) for path in below]:
            kept[name] = stripped(value, below)
    return kept


def where(live: Any, shadow: Any, path: str = "") -> str:
    """The first place where data differs; empty where it is the same."""
    if isinstance(live, Mapping) and isinstance(shadow, Mapping):
        for name in sorted({*live, *shadow}):
            below = f"{path}.{name}" if path else str(name)
            if name not in live or name not in shadow:
                return f"{below} is {'missing' if name not in shadow else 'added'}"
            if found := where(live[name], shadow[name], below):
                return found
        return ""
    if isinstance(live, list) and isinstance(shadow, list):
        if len(live) != len(shadow):
            return f"{path or 'it'} has {len(shadow)} items instead of {len(live)}"
        return next(
            (
                found
                for place, pair in enumerate(zip(live, shadow, strict=True))
                if (found := where(*pair, f"{path}[{place}]"))
            ),
            "",
        )
    return "" if live == shadow and type(live) is type(shadow) else f"{path or 'it'} is another"
