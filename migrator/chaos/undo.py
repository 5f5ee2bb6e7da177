"""What has to be put back, on disk before it is changed: a kill -9 of the experiment leaves it to `chaos restore`."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from migrator.errors import MigratorError, RunnerBusy

Entry = Mapping[str, Any]
"""What undoes one change: `kind` of the fault, and whatever that needs."""


class UndoLog:
    """A file in a folder, with a lock that its writer holds while it lives.

    Args:
        folder: made where it is not there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "undo.json"

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the lock.

        Raises:
            RunnerBusy: an experiment is under way.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise RunnerBusy(
                    f"an experiment is under way in {self.folder}", next_step="it puts everything back at its end"
                ) from None
            yield

    def entries(self) -> list[Entry]:
        """What is not put back yet, in the order in which it was done.

        Raises:
            MigratorError: the file cannot be read.
        """
        if not self.path.exists():
            return []
        try:
            found: list[Entry] = json.loads(self.path.read_text())
        except (OSError, ValueError) as problem:
            raise MigratorError(f"{self.path} cannot be read: {problem}") from None
        return found

    def add(self, entries: tuple[Entry, ...]) -> None:
        """Keep what will have to be put back; on disk when this returns."""
        if entries:
            self._keep([*self.entries(), *entries])

    def remove(self, entry: Entry) -> None:
        """Forget what has been put back."""
        self._keep([other for other in self.entries() if other != entry])

    def _keep(self, entries: list[Entry]) -> None:
        if not entries:
            self.path.unlink(missing_ok=True)
        else:
            beside = self.path.with_suffix(".tmp")
            with beside.open("w") as file:
                json.dump(entries, file)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self.path)
        folder = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
