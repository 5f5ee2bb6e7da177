"""The command that runs while a fault lasts: started, watched, ended, with what it printed kept."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from migrator.chaos.faults.base import FaultFailed

LAST_LINES = 20
MOST = 64 * 1024
GRACE = 10.0
OURS = "migrator"


def words_of(command: str) -> list[str]:
    """A command's words; `migrator` is the one that runs at this moment, whatever the PATH says."""
    words = shlex.split(command)
    return [sys.executable, "-m", OURS, *words[1:]] if words[0] == OURS else words


class Command:
    """A command that is started once.

    Args:
        url: of the database as it is to reach it; empty: as the environment says.

    Raises:
        FaultFailed: it cannot be run.
    """

    def __init__(self, command: str, folder: Path, url: str) -> None:
        self.command = command
        self.begun = time.monotonic()
        self.seconds = 0.0
        self._output = tempfile.TemporaryFile()  # noqa: SIM115
        environment: Mapping[str, str] = {
            **os.environ,
            **({"MIGRATOR_DATABASE_URL": url, "DATABASE_URL": url} if url else {}),
        }
        try:
            self.process = subprocess.Popen(
                words_of(command),
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=self._output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as problem:
            self._output.close()
            raise FaultFailed(f"`{command}` cannot be run: {problem.strerror}") from None

    @property
    def ended(self) -> bool:
        return self.process.poll() is not None

    def finish(self, seconds: float) -> int | None:
        """Wait for its end; its exit code, None where it took longer and was ended."""
        with suppress(subprocess.TimeoutExpired):
            code = self.process.wait(seconds)
            self.seconds = time.monotonic() - self.begun
            return code
        self.end()
        return None

    def end(self) -> None:
        """End it where it still runs, and everything that it started: asked first, then not."""
        for how, wait in ((signal.SIGINT, GRACE), (signal.SIGKILL, GRACE)):
            if self.ended:
                break
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, how)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(wait)
        self.seconds = self.seconds or time.monotonic() - self.begun

    def close(self) -> None:
        self.end()
        self._output.close()

    def report(self, exits: Sequence[int]) -> dict[str, Any]:
        """What became of it, once it has ended."""
        self._output.seek(max(0, self._output.seek(0, os.SEEK_END) - MOST))
        lines = self._output.read().decode(errors="replace").strip().splitlines()
        return {
            "command": self.command,
            "exit_code": self.process.returncode,
            "expected": list(exits),
            "seconds": round(self.seconds, 3),
            "output": lines[-LAST_LINES:],
        }
