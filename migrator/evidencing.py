"""What the ledger knows for the checklist: what was recorded, what rollouts have measured, and what is live."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from migrator.ledger import checks, deployed, dialect, rollouts, schema, store
from phases.checklist_evidence import evidenced
from phases.checklist_facts import BACKUP, BUDGET, LIVENESS, READINESS, SMOKE, Evidence, Item, Known, Live, Waiver
from phases.exposure import SHADOW

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

    from migrator.ledger.places import Place
    from migrator.ledger.rollouts import ActionRecord, RolloutRecord
    from migrator.settings import Settings

ABOUT = (READINESS, LIVENESS, SMOKE, BUDGET, BACKUP)
LOOKED_AT = 20
"""Rollouts whose measurements are looked at, the newest first."""
RUNNING = ("started", "succeeded")


def required(connection: Connection, settings: Settings) -> list[Item]:
    """Items that a contract requires, judged by what is recorded: nobody is asked while deployments wait."""
    if not settings.contract_requires:
        return []
    known = recorded(connection, settings)
    return [evidenced(name, known) for name in settings.contract_requires]


def recorded(connection: Connection, settings: Settings, now: datetime | None = None) -> Known:
    """What the ledger knows. Writes nothing.

    Args:
        now: by the database's clock; None: it is asked.
    """
    limits = settings.checklist.limits
    if schema.installed(connection) is None:
        return Known(now or store.clock(connection), limits)
    here = dialect.place(connection)
    found = [*from_records(connection, here), *from_rollouts(connection, here)]
    return Known(now or store.clock(connection), limits, found, live(connection, here))


def kept(here: Place, made: str | None) -> bool:
    """Whether a record counts here: a copy of a database inherits nothing, nor a server that may be one."""
    return here.made(made or None)


def from_records(connection: Connection, here: Place) -> Iterator[Evidence]:
    for about in ABOUT:
        for each in checks.records(connection, about):
            if kept(here, each.place):
                given = each.given
                source = f"{'run' if given.command else 'recorded'} by {each.actor}"
                yield Evidence(
                    about, given.ok, given.said, given.at, source, given.application, given.version, given.share
                )


def waivers(connection: Connection, items: Sequence[str]) -> list[Waiver]:
    """Waivers that count here, oldest first."""
    if schema.installed(connection) is None:
        return []
    here = dialect.place(connection)
    found = [each for item in items for each in checks.waivers(connection, item) if kept(here, each.place)]
    return [Waiver(w.item, w.reason, w.actor, w.at, w.until) for w in found]


def live(connection: Connection, here: Place) -> list[Live]:
    """The newest version of each application that takes requests."""
    kinds = {(c.application, c.environment, c.region): c for c in deployed.all_consumers(connection)}
    newest: dict[str, Live] = {}
    for record in deployed.all_deployments(connection):
        consumer = kinds.get((record.application, record.environment, record.region))
        other = consumer is not None and (consumer.kind != "application" or consumer.retired_at is not None)
        if other or record.status not in RUNNING or record.strategy == SHADOW or not kept(here, record.place):
            continue
        newest[record.application] = Live(record.application, record.version, record.started_at)
    return list(newest.values())


def from_rollouts(connection: Connection, here: Place) -> Iterator[Evidence]:
    """What the newest rollouts have measured."""
    if (schema.installed(connection) or 0) < rollouts.SINCE:
        return
    for rollout in rollouts.newest_of_all(connection, LOOKED_AT):
        made = deployed.by_key(connection, f"rollout {rollout.id}")
        if made is not None and kept(here, made.place):
            yield from measured(rollout, rollouts.taken(connection, rollout.id))


def measured(rollout: RolloutRecord, taken: Sequence[ActionRecord]) -> Iterator[Evidence]:
    """What a rollout has measured: whether servers became ready, its checks, how fast the error budget was used."""
    source = f"rollout {rollout.id} of {rollout.application}"
    asks = rollout.plan.get("configuration", {}).get("ready", {}).get("url")
    for each in taken:
        if each.outcome is None or each.finished_at is None:
            continue
        kind, ok, reason = each.action["kind"], bool(each.outcome["ok"]), each.outcome.get("reason") or ""
        told: dict[str, Any] = {"at": each.finished_at, "source": source, "application": rollout.application}
        version, server = each.action.get("version", ""), each.action.get("server", "")
        if kind == "Start" and asks:
            took = (each.finished_at - each.started_at).total_seconds()
            said = f"{server} became ready in {took:.1f} s" if ok else reason
            yield Evidence(READINESS, ok, said, version=version, **told)
        elif kind == "Smoke" and (said := checked(each.outcome) if ok else reason):
            yield Evidence(SMOKE, ok, f"{server}: {said}", version=version, **told)
        elif kind == "Watch":
            yield from burned(each.outcome, told)


def checked(outcome: Mapping[str, Any]) -> str:
    """The checks that were run; empty where the configuration has none."""
    return ", ".join(f"{ran['command']} in {ran['seconds']:g} s" for ran in outcome.get("facts", {}).get("checks", ()))


def burned(outcome: Mapping[str, Any], told: Mapping[str, Any]) -> Iterator[Evidence]:
    """How fast the error budget was used up while a version was watched, where that was judged."""
    for each in outcome.get("facts", {}).get("metrics", ()):
        if each["metric"] == "burn" and each["verdict"] in ("pass", "fail"):
            yield Evidence(BUDGET, each["verdict"] == "pass", each["reason"], **told)
