"""Statements of PostgreSQL rewritten into the form that holds nobody up, where that is a mechanical matter.

Nothing is rewritten inside a transaction: CONCURRENTLY fails there, and validation
would keep the locks that it is to avoid. All other text stays as it is, byte for byte.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from linters import actions
from linters.applying import default_name
from linters.findings import Finding
from linters.parsing import enum_name, parse, scan
from linters.postgresql.reading import read
from linters.rules.base import listing, quoted
from linters.rules.locks import SET
from linters.source import Piece, Source
from linters.values import Name

CONCURRENT = {"index-blocks-writes": b"INDEX", "drop-index-blocks": b"INDEX", "reindex-blocks": b""}
"""Rules that ask for CONCURRENTLY, and the word it follows; any of these words for REINDEX."""
REINDEXED = (b"INDEX", b"TABLE", b"SCHEMA", b"DATABASE")
SPLIT = frozenset({"foreign-key-scans", "check-scans", "unique-builds-index", "set-not-null-scans"})
TIMEOUT, UNSET = SET.strip(), "RESET lock_timeout;"
Edit = tuple[int, int, bytes]
PLAIN_KEY = ("deferrable", "initdeferred", "including", "nulls_not_distinct", "options", "indexspace")


def fix(source: Source, findings: Iterable[Finding], in_transaction: bool = False) -> str:
    """The text of a script with its mechanical hazards rewritten.

    Args:
        findings: what an engine says of the script.
        in_transaction: whoever runs the script puts it in one transaction.
    """
    return spliced(source.data, edits_of(source, findings, in_transaction)).decode()


def edits_of(source: Source, findings: Iterable[Finding], in_transaction: bool = False) -> list[Edit]:
    """What `fix` changes: first byte, end, and what stands there instead; in order."""
    by_place: dict[tuple[int, int], set[str]] = {}
    timeouts: set[tuple[int, int]] = set()
    for finding in findings:
        by_place.setdefault((finding.line, finding.column), set()).add(finding.rule)
        if finding.safer == TIMEOUT:
            timeouts.add((finding.line, finding.column))
    edits: list[Edit] = []
    outside = not in_transaction
    patient = False
    for piece in source.statements():
        kind = transaction_kind(piece)
        if kind:
            outside = kind in ("COMMIT", "ROLLBACK") if kind in ("BEGIN", "START", "COMMIT", "ROLLBACK") else outside
        place = source.place(piece.start)
        text = source.data[piece.start : piece.end].rstrip(b"; \t\r\n")
        made = rewritten(text, piece, by_place.get(place, set())) if outside and piece.node is not None else b""
        builds = b"CONCURRENTLY" in (made or text).upper()
        if timeouts and builds and outside and not patient:
            made, patient = UNSET.encode() + b"\n" + (made or text), True
        elif patient and not builds and place in timeouts:
            made, patient = TIMEOUT.encode() + b"\n" + (made or text), False
        if made:
            edits.append((piece.start, piece.start + len(text), made))
    if timeouts:
        edits.insert(0, (0, 0, TIMEOUT.encode() + b"\n"))
    return edits


def spliced(data: bytes, edits: Sequence[Edit]) -> bytes:
    """A text with edits in it, which are in order."""
    made = bytearray(data)
    for start, end, text in reversed(edits):
        made[start:end] = text
    return bytes(made)


def transaction_kind(piece: Piece) -> str:
    """BEGIN, COMMIT and so on; empty for any other statement."""
    if piece.node is None or piece.node.WhichOneof("node") != "transaction_stmt":
        return ""
    return enum_name(piece.node.transaction_stmt, "kind").removeprefix("TRANS_STMT_")


def rewritten(text: bytes, piece: Piece, rules: set[str]) -> bytes:
    """A statement in its safe form; empty where it stays."""
    made = b""
    for rule, word in CONCURRENT.items():
        if rule in rules and may_be_concurrent(piece.node):
            made = with_concurrently(text, (word,) if word else REINDEXED)
    if rules & SPLIT and piece.node.WhichOneof("node") == "alter_table_stmt":
        made = altered(text, piece.node, rules)
    return made if made and parses(made) else b""


def parses(text: bytes) -> bool:
    try:
        parse(text.decode())
    except ValueError:
        return False
    return True


def may_be_concurrent(node: Any) -> bool:
    """Not for an index that may be there already: CONCURRENTLY would pass over one that is broken."""
    kind = node.WhichOneof("node")
    if kind == "drop_stmt":
        return len(node.drop_stmt.objects) == 1 and enum_name(node.drop_stmt, "behavior") != "DROP_CASCADE"
    return kind == "reindex_stmt" or (kind == "index_stmt" and not node.index_stmt.if_not_exists)


def with_concurrently(text: bytes, words: Sequence[bytes]) -> bytes:
    for token in scan(text.decode()):
        if text[token.start : token.end].upper() in words:
            return text[: token.end] + b" CONCURRENTLY" + text[token.end :]
    return b""


def altered(text: bytes, node: Any, rules: set[str]) -> bytes:
    """ALTER TABLE as one statement for each of its commands, those that work on rows in their safe form."""
    if enum_name(node.alter_table_stmt, "objtype") != "OBJECT_TABLE":
        return b""
    header, parts = cut(text)
    found, commands = list(read(node)), [item.alter_table_cmd for item in node.alter_table_stmt.cmds]
    if not header or not len(found) == len(parts) == len(commands):
        return b""
    made: list[str] = []
    for part, action, command in zip(parts, found, commands, strict=True):
        steps = list(safe_steps(header, part, action, command, rules))
        made += steps or [f"{header} {part}"]
    return ";\n".join(made).encode() if len(made) > 1 else b""


def cut(text: bytes) -> tuple[str, list[str]]:
    """`ALTER TABLE t`, and the commands that follow it."""
    tokens = [token for token in scan(text.decode()) if text[token.start : token.end] != b";"]
    words = [text[token.start : token.end] for token in tokens]
    at = 2
    for optional in ((b"IF", b"EXISTS"), (b"ONLY",)):
        if tuple(word.upper() for word in words[at : at + len(optional)]) == optional:
            at += len(optional)
    at += 1
    while words[at : at + 1] == [b"."]:
        at += 2
    at += words[at : at + 1] == [b"*"]
    if at >= len(words):
        return "", []
    borders, depth = [at], 0
    for number in range(at, len(words)):
        depth += (words[number] in (b"(", b"[")) - (words[number] in (b")", b"]"))
        if words[number] == b"," and not depth:
            borders.append(number + 1)
    ends = [*(border - 2 for border in borders[1:]), len(words) - 1]
    parts = [text[tokens[a].start : tokens[b].end].decode() for a, b in zip(borders, ends, strict=True)]
    return text[: tokens[at - 1].end].decode(), parts


def safe_steps(header: str, part: str, action: actions.Action, command: Any, rules: set[str]) -> Iterator[str]:
    """What one command becomes; nothing where it stays."""
    if isinstance(action, actions.SetNotNull) and "set-not-null-scans" in rules:
        column, check = quoted(action.column), quoted(f"{action.table.name}_{action.column}_given")
        yield f"{header} ADD CONSTRAINT {check} CHECK ({column} IS NOT NULL) NOT VALID"
        yield f"{header} VALIDATE CONSTRAINT {check}"
        yield f"{header} {part}"
        yield f"{header} DROP CONSTRAINT {check}"
    if not isinstance(action, actions.AddConstraint):
        return
    given, node = action.constraint, getattr(command, "def").constraint
    name = quoted(given.name or default_name(given, Name("", action.table.name)))
    kind = enum_name(node, "contype")
    later = {"CONSTR_FOREIGN": "foreign-key-scans", "CONSTR_CHECK": "check-scans"}.get(kind)
    if later in rules and not node.skip_validation:
        named = part if given.name else f"ADD CONSTRAINT {name} {part[3:].lstrip()}"
        yield f"{header} {named} NOT VALID"
        yield f"{header} VALIDATE CONSTRAINT {name}"
    plain = not any(getattr(node, field) for field in PLAIN_KEY)
    if kind == "CONSTR_UNIQUE" and "unique-builds-index" in rules and not node.indexname and plain:
        table = header.split(None, 2)[2].removeprefix("IF EXISTS ")
        yield f"CREATE UNIQUE INDEX CONCURRENTLY {name} ON {table} ({listing(given.columns)})"
        yield f"{header} ADD CONSTRAINT {name} UNIQUE USING INDEX {name}"
