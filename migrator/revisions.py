"""Revision files: Alembic's script directory, read without running it twice."""

from __future__ import annotations

import ast
import re
import sys
import traceback
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from migrator.errors import RevisionError, SettingsError
from migrator.migration import Migration
from phases.errors import nearest

if TYPE_CHECKING:
    from alembic.config import Config
    from alembic.script import Script, ScriptDirectory

    from migrator.settings import Settings


RESERVED = frozenset({"base", "head", "heads", "current"})
"""Words that Alembic's commands take instead of an id."""

VERSION_LENGTH = 32
"""Width of `alembic_version.version_num`, as Alembic creates it."""


@dataclass(frozen=True, slots=True)
class Revision:
    """One revision file. `migration` is None for a classical Alembic revision."""

    id: str
    down_revisions: tuple[str, ...]
    path: Path
    line: int
    message: str
    migration: Migration | None

    @property
    def digest(self) -> str:
        return self.migration.digest if self.migration else ""

    def line_of(self, operation: int) -> int:
        """The line where an operation of the migration begins, counted from 0; that of the migration if unknown."""
        for node in ast.parse(self.path.read_text(encoding="utf-8")).body:
            made = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
            if node.lineno == self.line and isinstance(made, ast.Call) and operation < len(made.args):
                return made.args[operation].lineno
        return self.line


def as_tuple(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else tuple(value)


def line_of(path: Path, start: str) -> int:
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if re.match(rf"{start}\s*(:[^=]*)?=", line):
            return number
    return 1


class RevisionGraph:
    """Every revision of a script directory, in the order Alembic would run them."""

    def __init__(
        self,
        directory: ScriptDirectory,
        revisions: Mapping[str, Revision],
        config: Config,
        settings_url: str | None = None,
    ) -> None:
        self.directory = directory
        self.config = config
        self.settings_url = settings_url
        self._revisions = revisions

    @classmethod
    def load(cls, settings: Settings) -> RevisionGraph:
        """Read a script directory.

        Raises:
            SettingsError: there is none.
            RevisionError: a file does not import, an id is given twice, a down revision is missing, or the
                graph has a cycle; names the file.
        """
        return cls.of(*script_directory(settings), settings.given_url)

    @classmethod
    def of(cls, config: Config, directory: ScriptDirectory, url: str | None = None) -> RevisionGraph:
        """Read the revisions of a directory that Alembic has opened; raises what `load` raises.

        Args:
            url: the database, as it was given to us.
        """
        found = scripts(directory)
        names = by_label(found)
        revisions = {script.revision: revision_of(script, names) for script in found}
        return cls(directory, revisions, config, url)

    def __contains__(self, name: str) -> bool:
        return name in self._revisions

    def __getitem__(self, name: str) -> Revision:
        return self._revisions[name]

    def ordered(self) -> Iterator[Revision]:
        """Revisions, each after everything it builds on."""
        return iter(self._revisions.values())

    @property
    def heads(self) -> tuple[str, ...]:
        return tuple(self.directory.get_heads())

    @cached_property
    def _ancestors(self) -> dict[str, frozenset[str]]:
        found: dict[str, frozenset[str]] = {}
        for revision in self.ordered():
            above = (found[name] for name in revision.down_revisions)
            found[revision.id] = frozenset({revision.id}).union(*above)
        return found

    def ancestors(self, name: str) -> frozenset[str]:
        """Everything a revision builds on, and itself."""
        return self._ancestors[name]

    def all_ancestors(self) -> dict[str, frozenset[str]]:
        return self._ancestors

    def resolve(self, name: str) -> str:
        """Find a revision by its id, the beginning of it, or `head`.

        Raises:
            RevisionError: there is none, or several; the message names the nearest.
        """
        if name in self._revisions:
            return name
        if name == "head" and len(self.heads) == 1:
            return self.heads[0]
        found = [known for known in self._revisions if name and known.startswith(name)]
        if len(found) == 1:
            return found[0]
        if found:
            raise RevisionError(f'"{name}" could be {" or ".join(sorted(found))}')
        if name == "head":
            raise RevisionError(
                f"there are several heads: {', '.join(self.heads)}" if self.heads else "there are no revisions",
                next_step="name one of them" if self.heads else 'migrator new "…"',
            )
        hint = nearest(name, self._revisions)
        raise RevisionError(f'there is no revision "{name}"', next_step=hint or "migrator status")


def alembic_config(settings: Settings) -> Config:
    """Alembic's configuration of the project, with the script directory that ours names."""
    from alembic.config import Config

    files = [settings.directory / name for name in ("alembic.ini", "pyproject.toml")]
    ini, toml = (str(file) if file.is_file() else None for file in files)
    location = settings.script_location
    if ":" not in location:  # else a folder inside a package, which Alembic finds
        location = str(settings.scripts)
    config = Config(ini, toml)
    config.set_main_option("script_location", location.replace("%", "%%"))
    return config


def script_directory(settings: Settings) -> tuple[Config, ScriptDirectory]:
    """Alembic's configuration, and its view of the script directory that it describes.

    Raises:
        SettingsError: there is none, or Alembic cannot read its configuration.
    """
    import configparser

    from alembic.script import ScriptDirectory
    from alembic.util import CommandError

    try:
        config = alembic_config(settings)
        directory = ScriptDirectory.from_config(config)
    except (CommandError, configparser.Error, ImportError) as problem:
        raise SettingsError(
            f"there is no script directory {settings.script_location}: {str(problem).splitlines()[0]}",
            next_step="migrator init",
            source=settings.source("script_location"),
        ) from None
    directory.messaging_opts = {"quiet": True}
    return config, directory


def scripts(directory: ScriptDirectory) -> list[Script]:
    """Alembic's scripts, each after everything it builds on."""
    from alembic.script.revision import RevisionMap

    found = imported(directory)
    by_name: dict[str, Script] = {}
    for script in found:
        refuse_double(script, by_name.get(script.revision))
        by_name[script.revision] = script
    refuse_disorder(by_name, by_label(found))
    # The map is built from what has been imported: no file runs twice.
    directory.revision_map = RevisionMap(lambda: iter(found))
    ordered = list(directory.walk_revisions())
    ordered.reverse()
    return ordered


def by_label(scripts: Iterable[Script]) -> dict[str, Script]:
    """Scripts by their ids, and by the branch labels they were given: `depends_on` takes both."""
    found = {}
    for script in scripts:
        labels = as_tuple(script.module.__dict__.get("branch_labels"))
        found.update(dict.fromkeys((script.revision, *labels), script))
    return found


@contextmanager
def without_bytecode() -> Iterator[None]:
    """Leave no bytecode of a file: that of one edited within the same second, at the same length, would be run."""
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        yield
    finally:
        sys.dont_write_bytecode = before


def imported(directory: ScriptDirectory) -> list[Script]:
    """Import every revision file, once."""
    from alembic.util import CommandError

    found: list[Script] = []
    try:
        with without_bytecode():
            for script in directory._load_revisions():
                found.append(script)
    except CommandError as problem:
        raise RevisionError(
            f"{directory.dir}: {str(problem).splitlines()[0]}", next_step="mend the revision file"
        ) from None
    except Exception as problem:
        raise import_problem(directory, problem) from None
    return found


def refuse_double(script: Script, other: Script | None) -> None:
    """Refuse an id that two files have: Alembic only warns, and takes one of them."""
    if other is None:
        return
    paths = [Path(other.path), Path(script.path)]
    files = " and ".join(f"{path}:{line_of(path, 'revision')}" for path in paths)
    raise RevisionError(
        f'revision "{script.revision}" is defined twice: {files}',
        next_step="give one of them another id",
        file=str(paths[1]),
        line=line_of(paths[1], "revision"),
    )


def builds_on(script: Script) -> tuple[tuple[str, str], ...]:
    """What a script names, and the variable it names it in."""
    downs = [(name, "down_revision") for name in as_tuple(script.down_revision)]
    return (*downs, *((name, "depends_on") for name in as_tuple(script.module.__dict__.get("depends_on"))))


def refuse_disorder(scripts: Mapping[str, Script], names: Mapping[str, Script]) -> None:
    """Refuse a graph that names what is not there, or goes round in circles.

    Args:
        scripts: every script by its id.
        names: the same, by branch labels too.
    """
    below: dict[str, list[str]] = {}
    for script in scripts.values():
        if script.revision in RESERVED:
            raise misplaced(script, "revision", f'"{script.revision}" means something else', "choose another id")
        for name, variable in builds_on(script):
            if name not in names:
                raise misplaced(
                    script,
                    variable,
                    f'builds on revision "{name}", which does not exist',
                    nearest(name, names),
                )
        below[script.revision] = [names[name].revision for name, _ in builds_on(script)]
    try:
        TopologicalSorter(below).prepare()
    except CycleError as problem:
        circle: list[str] = problem.args[1]
        raise misplaced(
            scripts[circle[0]],
            "down_revision",
            f"the revisions go round in a circle: {' -> '.join(reversed(circle))}",
            "make down_revision of one of them name an older revision",
        ) from None


def misplaced(script: Script, variable: str, what: str, remedy: str) -> RevisionError:
    path = Path(script.path)
    line = line_of(path, variable)
    return RevisionError(f"{path}:{line}: {what}", next_step=remedy, file=str(path), line=line)


def import_problem(directory: ScriptDirectory, problem: Exception) -> RevisionError:
    """Say which revision file cannot be imported, and where."""
    folders = tuple(str(folder) for folder in directory._version_locations)
    frames = [f for f in traceback.extract_tb(problem.__traceback__) if f.filename.startswith(folders)]
    path, line = (frames[-1].filename, frames[-1].lineno or 1) if frames else (folders[0], 1)
    if isinstance(problem, SyntaxError) and problem.filename:
        path, line = problem.filename, problem.lineno or 1
    return RevisionError(
        f"{path}:{line}: {type(problem).__name__}: {problem}",
        next_step="mend the revision file",
        file=path,
        line=line,
    )


def revision_of(script: Script, names: Mapping[str, Script]) -> Revision:
    """Our view of a script.

    Raises:
        RevisionError: `migration` is no Migration, `upgrade` is missing or does something else, or the id
            does not fit Alembic's table.
    """
    path, content = Path(script.path), script.module.__dict__
    migration = content.get("migration")
    if migration is not None and not isinstance(migration, Migration):
        raise misplaced(
            script,
            "migration",
            f"migration is a {type(migration).__name__}, not a Migration",
            "migration = Migration(RenameColumn(…))",
        )
    refuse_unusable(script, migration)
    below = [names[name].revision for name, _ in builds_on(script)]
    return Revision(
        script.revision,
        tuple(dict.fromkeys(below)),
        path,
        line_of(path, "migration" if migration else "revision"),
        (script.doc or "").strip(),
        migration,
    )


def refuse_unusable(script: Script, migration: Migration | None) -> None:
    content = script.module.__dict__
    if migration is None:
        if "upgrade" not in content:
            raise misplaced(script, "revision", "has neither a migration nor upgrade()", "migration = Migration(…)")
        return
    if content.get("upgrade") != migration.upgrade:
        what = "has upgrade() beside its migration" if "upgrade" in content else "has no upgrade for Alembic"
        remedy = "upgrade, downgrade = migration.upgrade, migration.downgrade"
        raise misplaced(script, "migration", what, remedy)
    if len(script.revision) > VERSION_LENGTH:
        raise misplaced(
            script,
            "revision",
            f'revision "{script.revision}" has {len(script.revision)} characters; Alembic\'s table holds'
            f" {VERSION_LENGTH}",
            "shorten it, here and where other revisions name it",
        )
