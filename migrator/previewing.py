"""The verbs that look at plans and gates, and write nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from migrator.contracting import judge_gate
from migrator.errors import UsageError
from migrator.estimating import PlanEstimate, estimated
from migrator.notices import noticed
from migrator.planning import Plan, finished
from migrator.runs import load_graph, looking, planned, recorded
from phases.gate_facts import Verdict

if TYPE_CHECKING:
    from migrator.settings import Settings


def plan(settings: Settings, to: str | None = None, *, strict: bool = True) -> Plan:
    """Say what would be done, in which steps, under which locks.

    Args:
        to: plan no further than this revision.
        strict: False puts down why a pending revision cannot be planned, and goes on.

    Raises:
        PlanRefused, RevisionError: naming file and line.
    """
    graph = load_graph(settings)
    with looking(settings, "plan") as session:
        return noticed(session, planned(session, graph, graph.resolve(to) if to else None, strict=strict))


def estimate(settings: Settings, to: str | None = None) -> tuple[Plan, PlanEstimate]:
    """A plan, and what each step that is still to do costs on this database.

    Args:
        to: plan no further than this revision.

    Raises:
        PlanRefused, RevisionError: naming file and line.
    """
    graph = load_graph(settings)
    with looking(settings, "plan") as session:
        found = noticed(session, planned(session, graph, graph.resolve(to) if to else None))
        return found, estimated(session, settings, found)


def gate(settings: Settings, revision: str | None = None) -> Mapping[str, Verdict]:
    """Judge the contract gate of one revision, or of every migrated one. Writes nothing."""
    graph = load_graph(settings)
    with looking(settings, "gate") as session:
        memory = recorded(session, graph)
        waiting = [n for n, r in memory.revisions.items() if r.state == "migrated" and not finished(r, memory.steps[n])]
        names = [graph.resolve(revision)] if revision else waiting
        if revision and names[0] not in memory.revisions:
            raise UsageError(f"revision {names[0]} has not been started", next_step="migrator plan")
        with session.transaction() as connection:
            return {name: judge_gate(connection, settings, graph, name) for name in names}
