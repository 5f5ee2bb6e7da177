"""One revision file, run on its own with the recording driver."""

from __future__ import annotations

import ast
import builtins
import contextlib
import inspect
import io
import logging
import sys
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from linters.collected import Item
from migrator.offline import guarding
from migrator.offline.driver import Known, engine_for
from migrator.offline.recording import Endless, Recorder, said
from migrator.offline.stand_ins import importer, is_stand_in, not_here, stand_in


@dataclass(frozen=True, slots=True)
class Target:
    """The server a revision is run for.

    Args:
        dialect: `postgresql`, `mysql` or `mariadb`.
        version: its version, as many parts as are known.
        known: what is known of its schema.
        schema: where unqualified names live.
        search: folders that modules of the project are found in.
    """

    dialect: str
    version: tuple[int, ...]
    known: Known
    schema: str = "public"
    search: tuple[str, ...] = ()


@dataclass(slots=True)
class Ran:
    """What a run of a revision brought to light: what it sent, and the names of its module."""

    items: list[Item] = field(default_factory=list)
    names: dict[str, Any] = field(default_factory=dict)


def run(path: Path, target: Target) -> Ran:
    """Run `upgrade()` of a revision file, and record what it sends.

    A revision that asks what is in the database runs twice, once with each answer.
    What cannot be run is an item with a problem at its line; the rest is run all the same.
    """
    text = path.read_text(encoding="utf-8-sig")
    try:
        tree = ast.parse(text, str(path))
    except (SyntaxError, ValueError) as problem:
        line = getattr(problem, "lineno", None) or 1
        return Ran([Item("", line, problem=f"it is no Python: {problem}")])
    code = compile(guarding.guarded(tree), str(path), "exec")
    first = once(path, text, code, target, present=False)
    recorder, found = first
    if recorder.asked:
        other, _ = once(path, text, code, target, present=True)
        found.items = united(found.items, other.items)
    return found


def once(path: Path, text: str, code: Any, target: Target, *, present: bool) -> tuple[Recorder, Ran]:
    recorder = Recorder(path, text.splitlines(), present)
    module = ModuleType(f"migrator_revision_{path.stem}")
    vars(module).update(surroundings(path, recorder))
    names = vars(module)
    with alone(target.search, module):
        try:
            with alembic(recorder, target) as connection:
                exec(code, names)  # a revision is a program; it is run as Alembic would run it
                for function in upgrades(names) if "migration" not in names else ():
                    upgrade(function, connection, recorder)
        except Endless as problem:
            last = recorder.items[-1]
            recorder.problem(str(problem), (last.line, last.column))
        except (Exception, SystemExit) as problem:
            recorder.problem(said(problem), (1, 1))
    return recorder, Ran(recorder.items, names)


def upgrades(names: dict[str, Any]) -> list[Any]:
    """What Alembic would call: `upgrade`, or that of each database in the template for several."""
    function = names.get("upgrade")
    if "engine_name" in names_of_parameters(function):
        return [names[name] for name in sorted(names) if name.startswith("upgrade_") and callable(names[name])]
    return [function] if callable(function) else []


def names_of_parameters(function: Any) -> list[str]:
    """Parameters that have to be given."""
    try:
        found = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return []
    return [item.name for item in found if item.default is item.empty and item.kind is item.POSITIONAL_OR_KEYWORD]


def upgrade(function: Any, connection: Any, recorder: Recorder) -> None:
    """Run `upgrade()` in a transaction of its own; what an `env.py` hands to it is not known, but for `op`."""
    from alembic import op

    given = {name: op if name == "op" else stand_in(name, recorder)() for name in names_of_parameters(function)}
    line = getattr(getattr(function, "__code__", None), "co_firstlineno", 1)
    with recorder.standing_at((line, 1)):
        connection.connection.dbapi_connection.begin()
    try:
        function(**given)
    except (Exception, SystemExit):
        recorder.failed()
    with recorder.standing_at((line, 1)):
        connection.connection.dbapi_connection.commit()


def surroundings(path: Path, recorder: Recorder) -> dict[str, Any]:
    """The globals of a revision's module."""

    def called(value: Any) -> Any:
        if is_stand_in(value):
            recorder.problem(not_here(value.origin))
        return value

    def unknown(name: str) -> Any:
        return stand_in(name, recorder)()

    return {
        "__file__": str(path),
        "__builtins__": {**vars(builtins), "__import__": importer(recorder)},
        guarding.FAILED: recorder.failed,
        guarding.CALLED: called,
        guarding.UNKNOWN: unknown,
        guarding.PROBLEM: Exception,
    }


@contextlib.contextmanager
def alembic(recorder: Recorder, target: Target) -> Iterator[Any]:
    """`alembic.op` and `alembic.context` on top of the recording driver."""
    from alembic.config import Config
    from alembic.operations import Operations, batch
    from alembic.runtime.environment import EnvironmentContext
    from alembic.runtime.migration import MigrationContext

    engine = engine_for(recorder, target.known, target.dialect, target.version, target.schema)
    environment = EnvironmentContext(Config(), None)  # type: ignore[arg-type]
    before, batch.BatchOperationsImpl = batch.BatchOperationsImpl, remembering(recorder)  # type: ignore[misc]
    try:
        with environment, engine.connect() as connection:
            context = MigrationContext(connection.dialect, connection, {}, environment)
            environment._migration_context = context
            context._transaction = connection.begin()
            with Operations.context(context):
                yield connection
    finally:
        batch.BatchOperationsImpl = before  # type: ignore[misc]


def remembering(recorder: Recorder) -> Any:
    """Alembic's batch of changes to a table, which it sends at the end: each keeps the line that asked for it, and
    one that fails holds up no other."""
    from alembic.operations.batch import BatchOperationsImpl

    class Changes(list[Any]):
        places: list[tuple[int, int]]

        def append(self, change: Any) -> None:
            self.places = [*getattr(self, "places", ()), recorder.place()]
            super().append(change)

        def __iter__(self) -> Iterator[Any]:
            for place, change in zip(getattr(self, "places", ()), super().__iter__(), strict=True):
                with recorder.standing_at(place):
                    yield change

    class Batch(BatchOperationsImpl):
        def __init__(self, *given: Any, **named: Any) -> None:
            super().__init__(*given, **named)  # type: ignore[no-untyped-call]
            self.batch = Changes()

        def flush(self) -> None:
            if self._should_recreate():
                super().flush()
                return
            for name, given, named in self.batch:
                try:
                    getattr(self.operations.impl, name)(*given, **named)
                except Exception:
                    recorder.failed()

    return Batch


@contextlib.contextmanager
def alone(search: Sequence[str], module: ModuleType) -> Iterator[None]:
    """Keep what foreign code prints, logs and warns of to itself, and `sys.path` as it is.

    Args:
        search: folders to import from besides.
        module: can be imported meanwhile; classes ask for the module they are made in.
    """
    path, level = list(sys.path), logging.root.manager.disable
    sys.path += [folder for folder in search if folder not in sys.path]
    logging.disable(logging.CRITICAL)
    sys.modules[module.__name__] = module
    try:
        nowhere = io.StringIO()
        with contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        sys.path[:] = path
        sys.modules.pop(module.__name__, None)
        logging.disable(level)


def united(first: Sequence[Item], second: Iterable[Item]) -> list[Item]:
    """Everything that one of two runs sent: what only the second did stands where its line belongs."""
    found = list(first)
    known = {(item.line, item.text, item.problem) for item in first}
    for item in second:
        if (item.line, item.text, item.problem) not in known:
            place = next((n for n, other in enumerate(found) if n and other.line > item.line), len(found) - 1)
            found.insert(max(place, 1), item)
    return found
