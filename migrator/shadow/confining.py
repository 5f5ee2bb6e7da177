"""Why a statement of MySQL or MariaDB is not run in a scratch database: it may reach beyond it.

There every session may name every database of the server, and no privilege confines the statements of a script to
one. What is not known to stay inside is therefore refused, rather than too little.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from itertools import pairwise

from linters.mysql.cursor import Cursor, Unknown, plain
from linters.mysql.reading import read, skip_definer
from linters.mysql.tokens import Statement, Token
from linters.values import Name, Relation

RUN = frozenset(
    "INSERT UPDATE DELETE REPLACE SELECT WITH TABLE VALUES ( SET BEGIN COMMIT ROLLBACK SAVEPOINT RELEASE CALL DO UNLOCK"
    " SHOW DESCRIBE DESC EXPLAIN TRUNCATE OPTIMIZE".split()
)
RUN_WITH = {
    "START": ("TRANSACTION",), "LOCK": ("TABLE", "TABLES"), "RENAME": ("TABLE", "TABLES"),
    "ANALYZE": ("TABLE", "TABLES"), "CHECK": ("TABLE", "TABLES"),
}  # fmt: skip
MADE = frozenset("TABLE TABLES INDEX VIEW TRIGGER PROCEDURE FUNCTION SEQUENCE".split())
"""What CREATE, ALTER and DROP may be about."""
BODIES = frozenset({"TRIGGER", "PROCEDURE", "FUNCTION"})
BEYOND = frozenset(
    "PREPARE EXECUTE GRANT REVOKE PURGE FLUSH RESET SHUTDOWN RESTART INSTALL UNINSTALL CLONE KILL BINLOG XA LOAD STOP"
    " GLOBAL PERSIST PERSIST_ONLY @@GLOBAL @@PERSIST @@PERSIST_ONLY".split()
)
"""Words that no body may have unless they are quoted: it is not told apart what begins a statement there."""
EVERYWHERE = frozenset({"GLOBAL", "PERSIST", "PERSIST_ONLY", "@@GLOBAL", "@@PERSIST", "@@PERSIST_ONLY"})
PAIRS = {"START": ("SLAVE", "REPLICA", "GROUP_REPLICATION"), "CHANGE": ("MASTER", "REPLICATION"), "SET": ("PASSWORD",)}
OF_SERVER = frozenset("DATABASE SCHEMA USER ROLE SERVER TABLESPACE UNDO LOGFILE EVENT INSTANCE RESOURCE".split())
FILES = frozenset({"OUTFILE", "DUMPFILE", "SONAME"})
ELSEWHERE = frozenset({"FEDERATED", "SPIDER", "CONNECT", "MRG_MYISAM", "MERGE", "NDB", "NDBCLUSTER", "S3"})
"""Engines whose tables are other tables, or are on another server."""
REPLICATION = re.compile(r"(?i)(?:@@)?(?:sql_log_bin|gtid_\w+|pseudo_\w+|skip_replication|binlog_\w+|wsrep_\w+)$")
READ_ONLY = "information_schema"


def reason_against(statement: Statement, others: AbstractSet[str]) -> str:
    """Why a statement is not run; empty where it stays in its database.

    Args:
        others: names of the other databases of the server, in small letters.
    """
    tokens = statement.tokens
    return (
        unknown(tokens) or in_another(tokens, others) or outside(tokens) or in_body(tokens) or qualified(statement)
    )  # fmt: skip


def unknown(tokens: Sequence[Token]) -> str:
    """A statement of a kind that is not known to stay in one database."""
    cursor = Cursor(tokens)
    first = cursor.next().upper
    if first == "USE":
        return f"USE {plain(cursor.peek())} leaves the scratch database"
    if first in RUN:
        return ""
    if first in RUN_WITH:
        cursor.one_of("NO_WRITE_TO_BINLOG", "LOCAL")
        return "" if cursor.peek().upper in RUN_WITH[first] else beyond(f"{first} {plain(cursor.peek())}")
    if first not in ("CREATE", "ALTER", "DROP"):
        return "what it runs is put together at run time" if first in ("PREPARE", "EXECUTE") else beyond(first)
    kind = made(tokens)
    return "" if kind in MADE else beyond(f"{first} {kind}")


def made(tokens: Sequence[Token]) -> str:
    """What a CREATE, ALTER or DROP is about."""
    cursor = Cursor(tokens)
    cursor.next()
    cursor.accept("OR", "REPLACE")
    skip_definer(cursor)
    while cursor.one_of("TEMPORARY", "UNIQUE", "FULLTEXT", "SPATIAL", "ONLINE", "IGNORE", "AGGREGATE"):
        pass
    return cursor.peek().upper


def beyond(what: str) -> str:
    return f"{what} may reach beyond the scratch database"


def in_another(tokens: Sequence[Token], others: AbstractSet[str]) -> str:
    """A name of another database, before a dot. An alias of the same name is refused, too."""
    for token, after in pairwise(tokens):
        name = plain(token).lower()
        # A digit after the dot makes one token of both.
        if after.text.startswith(".") and name in others and name != READ_ONLY:
            return f"{plain(token)} is another database of the server"
    return ""


def outside(tokens: Sequence[Token]) -> str:
    """Files of the server, other servers, settings of the whole server or of replication."""
    first = tokens[0].upper
    for token, after in zip(tokens, [*tokens[1:], tokens[-1]], strict=True):
        if token.kind != "word":
            continue
        if token.upper in FILES or (token.upper in ("DATA", "INDEX") and after.upper == "DIRECTORY"):
            return f"{token.upper} is about files of the server"
        if token.upper == "CONNECTION" and (after.text == "=" or after.kind == "string"):
            return "CONNECTION is about another server"
        if first == "SET" and (token.upper in EVERYWHERE or REPLICATION.match(token.text)):
            return beyond(f"SET {token.text}")
    if first == "SET" and len(tokens) > 1 and tokens[1].upper in ("PASSWORD", "ROLE", "DEFAULT"):
        return beyond(f"SET {tokens[1].upper}")
    return elsewhere(tokens)


def elsewhere(tokens: Sequence[Token]) -> str:
    for number, token in enumerate(tokens):
        if token.upper == "ENGINE":
            value = next((t for t in tokens[number + 1 : number + 3] if t.text != "="), token)
            if plain(value).upper() in ELSEWHERE:
                return f"tables of {plain(value)} are elsewhere"
    return ""


def in_body(tokens: Sequence[Token]) -> str:
    """Words in a body that may begin a statement about the whole server."""
    if not (tokens[0].upper == "BEGIN" or made(tokens) in BODIES):
        return ""
    for before, token, after in zip(tokens, tokens[1:], [*tokens[2:], tokens[-1]], strict=False):
        if token.kind != "word" or "." in (before.text, after.text):
            continue
        pair = before.upper in ("CREATE", "ALTER", "DROP", "RENAME") and token.upper in OF_SERVER
        if pair or token.upper in PAIRS.get(before.upper, ()):
            return beyond(f"{before.upper} {token.upper} in a body")
        if token.upper in BEYOND or REPLICATION.match(token.text):
            return f"{beyond(f'{token.text} in a body')}; if it is a name, quote it"
    return ""


def qualified(statement: Statement) -> str:
    """A table that the statement itself says is in some database."""
    try:
        found = list(read(statement))
    except (Unknown, ValueError):
        return ""
    for action in found:
        names = (getattr(action, "table", None), getattr(action, "to", None), getattr(action, "relation", None))
        for name in (getattr(each, "name", None) if isinstance(each, Relation) else each for each in names):
            if isinstance(name, Name) and name.schema:
                return f"{name} is in a database that it names, and the scratch database is another"
    return ""
