"""Commands of a configuration, run: with an end to their time, and what they print kept."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

LAST_LINES = 5
MOST = 64 * 1024
"""Bytes of the end of what a command prints that are kept."""


class CouldNotRun(Exception):
    """A command is not there, may not be run, or took too long; in words."""


@dataclass(frozen=True, slots=True)
class Done:
    """A command that ended. `output`: what it printed, errors included."""

    code: int
    output: str

    @property
    def said(self) -> str:
        """The last lines of it, in one."""
        return " | ".join(line.strip() for line in self.output.strip().splitlines()[-LAST_LINES:])


def run(words: Sequence[str], folder: Path, environment: Mapping[str, str], seconds: float) -> Done:
    """Run a command without a shell.

    What it leaves running in the background is not waited for, though it has the same output; when its time
    is over, everything that it started is ended with it.

    Raises:
        CouldNotRun: it cannot be run, or took too long.
    """
    with tempfile.TemporaryFile() as output:
        try:
            process = subprocess.Popen(
                words,
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as problem:
            raise CouldNotRun(f"{words[0]} cannot be run: {problem.strerror}") from None
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            if process.poll() is None:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        output.seek(max(0, output.seek(0, os.SEEK_END) - MOST))
        done = Done(code if code is not None else -1, output.read().decode(errors="replace"))
    if code is None:
        raise CouldNotRun(f"{words[0]} took longer than {seconds:g} s" + (f": {done.said}" if done.said else ""))
    return done
