"""What a statement of PostgreSQL names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from linters.mentions import Column, Mentioned
from linters.parsing import names_of, nodes, parse
from linters.postgresql.elements import relation
from linters.values import Name

WRITES = ("InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt")
USING = frozenset(
    "SelectStmt InsertStmt UpdateStmt DeleteStmt MergeStmt CopyStmt ExplainStmt PrepareStmt DeclareCursorStmt"
    " CreateTableAsStmt CallStmt DoStmt TruncateStmt".split()
)
"""Statements of those who use tables. Others define them: no version of an application sends them."""
EXCLUDED = "excluded"
"""What ON CONFLICT calls the row that was to be inserted."""
Aliases = dict[str, list[Name]]


def mentioned(sql: str) -> Mentioned:
    """What a statement names.

    Raises:
        ValueError: it cannot be read.
    """
    tree = parse(sql)
    if not any(kind_of(item.stmt) in USING for item in tree.stmts):
        return Mentioned(())
    if dumped := copied_out(tree):
        return Mentioned((), copied=dumped)
    found = [(node.DESCRIPTOR.name, node) for _, node in nodes(tree)]
    aliases: Aliases = {}
    for kind, node in found:
        if kind == "RangeVar":
            alias = node.alias.aliasname or node.relname
            aliases.setdefault(alias, []).append(relation(node))
    writes = [(kind, node) for kind, node in found if kind in WRITES]
    for _, node in writes:
        aliases.setdefault(EXCLUDED, []).append(relation(node.relation))
    copied = [node for kind, node in found if kind == "CopyStmt" and node.HasField("relation")]
    tables = tuple(dict.fromkeys(table for named in aliases.values() for table in named))
    columns = [*referenced(found, aliases)]
    unlisted = []
    for kind, node in writes:
        columns += targets(kind, node)
        unlisted += [relation(node.relation)] if kind == "InsertStmt" and not node.cols and has_rows(node) else []
    for node in copied:
        table = relation(node.relation)
        columns += [Column(item.string.sval, (table,), True) for item in node.attlist]
        unlisted += [table] if not node.attlist else []
    written = [relation(node.relation) for _, node in writes]
    written += [relation(node.relation) for node in copied if node.is_from]
    return Mentioned(tables, tuple(columns), tuple(all_columns(found, aliases)), tuple(unlisted), tuple(written))


def copied_out(tree: Any) -> tuple[Name, ...]:
    """The table of COPY … TO: pg_dump names the columns that it finds there."""
    copies = [item.stmt.copy_stmt for item in tree.stmts if item.stmt.HasField("copy_stmt")]
    return tuple(relation(node.relation) for node in copies if not node.is_from and node.HasField("relation"))


def kind_of(statement: Any) -> str:
    kind = statement.WhichOneof("node")
    return str(getattr(statement, kind).DESCRIPTOR.name) if kind else ""


def has_rows(insert: Any) -> bool:
    """Whether it is not INSERT … DEFAULT VALUES."""
    return bool(insert.HasField("select_stmt"))


def targets(kind: str, node: Any) -> Iterator[Column]:
    """Columns that a statement writes to, and those by which it looks for a conflict."""
    table = (relation(node.relation),)
    listed = node.cols if kind == "InsertStmt" else getattr(node, "target_list", ())
    for item in listed:
        yield Column(item.res_target.name, table, True)
    if kind == "InsertStmt" and node.HasField("on_conflict_clause"):
        conflict = node.on_conflict_clause
        for item in conflict.target_list:
            yield Column(item.res_target.name, table, True)
        for item in conflict.infer.index_elems:
            yield Column(item.index_elem.name, table)
    for item in getattr(node, "merge_when_clauses", ()):
        for target in item.merge_when_clause.target_list:
            yield Column(target.res_target.name, table, True)


def referenced(found: list[tuple[str, Any]], aliases: Aliases) -> Iterator[Column]:
    """Columns in expressions, joins and definitions of indexes."""
    for kind, node in found:
        if kind == "ColumnRef" and (parts := names_of(node)):
            yield Column(parts[-1], meant(parts[:-1], aliases))
        elif kind == "JoinExpr":
            yield from (Column(item.string.sval) for item in node.using_clause)
        elif kind == "IndexElem" and node.name:
            yield Column(node.name)


def meant(qualifier: list[str], aliases: Aliases) -> tuple[Name, ...]:
    """The tables that a qualifier stands for; none where it may be any, such as that of a subquery."""
    if len(qualifier) > 1:
        return (Name(qualifier[-2], qualifier[-1]),)
    return tuple(aliases.get(qualifier[0], ())) if qualifier else ()


def all_columns(found: list[tuple[str, Any]], aliases: Aliases) -> Iterator[Name]:
    """Tables that are read with whatever columns they have."""
    for kind, node in found:
        if kind == "ColumnRef" and any(field.HasField("a_star") for field in node.fields):
            qualifier = [field.string.sval for field in node.fields[:-1]]
            yield from meant(qualifier, aliases) if qualifier else ()
        elif kind == "ColumnRef" and len(parts := names_of(node)) == 1:
            yield from aliases.get(parts[0], ())
        elif kind == "JoinExpr" and node.is_natural:
            yield from direct([node])
        elif kind == "SelectStmt" and any(is_bare_star(item.res_target) for item in node.target_list):
            yield from direct(getattr(item, item.WhichOneof("node")) for item in node.from_clause)
        elif kind in WRITES and any(is_bare_star(item.res_target) for item in returned(node)):
            yield relation(node.relation)


def returned(node: Any) -> Any:
    """What RETURNING gives back, by whichever version of the grammar."""
    clause = getattr(node, "returning_clause", None)
    return clause.exprs if clause is not None else getattr(node, "returning_list", ())


def is_bare_star(target: Any) -> bool:
    reference = target.val.column_ref
    return target.val.WhichOneof("node") == "column_ref" and len(reference.fields) == 1 and not names_of(reference)


def direct(items: Any) -> Iterator[Name]:
    """Tables that FROM has itself, not in a subquery."""
    for item in items:
        if item.DESCRIPTOR.name == "RangeVar":
            yield relation(item)
        elif item.DESCRIPTOR.name == "JoinExpr":
            sides = (item.larg, item.rarg)
            yield from direct(getattr(side, side.WhichOneof("node")) for side in sides if side.WhichOneof("node"))
