"""Alembic revisions as scripts for the linter, in the order Alembic would run them."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from linters.collected import Collected, Item, collected
from linters.values import Name
from migrator.migration import Migration
from migrator.offline.own import accepted, outcome, phases
from migrator.offline.running import Ran, Target, run
from migrator.places import silencing
from migrator.version_folders import is_script_location, location_of, version_folders

if TYPE_CHECKING:
    from linters.findings import Finding
    from linters.session import Session

NAMES = ("revision", "down_revision", "depends_on", "branch_labels")


@dataclass(frozen=True, slots=True)
class Script:
    """What a revision sends, or one phase of it.

    Args:
        file: the revision.
        source: its statements, with the borders of its transactions among them; what cannot be known is
            a piece with a problem.
        revision: its id.
        phase: `expand`, `migrate` or `contract` for a revision of operations, else empty.
        asked: it is to be judged; else it only tells what is there by the time the next one runs.
        in_transaction: whoever runs it puts it in a transaction that its text does not show.
        accepted: rules that a `RunSQL` accepts, each with the line of the operation.
    """

    file: Path
    source: Collected
    revision: str = ""
    phase: str = ""
    asked: bool = True
    in_transaction: bool = False
    accepted: frozenset[tuple[str, int]] = frozenset()

    def accepts(self, finding: Finding) -> bool:
        """Whether the revision says of a finding, with a reason, that it does no harm."""
        return (finding.rule, finding.line) in self.accepted

    @property
    def problems(self) -> tuple[Item, ...]:
        """What is not known of it, each with its line."""
        return tuple(item for item in self.source.items if item.problem)


@dataclass(frozen=True, slots=True)
class Header:
    """What a revision file says of its place among the others, in constants."""

    path: Path
    id: str
    below: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()


def is_revision(path: Path) -> bool:
    """Whether a file is a revision of Alembic."""
    return path.suffix == ".py" and header(path) is not None


def revision_sources(
    path: Path, dialect: str = "postgresql", version: tuple[int, ...] = (17,), session: Session | None = None
) -> Iterator[Script]:
    """The scripts of a script location, or of one revision and, not asked for, those it builds on.

    A revision is run when its script is asked for, so that what an engine has learnt of the
    earlier ones in `session` answers what it asks the database.

    Args:
        path: a script location, its folder of versions, or a revision file.
        dialect, version: the server they are for: `postgresql`, `mysql` or `mariadb`.
        session: what is known of the schema.
    """
    folder = path if path.is_dir() else path.parent
    location = folder if is_script_location(folder) else location_of(folder) or folder.parent
    # A folder alone is asked for alone; a file, or a script location, belongs to all folders of the project.
    whole = is_script_location(location) and (path.is_file() or location == folder)
    found = ordered(list(headers(version_folders(location) if whole else (folder,))))
    if path.is_file():
        wanted = ancestors(path, found)
        found = [item for item in found if item.path in wanted]
    schema = session.given.schema if session is not None else "public"
    search = (str(location.resolve().parent), str(location.resolve()))
    target = Target(dialect, version, knowledge(session), schema, search)
    for item in found:
        yield from scripts(item, run(item.path, target), path.is_dir() or item.path == path)


def scripts(item: Header, ran: Ran, asked: bool) -> Iterator[Script]:
    """What one revision amounts to: a script, or one for each phase and what they come to."""
    comments = silencing(item.path)
    migration = ran.names.get("migration")
    if not isinstance(migration, Migration):
        yield Script(item.path, collected(str(item.path), [*ran.items, *comments]), item.id, asked=asked)
        return
    lines = operation_lines(item.path)
    if ran.items:
        yield Script(item.path, collected(str(item.path), ran.items), item.id, asked=asked)
    for phase, items in phases(migration, lines):
        if asked and items:
            source = collected(str(item.path), [*items, *comments])
            yield Script(item.path, source, item.id, str(phase), accepted=accepted(migration, lines))
    yield Script(item.path, collected(str(item.path), outcome(migration, lines)), item.id, asked=False)


def headers(folders: Iterable[Path]) -> Iterator[Header]:
    """Revision files of folders, by name."""
    for path in dict.fromkeys(path for folder in folders for path in sorted(folder.rglob("*.py"))):
        found = header(path)
        if found is not None:
            yield found


def header(path: Path) -> Header | None:
    """What a file says of itself; None where it is no revision.

    A file that is no Python stays: what it does is not known.
    """
    try:
        tree = ast.parse(path.read_text(encoding="utf-8-sig"))
    except SyntaxError:
        return Header(path, path.stem)
    except (OSError, ValueError):
        return None
    given: dict[str, Any] = {}
    for node in tree.body:
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        for target in targets:
            if isinstance(target, ast.Name) and target.id in NAMES and isinstance(node, ast.Assign | ast.AnnAssign):
                given[target.id] = constant(node.value)
    if "revision" not in given or "down_revision" not in given:
        return None
    below = (*as_names(given["down_revision"]), *as_names(given.get("depends_on")))
    return Header(path, str(given["revision"]), below, as_names(given.get("branch_labels")))


def constant(node: ast.expr | None) -> Any:
    try:
        return ast.literal_eval(node) if node is not None else None
    except ValueError:
        return None


def as_names(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else tuple(map(str, value))


def named(found: list[Header]) -> dict[str, Header]:
    """Revisions by id and by branch label."""
    return {name: item for item in found for name in (*item.labels, item.id)}


def below(item: Header, names: Mapping[str, Header]) -> list[Header]:
    """The revisions that one builds on, as far as they are there; Alembic takes the beginning of an id, too."""
    found = []
    for name in item.below:
        known = [names[name]] if name in names else [other for id, other in names.items() if id.startswith(name)]
        found += known[:1]
    return found


def ordered(found: list[Header]) -> list[Header]:
    """Each after everything it builds on; by name where that leaves a choice, or the graph is a circle."""
    names = named(found)
    by_path = {item.path: item for item in found}
    sorter = TopologicalSorter({item.path: [other.path for other in below(item, names)] for item in found})
    try:
        sorter.prepare()
    except CycleError:
        return found
    made = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready())
        sorter.done(*ready)
        made += [by_path[path] for path in ready]
    return made


def ancestors(path: Path, found: list[Header]) -> set[Path]:
    """A revision file, and the files of all that it builds on."""
    names, wanted = named(found), {path}
    for item in reversed(found):
        if item.path in wanted:
            wanted |= {other.path for other in below(item, names)}
    return wanted


def knowledge(session: Session | None) -> Any:
    """Answers from what an engine has learnt so far."""

    def known(kind: str, schema: str | None, name: str) -> bool | list[str] | None:
        if session is None:
            return None
        whole, full = session.given.complete, Name(schema or "", name)
        if kind == "table":
            return True if session.knows(full) else False if whole else None
        if kind == "columns":
            relation = session.relation(full)
            return [column.name for column in relation.columns] if relation.complete else None
        if kind == "type" and name in session.enums.values:
            return True
        if kind == "index" and session.resolve(full) in session.indexes.values:
            return True
        return False if whole and kind in ("type", "index") else None

    return known


def operation_lines(path: Path) -> list[int]:
    """Lines on which the operations of `migration = Migration(…)` begin; that of the migration itself last."""
    for node in ast.parse(path.read_text(encoding="utf-8-sig")).body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        if any(isinstance(t, ast.Name) and t.id == "migration" for t in targets) and isinstance(node, ast.Assign):
            given = node.value.args if isinstance(node.value, ast.Call) else []
            return [*(argument.lineno for argument in given), node.lineno]
    return [1]
