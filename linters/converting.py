"""SQL of a script as operations of a revision, as code; what has none is a decision for a person."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from linters.applying import apply
from linters.effects import Effect, NoWayBack, effect_of
from linters.findings import Finding
from linters.fixing import cut
from linters.instead import operation_for
from linters.parsing import enum_name, parse
from linters.postgresql.reading import read
from linters.session import Given, Session
from linters.source import Piece, Source

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
        findings: what an engine says of it: why a statement is not run as it is, and the operation instead.
    """
    by_place: dict[tuple[int, int], list[Finding]] = {}
    for finding in findings:
        by_place.setdefault((finding.line, finding.column), []).append(finding)
    session, found = Session(Given()), list[Converted]()
    for piece in source.statements():
        text = source.text(piece).rstrip("; \n")
        if piece.node is None:
            found.append(Converted(oneline(text), reason=piece.problem))
        elif piece.node.WhichOneof("node") not in SKIPPED:
            told = by_place.get(source.place(piece.start), [])
            parts = separate(text, piece)
            for part in parts:
                found += converted(part, session, told if len(parts) == 1 else [])
    return joined(found)


def oneline(text: str) -> str:
    return " ".join(text.split())


def separate(text: str, piece: Piece) -> list[str]:
    """ALTER TABLE with several commands as one statement for each."""
    if piece.node.WhichOneof("node") != "alter_table_stmt" or len(piece.node.alter_table_stmt.cmds) < 2:
        return [text]
    header, parts = cut(text.encode())
    return [f"{header} {part}" for part in parts]


def converted(text: str, session: Session, told: Sequence[Finding]) -> Iterator[Converted]:
    """What one statement becomes.

    Args:
        session: what the statements before have created; changed by this one.
        told: findings about it.
    """
    node = parse(text).stmts[0].stmt
    if validates(node):
        return  # the operation that adds the constraint does
    effect: Effect | None = None
    reason = next((finding.message for finding in told), "")
    try:
        effect = effect_of(node, session)
    except NoWayBack as problem:
        reason = reason or problem.reason
    own = "" if effect is not None and leaves_with(effect, session) else operation_for(node)
    for action in read(node):
        apply(action, session)
    operation = own or next((f.operation for f in told if f.operation), "")
    if operation:
        yield Converted(oneline(text), operation, reason=reason if told else "")
    elif effect is None or told:
        yield Converted(oneline(text), reason=reason)
    else:
        yield Converted(oneline(text), expand=text, undo=effect.undo)


def leaves_with(effect: Effect, session: Session) -> bool:
    """Whether it changes a table that the same script creates, and that no version uses yet."""
    return effect.table is not None and (effect.is_new or session.is_new(effect.table))


def validates(statement: Any) -> bool:
    commands: Any = statement.alter_table_stmt.cmds if statement.HasField("alter_table_stmt") else ()
    return bool(commands) and enum_name(commands[0].alter_table_cmd, "subtype") == "AT_ValidateConstraint"


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
