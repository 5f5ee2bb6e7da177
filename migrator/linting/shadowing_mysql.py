"""`migrator lint --shadow` on MySQL and MariaDB: by which algorithm and under which lock the server does each ALTER."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from linters.actions import Action
from linters.collected import Collected
from linters.costs import Cost
from linters.dialects import dialect
from linters.engine import Engine
from linters.findings import Finding
from linters.mysql.tokens import Statement
from linters.mysql.ways import AlterCost
from linters.reports import Observed
from linters.rules import SHADOW
from linters.session import Session
from linters.source import Piece, Source
from migrator.errors import DatabaseError, UsageError
from migrator.linting.options import Options
from migrator.linting.servers import chosen_dialect, dotted, release
from migrator.linting.shadowing import EMBEDDED, difference_finding
from migrator.setting_values import mask
from migrator.shadow.comparing import CONFIRMED, REFUSALS, Difference, compare_ways, way_in_words
from migrator.shadow.confining import BODIES, made, outside
from migrator.shadow.mysql import MySQLScratch, Seen

NAMES = {"mysql": "MySQL", "mariadb": "MariaDB"}
SCHEMES = ("mysql://", "mysql+", "mariadb://", "mariadb+")
LEFT_OUT = frozenset({"DATABASE", "SCHEMA", "EVENT", "USER", "ROLE", "TABLESPACE", "SERVER"})
"""What a dump creates beside the schema."""
UNDEFINED = frozenset({1050, 1051, 1054, 1060, 1061, 1072, 1091, 1146, 1176, 1304, 1305, 1356, 1359, 1360, 1824, 4091})
"""What a statement names is not there, or is there already."""
OF_OTHERS = frozenset({
    1021, 1028, 1040, 1044, 1045, 1114, 1142, 1143, 1205, 1213, 1227, 1317, 1370, 1410, 1419, 2006, 2013, 3024, -1,
    1048, 1062, 1138, 1242, 1264, 1265, 1292, 1329, 1364, 1365, 1366, 1406, 1451, 1452, 1644, 1690, 3819, 4025,
})  # fmt: skip
"""Errors that come from roles, from other sessions and from the machine; and those that come from rows."""


@contextmanager
def opened(server: str, options: Options) -> Iterator[MySQLScratch]:
    """A scratch database, gone in the end.

    Raises:
        UsageError: the scripts are for another kind of server, or for another version of it.
        ConnectionFailed: the server is not there, or lets nobody create a database.
    """
    name = chosen_dialect(options.dialect)
    if server == EMBEDDED or not server.startswith(SCHEMES):
        raise UsageError(f"--shadow {mask(server)} is no {NAMES[name]} server", next_step=f"--shadow {name}://…")
    with MySQLScratch(server) as scratch:
        if scratch.family != name:
            raise UsageError(
                f"the server of --shadow is {NAMES[scratch.family]}, and the scripts are for {NAMES[name]}",
                next_step=f"--dialect {scratch.family}, or --shadow with a server of {NAMES[name]}",
            )
        wanted = release(options.server_version, name)
        if isinstance(wanted, tuple) and wanted != scratch.version[: len(wanted)]:
            here = dotted(scratch.version[:2])
            raise UsageError(
                f"the server of --shadow is {NAMES[name]} {here}, and the scripts are for {dotted(wanted)}",
                next_step=f"--server-version {here}, or --shadow with a server of version {dotted(wanted)}",
            )
        yield scratch


class Noting(Engine):
    """An engine that keeps what it says of each ALTER, by the place where the statement begins."""

    def unsilenced(self, source: Source, in_transaction: bool | None) -> Iterator[Finding]:
        self.costs: dict[int, AlterCost] = {}
        return super().unsilenced(source, in_transaction)

    def after(self, action: Action, cost: Cost, source: Source, piece: Piece) -> None:
        if isinstance(cost, AlterCost):
            self.costs.setdefault(piece.start, cost)
        super().after(action, cost, source, piece)


class MySQLShadow:
    """Runs scripts one after another on a scratch database.

    Args:
        engine: what the linter says, in the state before the first script.
        schema: SQL that makes what the first script finds; None for nothing.

    Attributes:
        observed: what each statement did.

    Raises:
        UsageError: the schema cannot be created.
    """

    def __init__(self, scratch: MySQLScratch, engine: Engine, schema: Source | None, options: Options) -> None:
        self.scratch, self.engine = scratch, Noting(engine.session, engine.choice)
        self.asked = options.choice().asks(SHADOW)
        self.severity = options.severities.get(SHADOW.id, SHADOW.severity)
        self.server = f"{NAMES[scratch.family]} {dotted(scratch.version)}"
        self.observed: list[Observed] = []
        # Once something did not run, what others need may be missing.
        self.known = engine.session.given.complete
        if schema is not None:
            self.prepare(schema)

    def prepare(self, schema: Source) -> None:
        try:
            found = list(runnable(schema, self.engine.session))
            # A body that cannot be confined is left out: it is of no account for how a table is altered.
            kept = [each for each in found if made(each.tokens) not in BODIES or not self.scratch.refuses(each)]
            self.scratch.prepare(kept)
        except DatabaseError as problem:
            raise UsageError(
                f"{schema.name} on the server of --shadow: {problem.message}",
                next_step="a dump of one database by mysqldump --no-data --routines, or mariadb-dump",
            ) from problem
        self.known = self.known and len(kept) == len(found)

    def judge(self, source: Source, in_transaction: bool) -> list[Finding]:
        """Run a script; a finding for each difference from what the linter says of it."""
        said = list(self.engine.unsilenced(source, in_transaction))
        pieces = {source.place(piece.start)[0]: piece for piece in reversed(self.engine.pieces)}
        found: list[Finding] = []
        for seen, piece in self.run(source, self.engine.pieces, in_transaction):
            refused = any(each.line == seen.line and each.rule in REFUSALS for each in said)
            if seen.accepted.code and not refused and not self.tells(seen, source):
                self.known = False
                continue
            difference = compare_ways(self.engine.costs.get(piece.start), refused, seen)
            self.known = self.known and not seen.accepted.code
            if difference is not None and difference.label != CONFIRMED and self.asked:
                found.append(self.finding(difference, source, pieces[seen.line]))
        return found

    def follow(self, source: Source, in_transaction: bool) -> None:
        """Run a script that nobody asks about: the next ones build on it."""
        pieces = list(self.engine.dialect.split(source, self.engine.session))
        self.engine.seed(source)
        if any(seen.accepted.code for seen, _ in self.run(source, pieces, in_transaction)):
            self.known = False

    def run(self, source: Source, pieces: Sequence[Piece], in_transaction: bool) -> list[tuple[Seen, Piece]]:
        """Run the statements of a script, unless one of them reaches beyond the scratch database."""
        places = [source.place(piece.start)[0] for piece in pieces]
        for line, piece in zip(places, pieces, strict=True):
            reason = piece.problem if piece.node is None else self.scratch.refuses(piece.node)
            if reason:
                self.known = False
                said, text = f"not run: {reason}", mask(source.text(piece))
                self.observed.append(Observed(self.server, source.name, line, text, error=said, words=said))
                return []
        script = [(line, piece.node) for line, piece in zip(places, pieces, strict=True)]
        seen = list(self.scratch.run(script, in_transaction))
        self.observed += [self.shown(each, source.name) for each in seen]
        return list(zip(seen, pieces, strict=False))

    def tells(self, seen: Seen, source: Source) -> bool:
        """Whether an error is the statement's own, and not that of rows or of what is not known to be there."""
        code = seen.accepted.code
        if code in UNDEFINED:
            return self.known and not isinstance(source, Collected)
        return code not in OF_OTHERS

    def shown(self, seen: Seen, file: str) -> Observed:
        found, table = seen.accepted, seen.table
        asked = found.algorithm is not None
        return Observed(
            self.server, file, seen.line, mask(seen.statement), {table: found.lock.name} if asked else {},
            (table,) if seen.rewrites else (), rows=max(seen.rows, 0), error=mask(found.error),
            code=str(found.code or ""), words=mask(way_in_words(seen)),
            algorithm=algorithm_name(seen),
        )  # fmt: skip

    def finding(self, found: Difference, source: Source, piece: Piece) -> Finding:
        return difference_finding(found, source, piece, self.server, self.severity)


def algorithm_name(seen: Seen) -> str:
    """What the server calls it: MySQL has no NOCOPY, and says INPLACE."""
    algorithm = seen.accepted.algorithm
    if algorithm is None:
        return ""
    return "INPLACE" if seen.family == "mysql" and algorithm.name == "NOCOPY" else algorithm.name


def runnable(schema: Source, session: Session) -> Iterator[Statement]:
    """The statements of a dump that make its schema: rows, users and settings of the server are left out.

    Raises:
        DatabaseError: it is a dump of several databases.
    """
    used: set[str] = set()
    for piece in dialect(session.given.dialect).split(schema, session):
        statement = piece.node
        first = statement.tokens[0].upper if statement is not None else ""
        if first == "USE":
            used.add(statement.tokens[1].text.strip("`").lower())
        if len(used) > 1:
            raise DatabaseError(f"it is a dump of several databases: {', '.join(sorted(used))}")
        setting = first == "SET" and not outside(statement.tokens)
        if setting or (first in ("CREATE", "ALTER", "DROP") and made(statement.tokens) not in LEFT_OUT):
            yield without_definer(statement)


def without_definer(statement: Statement) -> Statement:
    """The statement without the user who made what it makes: it may not be there, or not be anybody else's to name."""
    tokens = statement.tokens
    at = next((n for n, token in enumerate(tokens[:8]) if token.upper == "DEFINER"), None)
    if at is None or tokens[0].upper != "CREATE":
        return statement
    end = at + 3  # past DEFINER = user
    if tokens[end : end + 1] and tokens[end].text == "@":
        end += 2
    elif tokens[end : end + 1] and tokens[end].text.startswith("@"):
        end += 1
    return statement._replace(tokens=(*tokens[:at], *tokens[end:]))
