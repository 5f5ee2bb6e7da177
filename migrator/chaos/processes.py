"""Processes of this machine: which one is meant, what it has started, and signals that reach no other."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from migrator.errors import MigratorError
from migrator.rollouts.targets.base import TargetFailed
from migrator.rollouts.targets.processes import processes, run

EVERY = 0.05


class NotThere(MigratorError):
    """An instance does not run, or is none that may be touched."""


@dataclass(frozen=True, slots=True)
class Running:
    """A process and when it was started: its number alone may be another's by now."""

    pid: int
    started: str


def started(pid: int) -> str:
    """When a process was started, as the system counts it; empty where it has ended."""
    stat = Path(f"/proc/{pid}/stat")
    if Path("/proc/self/stat").exists():
        try:
            fields = stat.read_text().rpartition(") ")[2].split()
        except OSError:
            return ""
        return "" if fields[0] in "ZX" else fields[19]
    try:
        state, _, since = run(f"ps -o stat=,lstart= -p {pid}", Path("/"), 10).strip().partition(" ")
    except TargetFailed:
        return ""
    return "" if state.startswith("Z") else since.strip()


def named_in(pid_file: Path) -> Running | None:
    """The process that a file names; None where it does not run."""
    try:
        pid = int(pid_file.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return None
    since = started(pid)
    return Running(pid, since) if since else None


def tree(pid_file: Path) -> tuple[Running, ...]:
    """A process and everything that it has started, parents first.

    Raises:
        NotThere: it does not run, or it is the one that asks, or one that this one came from.
    """
    first = named_in(pid_file)
    if first is None:
        raise NotThere(f"{pid_file} names no process that runs", next_step="start the instance, or correct pid_file")
    known = {process.pid: process.parent for process in processes()}
    found, place = [first.pid], 0
    while place < len(found):
        found += [pid for pid, parent in known.items() if parent == found[place] and pid not in found]
        place += 1
    if os.getpid() in found or first.pid <= 1:
        raise NotThere(f"{pid_file} names process {first.pid}, which this experiment itself runs under")
    return tuple(Running(pid, since) for pid in found if (since := started(pid)))


def send(targets: Sequence[Running], which: signal.Signals) -> int:
    """Send a signal to those that are still the same process; how many that were."""
    reached = 0
    for target in targets:
        if started(target.pid) == target.started:
            with suppress(ProcessLookupError):
                os.kill(target.pid, which)
                reached += 1
    return reached


def until(what: str, seconds: float, holds: Callable[[], bool]) -> None:
    """Wait until something holds.

    Raises:
        NotThere: it does not within so many seconds.
    """
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise NotThere(f"{what} within {seconds:g} s")
        time.sleep(EVERY)
