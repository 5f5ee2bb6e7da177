"""Revision files: Alembic's script directory, read without running it twice."""

from __future__ import annotations

import re
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from migrator.errors import RevisionError, SettingsError
from migrator.migration import Migration
from phases.errors import nearest

if TYPE_CHECKING:
    from alembic.script import Script, ScriptDirectory

    from migrator.settings import Settings

ID = re.compile(r"""^revision\s*(?::[^=]*)?=\s*["']([^"']+)["']""", re.M)


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

    def __init__(self, directory: ScriptDirectory, revisions: dict[str, Revision]) -> None:
        self.directory = directory
        self._revisions = revisions

    @classmethod
    def load(cls, settings: Settings) -> RevisionGraph:
        """Read a script directory.

        Raises:
            SettingsError: there is none.
            RevisionError: a file does not import, an id is given twice, a down revision is missing, or the
                graph has a cycle; names the file.
        """
        from alembic.script import ScriptDirectory

        folder = settings.scripts
        if not (folder / "versions").is_dir():
            raise SettingsError(
                f"there is no script directory {folder} (with a folder versions in it)",
                next_step="migrator init",
                source=settings.source("script_location"),
            )
        refuse_duplicates(folder / "versions")
        directory = ScriptDirectory(str(folder))
        return cls(directory, {script.revision: revision_of(script) for script in scripts(directory)})

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
        found = [known for known in self._revisions if known.startswith(name)]
        if len(found) == 1:
            return found[0]
        if found:
            raise RevisionError(f'"{name}" could be {" or ".join(sorted(found))}')
        hint = nearest(name, self._revisions)
        raise RevisionError(f'there is no revision "{name}"', next_step=hint or "migrator status")


def refuse_duplicates(versions: Path) -> None:
    """Refuse an id that two files have: Alembic only warns, and takes one of them."""
    ids: dict[str, list[Path]] = {}
    for path in sorted(versions.glob("*.py")):
        found = ID.search(path.read_text(errors="replace"))
        if found:
            ids.setdefault(found[1], []).append(path)
    counted = Counter({name: len(paths) for name, paths in ids.items()})
    name, times = counted.most_common(1)[0] if counted else ("", 1)
    if times > 1:
        files = " and ".join(f"{path}:{line_of(path, 'revision')}" for path in ids[name])
        raise RevisionError(
            f'revision "{name}" is defined twice: {files}',
            next_step="give one of them another id",
            file=str(ids[name][0]),
            line=line_of(ids[name][0], "revision"),
        )


def scripts(directory: ScriptDirectory) -> list[Script]:
    """Alembic's scripts, base first."""
    from alembic.script.revision import RevisionError as GraphError
    from alembic.util import CommandError

    try:
        with warnings.catch_warnings():
            # A revision that is not there is said as a warning first, and fails right after.
            warnings.simplefilter("ignore")
            found = list(directory.walk_revisions())
    except (CommandError, GraphError, KeyError) as problem:
        raise graph_problem(directory, problem) from None
    except Exception as problem:
        raise import_problem(directory, problem) from None
    found.reverse()
    return found


def graph_problem(directory: ScriptDirectory, problem: Exception) -> RevisionError:
    """Say which file breaks the graph."""
    versions = Path(directory.dir) / "versions"
    ids, downs = {}, {}
    for path in sorted(versions.glob("*.py")):
        text = path.read_text(errors="replace")
        found = ID.search(text)
        if found:
            ids[found[1]] = path
            below = re.search(r"^(?:down_revision|depends_on)\s*(?::[^=]*)?=\s*(.+)$", text, re.M)
            downs[path] = re.findall(r"""["']([^"']+)["']""", below[1]) if below else []
    for path, names in downs.items():
        for name in names:
            if name not in ids:
                hint = nearest(name, ids)
                line = line_of(path, "down_revision")
                return RevisionError(
                    f'{path}:{line}: builds on revision "{name}", which does not exist',
                    next_step=hint,
                    file=str(path),
                    line=line,
                )
    text = str(problem).splitlines()[0] if str(problem) else type(problem).__name__
    files = ", ".join(str(path) for name, path in ids.items() if name in text) or str(versions)
    return RevisionError(
        f"{files}: the revisions form no order: {text}", next_step="mend down_revision", file=files
    )


def import_problem(directory: ScriptDirectory, problem: Exception) -> RevisionError:
    """Say which revision file cannot be imported, and where."""
    versions = str(Path(directory.dir) / "versions")
    frames = [f for f in traceback.extract_tb(problem.__traceback__) if f.filename.startswith(versions)]
    path, line = (frames[-1].filename, frames[-1].lineno or 1) if frames else (versions, 1)
    if isinstance(problem, SyntaxError) and problem.filename:
        path, line = problem.filename, problem.lineno or 1
    return RevisionError(
        f"{path}:{line}: {type(problem).__name__}: {problem}",
        next_step="mend the revision file",
        file=path,
        line=line,
    )


def revision_of(script: Script) -> Revision:
    path = Path(script.path)
    migration = getattr(script.module, "migration", None)
    if migration is not None and not isinstance(migration, Migration):
        line = line_of(path, "migration")
        raise RevisionError(
            f"{path}:{line}: migration is a {type(migration).__name__}, not a Migration",
            next_step="migration = Migration(RenameColumn(…))",
            file=str(path),
            line=line,
        )
    return Revision(
        script.revision,
        tuple(dict.fromkeys((*as_tuple(script.down_revision), *as_tuple(script.dependencies)))),
        path,
        line_of(path, "migration" if migration else "revision"),
        (script.doc or "").strip(),
        migration,
    )
