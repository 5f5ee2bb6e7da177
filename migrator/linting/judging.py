"""Judge the scripts of a run, one after another, in one state."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from linters.actions import OutsideTransaction
from linters.dialects import dialect
from linters.engine import Choice, Engine, distinct
from linters.findings import Finding, Severity
from linters.reports import Problem, Report
from linters.session import Given, Session
from linters.source import Source
from migrator import __version__
from migrator.errors import MigratorError, UsageError
from migrator.linting import dumps, files
from migrator.linting.options import Options
from migrator.linting.servers import USUAL, chosen_dialect, dotted, release
from migrator.setting_values import mask

if TYPE_CHECKING:
    from migrator.linting.changes import Changes
    from migrator.linting.facts import Facts
    from migrator.linting.shadowing import Shadow
    from migrator.linting.shadowing_mysql import MySQLShadow
    from migrator.shadow import Scratch
    from migrator.shadow.mysql import MySQLScratch

RANKS = {severity: rank for rank, severity in enumerate((Severity.NOTICE, Severity.WARNING, Severity.ERROR))}


@dataclass(frozen=True, slots=True)
class Request:
    """What one run is asked for.

    Args:
        diff: report statements that came since this commit only.
        database_url: read the schema from there; empty to open no connection.
        accept: leave out what the baseline has.
        shadow: run the scripts on a scratch database of this server, too: a URL, or `embedded`.
        standard_input: what is there instead of reading it.
    """

    options: Options
    diff: str = ""
    database_url: str = ""
    accept: bool = True
    shadow: str = ""
    standard_input: bytes | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """A script, and whether whoever runs it puts it in one transaction."""

    script: files.Script
    in_transaction: bool


@contextmanager
def without_collector() -> Iterator[None]:
    """Leave the garbage collector out: what a run makes stays until it ends, and the collector takes a quarter."""
    on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if on:
            gc.enable()


def run(request: Request) -> Report:
    """Judge everything a request is about.

    Raises:
        UsageError: an option makes no sense, or a path, schema or baseline cannot be read.
    """
    return judged(request)[0]


@without_collector()
def judged(request: Request) -> tuple[Report, list[Judged]]:
    """What `run` gives, and the .sql scripts it is about."""
    options = request.options
    paths, skipped = files.find(options.paths, options.exclude)
    baseline, changes = accepted(request), changes_since(request.diff)
    facts = facts_of(request)
    with scratch_of(request, facts) as scratch:
        bench = Bench(request, facts, scratch)
        for path in paths:
            bench.judge(path, changes)
    found = distinct(bench.findings)
    left = [finding for finding in found if finding.fingerprint not in baseline]
    report = Report(
        findings=tuple(without_passwords(finding) for finding in left),
        files=tuple(bench.texts),
        statements=bench.statements,
        problems=tuple(bench.problems),
        assumptions=tuple(bench.assumptions()),
        skipped=tuple(skipped),
        accepted=len(found) - len(left),
        version=__version__,
        texts={name: masked(text) for name, text in bench.texts.items()},
        observed=tuple(bench.shadow.observed) if bench.shadow else None,
    )
    return report, bench.judged


def accepted(request: Request) -> frozenset[str]:
    """Fingerprints that are left out."""
    if not (request.options.baseline and request.accept):
        return frozenset()
    from migrator.linting import baselines

    return baselines.read(Path(request.options.baseline))


def changes_since(commit: str) -> Changes | None:
    if not commit:
        return None
    from migrator.linting.changes import Changes

    return Changes(commit, Path.cwd())


def scratch_of(request: Request, facts: Facts | None) -> AbstractContextManager[Scratch | MySQLScratch | None]:
    """The scratch database of a run that asks for one."""
    if not request.shadow:
        return nullcontext()
    from migrator.linting.shadowing import opened

    return opened(request.shadow, request.options, facts.version if facts else None)


def facts_of(request: Request) -> Facts | None:
    """What the database says, where one is given: the only case in which a connection is opened."""
    if not request.database_url:
        return None
    from migrator.linting.facts import read

    return read(request.database_url)


def fails(report: Report, level: Severity) -> bool:
    """Whether anything is at or above a level."""
    return any(RANKS[finding.severity] >= RANKS[level] for finding in report.findings)


class Bench:
    """The state of one run: the engine, and what it has found so far."""

    def __init__(self, request: Request, facts: Facts | None, scratch: Scratch | MySQLScratch | None = None) -> None:
        self.options, self.facts, self.standard_input = request.options, facts, request.standard_input
        options = self.options
        self.name = chosen_dialect(options.dialect)
        self.dialect = dialect(self.name)
        known = facts.version if facts else scratch.version if scratch else None
        self.version = release(options.server_version, self.name) or known
        self.engine = Engine(Session(self.given()), options.choice())
        self.findings: list[Finding] = []
        self.problems: list[Problem] = []
        self.texts: dict[str, bytes] = {}
        self.statements = 0
        self.tools: set[str] = set()
        self.judged: list[Judged] = []
        self.unread = self.seed(self.engine)
        self.shadow: Shadow | MySQLShadow | None = self.shadow_on(scratch) if scratch else None

    def shadow_on(self, scratch: Scratch | MySQLScratch) -> Shadow | MySQLShadow:
        """What runs the scripts on a scratch database that has the schema."""
        from migrator.linting.shadowing import shadow_of

        # Asked with every rule and no comment, as what somebody accepts is no difference.
        engine = Engine(Session(self.given()), Choice())
        self.seed(engine)
        source = dumps.schema(Path(self.options.schema), self.name) if self.options.schema else None
        if source is None and self.facts is not None:
            source = Source("the database", self.facts.script.encode())
        return shadow_of(scratch, engine, source, self.options)

    def seed(self, engine: Engine) -> int:
        """Put the schema into the state. Returns how many statements of it cannot be read.

        Raises:
            UsageError: it cannot be read at all.
        """
        try:
            unread = self.facts.seed(engine) if self.facts is not None else 0
            if self.options.schema:
                unread += dumps.seed(engine, dumps.schema(Path(self.options.schema), self.name))
        except MigratorError:
            raise
        except Exception as problem:  # a crash is no verdict, and must not look like one
            what = self.options.schema or "the database"
            raise UsageError(
                f"the schema of {what} cannot be judged: {type(problem).__name__}: {problem}",
                next_step="this is a bug; lint without it meanwhile",
            ) from problem
        return unread

    def given(self) -> Given:
        facts, options = self.facts, self.options
        given = Given(complete=bool(options.schema or facts), timezone=options.timezone, dialect=self.name)
        if facts is not None:
            given = replace(given, schema=facts.schema, lock_timeout=facts.lock_timeout)
            given = replace(given, timezone=options.timezone or facts.timezone)
        return replace(given, version=self.version or USUAL[self.name])

    def judge(self, path: Path | None, changes: Changes | None) -> None:
        """Judge one script, or the revisions of a path; what cannot be judged hides nothing else."""
        if path is not None and files.of_alembic(path):
            self.judge_revisions(path, changes)
            return
        name = files.named(path) if path else files.STANDARD_INPUT
        try:
            script = files.read(path, self.standard_input)
            source = Source(script.name, script.data)
            inside = self.in_transaction(script, source)
            found = list(self.engine.judge(source, inside))
            found += self.shadow.judge(source, inside) if self.shadow else []
        except OSError as problem:
            self.problems.append(Problem(name, problem.strerror or str(problem)))
        except UnicodeDecodeError as problem:
            self.problems.append(Problem(name, f"it is not UTF-8 (byte {problem.start})"))
        except ValueError as problem:
            self.problems.append(Problem(name, str(problem)))
        except Exception as problem:  # whatever the parser or a rule dies of is no verdict
            self.problems.append(Problem(name, f"the linter failed: {type(problem).__name__}: {problem}"))
        else:
            self.texts[script.name] = script.data
            self.statements += len(self.engine.pieces)
            self.tools.add(script.tool)
            self.judged.append(Judged(script, inside))
            self.report(found, path, changes)

    def report(self, found: Iterable[Finding], path: Path | None, changes: Changes | None) -> None:
        new = changes.lines_of(path) if changes is not None and path is not None else None
        self.findings += found if new is None else [finding for finding in found if among(finding, new)]

    def judge_revisions(self, path: Path, changes: Changes | None) -> None:
        """Judge revisions in the order of their graph; those a file builds on are taken as done."""
        from migrator.revision_sources import is_revision, revision_sources

        name = files.named(path)
        if path.is_file() and not is_revision(path):
            self.problems.append(Problem(name, "it is no revision of Alembic: it has no revision and down_revision"))
            return
        session, choice = self.engine.session, self.engine.choice
        try:
            for script in revision_sources(Path(name), self.name, session.given.release, session):
                engine = Engine(session, replace(choice, phase=choice.phase or script.phase))
                if not script.asked:
                    engine.seed(script.source)
                    if self.shadow:
                        self.shadow.follow(script.source, script.in_transaction)
                    continue
                found = list(engine.judge(script.source, script.in_transaction))
                if self.shadow and not script.phase:  # what operations come to is run as a whole
                    found += self.shadow.judge(script.source, script.in_transaction)
                self.report([f for f in found if not script.accepts(f)], script.file, changes)
                self.texts[str(script.file)] = script.file.read_bytes()
                self.statements += len(engine.pieces)
        except Exception as problem:  # a crash is no verdict, and must not look like one
            self.problems.append(Problem(name, f"the linter failed: {type(problem).__name__}: {problem}"))
        self.tools.add("alembic")

    def in_transaction(self, script: files.Script, source: Source) -> bool:
        """Whether the script runs in one transaction: Flyway looks at what is in it, Prisma sends it in one piece."""
        if self.options.assume_transaction is not None:
            return self.options.assume_transaction
        if script.tool == "flyway" and script.in_transaction:
            return not self.all_alone(source)
        if script.tool == "prisma":
            return sum(1 for _ in self.dialect.split(source, self.engine.session)) > 1
        return script.in_transaction

    def all_alone(self, source: Source) -> bool:
        """Whether every statement is one that no transaction may hold."""
        if not any(word in source.data.upper() for word in (b"CONCURRENTLY", b"VACUUM", b"DATABASE", b"SYSTEM")):
            return False
        nodes = [piece.node for piece in self.dialect.split(source, self.engine.session)]
        actions = [action for node in nodes if node is not None for action in self.dialect.read(node)]
        alone = [isinstance(a, OutsideTransaction) or getattr(a, "concurrently", False) for a in actions]
        return bool(alone) and all(alone) and None not in nodes

    def assumptions(self) -> Iterable[str]:
        """What was not said and had to be assumed."""
        if not self.options.dialect and self.facts is None:
            yield f"the server is {self.name}: --dialect says otherwise"
        if self.version is None:
            yield f"version {dotted(self.engine.session.given.version)} of it: --server-version says otherwise"
        if not self.engine.session.given.complete:
            yield "what no script created is in use and has rows: --schema FILE or --database-url URL tells more"
            if self.name != "postgresql":
                yield (
                    "such a table is an ordinary one: one that is compressed, or has an index of a VIRTUAL column or a"
                    " FULLTEXT one, may be copied for what is INSTANT else; say ALGORITHM=INSTANT, and it fails instead"
                )
        if self.unread:
            yield f"{self.unread} statements of the schema cannot be read, and what they make is taken for not there"
        for tool in sorted(filter(None, self.tools)):
            yield f"scripts are run by {tool}, in its order and its transactions"


def among(finding: Finding, lines: Sequence[tuple[int, int]]) -> bool:
    last = max(finding.last_line, finding.line)
    return any(first <= last and finding.line <= end for first, end in lines)


def without_passwords(finding: Finding) -> Finding:
    said = {name: getattr(finding, name) for name in ("message", "safer", "statement", "operation")}
    hidden: dict[str, Any] = {name: mask(text) for name, text in said.items()}
    return finding if hidden == said else replace(finding, **hidden)


def masked(text: bytes) -> bytes:
    """A script as it may be shown: the same lines without passwords."""
    if b"://" not in text and b"=" not in text:
        return text
    return mask(text.decode(errors="replace")).encode()
