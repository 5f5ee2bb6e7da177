"""A project's `env.py`, asked what it configures and what its classical revisions amount to.

It is run as Alembic runs it offline, so it needs no database; what it hands to
`context.configure` is kept, and nothing is migrated.
"""

from __future__ import annotations

import ast
import contextlib
import io
import logging
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from linters.collected import Item
from migrator.errors import RevisionError, SettingsError
from migrator.places import place_in
from migrator.revisions import RevisionGraph

if TYPE_CHECKING:
    from alembic.runtime.environment import EnvironmentContext
    from alembic.runtime.migration import MigrationContext

    from migrator.revisions import Revision

URL_VARIABLE = "MIGRATOR_DATABASE_URL"
VERSION_OPTIONS = ("version_table", "version_table_schema", "version_table_pk")
ASKS_WHETHER_OFFLINE = re.compile(r"\b(as_sql|is_offline_mode)\b")


@dataclass(frozen=True, slots=True)
class Rendered:
    """What `upgrade()` of a classical revision amounts to: what it sends, with its lines, or why that is not known."""

    items: tuple[Item, ...] = ()
    problem: str = ""


@dataclass(slots=True)
class Run:
    """What a run of `env.py` brought to light."""

    options: dict[str, Any] = field(default_factory=dict)
    rendered: dict[str, Rendered] = field(default_factory=dict)
    problem: str = ""


class Environment:
    """The `env.py` of a project.

    Args:
        graph: the revisions beside it.
    """

    def __init__(self, graph: RevisionGraph) -> None:
        self.graph = graph
        self.path = Path(graph.directory.env_py_location)
        self._rendered: dict[tuple[str, str], Rendered] = {}

    @cached_property
    def version_options(self) -> dict[str, Any]:
        """What Alembic is told of its version table: `version_table`, `version_table_schema`, `version_table_pk`.

        Read from the text where it says so in constants, else by running the file.

        Raises:
            SettingsError: `env.py` had to be run, and failed.
        """
        if not self.path.is_file():
            return {}
        found = constant_options(self.path.read_text(encoding="utf-8"))
        if found is None:
            run = self.run(())
            if run.problem:
                raise SettingsError(
                    f"{self.path}: which version table Alembic uses cannot be told: {run.problem}",
                    next_step='write it as a constant: context.configure(…, version_table="…")',
                )
            found = {name: run.options[name] for name in VERSION_OPTIONS if run.options.get(name) is not None}
        return found

    @cached_property
    def options(self) -> dict[str, Any]:
        """Everything `env.py` hands to `context.configure`; empty where it cannot be run offline."""
        return self.run(()).options

    @property
    def metadata(self) -> Any:
        """The `target_metadata` of the project; None where there is none, or it cannot be had offline."""
        return self.options.get("target_metadata")

    def rendered(self, revision: Revision, others: Sequence[Revision], family: str = "postgresql") -> Rendered:
        """Statements of a classical revision.

        Args:
            others: further revisions that will be asked for, rendered in the same run.
            family: of the server they are for.
        """
        if (family, revision.id) not in self._rendered:
            asked = {item.id: item for item in (*others, revision)}
            wanted = [item for item in asked.values() if (family, item.id) not in self._rendered]
            run = self.run(wanted, family)
            missing = Rendered(problem=run.problem or f"{self.path} does not call context.run_migrations() offline")
            self._rendered |= {(family, item.id): run.rendered.get(item.id, missing) for item in wanted}
        return self._rendered[family, revision.id]

    def run(self, revisions: Sequence[Revision], family: str = "postgresql") -> Run:
        """Run `env.py` offline, and render revisions where it would migrate."""
        from alembic.util import CommandError

        found = Run()
        if not self.path.is_file():
            found.problem = "there is no env.py"
            return found
        recorder = recording(self.graph, found, revisions, family)
        try:
            with surroundings(self.graph.settings_url), recorder:
                self.graph.directory.run_env()
        except (KeyboardInterrupt, MemoryError):
            raise
        except CommandError as problem:
            found.problem = str(problem).splitlines()[0]
        except BaseException as problem:  # SystemExit, too: it is theirs, not ours
            found.problem = said(problem, self.path)
        return found


@lru_cache(maxsize=4)
def environment_of(graph: RevisionGraph) -> Environment:
    """The environment of a graph, the same one every time: `env.py` runs no more often than it must."""
    return Environment(graph)


@contextlib.contextmanager
def surroundings(url: str | None) -> Iterator[None]:
    """Give foreign code the URL we use, and keep what it prints out of our own output."""
    before = os.environ.get(URL_VARIABLE)
    if url:
        os.environ[URL_VARIABLE] = url
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        logging.disable(level)
        if before is None:
            os.environ.pop(URL_VARIABLE, None)
        else:
            os.environ[URL_VARIABLE] = before


def recording(graph: RevisionGraph, found: Run, revisions: Sequence[Revision], family: str) -> EnvironmentContext:
    """An Alembic environment that keeps what it is told, and renders instead of migrating."""
    from alembic.runtime.environment import EnvironmentContext

    environment = EnvironmentContext(graph.config, graph.directory, as_sql=True)
    configure, before, asked = environment.configure, io.StringIO(), []

    def keep(**options: Any) -> None:
        for name in ("connection", "url", "output_encoding"):
            options.pop(name, None)
        found.options = found.options or dict(options)
        dialect = {**(options.pop("dialect_opts", None) or {}), "paramstyle": "named"}
        options |= {"literal_binds": True, "output_buffer": before, "transactional_ddl": True}
        configure(**{**options, "dialect_name": family, "dialect_opts": dialect})

    def is_offline_mode() -> bool:
        asked.append(True)
        return True

    def run_migrations(**keywords: Any) -> None:
        said_before = before.getvalue().strip()
        for revision in revisions:
            asked.clear()
            rendered = render(graph, revision, environment.get_context(), keywords)
            if asked or ASKS_WHETHER_OFFLINE.search(revision.path.read_text(encoding="utf-8")):
                rendered = Rendered(problem="it does something else offline than with a connection")
            if said_before:
                rendered = Rendered(problem=f"env.py sends statements of its own: {said_before.splitlines()[0]}")
            found.rendered[revision.id] = rendered

    # Alembic's module `alembic.context` leads to this object, not to its class.
    vars(environment).update(
        configure=keep,
        is_offline_mode=is_offline_mode,
        begin_transaction=contextlib.nullcontext,
        run_migrations=run_migrations,
    )
    return environment


class Sent(io.StringIO):
    """What Alembic writes offline, piece by piece, each with the line of the revision that asked for it."""

    def __init__(self, revision: Revision) -> None:
        super().__init__()
        self.revision, self.items = revision, list[Item]()

    def write(self, text: str) -> int:
        if text.strip():
            self.items.append(Item(text.strip(), *(place_in(self.revision.path) or (self.revision.line, 1))))
        return len(text)


def render(
    graph: RevisionGraph, revision: Revision, context: MigrationContext, keywords: Mapping[str, Any]
) -> Rendered:
    """Write what `upgrade()` of one revision sends."""
    from alembic.operations import Operations

    upgrade: Callable[..., None] = graph.directory.get_revision(revision.id).module.upgrade
    buffer = Sent(revision)
    context.impl.output_buffer = buffer

    def execute(construct: Any, parameters: Any = None, *more: Any) -> None:
        if parameters or more:
            raise TypeError("parameters of a statement cannot be written offline; use .values(…) or bindparams(…)")
        context.impl._exec(construct)

    vars(context.connection)["_execute_impl"] = execute  # Alembic's own drops the parameters without a word
    try:
        with Operations.context(context):
            upgrade(**keywords)
    except (KeyboardInterrupt, MemoryError):
        raise
    except BaseException as problem:
        return Rendered(problem=said(problem, revision.path))
    return Rendered(tuple(buffer.items))


def said(problem: BaseException, path: Path) -> str:
    """A problem of foreign code in one line, with the line of their file."""
    frames = [frame for frame in traceback.extract_tb(problem.__traceback__) if Path(frame.filename) == path]
    where = f" (line {frames[-1].lineno})" if frames else ""
    first = (str(problem).splitlines() or [""])[0]
    return f"{type(problem).__name__}: {first}{where}"


def constant_options(source: str) -> dict[str, Any] | None:
    """The version table as the calls of `configure` name it in constants; None where only a run can tell.

    Online calls count, where there are any: they are the ones that meet a database.
    """
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return None
    calls = [n for n in ast.walk(tree) if isinstance(n, ast.Call) and called(n) == "configure"]
    online = [call for call in calls if any(k.arg == "connection" for k in call.keywords)]
    found = []
    for call in online or calls:
        given = {k.arg: k.value for k in call.keywords if not is_ours(k)}
        if None in given and "version_table" not in given:  # **options may name it
            return None
        chosen = {name: given[name] for name in VERSION_OPTIONS if name in given}
        if not all(isinstance(value, ast.Constant) for value in chosen.values()):
            return None
        found.append({name: value.value for name, value in chosen.items() if isinstance(value, ast.Constant)})
    if not found or any(options != found[0] for options in found):
        return None
    return {name: value for name, value in found[0].items() if value is not None}


def is_ours(keyword: ast.keyword) -> bool:
    """Whether it is the `**options()` of our plugin, which names no version table."""
    value = keyword.value
    return keyword.arg is None and isinstance(value, ast.Call) and called(value) == "options" and not value.args


def called(call: ast.Call) -> str:
    function = call.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def not_rendered(revision: Revision, problem: str) -> RevisionError:
    """The error for a revision that only Alembic can run."""
    return RevisionError(
        f"{revision.path}:{revision.line}: what upgrade() does cannot be known without running it: {problem}",
        next_step=f"while nobody uses the database: alembic upgrade {revision.id}",
        file=str(revision.path),
        line=revision.line,
        revision=revision.id,
    )
