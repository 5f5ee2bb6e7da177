"""The gate's look at who is connected."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from phases.exposure import Consumer
from phases.gate_facts import Condition, Facts
from phases.sessions import Seen, Session, sort_out

NAME = "no session of an old build"
SHOWN = 5
"""Sessions that are named."""


def no_old_session(facts: Facts, *, strict: bool = False) -> Condition:
    """Whether no connected client says that it is of a build that the contract would break.

    A session that does not say whose it is shuts the gate only where the policy is strict.
    """
    if facts.sessions is None:
        return Condition(NAME, not strict, f"not observed: {facts.unseen}", observed=False)
    seen = sort_out(facts.sessions, builds(facts), tools(facts.consumers))
    blocking = [
        f"{title}: {named(found)}"
        for title, found in (
            ("of a build that does not survive the contract", seen.old),
            ("of a build that nobody recorded", seen.unrecorded),
        )
        if found
    ]
    unknown = unsaid(seen)
    holds = not blocking and not (strict and unknown)
    none = f"none of {len(facts.sessions)} sessions says that it is of one (app/version)"
    said = "; ".join([*(blocking or [none]), *unknown])
    return Condition(NAME, holds, said, "" if holds else remedy(facts, seen, strict), observed=not unknown or not holds)


def builds(facts: Facts) -> dict[str, dict[str, bool]]:
    """What was recorded last of each version; two artifacts of one version are as good as the worse."""
    latest: dict[tuple[str, str, str], bool] = {}
    for deployment in sorted(facts.deployments, key=lambda d: d.started_at):
        latest[deployment.application, deployment.version, deployment.digest] = deployment.clean
    found: dict[str, dict[str, bool]] = defaultdict(dict)
    for (application, version, _), clean in latest.items():
        found[application][version] = clean and found[application].get(version, True)
    for consumer in facts.consumers:
        if consumer.kind != "tool":
            found.setdefault(consumer.application, {})
    return found


def tools(consumers: Sequence[Consumer]) -> list[str]:
    return [c.application for c in consumers if c.kind == "tool" and c.retired_at is None]


def unsaid(seen: Seen) -> list[str]:
    """Sessions of which nothing is known, for people."""
    parts = [f"which build {named(seen.silent)} is of, its name does not say"] if seen.silent else []
    return parts + ([f"whose {named(seen.unknown)} is, nobody recorded"] if seen.unknown else [])


def remedy(facts: Facts, seen: Seen, strict: bool) -> str:
    parts = []
    if seen.old or seen.unrecorded:
        parts.append(f"stop those instances, or end a session that was left behind: {facts.ends_session}")
    if seen.unrecorded:
        parts.append("record what is live: migrator deploy record --app NAME --version VERSION")
    if strict and seen.silent:
        parts.append("let every build set its name: application_name=app/version")
    if strict and seen.unknown:
        parts.append("say who that is: migrator consumer add --app NAME --owner WHO, with --kind tool for tools")
    return "; ".join(parts)


def named(sessions: Sequence[Session]) -> str:
    more = f" and {len(sessions) - SHOWN} more" if len(sessions) > SHOWN else ""
    return ", ".join(map(str, sessions[:SHOWN])) + more
