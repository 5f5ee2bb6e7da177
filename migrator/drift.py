"""What somebody changed by hand between two phases of a revision.

At the end of a phase the ledger keeps how the catalog describes each part that the revision claims or has made; the
next one begins only where it says the same. Parts and not tables are compared, so what another revision changes
beside them is no drift: what it claims cannot overlap.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from migrator import introspection_mysql as mysql_queries
from migrator import introspection_queries as queries
from migrator.claims import named
from migrator.errors import DriftFound, UsageError
from migrator.introspection import read_catalog, volatility_reader
from migrator.ledger import parts, store
from migrator.planning import dialect_for, operations_of, ways
from phases.encoding import encode
from phases.model import BuildIndex, RemoveIndex, TableName
from phases.names import PREFIX, TRIGGER_PREFIX
from phases.operations import Touch

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from migrator.ledger.records import StepRecord
    from migrator.revisions import RevisionGraph
    from phases.catalog import Catalog, Column, Server, Table

ABSENT = "not there"
COMPARED = ("table", "partitioned table", "partition")
"""Kinds of relations. Views over a column are compared by the contract itself, behind its lock."""
OWN_AT_REST = {
    "postgresql": queries.OWN_AT_REST,
    "mysql": mysql_queries.OWN_AT_REST,
    "mariadb": mysql_queries.OWN_AT_REST,
}
OWN_FUNCTIONS = {"postgresql": queries.OWN_FUNCTIONS}
"""Triggers have their text in themselves on the other servers."""
WRITERS = ("trigger ", "function ")
"""What carries the writes of one version to the shape of the other."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a table: how a claim names it, how the server describes it, and which columns it is over."""

    name: str
    text: str
    over: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Difference:
    """A part that is not what it was at the end of the last phase."""

    part: str
    was: str
    found: str

    def __str__(self) -> str:
        return f"{self.part}\n    was: {self.was}\n    is:  {self.found}"

    @property
    def silences(self) -> bool:
        """Whether writes to one shape may not have reached the other meanwhile."""
        return self.was != ABSENT and self.part.startswith(WRITERS)


class Drift:
    """Keeps and compares the parts of revisions, in the caller's transaction."""

    def __init__(self, graph: RevisionGraph, server: Server) -> None:
        self.graph = graph
        self.server = server
        self.compared: set[str] = set()

    def keep(self, connection: Connection, revision: str) -> None:
        """Record what a revision has in the catalog, where any of its steps is still to come."""
        parts.forget(connection, revision)
        steps = store.steps(connection, revision)
        if revision in self.graph and any(step.state != "done" for step in steps):
            described, claimed = self._read(connection, revision, steps)
            mine = {name: described[name] for name in sorted(claimed)}
            parts.keep(connection, revision, self.server.version[0], mine)

    def differences(self, connection: Connection, revision: str) -> tuple[Difference, ...]:
        """What is not as the last phase left it. Writes nothing."""
        was = parts.known(connection, revision, self.server.version[0])
        if was is None or revision not in self.graph:
            return ()
        described, claimed = self._read(connection, revision, store.steps(connection, revision))
        names = sorted({*was, *claimed})
        found = (Difference(name, was.get(name, ABSENT), described.get(name, ABSENT)) for name in names)
        return tuple(each for each in found if each.was != each.found)

    def refuse(self, connection: Connection, revision: str) -> None:
        """Refuse to go on with what was planned for another catalog; asked again in the same run, do not look again.

        Raises:
            DriftFound: naming each part, what it was and what it is.
        """
        if revision in self.compared:
            return
        if found := self.differences(connection, revision):
            record = store.revision(connection, revision)
            raise drifted(revision, record.state if record else "", found)
        self.compared.add(revision)

    def _read(
        self, connection: Connection, revision: str, steps: Sequence[StepRecord]
    ) -> tuple[Mapping[str, str], frozenset[str]]:
        """Every part of the database by its name, and the names of those that belong to a revision.

        One that is contracted claims nothing more: it only waits for the purge of what it has put aside.
        """
        own = owner_of(steps)
        record = store.revision(connection, revision)
        if record is not None and record.state == "contracted":
            aside = own_rows(connection, OWN_AT_REST)
            mine = {part: text for part, name, text in aside if own(name)}
            return mine, frozenset(mine)
        catalog = read_catalog(connection)
        described, claimed = {}, set()
        touched = self._claimed(connection, revision, catalog, steps)
        for table in catalog.tables.values():
            if table.kind not in COMPARED:
                continue
            for part in described_parts(table):
                name = f"{part.name} of {table.name}" if part.name else f"table {table.name}"
                described[name] = part.text
                if belongs(table.name, part, touched, own):
                    claimed.add(name)
        for schema, name, source in own_rows(connection, OWN_FUNCTIONS):
            described[f"function {schema}.{name}"] = source
            claimed |= {f"function {schema}.{name}"} if own(name) else set()
        return described, frozenset(claimed)

    def _claimed(
        self, connection: Connection, revision: str, catalog: Catalog, steps: Sequence[StepRecord]
    ) -> tuple[Touch, ...]:
        reader = cache(lambda: volatility_reader(connection))
        dialect = dialect_for(self.server, lambda expression: reader()(expression))  # rarely asked for
        built = [s.step for s in steps if isinstance(s.step, BuildIndex | RemoveIndex)]
        operations, _ = ways(operations_of(self.graph[revision]), catalog, dialect)
        return *named(operations, catalog, dialect), *(Touch(s.table, f"index {s.index}") for s in built)


def own_rows(connection: Connection, questions: Mapping[str, str]) -> Sequence[Any]:
    """What a family of servers answers; nothing where it is not asked."""
    question = questions.get(connection.dialect.name)
    bound = connection.execution_options(no_parameters=True)
    return bound.exec_driver_sql(question).all() if question else ()


def refuse_silence(revision: str, found: Sequence[Difference]) -> None:
    """Refuse an abort where values may be in the new shape alone, because nothing carried them to the old one.

    Raises:
        UsageError: naming what was changed.
    """
    silent = [each for each in found if each.silences]
    if not silent:
        return
    gone = any(each.found == ABSENT for each in silent)
    raise UsageError(
        f"an abort of {revision} may throw away what was written to the new shape alone, since somebody changed what"
        " carries it to the old one\n  " + "\n  ".join(map(str, silent)),
        next_step=f"put it back, and mend the rows that differ: migrator verify {revision}"
        + ("" if gone else f"; or throw the values away: migrator abort {revision} --discard-data"),
        revision=revision,
        differences=facts(silent),
    )


def facts(found: Sequence[Difference]) -> list[dict[str, str]]:
    return [{"part": each.part, "was": each.was, "is": each.found} for each in found]


def drifted(revision: str, state: str, found: Sequence[Difference]) -> DriftFound:
    back = "restore" if state == "contracted" else "abort"
    return DriftFound(
        f"somebody has changed what the plan of revision {revision} is made for, after it was {state};"
        " nothing was done\n  " + "\n  ".join(map(str, found)),
        next_step="put it back as it was and run the same command again, or take the revision back and let it be"
        f" planned anew: migrator {back} {revision}",
        revision=revision,
        differences=facts(found),
    )


def owner_of(steps: Iterable[StepRecord]) -> Callable[[str], bool]:
    """A function that says whether a revision made what has a name of ours: the name is in its steps then."""
    text = "\n".join(found for record in steps for found in strings(encode(record.step)))

    def own(name: str) -> bool:
        return helper(name) and name.replace('"', '""') in text

    return own


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping | list):
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from strings(item)


def helper(name: str) -> bool:
    """Whether a name is one of those we make."""
    return name.startswith((PREFIX, TRIGGER_PREFIX))


def belongs(table: TableName, part: Part, touched: Sequence[Touch], own: Callable[[str], bool]) -> bool:
    """Whether a revision claims a part, or has made it."""
    name = part.name.split(" ", 1)[-1] or table.name
    if helper(name):
        return own(name)
    if any(helper(column) and not own(column) for column in part.over):
        return False  # it goes with what another revision has put aside
    if helper(table.name) and own(table.name):
        return True
    claim = part.name.removeprefix("column ")
    return any(touch.table == table and touch.part in (None, claim) for touch in touched)


def described_parts(table: Table) -> Iterator[Part]:
    """Every part of a table as the server describes it; the table itself has no name."""
    yield Part("", table.kind)
    for column in table.columns:
        yield Part(f"column {column.name}", described_column(column), (column.name,))
    for index in table.indexes:
        yield Part(f"index {index.name}", index.definition + ("" if index.valid else ", not valid"), index.columns)
    for constraint in table.constraints:
        yield Part(f"constraint {constraint.name}", constraint.definition, constraint.columns)
    for trigger in table.triggers:
        yield Part(
            f"trigger {trigger.name}", trigger.definition + ("" if trigger.enabled else ", disabled"), trigger.columns
        )


def described_column(column: Column) -> str:
    words = [column.type]
    words += [f"COLLATE {column.collation}"] if column.collation else []
    words += ["NOT NULL"] if column.not_null else []
    words += [f"DEFAULT {column.default}"] if column.default is not None else []
    words += [f"GENERATED ALWAYS AS ({column.generated})"] if column.generated is not None else []
    if column.sequence is not None and column.sequence.identity is not None:
        words.append(f"GENERATED {column.sequence.identity} AS IDENTITY")
    return " ".join(words)
