"""The verbs about chaos: run an experiment, say what it would do, put back what a killed one has left."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from migrator.chaos.addresses import refuse_foreign
from migrator.chaos.model import Experiment, Happened, Report, Told
from migrator.chaos.undo import Entry, UndoLog
from migrator.errors import MigratorError

if TYPE_CHECKING:
    from migrator.settings import Settings

FOLDER = "chaos"
"""Where reports and what has to be put back are kept, beside the experiment."""


@dataclass(frozen=True, slots=True)
class Conducted:
    """An experiment and where its report is."""

    report: Report
    data: Path
    page: Path


@dataclass(frozen=True, slots=True)
class PutBack:
    """One thing that an experiment had left. `problem`: why it could not be put back; empty where it was."""

    what: str
    problem: str = ""


def ignore(_: Happened) -> None:
    pass


def chaos_experiment(settings: Settings, path: Path, *, seed: int | None = None, database: str = "") -> Experiment:
    """Read an experiment, and refuse one that may not be run here. Opens no connection.

    Args:
        database: the one that is meant, as host/name.

    Raises:
        SettingsError: it is written wrongly, or it needs a database and there is none.
        UsageError: the database is another one, or one that nobody gave to be disturbed.
    """
    from migrator.chaos.configuration import load

    found = load(path, seed=seed, database=database)
    url = url_for(settings, found)
    if url:
        refuse_foreign(url, found.database)
    return found


def url_for(settings: Settings, found: Experiment) -> str:
    """The database of an experiment; empty where it needs none and none is given."""
    asks = found.begin_when or any(probe.kind == "sql" for probe in found.probes)
    if asks or any(fault.needs_database for fault in found.faults) or settings.given_url:
        return settings.require_url()
    return ""


def chaos_run(
    settings: Settings,
    path: Path,
    *,
    into: Path | None = None,
    seed: int | None = None,
    database: str = "",
    told: Told = ignore,
) -> Conducted:
    """Run an experiment; whatever becomes of it, what it disturbed is put back, and there is a report.

    Args:
        into: folder of reports and of what has to be put back; `chaos` beside the experiment by default.
        seed: by which instances are chosen, to choose those of an earlier run.
        database: the one that is meant, as host/name.

    Raises:
        UsageError: it may not be run here, or an earlier one has left something: nothing was done.
        RunnerBusy: another one is under way.
    """
    from migrator.chaos.report import write
    from migrator.chaos.running import Conductor

    found = chaos_experiment(settings, path, seed=seed, database=database)
    log = UndoLog(into or found.folder / FOLDER)
    with log.held():
        report = Conductor(found, url_for(settings, found), log, told).run()
    return Conducted(report, *write(report, log.folder))


def chaos_restore(folder: Path) -> tuple[PutBack, ...]:
    """Put back what an experiment has left that was killed; the newest change first.

    What cannot be put back stays on record.

    Raises:
        RunnerBusy: the experiment is under way.
    """
    log = UndoLog(folder)
    if not folder.is_dir():
        return ()
    with log.held():
        return tuple(put_back(log, entry) for entry in reversed(log.entries()))


def put_back(log: UndoLog, entry: Entry) -> PutBack:
    from migrator.chaos.faults import UNDO

    what = f"{entry['kind']} {entry.get('instance', entry.get('file', ''))}"
    try:
        UNDO[entry["kind"]](entry)
    except MigratorError as problem:
        return PutBack(what, problem.message)
    log.remove(entry)
    return PutBack(what)
