"""By which algorithm a table is changed, and who waits meanwhile, as values."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum

from linters.actions import Action
from linters.costs import Cost
from linters.frozen import Frozen, changed
from linters.session import Session
from linters.values import Index, Name, Relation


class Algorithm(IntEnum):
    """From the cheapest on. MySQL says INPLACE for both NOCOPY and INPLACE; only the latter writes the table again."""

    INSTANT = 0
    NOCOPY = 1
    INPLACE = 2
    COPY = 3


class Lock(IntEnum):
    """SHARED lets others read, EXCLUSIVE nobody."""

    NONE = 0
    SHARED = 1
    EXCLUSIVE = 2


class Way(Frozen):
    """How the server does one part of an ALTER.

    Args:
        algorithm: alone, or among parts that are all INSTANT.
        inside: what it takes in an ALTER that is done in place for the sake of another part.
        builds: it builds an index, or reads every row, so INSTANT parts beside it cannot stay so.
        assumed: what was not known and was taken for the worse.
        error: why the server refuses it.
    """

    algorithm: Algorithm = Algorithm.INSTANT
    lock: Lock = Lock.NONE
    inside: Algorithm = Algorithm.NOCOPY
    builds: bool = False
    why: str = ""
    assumed: str = ""
    error: str = ""

    def worst(self, other: Way) -> Way:
        """Both at once: the dearer algorithm, the stronger lock, the reason of the dearer."""
        dearer = other if (other.algorithm, other.lock) > (self.algorithm, self.lock) else self
        return changed(
            dearer, lock=max(self.lock, other.lock), inside=max(self.inside, other.inside),
            builds=self.builds or other.builds, assumed=dearer.assumed, error=self.error or other.error,
        )  # fmt: skip


INSTANT = Way()
SHARED, COPY = Lock.SHARED, Algorithm.COPY


class AlterCost(Cost):
    """The cost of one ALTER: the way of the whole, and that of each of its parts."""

    def __init__(self) -> None:
        super().__init__()
        self.way = INSTANT
        self.parts: list[tuple[Action, Way]] = []


def is_mariadb(session: Session) -> bool:
    return session.given.dialect == "mariadb"


def since(session: Session, *version: int) -> bool:
    """Whether the server is of this version or a later one; a release without its patch is the latest of it."""
    given = session.given.release
    return (*given, *(99, 99, 99)[len(given) :]) >= version


def copied(why: str, table: Relation, session: Session, always_locks: bool = False, assumed: str = "") -> Way:
    """COPY: writers wait, but on MariaDB from 11.2 on, where a foreign key that cascades does not forbid it."""
    cascades = any(any(c.actions) for c in table.constraints)
    online = is_mariadb(session) and since(session, 11, 2) and not always_locks and not cascades
    lock = Lock.NONE if online and session.setting("old_mode") is None else SHARED
    return Way(COPY, lock, COPY, True, why, assumed)


def rebuilt(why: str, table: Relation, session: Session, lock: Lock = Lock.NONE) -> Way:
    """INPLACE with a rebuild: writers go on, unless the table has what can only be built under a lock."""
    if indexes(table.name, session, "FULLTEXT"):
        if not is_mariadb(session):
            return Way(COPY, SHARED, COPY, True, f"{why}, and a table with a FULLTEXT index is copied for that")
        lock = SHARED
    if is_mariadb(session) and virtual_indexed(table, session):
        lock = SHARED
    return Way(Algorithm.INPLACE, lock, Algorithm.INPLACE, True, why)


def metadata(why: str, session: Session) -> Way:
    """Nothing but the dictionary: INSTANT on MariaDB, INPLACE without a rebuild on MySQL."""
    return Way(Algorithm.INSTANT if is_mariadb(session) else Algorithm.NOCOPY, why=why)


def indexes(table: Name, session: Session, method: str) -> list[Index]:
    return [index for index in session.indexes_of(table) if index.method == method]


def virtual(table: Relation) -> list[str]:
    return [column.name for column in table.columns if column.generated == "VIRTUAL"]


def virtual_indexed(table: Relation, session: Session) -> bool:
    names = set(virtual(table))
    return bool(names) and any(names & set(index.columns) for index in session.indexes_of(table.name))


def together(ways: Iterable[Way], session: Session) -> Way:
    """One ALTER of several parts: it is done by the one algorithm that all of them bear."""
    found = list(ways)
    if not found:
        return INSTANT
    whole = found[0]
    for way in found[1:]:
        whole = whole.worst(way)
    lifting = any(w.builds or w.algorithm >= Algorithm.INPLACE for w in found)
    if not is_mariadb(session):
        lifting = whole.algorithm > Algorithm.INSTANT
    if len(found) > 1 and whole.algorithm < COPY and lifting:
        dearest = max(found, key=lambda way: way.inside)
        if dearest.inside > whole.algorithm:
            whole = changed(whole, algorithm=dearest.inside, why=dearest.why)
    return whole
