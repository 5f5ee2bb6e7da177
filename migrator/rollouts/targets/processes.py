"""Programs beside us: commands that are run, and the processes of one."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from migrator.rollouts.targets.base import TargetFailed

LAST_LINES = 5


def run(command: str, folder: Path, seconds: float, environment: Mapping[str, str] | None = None) -> str:
    """Run a command without a shell; what it printed.

    Raises:
        TargetFailed: it fails, with the last lines it said, or takes too long.
    """
    words = shlex.split(command)
    try:
        done = subprocess.run(
            words,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise TargetFailed(f"`{command}` took longer than {seconds:g} s") from None
    except OSError as problem:
        raise TargetFailed(f"{words[0]} cannot be run: {problem.strerror}") from None
    if done.returncode:
        said = (done.stderr or done.stdout).decode(errors="replace").strip().splitlines()[-LAST_LINES:]
        raise TargetFailed(f"`{command}` ended with {done.returncode}: {' | '.join(said)}")
    return done.stdout.decode(errors="replace")


@dataclass(frozen=True, slots=True)
class Process:
    pid: int
    parent: int
    title: str


def processes() -> list[Process]:
    """Those of this machine: from /proc, or from ps where there is none."""
    if not Path("/proc/self/stat").exists():
        rows = [line.split(None, 2) for line in run("ps -A -o pid=,ppid=,args=", Path("/"), 10).splitlines()]
        return [Process(int(row[0]), int(row[1]), row[2]) for row in rows if len(row) == 3]
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, ValueError, IndexError):  # it has ended meanwhile
            parent = int((folder / "stat").read_text().rpartition(") ")[2].split()[1])
            title = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            found.append(Process(int(folder.name), parent, title))
    return found
