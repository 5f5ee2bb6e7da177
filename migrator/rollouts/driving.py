"""One rollout, driven from where it is on record to its end."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from migrator.errors import UsageError
from migrator.ledger import rollouts
from migrator.rollouts import configuration as configuring
from migrator.rollouts import planning, toggling
from migrator.rollouts.analysis import configuration as analysing
from migrator.rollouts.analysis.looking import analyst
from migrator.rollouts.analysis.sources.base import Around
from migrator.rollouts.controlling import Controller
from migrator.rollouts.evaluating import Evaluator
from migrator.rollouts.experiments import configuration as experimenting
from migrator.rollouts.experiments.looking import source_of
from migrator.rollouts.figures import figures
from migrator.rollouts.flags import flags_of
from migrator.rollouts.instances import Instances
from migrator.rollouts.performing import World
from migrator.rollouts.plan import plan_from
from migrator.rollouts.probing import Probe
from migrator.rollouts.recording import Records
from migrator.rollouts.shadowing import configuration as shadowing
from migrator.rollouts.strategies import STRATEGIES
from migrator.rollouts.targets import target_of
from migrator.rollouts.trying import Tried

if TYPE_CHECKING:
    from migrator.database import Session
    from migrator.events import Observer
    from migrator.revisions import RevisionGraph
    from migrator.rollouts.analysis.model import Analyst, Rules
    from migrator.rollouts.configuration import Configuration
    from migrator.rollouts.flags import Flags
    from migrator.rollouts.model import Ending
    from migrator.rollouts.plan import RolloutPlan
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


def flags(found: Configuration) -> Flags | None:
    """The feature flags.

    Raises:
        UsageError: a setting of them is wrong.
    """
    try:
        return flags_of(found)
    except ValueError as problem:
        raise UsageError(f"[{configuring.SECTION}.flags]: {problem}") from None


def rules_of(found: Configuration) -> Rules | None:
    """What arms are held against; None where nothing is judged.

    Raises:
        UsageError: it would judge nothing, or cannot be meant.
    """
    if not found.analysis:
        return None
    try:
        return analysing.read(found.analysis)
    except ValueError as problem:
        raise UsageError(f"[{configuring.SECTION}.analysis]: {problem}") from None


def analyst_of(rules: Rules | None, around: Around) -> Analyst | None:
    """What judges by rules; None where there are none.

    Raises:
        UsageError: a source has nothing to read from.
    """
    try:
        return analyst(rules, around)
    except ValueError as problem:
        raise UsageError(f"[{configuring.SECTION}.analysis]: {problem}") from None


def planned(
    found: Configuration, version: str, former: str, flag: str | None = None, variant: str | None = None
) -> RolloutPlan:
    """What a rollout would do, with an analysis that can be made.

    Args:
        flag: the flag that a toggle moves, and `variant` where to; None: the only one, to the new shape.

    Raises:
        UsageError: it cannot be done as it is configured.
    """
    target, rules = made(found), rules_of(found)
    toggle = toggling.chosen(found, flag, variant) if found.strategy == "toggle" else None
    if toggle is not None and version != former:
        raise UsageError(
            f"a flag is moved in a version that is live, which is {former} and not {version}",
            next_step=f"migrator rollout run --strategy toggle --version {former}",
        )
    plan = planning.plan(found, target, version, former, rules, toggle)
    around = Around(plan, target, Probe.of(found), found.folder)
    analyst_of(rules, around)
    trials_of(found, around)
    return plan


def evaluator_of(found: Configuration, plan: RolloutPlan, known: Flags | None) -> Evaluator | None:
    """What asks the servers that have traffic how they evaluate the flag; None where nothing says how to ask."""
    if plan.toggle is None or known is None or not known.evaluated:
        return None
    servers = [server for server in plan.fleet if server.pool == plan.live]
    return Evaluator(found, known.evaluated, servers, known.timeout)


def trials_of(found: Configuration, around: Around) -> Tried:
    """What does the actions of a shadow or an A/B test, where the strategy is one.

    Raises:
        UsageError: a source has nothing to read from.
    """
    strategy = around.plan.strategy
    try:
        made = Tried(
            around,
            shadowing.read(found)[1] if strategy == "shadow" else None,
            experimenting.read(found) if strategy == "ab" else None,
        )
        if made.experiment is not None:
            source_of(made.experiment, around)
    except ValueError as problem:
        raise UsageError(f"[{configuring.SECTION}.{strategy}]: {problem}") from None
    return made


def drive(session: Session, graph: RevisionGraph, rollout: int, observer: Observer) -> Ending:
    """Have everything done that a rollout has still to do, and record how it ended."""
    with session.transaction() as connection:
        record = rollouts.get(connection, rollout)
    plan = plan_from(record.plan["plan"])
    found = replace(configuring.read(record.plan["configuration"], Path(record.plan["folder"])), strategy=plan.strategy)
    controller = Controller(session, rollout, observer)
    records = Records(session, graph, plan, f"rollout {rollout}", record.plan["shape"])
    instances, target, known = Instances(found), made(found), flags(found)
    with Probe.of(found) as probe:
        around = Around(plan, target, probe, found.folder)
        judge = analyst_of(rules_of(found), around)
        evaluator = evaluator_of(found, plan, known)
        heard, judged = controller.heard, controller.judged
        world = World(found, plan, target, instances, records, judge, heard, judged, known, evaluator)
        world.trials = trials_of(found, around)
        ending = controller.drive(STRATEGIES[plan.strategy](plan), world)
    with session.transaction() as connection:
        noted = rollouts.get(connection, rollout).facts
        measured = figures(plan, rollouts.taken(connection, rollout))
        facts = {**noted, **measured, "probe": probe.facts()}
        rollouts.end(connection, rollout, ending.status, ending.reason, facts)
    return ending
