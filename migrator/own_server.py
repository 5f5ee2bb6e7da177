"""A database server of our own as a child process: started in a temporary folder, and gone with us."""

from __future__ import annotations

import abc
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from migrator.errors import ConnectionFailed

START_SECONDS = 30.0

SHARED_MEMORY = Path("/dev/shm")
ROOM = 4 * 1024**3
"""Bytes that have to be free there: containers are given 64 MB, less than the logs of one server."""

WATCH = "import os, sys\nsys.stdin.buffer.read()\nos.kill(int(sys.argv[1]), int(sys.argv[2]))\n"
"""Waits for the end of its input, which comes when our process ends in whatever way, then stops the server."""


def fast_folder() -> Path | None:
    """Where a server that nobody keeps writes best: in memory, where there is such a folder with room."""
    roomy = SHARED_MEMORY.is_dir() and shutil.disk_usage(SHARED_MEMORY).free >= ROOM
    return SHARED_MEMORY if roomy else None


class OwnServer(abc.ABC):
    """A server in a temporary folder, removed with the folder when it is closed.

    Args:
        parent: where to make its folder.
    """

    def __init__(self, parent: Path | None = None) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="migrator-", dir=parent))
        self.process: subprocess.Popen[bytes] | None = None
        self.watch: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            self._make_data()
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @abc.abstractmethod
    def _make_data(self) -> None:
        """Make an empty data directory."""

    @abc.abstractmethod
    def start(self) -> None:
        """Start the server and wait until it answers.

        Raises:
            ConnectionFailed: it does not come up; the message has its last words.
        """

    @abc.abstractmethod
    def stop(self) -> None:
        """Stop the server, hard where it does not stop by itself."""

    def close(self) -> None:
        """Stop the server and remove its folder."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _launch(self, command: Sequence[str], how: signal.Signals, **options: Any) -> None:
        """Start the program, and a process that stops it by a signal when ours ends."""
        with (self.folder / "log").open("ab") as log:
            # A session of its own: a Ctrl-C in our terminal is ours to handle.
            self.process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True, **options)
        self.watch = subprocess.Popen(
            [sys.executable, "-c", WATCH, str(self.process.pid), str(how.value)],
            stdin=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def _end_watch(self) -> None:
        """End that process, and leave the server as it is."""
        if self.watch is None:
            return
        self.watch.kill()
        self.watch.wait()
        if self.watch.stdin is not None:
            self.watch.stdin.close()
        self.watch = None

    def _did_not_come_up(self) -> ConnectionFailed:
        said = (self.folder / "log").read_text(errors="replace").strip().splitlines()[-3:]
        return ConnectionFailed(f"the server did not come up: {' '.join(said)}")
