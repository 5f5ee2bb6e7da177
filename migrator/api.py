"""The verbs of `migrator` as functions that return frozen values.

The command line is a thin caller of this module. Functions that only look open
no runner lock and write nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from migrator.applying import Applied as Applied
from migrator.applying import abort as abort
from migrator.applying import apply as apply
from migrator.applying import restore as restore
from migrator.applying import retry as retry
from migrator.auditing import Audit as Audit
from migrator.auditing import audit_accept as audit_accept
from migrator.auditing import audit_export as audit_export
from migrator.auditing import audit_verify as audit_verify
from migrator.build_checks import Checked as Checked
from migrator.build_checks import deploy_check as deploy_check
from migrator.consuming import consumer_add as consumer_add
from migrator.consuming import consumer_retire as consumer_retire
from migrator.consuming import consumers as consumers
from migrator.contracting import Override as Override
from migrator.contracting import judge_gate
from migrator.controlling import Asked as Asked
from migrator.controlling import pause as pause
from migrator.controlling import resume as resume
from migrator.controlling import throttle as throttle
from migrator.deploying import Build as Build
from migrator.deploying import Lived as Lived
from migrator.deploying import deploy_finish as deploy_finish
from migrator.deploying import deploy_record as deploy_record
from migrator.deploying import deploy_start as deploy_start
from migrator.deploying import deploy_stop as deploy_stop
from migrator.deploying import deployments as deployments
from migrator.errors import UsageError
from migrator.estimating import PlanEstimate, estimated
from migrator.importing import Imported as Imported
from migrator.importing import deploy_import as deploy_import
from migrator.importing import import_job as import_job
from migrator.imports.reported import Given as Given
from migrator.notices import noticed
from migrator.observing import Look as Look
from migrator.observing import Observed as Observed
from migrator.observing import observe as observe
from migrator.permitting import override_approve as override_approve
from migrator.permitting import override_request as override_request
from migrator.permitting import overrides as overrides
from migrator.planning import Plan, finished
from migrator.releasing import Released as Released
from migrator.releasing import release as release
from migrator.repairing import Verified as Verified
from migrator.repairing import verify as verify
from migrator.rolling_out import Rollout as Rollout
from migrator.rolling_out import rollout_ask as rollout_ask
from migrator.rolling_out import rollout_files as rollout_files
from migrator.rolling_out import rollout_go_on as rollout_go_on
from migrator.rolling_out import rollout_run as rollout_run
from migrator.rolling_out import rollout_status as rollout_status
from migrator.runs import (
    load_graph,
    looking,
    planned,
    recorded,
)
from migrator.status import Status as Status
from migrator.status import rows_aside as rows_aside
from migrator.status import status as status
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
