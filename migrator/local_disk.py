"""How much of the disk is free that the data of a server is on: no SQL says it, so it is known on its own machine."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from migrator.dialects.base import Family


@dataclass(frozen=True, slots=True)
class Disk:
    """Bytes of a disk, and which one it is."""

    free: int
    size: int
    name: str


def disk(family: Family, rows: Callable[[str], Sequence[Sequence[Any]]]) -> Disk | None:
    """The disk of the data; None where the server runs elsewhere, or does not say where its data is.

    Args:
        rows: asks the server.
    """
    folder = family.data_folder(rows)
    if folder is not None and folder.is_absolute():
        with suppress(OSError):
            usage = shutil.disk_usage(folder)
            return Disk(usage.free, usage.total, f"the disk of {folder}")
    return None
