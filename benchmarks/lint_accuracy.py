"""Recall and precision of linters on the corpus, whose truth real servers have told.

    python -m benchmarks.lint_accuracy [--dialect postgresql|mysql|mariadb] [--misses] [--format json]
    python -m benchmarks.lint_accuracy --record [--only ID]

Ours with the schema and with the script alone, and squawk (`pip install squawk-cli`) with the script, as it is
installed: default settings. Of MySQL and MariaDB every case counts once for each release whose truth is recorded.
`--record` runs every case on the servers of this machine and writes what is true of it into the corpus; a case of
which two versions do not say the same is named, and left alone.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks import lint_corpus_mysql, show
from benchmarks.lint_corpus import Case, decidable, load, record, try_out
from linters.engine import Engine
from linters.findings import Category, Finding
from linters.session import Given, Session
from linters.source import Source
from migrator.embedded import EmbeddedServer, all_binaries
from migrator.errors import MigratorError
from migrator.shadow import Scratch

DIALECTS = ("postgresql", "mysql", "mariadb")
NEWEST = 18
BREAKING = re.compile(r"^(ban-drop|ban-rename|ban-alter-.*rename|renaming|adding-required-field|ban-truncate|changing)")
"""Rules of squawk about the old version; the others are about locks."""
SILENT, HAZARD, BREAKS, UNKNOWN = "", "hazard", "compatibility", "unanalysed"


@dataclass(frozen=True, slots=True)
class Said:
    """What a linter says of a case: axes, and rules."""

    axes: frozenset[str] = frozenset()
    rules: tuple[str, ...] = ()


Ask = Callable[[Case], Said]
Linter = tuple[str, Ask, list[Case]]
"""How it is called, how it is asked, and about what."""


def findings(case: Case, with_schema: bool, version: int | None = None) -> list[Finding]:
    """What ours finds in a case, with its schema or without."""
    given = Given(version=version or min(case.versions[1], NEWEST), complete=with_schema,
                  timezone="UTC" if with_schema else None)  # fmt: skip
    engine = Engine(Session(given))
    if with_schema:
        engine.seed(Source("schema", case.given.encode()))
    return list(engine.judge(Source(case.id, case.script.encode())))


def said(found: Iterable[Finding]) -> Said:
    told = [finding for finding in found if finding.category is not Category.STYLE]
    return Said(frozenset(each.category.value for each in told), tuple(dict.fromkeys(each.rule for each in told)))


def ours(with_schema: bool) -> Ask:
    return lambda case: said(findings(case, with_schema))


def squawk(program: str) -> Ask:
    def ask(case: Case) -> Said:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "case.sql"
            file.write_text(case.script)
            version = f"--pg-version={min(case.versions[1], NEWEST)}.0"
            done = subprocess.run([program, "--reporter", "json", version, str(file)], cwd=folder,
                                  capture_output=True, text=True, check=False)  # fmt: skip
            rules = tuple(dict.fromkeys(found["rule_name"] for found in json.loads(done.stdout or "[]")))
        return Said(frozenset(BREAKS if BREAKING.match(rule) else HAZARD for rule in rules), rules)

    return ask


@dataclass(frozen=True, slots=True)
class Score:
    caught: int
    missed: list[Case]
    wrong: list[Case]

    @property
    def recall(self) -> float:
        return self.caught / max(self.caught + len(self.missed), 1)

    @property
    def precision(self) -> float:
        return self.caught / max(self.caught + len(self.wrong), 1)


def score(answers: dict[str, Said], cases: Iterable[Case], axis: str = "") -> Score:
    """How a linter does on one axis, or on both.

    What it cannot analyse it has not passed: on an unsafe case that is a catch, on a safe one no false alarm.
    """
    caught, missed, wrong = 0, [], []
    for case in cases:
        truth = {HAZARD: case.hazard, BREAKS: case.breaks}.get(axis, case.unsafe)
        found = bool(answers[case.id].axes & ({axis} if axis else {HAZARD, BREAKS}))
        caught += truth and (found or UNKNOWN in answers[case.id].axes)
        missed += [case] if truth and not found and UNKNOWN not in answers[case.id].axes else []
        wrong += [case] if found and not truth else []
    return Score(caught, missed, wrong)


def record_all(only: str | None, servers: str | None) -> None:
    """Run cases on every server here that they are for, and write their truth.

    Args:
        only: id of the one case, or `missing` for those that have no truth.
        servers: majors, `12,18`; all that are here where it is not given.
    """
    unclear: list[str] = []
    with ExitStack() as stack:
        scratches = {}
        for major, binaries in sorted(all_binaries().items()):
            if servers and str(major) not in servers.split(","):
                continue
            server = stack.enter_context(EmbeddedServer(binaries))
            scratches[major] = stack.enter_context(Scratch(server.url()))
        for case in load():
            if only and case.id != only and not (only == "missing" and not case.truth):
                continue
            try:
                told = {major: try_out(case, scratch) for major, scratch in scratches.items() if case.is_for(major)}
            except (ValueError, MigratorError) as problem:
                unclear.append(f"{case.id}: {problem}")
                continue
            if len(set(told.values())) != 1:
                unclear.append(f"{case.id}: {told or 'no server here is of its versions'}")
                continue
            truth = next(iter(told.values()))
            if truth != case.truth:
                print(f"{case.id}: {' '.join(truth)}", flush=True)
                record(case, truth)
    if unclear:
        raise SystemExit("\n".join(unclear))


def on_postgresql() -> list[Linter]:
    everything = load("postgresql")
    decided = decidable(everything)
    asked = [("ours with schema", ours(True), everything), ("ours without", ours(False), decided)]
    program = shutil.which("squawk")
    return [*asked, ("squawk", squawk(program), decided)] if program else asked


def on_mysql(dialect: str) -> list[Linter]:
    found = lint_corpus_mysql.cases_of(dialect)

    def asking(with_schema: bool) -> Ask:
        def ask(case: Case) -> Said:
            _, recorded, release = found[case.id]
            return said(lint_corpus_mysql.findings(recorded, release, with_schema=with_schema))

        return ask

    cases = [case for case, _, _ in found.values()]
    return [
        ("ours with schema", asking(True), cases),
        ("ours without", asking(False), lint_corpus_mysql.decidable(cases)),
    ]


def figures_of(dialect: str) -> tuple[dict[str, object], list[str]]:
    """The figures of a dialect, and a line for each case that a linter is wrong about."""
    linters = on_postgresql() if dialect == "postgresql" else on_mysql(dialect)
    everything = linters[0][2]
    figures: dict[str, object] = {"cases": len(everything), "unsafe": sum(case.unsafe for case in everything)}
    lines: list[str] = []
    for name, ask, cases in linters:
        answers = {case.id: ask(case) for case in cases}
        for axis in ("", HAZARD, BREAKS):
            found = score(answers, cases, axis)
            figures[", ".join(filter(None, (name, axis)))] = (
                f"recall {found.recall:.2f} precision {found.precision:.2f}"
            )
            if not axis:
                unread = [c for c in cases if c.unsafe and answers[c.id].axes == {UNKNOWN}]
                figures[f"{name}, caught as unanalysed only"] = f"{len(unread)} of {found.caught}"
                figures[f"{name}, cases asked"] = len(cases)
                lines += [f"{name} misses {c.id}: {' '.join(c.truth)}" for c in found.missed]
                lines += [f"{name} wrongly finds {c.id}: {', '.join(answers[c.id].rules)}" for c in found.wrong]
    return {f"{dialect}: {name}": value for name, value in figures.items()}, lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dialect", choices=DIALECTS, help="by default, each")
    parser.add_argument("--format", choices=["text", "json"], default="text")
    parser.add_argument("--misses", action="store_true", help="name every case that a linter is wrong about")
    parser.add_argument("--record", action="store_true", help="ask PostgreSQL servers, and write the truth down")
    parser.add_argument("--only", help="id of the one case to record, or `missing` for those without truth")
    parser.add_argument("--servers", help="majors of the servers to ask, such as 12,18; all by default")
    given = parser.parse_args()
    if given.record:
        record_all(given.only, given.servers)
        return
    figures: dict[str, object] = {}
    lines: list[str] = []
    for dialect in [given.dialect] if given.dialect else DIALECTS:
        found, wrong = figures_of(dialect)
        figures |= found
        lines += wrong
    show(figures, given.format)
    if given.misses:
        print("\n".join(lines))


if __name__ == "__main__":
    main()
