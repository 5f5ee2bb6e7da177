"""What the linter says of the cases of MySQL and MariaDB, in the words of who asked the servers."""

from __future__ import annotations

from benchmarks.lint_corpus_mysql import engine_of
from linters.dialects import dialect
from linters.mysql.alterations import AlterTable
from linters.mysql.ways import Algorithm
from linters.source import Source


def verdict(case, release):
    """What the linter says, in the words of the observer."""
    session = engine_of(case, release, with_schema=True).session
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
