"""What a rollout cost, from its actions on record: how much traffic the version had, how long taking it back took."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime

    from migrator.ledger.rollouts import ActionRecord
    from migrator.rollouts.plan import RolloutPlan, Toggle


def figures(plan: RolloutPlan, actions: Sequence[ActionRecord]) -> dict[str, Any]:
    """Figures of a rollout.

    `exposed_percent`: the largest share of the traffic that could reach the version; `switch_seconds`: the longest
    that a change of shares took; `rollback_seconds`: from the moment at which an action had failed until no
    request could reach the version any more; `held_seconds`: the longest that a request was held; `drains`: how many
    ended how. Of a flag, the version is the variant that users get.
    """
    shares = list(exposures(plan, actions))
    found: dict[str, Any] = {"exposed_percent": round(max((share for _, share in shares), default=0.0), 2)}
    switches = [facts_of(action).get("switch_seconds") for action in actions]
    if taken := [seconds for seconds in switches if seconds is not None]:
        found["switch_seconds"] = max(taken)
    held = [facts for facts in map(facts_of, actions) if "held_seconds" in facts]
    if held:
        found["held_seconds"] = max(facts["held_seconds"] for facts in held)
        found["held_requests"] = sum(facts.get("held_requests", 0) for facts in held)
    if ends := Counter(facts["end"] for facts in map(facts_of, actions) if "end" in facts):
        found["drains"] = dict(ends)
    failed = next((action.finished_at for action in actions if action.outcome and not action.outcome["ok"]), None)
    over = rolled_back_at(shares, failed) if failed is not None else None
    if failed is not None and over is not None:
        found["rollback_seconds"] = round((over - failed).total_seconds(), 3)
    return found


def rolled_back_at(shares: Sequence[tuple[datetime, float]], failed: datetime) -> datetime | None:
    """When the version had no traffic any more; None where it had none when the action failed, or has some still."""
    before = [share for moment, share in shares if moment <= failed]
    if not before or not before[-1]:
        return None
    return next((moment for moment, share in shares if moment > failed and not share), None)


def exposures(plan: RolloutPlan, actions: Sequence[ActionRecord]) -> Iterator[tuple[datetime, float]]:
    """The percent of the traffic that can reach the version after each action, and when that was so."""
    if plan.toggle is not None:
        yield from given(plan.toggle, actions)
        return
    versions = dict.fromkeys(plan.servers(plan.live), plan.previous)
    admitted = set(versions)
    shares: Mapping[str, float] = {plan.live: 100.0}
    for action in actions:
        if action.finished_at is None or not (action.outcome or {}).get("ok"):
            continue
        data = action.action
        match data["kind"]:
            case "Start":
                versions[data["server"]] = data["version"]
                admitted.discard(data["server"])
            case "Admit":
                admitted.add(data["server"])
            case "Drain" | "Stop":
                admitted.discard(data["server"])
            case "Split":
                shares = data["shares"]
        yield action.finished_at, sum(share * part(plan, pool, admitted, versions) for pool, share in shares.items())


def given(toggle: Toggle, actions: Sequence[ActionRecord]) -> Iterator[tuple[datetime, float]]:
    """The percent of the users who get the variant; a flag that could not be confirmed counts as set."""
    for action in actions:
        if action.finished_at is not None and action.action["kind"] == "Flag":
            yield action.finished_at, action.action["shares"].get(toggle.variant, 0.0)


def facts_of(action: ActionRecord) -> Mapping[str, Any]:
    found: Mapping[str, Any] = (action.outcome or {}).get("facts", {})
    return found


def part(plan: RolloutPlan, pool: str, admitted: set[str], versions: Mapping[str, str]) -> float:
    """The part of a pool that runs the version."""
    there = [server for server in plan.servers(pool) if server in admitted]
    return sum(versions.get(server) == plan.version for server in there) / len(there) if there else 0.0
