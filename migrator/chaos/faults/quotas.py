"""Quotas that are used up: connections of the database server, space of a small file system."""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from migrator.chaos.faults.base import Fault, FaultFailed, Ground, Readers
from migrator.errors import DatabaseError
from migrator.setting_values import positive, size, whole

if TYPE_CHECKING:
    from migrator.chaos.undo import Entry

LARGEST = 1024**3


@dataclass(frozen=True, slots=True)
class Connections(Fault):
    """Take the connections that the database server has left, by opening them.

    They are of this process: where it ends, however it does, the server has them back.

    Args:
        free: how many are left to others.
        most: where the server takes so many, it is not disturbed further, and the fault has failed.
    """

    free: int = 0
    most: int = 500
    kind: ClassVar[str] = "connections"
    needs_database: ClassVar[bool] = True
    readers: ClassVar[Readers] = {"free": whole, "most": positive}

    def words(self) -> str:
        return f"take the connections of the database server but for {self.free}"

    def begin(self, ground: Ground, entries: Sequence[Entry]) -> int:
        from migrator.database import connect

        taken: list[ExitStack] = []
        ground.held.callback(close_all, taken)
        with suppress(DatabaseError):  # the server has no more: what was wanted
            while len(taken) < self.most:
                one = ExitStack()
                one.enter_context(connect(ground.url, "chaos"))
                taken.append(one)
        if len(taken) >= self.most:
            close_all(taken)
            raise FaultFailed(f"the server takes more than {self.most} connections", next_step="raise most = …")
        for _ in range(min(self.free, len(taken))):
            taken.pop().close()
        return len(taken)

    def end(self, ground: Ground) -> int:
        ground.held.close()
        return 0


def close_all(taken: list[ExitStack]) -> None:
    while taken:
        taken.pop().close()


@dataclass(frozen=True, slots=True)
class Disk(Fault):
    """Fill the file system of a folder with one file.

    Args:
        path: the folder.
        free: bytes that are left to others.
        largest: bytes that a file system may have to be filled, so that nobody fills the one of the whole machine.
    """

    path: Path
    free: int = 0
    largest: int = LARGEST
    kind: ClassVar[str] = "disk"
    readers: ClassVar[Readers] = {"path": lambda value: Path(str(value)), "free": size, "largest": size}

    def words(self) -> str:
        return f"fill the file system of {self.path} but for {self.free} bytes"

    def prepare(self, ground: Ground) -> tuple[Entry, ...]:
        folder = ground.folder / self.path
        try:
            found = os.statvfs(folder)
        except OSError as problem:
            raise FaultFailed(f"{folder}: {problem.strerror}") from None
        whole_of = found.f_blocks * found.f_frsize
        if whole_of > self.largest:
            raise FaultFailed(
                f"the file system of {folder} has {whole_of / 1024**3:.1f} GB, and {self.largest / 1024**3:.1f} GB may"
                " be filled at most",
                next_step="give the data a small file system of its own: a tmpfs, or a file that is mounted",
            )
        wanted = found.f_bavail * found.f_frsize - self.free
        return ({"kind": self.kind, "file": str(folder / f"chaos-{uuid.uuid4().hex}.fill"), "size": wanted},)

    def begin(self, ground: Ground, entries: Sequence[Entry]) -> int:
        touched = 0
        for entry in entries:
            if entry["size"] <= 0:
                continue
            with Path(entry["file"]).open("xb") as file:
                try:
                    os.posix_fallocate(file.fileno(), 0, entry["size"])
                except OSError as problem:
                    raise FaultFailed(f"{entry['file']} cannot be made that large: {problem.strerror}") from None
            touched += 1
        return touched


def freed(entry: Mapping[str, Any]) -> None:
    """Remove what filled a file system."""
    Path(entry["file"]).unlink(missing_ok=True)
