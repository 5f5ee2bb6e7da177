"""SQL of a script as operations of a revision, as code; what has none is a decision for a person."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from linters import remedies
from linters.classical import Script
from linters.findings import Finding
from linters.fixing import cut
from linters.parsing import enum_name, expression_text, parse
from linters.source import Piece, Source
from linters.statements import Surroundings, Verdict

AROUND = Surroundings("public", lambda _: False)
"""Whether a default is volatile is for the operation to find out."""
SKIPPED = ("transaction_stmt", "variable_set_stmt")
"""Borders of transactions and timeouts are the runner's."""


@dataclass(frozen=True, slots=True)
class Converted:
    """What becomes of a statement, or of several that belong together.

    Args:
        statement: its text, on one line.
        code: operations, separated by commas; empty where there is none, and a person has to decide.
        expand, undo: statements that are harmless as they are, and what takes them back.
        reason: why it is not run as it is written.
    """

    statement: str
    code: str = ""
    expand: str = ""
    undo: str = ""
    reason: str = ""


def convert(source: Source, findings: Iterable[Finding] = ()) -> list[Converted]:
    """The operations that a script amounts to, in its order.

    Args:
        findings: what an engine says of it; their operations are taken where the statement alone tells none.
    """
    by_place = {(f.line, f.column): f.operation for f in findings if f.operation}
    script, found = Script(AROUND), list[Converted]()
    for piece in source.statements():
        text = source.text(piece).rstrip("; \n")
        if piece.node is None:
            found.append(Converted(oneline(text), reason=piece.problem))
        elif piece.node.WhichOneof("node") not in SKIPPED:
            told = by_place.get(source.place(piece.start), "")
            parts = separate(text, piece)
            found += [item for part in parts for item in converted(part, script, told if len(parts) == 1 else "")]
    return joined(found)


def oneline(text: str) -> str:
    return " ".join(text.split())


def separate(text: str, piece: Piece) -> list[str]:
    """ALTER TABLE with several commands as one statement for each."""
    if piece.node.WhichOneof("node") != "alter_table_stmt" or len(piece.node.alter_table_stmt.cmds) < 2:
        return [text]
    header, parts = cut(text.encode())
    return [f"{header} {part}" for part in parts]


def converted(text: str, script: Script, told: str) -> Iterator[Converted]:
    node = parse(text).stmts[0].stmt
    kind = node.WhichOneof("node")
    mine = getattr(node, kind)
    if kind == "alter_table_stmt" and is_kind(mine, "AT_ValidateConstraint"):
        return  # the operation that adds the constraint does
    verdict = script.judge(text)
    if verdict is None:
        return
    own = own_operation(kind, mine, verdict)
    code = own or ("" if verdict.safe else verdict.remedy)
    if not code:
        yield Converted(oneline(text), expand=text, undo=verdict.effect.undo)
    elif is_code(code) or is_code(told):
        yield Converted(oneline(text), code if is_code(code) else told, reason="" if own else verdict.reason)
    else:
        yield Converted(oneline(text), reason=verdict.reason)


def is_kind(node: Any, kind: str) -> bool:
    return enum_name(node.cmds[0].alter_table_cmd, "subtype") == kind


def is_code(text: str) -> bool:
    """Whether a remedy is operations, and not advice."""
    try:
        tree = ast.parse(text, mode="eval").body
    except SyntaxError:
        return False
    calls = tree.elts if isinstance(tree, ast.Tuple) else [tree]
    return all(isinstance(call, ast.Call) and not is_raw(call) for call in calls)


def is_raw(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Name) and call.func.id == "RunSQL"


def own_operation(kind: str, node: Any, verdict: Verdict) -> str:
    """The operation for what is harmless as it is, or what the judge of single statements has no words for."""
    if kind == "alter_enum_stmt" and not node.old_val:
        names = [item.string.sval for item in node.type_name]
        side = "after" if node.new_val_is_after else "before"
        near = {side: remedies.text(node.new_val_neighbor)} if node.new_val_neighbor else {}
        return remedies.call(
            "AddEnumValue", remedies.text(names[-1]), remedies.text(node.new_val), **near, schema=prefix(names)
        )
    if not verdict.safe:
        return ""
    if kind == "index_stmt" and verdict.effect.index:
        return remedies.index(node).remedy
    if kind == "alter_table_stmt" and verdict.effect.locks and is_kind(node, "AT_AddColumn"):
        return added(node)
    return ""


def prefix(names: Sequence[str]) -> str | None:
    return remedies.text(names[-2]) if len(names) > 1 else None


def added(node: Any) -> str:
    column = getattr(node.cmds[0].alter_table_cmd, "def").column_def
    kinds = {enum_name(item.constraint, "contype"): item.constraint for item in column.constraints}
    default = kinds.get("CONSTR_DEFAULT")
    return remedies.add_column(
        node.relation, column, nullable="False" if "CONSTR_NOTNULL" in kinds else None,
        default=remedies.text(expression_text(default.raw_expr)) if default is not None else None,
    )  # fmt: skip


def joined(found: Sequence[Converted]) -> list[Converted]:
    """Statements that stay as they are in one piece: those on a table belong to the one that creates it."""
    made: list[Converted] = []
    for item in found:
        if item.expand and made and made[-1].expand:
            last = made.pop()
            undo = "; ".join(part for part in (item.undo, last.undo) if part)
            expand = f"{last.expand};\n{item.expand}"
            made.append(Converted(last.statement, expand=expand, undo=undo))
        else:
            made.append(item)
    return made
