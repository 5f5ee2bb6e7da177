"""A script of SQL as a revision of operations."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from typing import Any

from linters.converting import Converted, convert
from linters.engine import Engine
from linters.session import Given, Session
from linters.source import Source
from migrator.autogenerate.rendering import Call, Proposal
from phases import operations
from phases.operations import Operation, RunSQL, Todo

UNDECIDED = "…"
"""What stands in an operation for something that only a person knows."""


def proposals(source: Source) -> list[Proposal]:
    """Operations for the statements of a script, in its order; a `Todo` where a person has to decide.

    Args:
        source: SQL for PostgreSQL.
    """
    findings = list(Engine(Session(Given())).judge(source))
    return [proposal for item in convert(source, findings) for proposal in proposed(item)]


def proposed(item: Converted) -> Iterator[Proposal]:
    if item.expand:
        yield Proposal(RunSQL(expand=item.expand, undo=item.undo))
        return
    calls = list(calls_of(item.code))
    if not calls or any(UNDECIDED in text for call in calls for text in texts(call.items)):
        reason = f"{item.reason}: " if item.reason else ""
        yield Proposal(Todo(f"{reason}{item.statement}"), item.statement if calls else "", tuple(calls))
        return
    for number, call in enumerate(calls):
        yield Proposal(operation(call), "" if number else item.reason)


def calls_of(code: str) -> Iterator[Call]:
    """The calls of operations in a line of code; nothing of it is run."""
    if not code:
        return
    tree = ast.parse(code, mode="eval").body
    for node in tree.elts if isinstance(tree, ast.Tuple) else [tree]:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            given = [("", ast.literal_eval(argument)) for argument in node.args]
            given += [(keyword.arg or "", ast.literal_eval(keyword.value)) for keyword in node.keywords]
            yield Call(node.func.id, tuple(given))


def texts(items: Sequence[tuple[str, Any]]) -> Iterator[str]:
    for _, value in items:
        for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else [value]:
            yield str(part)


def operation(call: Call) -> Operation:
    positional = [value for name, value in call.items if not name]
    named = {name: value for name, value in call.items if name}
    made: Operation = getattr(operations, call.name)(*positional, **named)
    return made
