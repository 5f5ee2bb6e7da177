"""Rollouts of the ledger: what was begun, each action before it was taken, and how it went."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, select, update

from migrator.ledger import store, tables
from migrator.ledger.types import NOW

if TYPE_CHECKING:
    from sqlalchemy import Connection

rollouts = tables.rollouts
actions = tables.rollout_actions
COLUMNS = [
    rollouts.c[name]
    for name in "id application environment version status plan wish said facts started_at finished_at actor".split()
]
TAKEN = [actions.c[name] for name in "position action before outcome started_at finished_at".split()]
SINCE = 5
"""Version of the ledger that has these tables first."""


@dataclass(frozen=True, slots=True)
class RolloutRecord:
    """`wish`: what somebody asks of its controller: empty, `pause`, `promote`, `promote all` or `abort`."""

    id: int
    application: str
    environment: str
    version: str
    status: str
    plan: Mapping[str, Any]
    wish: str
    said: str
    facts: Mapping[str, Any]
    started_at: datetime
    finished_at: datetime | None
    actor: str


@dataclass(frozen=True, slots=True)
class ActionRecord:
    """`before`: what the traffic was like; `outcome` is None while it is not known."""

    position: int
    action: Mapping[str, Any]
    before: Mapping[str, Any]
    outcome: Mapping[str, Any] | None
    started_at: datetime
    finished_at: datetime | None


def plain(data: Any) -> Any:
    """Data as it comes back from the ledger."""
    return json.loads(json.dumps(data))


def key(application: str, environment: str) -> str:
    return f"{application}/{environment}"


def begin(connection: Connection, application: str, environment: str, version: str, plan: Mapping[str, Any]) -> int:
    """Record that a rollout begins. A constraint lets one run for each application and environment."""
    values = {
        "running": key(application, environment),
        "application": application,
        "environment": environment,
        "version": version,
        "status": "running",
        "plan": plan,
        "wish": "",
        "said": "",
        "facts": {},
        "actor": store.actor(),
    }
    connection.execute(insert(rollouts), values)
    found = running(connection, application, environment)
    assert found is not None
    store.record_event(connection, "rollout begun", detail={"application": application, "version": version})
    return found.id


def running(connection: Connection, application: str, environment: str) -> RolloutRecord | None:
    row = connection.execute(select(*COLUMNS).where(rollouts.c.running == key(application, environment))).first()
    return RolloutRecord(*row) if row else None


def under_way(connection: Connection) -> list[RolloutRecord]:
    """Those of all applications that have not ended."""
    rows = connection.execute(select(*COLUMNS).where(rollouts.c.running.is_not(None)).order_by(rollouts.c.id))
    return [RolloutRecord(*row) for row in rows]


def newest(connection: Connection, application: str, environment: str) -> RolloutRecord | None:
    same = (rollouts.c.application == application, rollouts.c.environment == environment)
    row = connection.execute(select(*COLUMNS).where(*same).order_by(rollouts.c.id.desc()).limit(1)).first()
    return RolloutRecord(*row) if row else None


def newest_of_all(connection: Connection, limit: int) -> list[RolloutRecord]:
    """The newest rollouts, whatever their application, oldest first."""
    rows = connection.execute(select(*COLUMNS).order_by(rollouts.c.id.desc()).limit(limit)).all()
    return [RolloutRecord(*row) for row in reversed(rows)]


def get(connection: Connection, rollout: int) -> RolloutRecord:
    return RolloutRecord(*connection.execute(select(*COLUMNS).where(rollouts.c.id == rollout)).one())


def all_rollouts(connection: Connection) -> list[RolloutRecord]:
    """Every rollout, oldest first."""
    return [RolloutRecord(*row) for row in connection.execute(select(*COLUMNS).order_by(rollouts.c.id))]


def taken(connection: Connection, rollout: int) -> list[ActionRecord]:
    """Its actions, in their order."""
    rows = connection.execute(select(*TAKEN).where(actions.c.rollout_id == rollout).order_by(actions.c.position))
    return [ActionRecord(*row) for row in rows]


def begin_action(
    connection: Connection, rollout: int, position: int, action: Mapping[str, Any], before: Mapping[str, Any]
) -> None:
    values = {"rollout_id": rollout, "position": position, "action": action, "before": before}
    connection.execute(insert(actions), values)


def end_action(connection: Connection, rollout: int, position: int, outcome: Mapping[str, Any]) -> None:
    which = (actions.c.rollout_id == rollout, actions.c.position == position)
    connection.execute(update(actions).where(*which).values(outcome=outcome, finished_at=NOW))


def wish(connection: Connection, rollout: int, what: str, said: str) -> None:
    """Ask something of the controller."""
    connection.execute(update(rollouts).where(rollouts.c.id == rollout).values(wish=what, said=said))
    store.record_event(connection, f"rollout: {what or 'resume'}", detail={"rollout": rollout, "said": said})


def heeded(connection: Connection, rollout: int, what: str) -> None:
    """Take a wish off that was heeded, unless another one came meanwhile."""
    which = (rollouts.c.id == rollout, rollouts.c.wish == what)
    connection.execute(update(rollouts).where(*which).values(wish=""))


def note(connection: Connection, rollout: int, facts: Mapping[str, Any]) -> None:
    """Keep what is known of a rollout under way."""
    connection.execute(update(rollouts).where(rollouts.c.id == rollout).values(facts=facts))


def end(connection: Connection, rollout: int, status: str, said: str, facts: Mapping[str, Any]) -> None:
    values = {"status": status, "said": said, "facts": facts, "running": None, "wish": "", "finished_at": NOW}
    connection.execute(update(rollouts).where(rollouts.c.id == rollout).values(**values))
    store.record_event(connection, f"rollout {status}", detail={"rollout": rollout, "reason": said})
