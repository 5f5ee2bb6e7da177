"""Cases of MySQL and MariaDB with what real servers do, and what the linter says of them."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

from linters.dialects import dialect
from linters.engine import Engine
from linters.mysql.alterations import AlterTable
from linters.mysql.ways import Algorithm
from linters.session import Given, Session
from linters.source import Source

CORPUS = Path(__file__).parent.parent / "corpus"


@dataclass(frozen=True)
class Case:
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

    def __str__(self):
        return f"{self.dialect}-{self.topic}-{self.statement}"


def cases(name):
    for file in sorted((CORPUS / name).glob("*.toml")):
        content = tomllib.loads(file.read_text())
        for case in content["case"]:
            truth = {key: value for key, value in case.items() if key[0].isdigit()}
            yield Case(
                name, file.stem, tuple(content["schema"]), case["statement"], truth, case.get("quirk", "")
            )  # fmt: skip


def verdict(case, release):
    """What the linter says, in the words of the observer."""
    given = Given(version=tuple(map(int, release.split("."))), dialect=case.dialect, complete=True)
    session = Session(given)
    engine = Engine(session)
    engine.seed(Source("schema", ";\n".join(case.schema).encode()))
    settings = ";\n".join(text for text in case.schema if text.startswith("SET "))
    list(engine.judge(Source("settings", settings.encode())))
    used = dialect(case.dialect)
    (piece,) = used.split(Source("case", case.statement.encode()), session)
    for action in used.read(piece.node):
        if isinstance(action, AlterTable):
            return label(used.cost_of(action, session))
    return "no ALTER"


def label(cost):
    """A cost in the words of the observer."""
    algorithm = cost.way.algorithm
    if cost.error:
        return "error"
    return algorithm.name if algorithm is Algorithm.INSTANT else f"{algorithm.name} {cost.way.lock.name}"
