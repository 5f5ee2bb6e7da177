"""The scripts that a run is about."""

from __future__ import annotations

import fnmatch
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from migrator.errors import UsageError
from migrator.linting import conventions
from migrator.version_folders import is_script_location, location_of

STANDARD_INPUT = "-"
OTHERS_FOLDERS = frozenset({".venv", "venv", "node_modules", "site-packages", ".git", ".tox"})


@dataclass(frozen=True, slots=True)
class Script:
    """A script as its tool runs it.

    Args:
        name: as findings name it: relative to the current folder where it is below that.
        data: its text, the way back blanked out.
        tool: the migration tool it belongs to, empty for none.
        in_transaction: its tool puts it in one transaction.
        whole: its text as it is in the file.
    """

    name: str
    data: bytes
    tool: str = ""
    in_transaction: bool = False
    path: Path | None = None
    whole: bytes = b""


def named(path: Path) -> str:
    """A path relative to the current folder where it is below that, with forward slashes."""
    absolute, here = path.absolute(), Path.cwd()
    return Path(os.path.relpath(absolute, here)).as_posix() if absolute.is_relative_to(here) else path.as_posix()


def find(given: Sequence[str], exclude: Iterable[str] = ()) -> tuple[list[Path | None], list[str]]:
    """The scripts of files and folders in order, None for standard input; and those that only undo others.

    A script location of Alembic is one path, whose revisions have an order of their own.

    Raises:
        UsageError: a path is not there, or is a file that is neither SQL nor Python.
    """
    found: list[Path | None] = []
    files: list[Path] = []
    for word in given:
        path = Path(word)
        if word == STANDARD_INPUT:
            found.append(None)
        elif path.is_dir():
            found += (*conventions.found_in(path), *script_locations(path))
        elif not path.exists():
            raise UsageError(f"{word} is not there", next_step="migrator lint FILE.sql, or a folder, or - for stdin")
        elif path.suffix.lower() == ".py":
            found.append(path)
        elif path.suffix.lower() != ".sql":
            raise UsageError(
                f"{word} is neither .sql nor a revision",
                next_step="give .sql files, Alembic revisions or folders, or text by: migrator lint - < FILE",
            )
        else:
            files.append(path)
    once = {path and path.resolve(): path for path in (*conventions.ordered(files), *found)}
    wanted = [path for path in once.values() if path is None or not excluded(path, exclude)]
    back = [path for path in wanted if path is not None and conventions.goes_back(path)]
    return [path for path in wanted if path not in back], [named(path) for path in back]


def of_alembic(path: Path) -> bool:
    """Whether a path of a run stands for revisions of Alembic."""
    return path.suffix.lower() == ".py" or path.is_dir()


def script_locations(folder: Path) -> list[Path]:
    """Folders that `alembic init` made: this one, those below it, or this one if it holds revisions of another."""
    if location_of(folder) is not None:
        return [folder]
    found = [env.parent for env in sorted(folder.rglob("env.py")) if is_script_location(env.parent)]
    return [path for path in found if not set(path.relative_to(folder).parts) & OTHERS_FOLDERS]


def excluded(path: Path, patterns: Iterable[str]) -> bool:
    """Whether a pattern has it: one with a slash is about the whole path, another about the name."""
    return any(fnmatch.fnmatch(str(path.absolute()) if "/" in each else path.name, each) for each in patterns)


def read(path: Path | None, standard_input: bytes | None = None) -> Script:
    """Read a script.

    Args:
        path: None for standard input.
        standard_input: what is there, where it has been read already.

    Raises:
        OSError: it cannot be read.
    """
    if path is None:
        data = sys.stdin.buffer.read() if standard_input is None else standard_input
        tool = conventions.tool_in(data)
        name = STANDARD_INPUT
    else:
        data, name = path.read_bytes(), named(path)
        tool = conventions.tool_of(path) or conventions.tool_in(data)
    alone = conventions.in_transaction(path or Path(name), data, tool)
    return Script(name, conventions.forward_part(data, tool), tool, alone, path, data)
