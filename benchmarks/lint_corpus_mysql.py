"""Cases of MySQL and MariaDB: what real servers of several releases do with a statement, and what the linter finds."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from benchmarks import lint_corpus
from benchmarks.lint_corpus import BROKEN, CORPUS, SAFE, Case
from linters.engine import Engine
from linters.findings import Finding
from linters.session import Given, Session
from linters.source import Source

HARMLESS = ("INSTANT", "NOCOPY NONE")
"""What writes no table again, and lets others write."""
DISCARDS = re.compile(r"\b(DROP|TRUNCATE) PARTITION\b", re.I)
"""What takes rows away, however fast."""
KINDS = "INDEX|KEY|PRIMARY|FOREIGN|CONSTRAINT|CHECK|PARTITION"
BREAKS = re.compile(
    rf"\b(DROP (?!({KINDS})\b)\w+|RENAME (?!({KINDS})\b)\w+|CHANGE (?:COLUMN )?(?P<old>\w+) (?!(?P=old)\b)\w+"
    r"|ADD COLUMN \w+ \w+ NOT NULL(?! *(DEFAULT|AUTO_INCREMENT)))",
    re.I,
)
"""What takes a name away, or asks every INSERT for one more value: that needs no server to be known."""
REDEFINES = re.compile(r"\b(MODIFY|CHANGE|CONVERT TO)\b", re.I)
"""What says of a column, or of all, what it is to be: whether that costs anything depends on what it was."""


@dataclass(frozen=True)
class Recorded:
    """A statement in a schema.

    Args:
        truth: by release, `INSTANT`, `NOCOPY NONE` … `COPY SHARED`, or `error N`.
        quirk: a release that accepts an algorithm and does another; the tables tell.
    """

    dialect: str
    topic: str
    schema: tuple[str, ...]
    statement: str
    truth: dict[str, str]
    quirk: str = ""

    def __str__(self) -> str:
        return f"{self.dialect}-{self.topic}-{self.statement}"

    @property
    def settings(self) -> str:
        """What the schema sets for the session."""
        return ";\n".join(text for text in self.schema if text.startswith("SET "))


def recorded(dialect: str) -> Iterator[Recorded]:
    for file in sorted((CORPUS / dialect).glob("*.toml")):
        content = tomllib.loads(file.read_text())
        for case in content["case"]:
            truth = {key: value for key, value in case.items() if key[0].isdigit()}
            yield Recorded(
                dialect, file.stem, tuple(content["schema"]), case["statement"], truth, case.get("quirk", "")
            )


def engine_of(case: Recorded, release: str, *, with_schema: bool) -> Engine:
    """An engine that knows the release, what the session has set, and the schema where it is given."""
    given = Given(version=tuple(map(int, release.split("."))), dialect=case.dialect, complete=with_schema)
    engine = Engine(Session(given))
    if with_schema:
        engine.seed(Source("schema", ";\n".join(case.schema).encode()))
    list(engine.judge(Source("settings", case.settings.encode())))
    return engine


def findings(case: Recorded, release: str, *, with_schema: bool) -> list[Finding]:
    """What is found in the statement, behind what the session has set: the next script begins without that."""
    engine = engine_of(case, release, with_schema=with_schema)
    script = ";\n".join(filter(None, (case.settings, case.statement)))
    return list(engine.judge(Source("case", script.encode())))


def cases_of(dialect: str) -> dict[str, tuple[Case, Recorded, str]]:
    """Every case in every release whose truth is recorded."""
    found: dict[str, tuple[Case, Recorded, str]] = {}
    for case in recorded(dialect):
        for release, truth in case.truth.items():
            text = f"{release}: {case.settings} {case.statement}"
            name = f"{case.topic}, {release}: {case.statement}"
            name = name if name not in found else f"{name} ({len(found)})"
            found[name] = (replace(Case(name, "", text), truth=truth_of(case.statement, truth)), case, release)
    return found


def truth_of(statement: str, done: str) -> tuple[str, ...]:
    """Why a statement is not safe, or that it is; `done`: what the server did."""
    told = [] if done in HARMLESS else [done.lower()]
    told += ["data"] if DISCARDS.search(statement) else []
    told += [BROKEN] if BREAKS.search(statement) else []
    return tuple(told) or (SAFE,)


def decidable(cases: Iterable[Case]) -> list[Case]:
    """Cases that a script alone decides: no column is defined again for nothing, which it cannot know to be nothing."""
    return lint_corpus.decidable([case for case in cases if case.unsafe or not REDEFINES.search(case.script)])
