"""Code of a revision rewritten so that a statement that fails is put down, and the next one runs."""

from __future__ import annotations

import ast
from collections.abc import Iterable

FAILED, CALLED, UNKNOWN, PROBLEM = "__failed__", "__called__", "__unknown__", "__problem__"
"""Names that the code finds among its globals."""
LEFT_ALONE = (ast.Pass, ast.Break, ast.Continue, ast.Global, ast.Nonlocal, ast.Raise)


def guarded(tree: ast.Module) -> ast.Module:
    """The same module with every statement in a `try` of its own; lines and columns stay."""
    tree.body = block(tree.body)
    return ast.fix_missing_locations(tree)


def block(statements: Iterable[ast.stmt]) -> list[ast.stmt]:
    return [statement(node, first=number == 0) for number, node in enumerate(statements)]


def statement(node: ast.stmt, *, first: bool) -> ast.stmt:
    if isinstance(node, LEFT_ALONE) or is_future(node) or (first and is_docstring(node)):
        return node
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        if not is_context_manager(node):
            node.body = block(node.body)
        return node if not node.decorator_list else in_try(node)
    if isinstance(node, ast.If | ast.For | ast.While | ast.With):
        node.body = block(node.body)
        if not isinstance(node, ast.With):
            node.orelse = block(node.orelse)
    elif isinstance(node, ast.Try):  # its handlers want to see what fails inside
        for handler in node.handlers:
            handler.body = block(handler.body)
        if not node.handlers:
            node.body = block(node.body)
        node.finalbody = block(node.finalbody)
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        node.value = ast.copy_location(ast.Call(name(CALLED, node), [node.value], []), node.value)
    return in_try(node)


def in_try(node: ast.stmt) -> ast.stmt:
    body: list[ast.stmt] = [ast.copy_location(ast.Expr(ast.Call(name(FAILED, node), [], [])), node)]
    for target in targets(node):
        value = ast.Call(name(UNKNOWN, node), [ast.Constant(target)], [])
        body.append(ast.copy_location(ast.Assign([ast.Name(target, ast.Store())], value), node))
    handler = ast.copy_location(ast.ExceptHandler(name(PROBLEM, node), None, body), node)
    return ast.copy_location(ast.Try([node], [handler], [], []), node)


def targets(node: ast.stmt) -> list[str]:
    """Names that a statement would have bound."""
    if isinstance(node, ast.ClassDef):
        return [node.name]
    found = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return [item.id for target in found for item in ast.walk(target) if isinstance(item, ast.Name) and is_stored(item)]


def is_stored(item: ast.Name) -> bool:
    return isinstance(item.ctx, ast.Store)


def name(text: str, at: ast.AST) -> ast.Name:
    return ast.copy_location(ast.Name(text, ast.Load()), at)


def is_future(node: ast.stmt) -> bool:
    return isinstance(node, ast.ImportFrom) and node.module == "__future__"


def is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def is_context_manager(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether an exception is thrown into it, which it has to see."""
    return any("contextmanager" in ast.unparse(decorator) for decorator in node.decorator_list)
