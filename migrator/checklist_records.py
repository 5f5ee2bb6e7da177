"""What people and pipelines record for the checklist: evidence, the run of a command, or that an item is waived."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from migrator import asking
from migrator.deploying import recording
from migrator.errors import UsageError
from migrator.ledger import checks, store
from migrator.setting_values import mask, nearest
from phases.checklist_evidence import SKEW, show
from phases.checklist_facts import BACKUP, BUDGET, EVIDENCED, LIVENESS, PROBES, READINESS, WAIVABLE, Waiver

if TYPE_CHECKING:
    from collections.abc import Sequence

    from migrator.ledger.checks import Given
    from migrator.settings import Settings

LONGEST_WAIVER = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Found:
    """What is to be recorded of an item: somebody's evidence, or a command; else it is asked as the settings say.

    Args:
        at: when it was so; of a backup when that was made.
        left: share of the error budget that is left.
        failed: the evidence says that it is not as it should be.
        application: whose; None: as the settings say.
        version: of which version; empty: of the one that is live.
        folder: where the command is run.
        timeout: seconds that it may take; None: as the settings say.
    """

    evidence: str = ""
    command: str = ""
    at: datetime | None = None
    left: float | None = None
    failed: bool = False
    application: str | None = None
    version: str = ""
    folder: Path | None = None
    timeout: float | None = None


def checklist_record(settings: Settings, item: str, wanted: Found) -> tuple[Given, ...]:
    """Record what was found of an item, with who records it; a command is run first.

    Raises:
        UsageError: there is no such item, or no evidence, or nothing was found out.
    """
    refuse_unknown(item, EVIDENCED, "is no item that anything is recorded of")
    given = found(settings, item, wanted)
    if silent := [each.said for each in given if each.ok is None]:
        raise UsageError(f"nothing was found out, so nothing is recorded: {'; '.join(silent)}")
    with recording(settings) as session, session.transaction() as connection:
        now = store.clock(connection)
        for each in given:
            if each.at is not None and each.at > now + SKEW:
                raise UsageError(f"{show(each.at)} is yet to come: the database's clock says {show(now)}")
            checks.record(connection, each)
    return tuple(given)


def found(settings: Settings, item: str, wanted: Found) -> list[Given]:
    """What there is to record."""
    refuse_half(item, wanted)
    application = settings.checklist.app if wanted.application is None else wanted.application
    if wanted.command:
        if item == PROBES:
            raise UsageError(
                "probes are asked by their URLs", next_step="name them in [tool.migrator.checklist.probes]"
            )
        folder, seconds = wanted.folder or Path.cwd(), wanted.timeout or settings.checklist.asking(item).timeout
        return [
            asking.commanded(item, wanted.command, folder, seconds, application, version=wanted.version, at=wanted.at)
        ]
    if said := mask(wanted.evidence.strip()):
        return [
            checks.Given(about, not wanted.failed, said, wanted.at, application, wanted.version, wanted.left)
            for about in ((READINESS, LIVENESS) if item == PROBES else (item,))
        ]
    asked = asking.ask(item, settings)
    if not asked:
        more = {BACKUP: " --at 2026-03-01T12:00:00Z", BUDGET: " --left 42%"}.get(item, "")
        more += "" if item == PROBES else ', or --command "…"'
        raise UsageError(
            f"there is no evidence of {item}: nothing was said, and the settings name nothing to ask",
            next_step=f'migrator checklist record {item} --evidence "…"{more}, or [tool.migrator.checklist.{item}]',
        )
    return [replace(each, application=application, version=wanted.version) for each in asked]


def refuse_half(item: str, wanted: Found) -> None:
    """Refuse what cannot be judged later, or is not meant.

    Raises:
        UsageError: saying what is missing, or too much.
    """
    declared = bool(wanted.evidence.strip())
    if declared and wanted.command:
        raise UsageError("give --evidence or --command, not both")
    if declared and item == BACKUP and wanted.at is None:
        raise UsageError("it is not said when the backup was made", next_step="--at 2026-03-01T12:00:00Z")
    if declared and item == BUDGET and wanted.left is None:
        raise UsageError("it is not said how much of the error budget is left", next_step="--left 42%")
    if wanted.left is not None and (item != BUDGET or not declared):
        raise UsageError("--left belongs to evidence of the error budget", next_step='budget --left 42% --evidence "…"')
    if wanted.at is not None and not declared and not (wanted.command and item == BACKUP):
        raise UsageError("--at belongs to evidence, or to the command of a backup", next_step='--evidence "…"')
    if wanted.failed and not declared:
        raise UsageError("--failed belongs to evidence; a command says it by its exit code", next_step='--evidence "…"')


def checklist_waive(settings: Settings, item: str, *, reason: str, seconds: float = 86400.0) -> Waiver:
    """Record that an item may be done without for a while. The gate takes no waiver.

    Raises:
        UsageError: no reason, too long a time, or an item that nobody can do without.
    """
    refuse_unknown(item, WAIVABLE, "cannot be waived: the gate has overrides, and the rest are facts of this database")
    if not reason.strip():
        raise UsageError("a waiver needs a reason", next_step='--reason "…"')
    if timedelta(seconds=seconds) > LONGEST_WAIVER:
        raise UsageError(f"a waiver holds for {LONGEST_WAIVER.days} days at most", next_step="--for 7d")
    with recording(settings) as session, session.transaction() as connection:
        now = store.clock(connection)
        until = now + timedelta(seconds=seconds)
        checks.waive(connection, item, reason.strip(), until)
    return Waiver(item, reason.strip(), store.actor(), now, until)


def refuse_unknown(item: str, known: Sequence[str], why: str) -> None:
    if item in known:
        return
    near = nearest(item, known)
    hint = f'did you mean "{near}"?' if near else f"known are: {', '.join(known)}"
    raise UsageError(f'"{item}" {why}', next_step=hint)
