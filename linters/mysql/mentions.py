"""What a statement of MySQL or MariaDB names, as it is or as the server counts it (DIGEST_TEXT)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from linters.mentions import Column, Mentioned
from linters.mysql.queries import name_of, parsed
from linters.values import Name

PREPARED = re.compile(r"^\s*(?:PREPARE|EXECUTE|EXPLAIN)\s+(?=SELECT|WITH|INSERT|UPDATE|DELETE|REPLACE|TABLE|\()", re.I)
IGNORED = re.compile(r"^\s*(\w+)((?:\s+(?:LOW_PRIORITY|QUICK|DELAYED|HIGH_PRIORITY|IGNORE))+)\b", re.I)
LEFT_OUT = (
    (re.compile(r"\(\s*\.\.\.\s*\)"), "(?)"),
    (re.compile(r"\?\s*,\s*\.\.\.(?!\S)"), "?, ?"),
    (re.compile(r"/\*\s*,\s*\.\.\.\s*\*/"), ""),
    (re.compile(r"\s+\.\s+"), "."),
)
"""How a digest shortens lists of values and spreads names, and what stands for it here."""
QUIET = frozenset(
    "SHOW SET USE CREATE ALTER DROP RENAME ANALYZE OPTIMIZE CHECK CHECKSUM REPAIR GRANT REVOKE FLUSH KILL BEGIN START"
    " COMMIT ROLLBACK SAVEPOINT RELEASE UNLOCK DEALLOCATE DESCRIBE DESC EXPLAIN HELP PURGE RESET XA DO".split()
)
"""First words of statements that use no rows of a table; no version of an application sends those that define it."""
QUERIES = ("SELECT", "WITH", "INSERT", "UPDATE", "DELETE", "TABLE", "(")
DUMP = re.compile(r"^\s*SELECT\s+(?:/\*!40001\s+)?SQL_NO_CACHE\s+(?:\*/\s+)?", re.I)
"""How mysqldump and mariadb-dump begin to read a table, and hardly anybody else."""
CUT = re.compile(r"\.\.\.\s*$")
Aliases = dict[str, list[Name]]


def mentioned(sql: str) -> Mentioned:
    """What a statement names.

    Raises:
        ValueError: it cannot be read, or its end was cut off.
    """
    from sqlglot import expressions

    text = PREPARED.sub("", sql, count=1)
    for pattern, instead in LEFT_OUT:
        text = pattern.sub(instead, text)
    if CUT.search(text):
        raise ValueError("its end is cut off")
    text = IGNORED.sub(r"\1", text)
    if text.lstrip()[:7].upper() == "REPLACE":
        text = "INSERT" + text.lstrip()[7:]
    first = (re.match(r"\s*(\w+|\()", text) or [""])[0].strip().upper()
    if first in QUIET:
        return Mentioned(())
    if first not in QUERIES:
        raise ValueError(f"{first or 'nothing'} is not read")
    dumped = DUMP.match(text)
    tree = parsed(DUMP.sub("SELECT ", text) if dumped else text)
    if dumped:
        return Mentioned((), copied=tuple(map(name_of, tree.find_all(expressions.Table))), folded=True)
    aliases: Aliases = {}
    for table in tree.find_all(expressions.Table):
        aliases.setdefault(table.alias_or_name.casefold(), []).append(name_of(table))
    written = [name_of(table) for table in targets(tree)]
    tables = tuple(dict.fromkeys(table for named in aliases.values() for table in named))
    columns = tuple(named(tree, aliases))
    return Mentioned(tables, columns, tuple(stars(tree, aliases)), tuple(unlisted(tree)), tuple(written), folded=True)


def targets(tree: Any) -> Iterator[Any]:
    """Tables that a statement writes to."""
    from sqlglot import expressions

    if tree.key == "insert":
        yield tree.this.this if isinstance(tree.this, expressions.Schema) else tree.this
    elif tree.key == "update":
        yield from (node for node in tree.this.find_all(expressions.Table))
    elif tree.key == "delete":
        yield from tree.args.get("tables") or (tree.this.find_all(expressions.Table) if tree.this else ())


def named(tree: Any, aliases: Aliases) -> Iterator[Column]:
    from sqlglot import expressions

    assigned = {id(item.this) for item in assignments(tree)}
    for node in tree.find_all(expressions.Column):
        if not isinstance(node.this, expressions.Star):
            of = (Name(node.db, node.table),) if node.db else tuple(aliases.get(node.table.casefold(), ()))
            yield Column(node.name, of, id(node) in assigned)
    if tree.key == "insert" and isinstance(tree.this, expressions.Schema):
        table = (name_of(tree.this.this),)
        yield from (Column(item.name, table, True) for item in tree.this.expressions)
    for join in tree.find_all(expressions.Join):
        yield from (Column(item.name) for item in join.args.get("using") or ())


def assignments(tree: Any) -> list[Any]:
    """`column = value` of UPDATE, and of ON DUPLICATE KEY."""
    conflict = tree.args.get("conflict")
    return [*(tree.expressions if tree.key == "update" else ()), *(conflict.expressions if conflict else ())]


def unlisted(tree: Any) -> Iterator[Name]:
    from sqlglot import expressions

    if tree.key == "insert" and isinstance(tree.this, expressions.Table):
        yield name_of(tree.this)


def stars(tree: Any, aliases: Aliases) -> Iterator[Name]:
    """Tables that are read with whatever columns they have."""
    from sqlglot import expressions

    for node in tree.find_all(expressions.Column):
        if isinstance(node.this, expressions.Star):
            yield from aliases.get(node.table.casefold(), ())
    for select in tree.find_all(expressions.Select):
        joins = select.args.get("joins") or ()
        if any(isinstance(item, expressions.Star) for item in select.expressions):
            sources = [select.args.get("from_"), *joins]
            yield from (name_of(s.this) for s in sources if s is not None and isinstance(s.this, expressions.Table))
        if any(join.args.get("method") == "NATURAL" for join in joins):
            yield from (name for found in aliases.values() for name in found)
