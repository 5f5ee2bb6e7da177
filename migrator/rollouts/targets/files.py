"""Files that programs read while we write them."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from migrator.rollouts.targets.base import TargetFailed


def replace_file(path: Path, content: str) -> None:
    """Replace a file at once: who reads it meanwhile reads the former one, or the whole of this one.

    Raises:
        TargetFailed: it cannot be written.
    """
    name = ""
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "w") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(path.stat().st_mode & 0o777 if path.exists() else 0o644)
        Path(name).replace(path)
    except OSError as problem:
        with suppress(OSError):
            Path(name).unlink()
        raise TargetFailed(f"{path} cannot be written: {problem.strerror}") from None


def read_file(path: Path) -> str:
    """The content of a file.

    Raises:
        TargetFailed: it cannot be read.
    """
    try:
        return path.read_text()
    except OSError as problem:
        raise TargetFailed(
            f"{path} cannot be read: {problem.strerror}",
            next_step="write what it begins with: migrator rollout config --into FOLDER",
        ) from None
