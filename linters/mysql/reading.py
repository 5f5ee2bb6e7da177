"""A statement of MySQL or MariaDB as the actions it is made of; what is not known is never silence."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from linters import actions
from linters.actions import Action, Begin, Commit, Harmless, Opaque, Rollback, Savepoint
from linters.mysql import alterations, tables
from linters.mysql.alterations import ImplicitCommit
from linters.mysql.cursor import Cursor, Unknown, plain, written
from linters.mysql.tokens import Statement, Token
from linters.values import Mode, Name, Routine

QUIET = frozenset(
    "SHOW DESCRIBE DESC EXPLAIN HELP ANALYZE CHECK CHECKSUM KILL RESET BINLOG CACHE GRANT COMMENT UNLOCK DEALLOCATE"
    " PURGE CHANGE STOP START FLUSH XA DO SIGNAL GET SHUTDOWN INSTALL UNINSTALL RESTART CLONE".split()
)
QUIET_KINDS = frozenset("DATABASE SCHEMA USER ROLE SERVER TABLESPACE UNDO LOGFILE EVENT SEQUENCE RESOURCE".split())
DDL = frozenset({"CREATE", "ALTER", "DROP", "RENAME", "TRUNCATE", "OPTIMIZE"})
WITHOUT_COMMIT = frozenset({"SET", "SELECT", "WITH", "INSERT", "UPDATE", "DELETE", "REPLACE", "USE"})


def read(statement: Statement) -> Iterator[Action]:
    """The actions of one statement, in the order in which the server takes them."""
    cursor = Cursor(statement.tokens)
    first = cursor.peek().upper
    if first in DDL:
        yield ImplicitCommit(first)
    try:
        found = list(read_known(first, cursor, statement))
    except Unknown as problem:
        yield Opaque(str(problem))
        return
    except ValueError as problem:
        yield Opaque(f"it cannot be read: {problem}")
        return
    yield from found


def read_known(first: str, cursor: Cursor, statement: Statement) -> Iterable[Action]:
    known = READERS.get(first)
    if known is not None:
        cursor.next()
        return known(cursor)
    if first in ("SELECT", "INSERT", "UPDATE", "DELETE", "REPLACE", "WITH", "("):
        return query(statement.tokens)
    if first in QUIET:
        return (Harmless(first),)
    raise Unknown(f"{cursor.rest()} is not known to this linter")


def query(tokens: tuple[Token, ...]) -> Iterator[Action]:
    from linters.mysql.queries import read_query

    text = written([t for t in tokens if t.upper not in ("LOW_PRIORITY", "QUICK", "DELAYED", "HIGH_PRIORITY")])
    if tokens[0].upper == "REPLACE":
        text = "INSERT" + text[len("REPLACE") :]
    if tokens[0].upper in ("UPDATE", "DELETE", "INSERT") and len(tokens) > 1 and tokens[1].upper == "IGNORE":
        text = text.replace("IGNORE ", "", 1).replace("ignore ", "", 1)
    yield from read_query(text)


def create(cursor: Cursor) -> Iterator[Action]:
    replace = cursor.accept("OR", "REPLACE")
    skip_definer(cursor)
    if cursor.looking_at("TABLE") or cursor.looking_at("TEMPORARY", "TABLE"):
        if replace:
            at = cursor.at
            cursor.one_of("TEMPORARY TABLE", "TABLE")
            yield actions.DropTable(cursor.name(), if_exists=True)
            cursor.at = at
        yield from tables.create_table(cursor)
        return
    kind = cursor.one_of("UNIQUE", "FULLTEXT", "SPATIAL")
    if kind or cursor.looking_at("INDEX"):
        yield from tables.create_index(cursor, kind)
        return
    what = cursor.next().upper
    if what == "AGGREGATE":
        what = cursor.next().upper
    known = CREATED.get(what)
    if known is not None:
        yield from known(cursor, replace)
    elif what in QUIET_KINDS:
        yield Harmless(f"CREATE {what}")
    else:
        raise Unknown(f"CREATE {what} is not known to this linter")


def skip_definer(cursor: Cursor) -> None:
    """DEFINER = user, ALGORITHM = MERGE and SQL SECURITY, before what is created."""
    while word := cursor.one_of("DEFINER", "ALGORITHM", "SQL SECURITY"):
        cursor.accept("=")
        cursor.next()
        if word == "DEFINER":
            if cursor.looking_at("(", ")"):
                cursor.group()
            if cursor.peek().text.startswith("@"):
                sign = cursor.next()
                if sign.text == "@":
                    cursor.next()


def create_view(cursor: Cursor, replace: bool) -> Iterator[Action]:
    from linters.mysql.queries import view

    cursor.accept("IF", "NOT", "EXISTS")
    name = cursor.name()
    if cursor.looking_at("("):
        cursor.group()
    cursor.expect("AS")
    rest = list(cursor.tokens[cursor.at :])
    tail = [i for i, t in enumerate(rest) if t.upper == "WITH" and rest[-1].upper == "OPTION"]
    yield view(name, written(rest[: tail[-1]] if tail else rest), replace)


def create_trigger(cursor: Cursor, replace: bool) -> Iterator[Action]:
    cursor.accept("IF", "NOT", "EXISTS")
    name = cursor.name()
    while not cursor.done and not cursor.looking_at("ON"):
        cursor.next()
    cursor.expect("ON")
    yield actions.CreateTrigger(cursor.name(), str(name))


def create_routine(cursor: Cursor, replace: bool) -> Iterator[Action]:
    """A procedure: what it does to tables is judged where it is written; whoever writes one calls it."""
    cursor.accept("IF", "NOT", "EXISTS")
    name = cursor.name()
    yield actions.CreateRoutine(Routine(name.name, body=""), replace)
    yield from inside(cursor.tokens[cursor.at :])


def inside(tokens: Iterable[Token]) -> Iterator[Action]:
    """The DDL in a body, and what it puts together at run time."""
    for part in body_statements(tokens):
        first = part[0].upper
        if first in ("PREPARE", "EXECUTE"):
            yield Opaque(f"{first} in a body: what it runs is put together at run time")
        elif first in DDL:
            yield from (action for action in read(Statement(tuple(part), "", ())))


def body_statements(tokens: Iterable[Token]) -> Iterator[list[Token]]:
    """Statements of a body: what stands between semicolons, THEN, ELSE, DO, LOOP and BEGIN."""
    part: list[Token] = []
    for token in tokens:
        ends = token.text == ";" or (token.kind == "word" and token.upper in ("THEN", "ELSE", "BEGIN", "LOOP", "DO"))
        if not ends:
            part.append(token)
            continue
        if part:
            yield part
        part = []
    if part:
        yield part


def alter(cursor: Cursor) -> Iterator[Action]:
    skip_definer(cursor)
    online, ignore = cursor.accept("ONLINE"), cursor.accept("IGNORE")
    if cursor.looking_at("TABLE"):
        yield from tables.Alter(cursor, ignore, online).read()
        return
    what = cursor.next().upper
    if what == "VIEW":
        yield from create_view(cursor, True)
    elif what in QUIET_KINDS or what in ("PROCEDURE", "FUNCTION", "INSTANCE"):
        yield Harmless(f"ALTER {what}")
    else:
        raise Unknown(f"ALTER {what} is not known to this linter")


def drop(cursor: Cursor) -> Iterator[Action]:
    temporary = cursor.accept("TEMPORARY")
    what = cursor.next().upper
    if what == "INDEX":
        yield from tables.drop_index(cursor)
        return
    there = cursor.accept("IF", "EXISTS")
    if what in ("TABLE", "VIEW", "TABLES"):
        for name in tables.names(cursor):
            if not temporary:
                yield actions.DropTable(name, "view" if what == "VIEW" else "table", if_exists=there)
    elif what == "TRIGGER":
        name = cursor.name()
        yield actions.DropOther("TRIGGER", str(name))
    elif what in ("DATABASE", "SCHEMA", "PROCEDURE", "FUNCTION", "EVENT", "SEQUENCE", "PACKAGE"):
        yield actions.DropOther(what, str(cursor.name()))
    elif what == "PREPARE" or what in QUIET_KINDS:
        yield Harmless(f"DROP {what}")
    else:
        raise Unknown(f"DROP {what} is not known to this linter")


def rename(cursor: Cursor) -> Iterator[Action]:
    if cursor.one_of("TABLE", "TABLES"):
        yield from tables.rename_tables(cursor)
    else:
        yield Harmless("RENAME USER")


def truncate(cursor: Cursor) -> Iterator[Action]:
    cursor.accept("TABLE")
    yield actions.Truncate(cursor.name())


def optimize(cursor: Cursor) -> Iterator[Action]:
    cursor.one_of("NO_WRITE_TO_BINLOG", "LOCAL")
    cursor.one_of("TABLE", "TABLES")
    for name in tables.names(cursor):
        made = actions.Rewrite(name, "OPTIMIZE TABLE")
        yield alterations.AlterTable(name, (made,))


def lock(cursor: Cursor) -> Iterator[Action]:
    """LOCK TABLES: READ keeps writers out, WRITE everybody else."""
    if not cursor.one_of("TABLES", "TABLE"):
        yield Harmless("LOCK INSTANCE")
        return
    while not cursor.done:
        name = cursor.name()
        words = [token.upper for token in cursor.until()]
        mode = Mode.ACCESS_EXCLUSIVE if "WRITE" in words else Mode.SHARE
        yield actions.LockTable(name, mode)
        cursor.accept(",")


def flush(cursor: Cursor) -> Iterator[Action]:
    words = [token.upper for token in cursor.tokens]
    if words[-3:] == ["WITH", "READ", "LOCK"] or words[-2:] == ["FOR", "EXPORT"]:
        yield Opaque("FLUSH TABLES … WITH READ LOCK stops all writers until UNLOCK TABLES")
    else:
        yield Harmless("FLUSH")


def use(cursor: Cursor) -> Iterator[Action]:
    yield actions.Set("search_path", cursor.identifier())


def setting(cursor: Cursor) -> Iterator[Action]:
    """SET a = 1, SESSION b = 2: names without their scope; GLOBAL is for sessions to come."""
    if cursor.one_of("NAMES", "CHARACTER SET", "CHARSET", "PASSWORD", "ROLE", "DEFAULT ROLE", "TRANSACTION"):
        yield Harmless("SET")
        return
    while not cursor.done:
        everywhere = bool(cursor.one_of("GLOBAL", "PERSIST", "PERSIST_ONLY"))
        cursor.one_of("SESSION", "LOCAL")
        name = cursor.next().text
        while cursor.accept("."):
            everywhere = everywhere or name.lower() in ("@@global", "@@persist")
            name = cursor.next().text
        cursor.one_of(":=", "=")
        value = cursor.until()
        cursor.accept(",")
        if name.startswith("@@") or not name.startswith("@"):
            text = " ".join(plain(token) for token in value)
            if not everywhere:
                yield actions.Set(name.lstrip("@").lower(), text)
    yield Harmless("SET")


def begin(cursor: Cursor) -> Iterator[Action]:
    if cursor.accept("NOT", "ATOMIC"):  # a block of statements, which MariaDB runs at once
        yield from inside(cursor.tokens[cursor.at :])
    else:
        yield Begin()


def start(cursor: Cursor) -> Iterator[Action]:
    yield Begin() if cursor.accept("TRANSACTION") else Harmless("START")


def commit(cursor: Cursor) -> Iterator[Action]:
    yield Commit()


def rollback(cursor: Cursor) -> Iterator[Action]:
    cursor.accept("WORK")
    if cursor.accept("TO"):
        cursor.accept("SAVEPOINT")
        yield Rollback(cursor.identifier())
    else:
        yield Rollback()


def savepoint(cursor: Cursor) -> Iterator[Action]:
    yield Savepoint(cursor.identifier())


def call(cursor: Cursor) -> Iterator[Action]:
    yield actions.CallRoutine(cursor.name().name)


def prepared(cursor: Cursor) -> Iterator[Action]:
    name = cursor.identifier()
    yield Opaque(f"{name} is a prepared statement: its text is put together at run time")


def revoke(cursor: Cursor) -> Iterator[Action]:
    what = " ".join(plain(token) for token in cursor.until("FROM"))
    cursor.accept("FROM")
    yield actions.Revoke(what, cursor.identifier())


def load(cursor: Cursor) -> Iterator[Action]:
    while not cursor.done and not cursor.accept("INTO", "TABLE"):
        cursor.next()
    yield actions.Write(cursor.name(), "LOAD", True, True)


def handler(cursor: Cursor) -> Iterator[Action]:
    yield Harmless("HANDLER")


CREATED: dict[str, Callable[[Cursor, bool], Iterator[Action]]] = {
    "VIEW": create_view,
    "TRIGGER": create_trigger,
    "PROCEDURE": create_routine,
    "FUNCTION": create_routine,
}
READERS: dict[str, Callable[[Cursor], Iterator[Action]]] = {
    "CREATE": create, "ALTER": alter, "DROP": drop, "RENAME": rename, "TRUNCATE": truncate, "OPTIMIZE": optimize,
    "LOCK": lock, "FLUSH": flush, "USE": use, "SET": setting, "BEGIN": begin, "START": start, "COMMIT": commit,
    "ROLLBACK": rollback, "SAVEPOINT": savepoint, "RELEASE": handler, "HANDLER": handler, "CALL": call,
    "PREPARE": prepared, "EXECUTE": prepared, "REVOKE": revoke, "LOAD": load,
}  # fmt: skip
__all__ = ["Name", "read"]
