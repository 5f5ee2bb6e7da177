"""Instances that are killed or frozen."""

from __future__ import annotations

import os
import shlex
import signal
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from migrator.chaos.faults.base import Fault, FaultFailed, Ground, Readers
from migrator.chaos.processes import Running, named_in, send, tree, until
from migrator.rollouts.running import CouldNotRun, run

if TYPE_CHECKING:
    from migrator.chaos.undo import Entry

COMMAND_TIMEOUT = 60.0


def selection(value: object) -> int | float | tuple[str, ...]:
    """Read which instances: a number, a share as "50%", or names.

    Raises:
        ValueError: it is none of these.
    """
    from migrator.setting_values import positive, share

    if isinstance(value, list) and value and all(isinstance(item, str) for item in value):
        return tuple(value)
    try:
        return share(value) if str(value).strip().endswith("%") else positive(value)
    except ValueError:
        raise ValueError(f'{value!r} are no instances; write 1, "50%", or ["web1"]') from None


@dataclass(frozen=True, slots=True)
class OfInstances(Fault):
    """One of some instances. `chosen`: their names."""

    chosen: tuple[str, ...]
    readers: ClassVar[Readers] = {"instances": selection}

    def words(self) -> str:
        return f"{self.kind} {', '.join(self.chosen)}"

    def prepare(self, ground: Ground) -> tuple[Entry, ...]:
        found = []
        for name in self.chosen:
            instance = ground.instances[name]
            found.append(
                {
                    "kind": self.kind,
                    "instance": name,
                    "processes": [[process.pid, process.started] for process in tree(instance.pid_file)],
                    "pid_file": str(instance.pid_file),
                    "start": instance.start,
                    "ready": instance.ready,
                    "timeout": instance.timeout,
                    "folder": str(ground.folder),
                }
            )
        return tuple(found)


@dataclass(frozen=True, slots=True)
class Kill(OfInstances):
    """End an instance and what it has started, as a power cut would; restored: started again."""

    kind: ClassVar[str] = "kill"

    def begin(self, ground: Ground, entries: Sequence[Entry]) -> int:
        return sum(send(running(entry), signal.SIGKILL) for entry in entries)


@dataclass(frozen=True, slots=True)
class Freeze(OfInstances):
    """Stop an instance and what it has started in the middle of what it does; restored: it goes on."""

    kind: ClassVar[str] = "freeze"

    def begin(self, ground: Ground, entries: Sequence[Entry]) -> int:
        return sum(send(running(entry), signal.SIGSTOP) for entry in entries)


def running(entry: Mapping[str, Any]) -> tuple[Running, ...]:
    return tuple(Running(pid, since) for pid, since in entry["processes"])


def let_go_on(entry: Mapping[str, Any]) -> None:
    """Let frozen processes go on that are still the same ones."""
    send(tuple(reversed(running(entry))), signal.SIGCONT)


def started_again(entry: Mapping[str, Any]) -> None:
    """Have a killed instance run again, unless it does.

    Raises:
        FaultFailed: it cannot be started.
        NotThere: it does not come up.
    """
    killed, pid_file, name = running(entry), Path(entry["pid_file"]), entry["instance"]

    def back() -> bool:
        found = named_in(pid_file)
        return found is not None and found not in killed and answers(entry["ready"])

    there = named_in(pid_file)
    if there in killed:  # the run was killed itself before it came to it: parents are killed first
        return
    if entry["start"] and there is None:
        try:
            done = run(shlex.split(entry["start"]), Path(entry["folder"]), dict(os.environ), COMMAND_TIMEOUT)
        except CouldNotRun as problem:
            raise FaultFailed(f"{name} is not started again: {problem}") from None
        if done.code:
            raise FaultFailed(f"{name} is not started again: `{entry['start']}` ended with {done.code}: {done.said}")
    until(f"{name} is not back", entry["timeout"], back)


def answers(url: str) -> bool:
    """Whether a URL answers with success; where there is none, too."""
    if not url:
        return True
    try:
        with urllib.request.urlopen(url, timeout=2.0):
            return True
    except OSError:
        return False
