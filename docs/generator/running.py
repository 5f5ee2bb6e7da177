"""Run an example as a user would: all phases of its revision, and both versions of an application after each."""

from __future__ import annotations

import ast
import shutil
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from migrator import projects
from migrator.applying import BEFORE_CONTRACT
from migrator.database import Session
from migrator.errors import PlanRefused
from migrator.events import ignore
from migrator.execution import Execution
from migrator.introspection import read_catalog
from migrator.planning import RevisionPlan
from migrator.runs import execution, install_ledger, load_graph, planned, running
from migrator.settings import load
from phases.model import Phase

from .schemas import Schema, schema_of
from .signatures import slug

EXAMPLES = Path(__file__).parents[1] / "examples" / "operations"
MAJOR = 18
"""The server the pages are written from: others word some of their definitions differently."""

FILE = "example.py"
NAME = "docs unprepared"
"""Of our sessions, which hold no prepared statement: changes of type wait for those that may."""

EMPTY = "DROP SCHEMA IF EXISTS migrator CASCADE; DROP SCHEMA public CASCADE; CREATE SCHEMA public"


@dataclass(frozen=True)
class Example:
    """A revision file, with the tables it starts from.

    `title` is empty for the only example of an operation; `statements` are pairs of `old` or `new` and SQL.
    """

    path: Path
    title: str
    before: str
    migration: str
    statements: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Moment:
    """What each statement gave before the revision or after a phase of it; and the schema, where it is to be shown."""

    name: str
    answers: tuple[str, ...]
    schema: Schema | None


@dataclass(frozen=True)
class Run:
    """An example that was run; `plan` is None where it was refused, and `refusal` says why."""

    example: Example
    plan: RevisionPlan | None
    moments: tuple[Moment, ...]
    refusal: str = ""


def examples_of(name: str) -> list[Example]:
    """The examples of an operation: `its_name.py`, then `its_name-*.py`.

    Raises:
        FileNotFoundError: there is none; the message has the path of the file to write.
    """
    paths = sorted([*EXAMPLES.glob(f"{slug(name)}.py"), *EXAMPLES.glob(f"{slug(name)}-*.py")], key=lambda p: p.stem)
    if not paths:
        raise FileNotFoundError(f"{name} has no example: write {EXAMPLES / slug(name)}.py")
    return [read_example(path) for path in paths]


def read_example(path: Path) -> Example:
    """Read an example without importing it."""
    text = path.read_text()
    tree = ast.parse(text)
    nodes = {
        node.targets[0].id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    return Example(
        path,
        (ast.get_docstring(tree) or "").rstrip("."),
        ast.literal_eval(nodes["BEFORE"]).strip(),
        f"migration = {ast.get_source_segment(text, nodes['migration'])}",
        tuple(ast.literal_eval(nodes["STATEMENTS"])),
    )


@contextmanager
def scratch_database(server_url: str) -> Iterator[str]:
    """A database for examples to be run in, one after another.

    Args:
        server_url: of any database on the server, as psycopg takes it.
    """
    name = f"examples_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server_url, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
        try:
            yield f"{server_url.rpartition('/')[0]}/{name}"
        finally:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def run_example(example: Example, scratch_url: str) -> Run:
    """Run an example from its first table to the end of its last phase.

    Args:
        scratch_url: of a scratch database; everything in it is dropped first.
    """
    with tempfile.TemporaryDirectory() as folder:
        projects.write_setup(projects.plan_setup(Path(folder)))
        shutil.copy(example.path, Path(folder) / "migrations" / "versions" / FILE)
        settings = load({"database_url": scratch_url}, environ={}, directory=Path(folder))
        graph = load_graph(settings)
        with (
            psycopg.connect(scratch_url, autocommit=True, application_name=NAME, prepare_threshold=None) as application,
            running(settings, "apply") as session,
        ):
            application.execute(f"{EMPTY};{example.before}".encode())
            try:
                plan = planned(session, graph, None).revisions[0]
            except PlanRefused as refused:
                said = refused.message.replace(folder, "").lstrip("/")
                return Run(example, None, (), f"error: {said}\nnext:  {refused.next_step}")
            install_ledger(session)
            work = execution(settings, session, graph, ignore)
            before = Moment("before", tuple(answers(example.statements, application)), schema_in(session))
            work.begin(graph[plan.revision], plan)
            return Run(example, plan, (before, *lived(example, plan, work, application)))


def lived(example: Example, plan: RevisionPlan, work: Execution, application: psycopg.Connection) -> Iterator[Moment]:
    """Run phase after phase, and look at what is true after each that does something.

    Raises:
        RuntimeError: what was done is not what was planned.
    """
    busy = [phase for phase in Phase if plan.of(phase)]
    # While both versions may be live, and at the end.
    shown = {*[phase for phase in busy if phase in BEFORE_CONTRACT][-1:], *busy[-1:]}
    for phase in Phase:
        wanted = [step.step.name for step in plan.of(phase)]
        if wanted or phase in BEFORE_CONTRACT:  # a contract needs a revision that is migrated, if by no step
            work.run_phase(plan.revision, phase)
        done = [outcome.name for outcome in work.outcomes if outcome.phase is phase]
        if done != wanted:
            raise RuntimeError(f"{example.path.name}, {phase}: planned {wanted}, done {done}")
        if wanted:
            schema = schema_in(work.session) if phase in shown else None
            yield Moment(phase.value, tuple(answers(example.statements, application)), schema)


def schema_in(session: Session) -> Schema:
    with session.transaction() as connection:
        return schema_of(read_catalog(connection))


def answers(statements: Sequence[tuple[str, str]], application: psycopg.Connection) -> Iterator[str]:
    """Run statements one after another, each on what those before it left, and take all of them back."""
    with application.transaction(force_rollback=True):
        for _, statement in statements:
            try:
                with application.transaction():
                    yield answer(application.execute(statement.encode()))
            except psycopg.Error as problem:
                yield f"fails: {str(problem).splitlines()[0]}"


def answer(cursor: psycopg.Cursor[tuple[object, ...]]) -> str:
    """What a statement gave: the rows it returned, or that it was done."""
    if cursor.description is None:
        return "done"
    rows = [", ".join("NULL" if value is None else str(value) for value in row) for row in cursor]
    return "; ".join(rows) or "no row"
