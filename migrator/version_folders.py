"""Where a project keeps its Alembic revisions, as `alembic.ini` or `[tool.alembic]` says, without importing Alembic."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SEPARATORS = {"space": " ", "newline": "\n", "os": os.pathsep, ":": ":", ";": ";"}
"""`path_separator`, and `version_path_separator` of older releases."""
WITHOUT_SEPARATOR = r", *| +|\n"
HIGHEST = 4
"""Folders in which a configuration is looked for: that of the scripts, and those above it."""


@dataclass(frozen=True, slots=True)
class Location:
    """A script location, and the folders of its revisions. All of them absolute."""

    scripts: Path
    versions: tuple[Path, ...]


def is_script_location(path: Path) -> bool:
    """Whether a folder is one that `alembic init` makes, wherever its revisions are."""
    return (path / "env.py").is_file() and any(folder.is_dir() for folder in version_folders(path))


def version_folders(scripts: Path) -> tuple[Path, ...]:
    """The folders of the revisions of a script location: `versions` in it where nothing says otherwise.

    Those below the current folder are relative to it.
    """
    for location in configured(scripts):
        if location.scripts == scripts.resolve() and location.versions:
            return tuple(map(shown, location.versions))
    return (scripts / "versions",)


def location_of(folder: Path) -> Path | None:
    """The script location that has its revisions in a folder, or above it; None where nothing says so."""
    inside = folder.resolve()
    if folder.name == "versions" and (folder.parent / "env.py").is_file():
        return folder.parent
    for location in configured(folder):
        if any(inside.is_relative_to(versions) for versions in location.versions):
            return shown(location.scripts)
    return None


def shown(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def configured(folder: Path) -> Iterator[Location]:
    """The script locations that configurations in a folder or above it name."""
    start = folder.resolve()
    for root in (start, *start.parents[: HIGHEST - 1]):
        for options in (*of_ini(root / "alembic.ini"), *of_pyproject(root / "pyproject.toml")):
            scripts, versions = options.get("script_location"), options.get("version_locations") or ()
            given = separated(versions, options) if isinstance(versions, str) else versions
            if isinstance(scripts, str):
                yield Location(placed(scripts, root), tuple(placed(str(item), root) for item in given))


def of_ini(path: Path) -> Iterator[Mapping[str, Any]]:
    """Sections of an `alembic.ini` that name a script location: one for each database."""
    if not path.is_file():
        return
    import configparser  # most runs meet no such file

    parser = configparser.ConfigParser({"here": path.parent.as_posix()})
    try:
        parser.read(path, encoding="utf-8")
        for section in parser.sections():
            if parser.has_option(section, "script_location"):
                names = ("script_location", "version_locations", "path_separator", "version_path_separator")
                yield {name: parser.get(section, name, fallback=None) for name in names}
    except (configparser.Error, UnicodeDecodeError):
        return


def of_pyproject(path: Path) -> Iterator[Mapping[str, Any]]:
    if not path.is_file():
        return
    import tomllib

    try:
        found = tomllib.loads(path.read_text(encoding="utf-8")).get("tool", {}).get("alembic")
    except (OSError, ValueError):
        return
    if isinstance(found, dict):
        yield found


def separated(text: str, options: Mapping[str, Any]) -> list[str]:
    """The folders of one line of text."""
    chosen = options.get("path_separator") or options.get("version_path_separator")
    separator = SEPARATORS.get(str(chosen))
    parts = text.split(separator) if separator else re.split(WITHOUT_SEPARATOR, text)
    return [part.strip() for part in parts if part.strip()]


def placed(text: str, root: Path) -> Path:
    """A folder as Alembic finds it: `%(here)s` is where the configuration is, `package:folder` a place in a package."""
    path = text.replace("%(here)s", root.as_posix())
    package, mark, folder = path.partition(":")
    if mark and len(package) > 1 and "/" not in package:
        path = f"{package.replace('.', '/')}/{folder}"
    return (root / path).resolve()
