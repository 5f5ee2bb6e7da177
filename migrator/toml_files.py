"""Finding and reading the TOML that settings are in, without what the settings mean."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from migrator.errors import SettingsError


def find_pyproject(start: Path) -> Path | None:
    """The nearest pyproject.toml that knows migrator or alembic, from `start` upwards."""
    for folder in (start, *start.parents):
        candidate = folder / "pyproject.toml"
        if candidate.is_file() and re.search(r"^\[tool\.(migrator|alembic)\b", candidate.read_text(), re.M):
            return candidate
    return None


def read_toml(path: Path) -> dict[str, Any]:
    """What a file says.

    Raises:
        SettingsError: it cannot be read, or is no TOML; names file and line.
    """
    import tomllib

    try:
        return tomllib.loads(path.read_text())
    except OSError as problem:
        raise SettingsError(f"{path}: {problem.strerror}") from None
    except tomllib.TOMLDecodeError as problem:
        line = re.search(r"line (\d+)", str(problem))
        where = f"{path}:{line[1]}" if line else str(path)
        raise SettingsError(f"{where}: not valid TOML: {problem}", file=str(path)) from None
