"""The verbs of `migrator` as functions that return frozen values.

The command line is a thin caller of this module. Functions that only look open
no runner lock and write nothing. Each is imported when it is first used: who only
lints imports no SQLAlchemy.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from migrator import baseline as _baseline
    from migrator import doctor as _doctor
    from migrator import projects as _projects
    from migrator import settings as _settings
    from migrator.applying import Applied as Applied
    from migrator.applying import abort as abort
    from migrator.applying import apply as apply
    from migrator.applying import restore as restore
    from migrator.applying import retry as retry
    from migrator.auditing import Audit as Audit
    from migrator.auditing import audit_accept as audit_accept
    from migrator.auditing import audit_export as audit_export
    from migrator.auditing import audit_verify as audit_verify
    from migrator.autogenerate import comparing as _comparing
    from migrator.autogenerate.comparing import Comparison as Comparison
    from migrator.baseline import Baseline as Baseline
    from migrator.build_checks import Checked as Checked
    from migrator.build_checks import deploy_check as deploy_check
    from migrator.builds import Build as Build
    from migrator.chaos.verbs import chaos_experiment as chaos_experiment
    from migrator.chaos.verbs import chaos_restore as chaos_restore
    from migrator.chaos.verbs import chaos_run as chaos_run
    from migrator.checklist import Listed as Listed
    from migrator.checklist import checklist as checklist
    from migrator.checklist_records import Found as Found
    from migrator.checklist_records import checklist_record as checklist_record
    from migrator.checklist_records import checklist_waive as checklist_waive
    from migrator.consuming import consumer_add as consumer_add
    from migrator.consuming import consumer_retire as consumer_retire
    from migrator.consuming import consumers as consumers
    from migrator.contracting import Override as Override
    from migrator.controlling import Asked as Asked
    from migrator.controlling import pause as pause
    from migrator.controlling import resume as resume
    from migrator.controlling import throttle as throttle
    from migrator.deploying import Lived as Lived
    from migrator.deploying import deploy_finish as deploy_finish
    from migrator.deploying import deploy_record as deploy_record
    from migrator.deploying import deploy_start as deploy_start
    from migrator.deploying import deploy_stop as deploy_stop
    from migrator.deploying import deployments as deployments
    from migrator.estimating import PlanEstimate as PlanEstimate
    from migrator.flag_report import FlagReport as FlagReport
    from migrator.flag_report import rollout_flags as rollout_flags
    from migrator.importing import Imported as Imported
    from migrator.importing import deploy_import as deploy_import
    from migrator.importing import import_job as import_job
    from migrator.imports.reported import Given as Given
    from migrator.linting.asking import Linted as Linted
    from migrator.linting.asking import lint as lint
    from migrator.observing import Look as Look
    from migrator.observing import Observed as Observed
    from migrator.observing import observe as observe
    from migrator.permitting import override_approve as override_approve
    from migrator.permitting import override_request as override_request
    from migrator.permitting import overrides as overrides
    from migrator.planning import Plan as Plan
    from migrator.previewing import estimate as estimate
    from migrator.previewing import gate as gate
    from migrator.previewing import plan as plan
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
    from migrator.settings import Settings as Settings
    from migrator.status import Status as Status
    from migrator.status import status as status
    from phases.gate_facts import Verdict as Verdict
    from phases.model import Phase as Phase

    # what is called otherwise where it lives
    baseline = _baseline.write
    baseline_look = _baseline.look
    check = _comparing.compare
    doctor = _doctor.examine
    load_settings = _settings.load
    new = _projects.write_revision

MODULES = {
    "migrator.applying": "Applied abort apply restore retry",
    "migrator.previewing": "estimate gate plan",
    "migrator.auditing": "Audit audit_accept audit_export audit_verify",
    "migrator.autogenerate.comparing": "Comparison check:compare",
    "migrator.baseline": "Baseline baseline:write baseline_look:look",
    "migrator.build_checks": "Checked deploy_check",
    "migrator.builds": "Build",
    "migrator.chaos.verbs": "chaos_experiment chaos_restore chaos_run",
    "migrator.checklist": "Listed checklist",
    "migrator.checklist_records": "Found checklist_record checklist_waive",
    "migrator.consuming": "consumer_add consumer_retire consumers",
    "migrator.contracting": "Override",
    "migrator.controlling": "Asked pause resume throttle",
    "migrator.deploying": "Lived deploy_finish deploy_record deploy_start deploy_stop deployments",
    "migrator.doctor": "doctor:examine",
    "migrator.estimating": "PlanEstimate",
    "migrator.flag_report": "FlagReport rollout_flags",
    "migrator.importing": "Imported deploy_import import_job",
    "migrator.imports.reported": "Given",
    "migrator.linting.asking": "Linted lint",
    "migrator.observing": "Look Observed observe",
    "migrator.permitting": "override_approve override_request overrides",
    "migrator.planning": "Plan",
    "migrator.projects": "new:write_revision",
    "migrator.releasing": "Released release",
    "migrator.repairing": "Verified verify",
    "migrator.rolling_out": "Rollout rollout_ask rollout_files rollout_go_on rollout_run rollout_status",
    "migrator.settings": "Settings load_settings:load",
    "migrator.status": "Status status",
    "phases.gate_facts": "Verdict",
    "phases.model": "Phase",
}
"""What is public, by the module it lives in; `check:compare` is called `compare` there."""

HOMES = {
    word.partition(":")[0]: (module, word.rpartition(":")[2])
    for module, words in MODULES.items()
    for word in words.split()
}
__all__ = tuple(sorted(HOMES))


def __getattr__(name: str) -> Any:
    if name not in HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, known_as = HOMES[name]
    found = globals()[name] = getattr(importlib.import_module(module), known_as)
    return found


def __dir__() -> list[str]:
    return list(__all__)
