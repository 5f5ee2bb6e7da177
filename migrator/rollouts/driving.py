"""One rollout, driven from where it is on record to its end."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from migrator.errors import UsageError
from migrator.ledger import rollouts
from migrator.rollouts import configuration as configuring
from migrator.rollouts.controlling import Controller
from migrator.rollouts.instances import Instances
from migrator.rollouts.performing import World
from migrator.rollouts.plan import plan_from
from migrator.rollouts.probing import Probe
from migrator.rollouts.recording import Records
from migrator.rollouts.strategies import STRATEGIES
from migrator.rollouts.targets import target_of

if TYPE_CHECKING:
    from migrator.database import Session
    from migrator.events import Observer
    from migrator.revisions import RevisionGraph
    from migrator.rollouts.configuration import Configuration
    from migrator.rollouts.model import Ending
    from migrator.rollouts.targets.base import Target


def made(found: Configuration) -> Target:
    """What divides the traffic.

    Raises:
        UsageError: a setting of it is wrong.
    """
    try:
        return target_of(found)
    except ValueError as problem:
        raise UsageError(f"[{configuring.SECTION}.target]: {problem}") from None


def drive(session: Session, graph: RevisionGraph, rollout: int, observer: Observer) -> Ending:
    """Have everything done that a rollout has still to do, and record how it ended."""
    with session.transaction() as connection:
        record = rollouts.get(connection, rollout)
    plan = plan_from(record.plan["plan"])
    found = replace(configuring.read(record.plan["configuration"], Path(record.plan["folder"])), strategy=plan.strategy)
    controller = Controller(session, rollout, observer)
    records = Records(session, graph, plan, f"rollout {rollout}", record.plan["shape"])
    instances = Instances(found, lambda: None)
    world = World(found, plan, made(found), instances, records, None, controller.heard)
    with Probe(found.probe, found.ready.version_header) as probe:
        ending = controller.drive(STRATEGIES[plan.strategy](plan), world)
    with session.transaction() as connection:
        rollouts.end(connection, rollout, ending.status, ending.reason, {"probe": probe.facts()})
    return ending
