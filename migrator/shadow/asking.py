"""How MySQL and MariaDB do an ALTER: the first algorithm and lock that they accept, asked from the cheapest on."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from linters.mysql.cursor import Cursor, Unknown
from linters.mysql.tokens import Token
from linters.mysql.ways import Algorithm, Lock

if TYPE_CHECKING:
    import pymysql

REFUSED = (1845, 1846)
"""ER_ALTER_OPERATION_NOT_SUPPORTED, with and without a reason: the next one is tried."""
SYNTAX = 1064
"""Some commands of partitions take no ALGORITHM on MariaDB."""
VALUES = frozenset({"DEFAULT", *Algorithm.__members__, *Lock.__members__})
ONLINE_COPY = (11, 2)
"""The first MariaDB that copies a table while others write to it."""
TABLES = """
SELECT LOWER(SUBSTRING_INDEX(NAME, '/', -1)), TABLE_ID FROM information_schema.{}
WHERE SUBSTRING_INDEX(NAME, '/', 1) = %s AND LOWER(NAME) NOT LIKE '%%/fts%%'"""
Way = tuple[Algorithm, Lock | None]
Tables = dict[str, int]
"""The server's own number of each InnoDB table or partition, by its name in small letters."""


@dataclass(frozen=True, slots=True)
class Alteration:
    """An ALTER that a server can be asked about.

    Args:
        table: its name without quotes.
        head, rest: SQL before and after the place of ALGORITHM and LOCK, which are in neither.
        glue: what stands between these clauses and the rest.
        algorithm, lock: what the statement itself asks for, in capitals; empty for the server's choice.
    """

    table: str
    head: str
    rest: str = ""
    glue: str = ", "
    algorithm: str = ""
    lock: str = ""

    def asking(self, way: Way) -> str:
        """The statement with an ALGORITHM, and with a LOCK where one is given."""
        clauses = [f"ALGORITHM={way[0].name}", *([f"LOCK={way[1].name}"] if way[1] is not None else [])]
        if not self.rest:
            return f"{self.head} {(self.glue if self.glue.strip() else ' ').join(clauses)}"
        return f"{self.head} {', '.join(clauses)}{self.glue}{self.rest}"


@dataclass(frozen=True, slots=True)
class Accepted:
    """How a server did a statement.

    Args:
        algorithm: None where it cannot be asked. MySQL says INPLACE for both NOCOPY and INPLACE.
        code: number of its error, 0 for none.
    """

    algorithm: Algorithm | None = None
    lock: Lock = Lock.NONE
    code: int = 0
    error: str = ""

    def __str__(self) -> str:
        if self.code:
            return f"error {self.code}"
        if self.algorithm is None:
            return "not asked"
        instant = self.algorithm is Algorithm.INSTANT
        return self.algorithm.name if instant else f"{self.algorithm.name} {self.lock.name}"


def version_of(text: str) -> tuple[int, ...]:
    """Major, minor and patch version of what a server says of itself; MariaDB 10 says 5.5.5 first."""
    found = re.match(r"(?:5\.5\.5-)?(\d+)\.(\d+)\.(\d+)", text)
    return tuple(map(int, found.groups())) if found else (0, 0, 0)


def text_of(tokens: Sequence[Token]) -> str:
    """Tokens as SQL: without comments, and with what stands in comments that are run."""
    parts: list[str] = []
    for number, token in enumerate(tokens):
        parts += [" "] if number and tokens[number - 1].end != token.start else []
        parts.append(token.text)
    return "".join(parts).encode("latin-1").decode("utf-8", errors="replace")


def alteration(tokens: Sequence[Token]) -> Alteration | None:
    """The ALTER that a statement is, None where it is none: CREATE and DROP INDEX and OPTIMIZE of one table are."""
    try:
        return read(tokens)
    except Unknown:
        return None


def read(tokens: Sequence[Token]) -> Alteration | None:
    kept, given = without_clauses(tokens)
    cursor = Cursor(kept)
    if cursor.accept("ALTER"):
        return of_table(cursor, kept, given)
    if cursor.one_of("CREATE", "DROP"):
        return of_index(cursor, kept, given)
    if cursor.accept("OPTIMIZE"):
        cursor.one_of("NO_WRITE_TO_BINLOG", "LOCAL")
        cursor.one_of("TABLES", "TABLE")
        at = cursor.at
        name = cursor.name().name
        return Alteration(name, f"ALTER TABLE {text_of(kept[at : cursor.at])}", "FORCE") if cursor.done else None
    return None


def of_table(cursor: Cursor, kept: Sequence[Token], given: dict[str, str]) -> Alteration | None:
    online, ignore = cursor.accept("ONLINE"), cursor.accept("IGNORE")
    start = cursor.at
    if not cursor.accept("TABLE"):
        return None
    cursor.accept("IF", "EXISTS")
    name = cursor.name().name
    if cursor.accept("WAIT"):
        cursor.next()
    cursor.accept("NOWAIT")
    alone = cursor.looking_at("PARTITION", "BY") or cursor.looking_at("REMOVE", "PARTITIONING")
    head = f"ALTER {'IGNORE ' if ignore else ''}{text_of(kept[start : cursor.at])}"
    lock = given.get("LOCK", "NONE" if online else "")
    rest = text_of(kept[cursor.at :])
    return Alteration(name, head, rest, " " if alone else ", ", given.get("ALGORITHM", ""), lock)


def of_index(cursor: Cursor, kept: Sequence[Token], given: dict[str, str]) -> Alteration | None:
    dropped = kept[0].upper == "DROP"
    cursor.accept("OR", "REPLACE")
    cursor.one_of("UNIQUE", "FULLTEXT", "SPATIAL")
    if not cursor.accept("INDEX"):
        return None
    start = cursor.at
    while not cursor.done and not cursor.looking_at("ON"):
        cursor.next()
    index = text_of(kept[start : cursor.at])
    cursor.expect("ON")
    at = cursor.at
    name = cursor.name().name
    asked = given.get("ALGORITHM", ""), given.get("LOCK", "")
    if dropped:
        return Alteration(name, f"ALTER TABLE {text_of(kept[at:])}", f"DROP INDEX {index}", ", ", *asked)
    return Alteration(name, text_of(kept), "", " ", *asked)


def without_clauses(tokens: Sequence[Token]) -> tuple[list[Token], dict[str, str]]:
    """The tokens of a statement without its ALGORITHM and LOCK, and what these say."""
    kept: list[Token] = []
    given: dict[str, str] = {}
    at = depth = 0
    while at < len(tokens):
        token = tokens[at]
        depth += {"(": 1, ")": -1}.get(token.text, 0) if token.kind == "sign" else 0
        value = at + 2 if at + 1 < len(tokens) and tokens[at + 1].text == "=" else at + 1
        clause = token.upper in ("ALGORITHM", "LOCK") and not depth and kept and kept[0].upper != "OPTIMIZE"
        if not clause or value >= len(tokens) or tokens[value].upper not in VALUES:
            kept.append(token)
            at += 1
            continue
        given[token.upper] = tokens[value].upper
        at = value + 1
        if kept[-1].text == ",":
            kept.pop()
        elif at < len(tokens) and tokens[at].text == ",":
            at += 1
    return kept, {name: value for name, value in given.items() if value != "DEFAULT"}


def ways(asked: Alteration, is_mariadb: bool) -> Iterator[Way]:
    """Algorithms and locks from the cheapest on, as far as the statement leaves the choice to the server."""
    found = [each for each in Algorithm if is_mariadb or each is not Algorithm.NOCOPY]
    if asked.algorithm == "COPY":
        found = [Algorithm.COPY]
    elif asked.algorithm in Algorithm.__members__:
        most = Algorithm[asked.algorithm]
        found = [each for each in found if (each <= most if is_mariadb else each is most)]
    if not is_mariadb and asked.algorithm == "INSTANT" and asked.lock:
        return  # they exclude each other there
    locks = [Lock[asked.lock]] if asked.lock else [Lock.NONE, Lock.SHARED]
    for each in found:
        yield from [(each, None)] if each is Algorithm.INSTANT else [(each, lock) for lock in locks]


def ask(
    asked: Alteration, written: str, run: Callable[[str], object], tables: Callable[[], Tables],
    version: tuple[int, ...], is_mariadb: bool,
) -> Accepted:  # fmt: skip
    """Have a server do an ALTER in the cheapest way that it accepts.

    Args:
        written: the statement as it is, which is run where the server cannot be asked.
        run: runs SQL, and raises an error of the driver with the server's number.
        tables: reads the numbers of the tables as they are.
    """
    from pymysql import MySQLError

    before = tables()
    for way in ways(asked, is_mariadb):
        try:
            run(asked.asking(way))
        except MySQLError as problem:
            if problem.args[0] in REFUSED:
                continue
            if problem.args[0] == SYNTAX:
                break
            return failed(problem)
        return done(way, asked, is_rewritten(asked.table, before, tables()), version, is_mariadb)
    try:
        run(written)
    except MySQLError as problem:
        return failed(problem)
    return Accepted()


def failed(problem: Exception) -> Accepted:
    code, text = (*problem.args, "", "")[:2]
    return Accepted(code=code if isinstance(code, int) and code else -1, error=str(text or problem))


def done(way: Way, asked: Alteration, again: bool, version: tuple[int, ...], is_mariadb: bool) -> Accepted:
    """What an accepted way was: whether the table was written again is read from its number.

    MySQL has one name for INPLACE with and without a rebuild; MariaDB accepts some as INSTANT that it copies.
    """
    algorithm, lock = way[0], way[1] or (Lock[asked.lock] if asked.lock else Lock.NONE)
    if not is_mariadb and algorithm is Algorithm.INPLACE and not again:
        return Accepted(Algorithm.NOCOPY, lock)
    if is_mariadb and algorithm <= Algorithm.NOCOPY and again:
        return Accepted(Algorithm.COPY, max(lock, Lock.NONE if version >= ONLINE_COPY else Lock.SHARED))
    return Accepted(algorithm, lock)


def is_rewritten(table: str, before: Tables, after: Tables) -> bool:
    """Whether a table was written again; partitions that come or go leave the others as they are."""
    name = re.sub(r"[^\w]", lambda found: f"@{ord(found[0]):04x}", table.lower())
    own = {number for key, number in before.items() if key == name or key.startswith(f"{name}#p#")}
    gone, came = own - set(after.values()), set(after.values()) - set(before.values())
    return bool(came) if not own else bool(gone) and (bool(came) or gone == own)


def tables_of(connection: pymysql.Connection, database: str, is_mariadb: bool) -> Tables:
    """The numbers of the tables of a database.

    Args:
        connection: of pymysql, to read with.
    """
    with connection.cursor() as cursor:
        cursor.execute(TABLES.format("INNODB_SYS_TABLES" if is_mariadb else "INNODB_TABLES"), [database])
        return dict(cursor.fetchall())
