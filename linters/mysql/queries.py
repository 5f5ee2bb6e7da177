"""What queries and writes of MySQL read and change."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from linters import actions
from linters.actions import Action
from linters.values import Name, Relation

WRITES = ("insert", "update", "delete")


def parsed(sql: str) -> Any:
    """One statement as a tree.

    Raises:
        ValueError: it cannot be read, in one line.
    """
    import sqlglot
    from sqlglot.errors import SqlglotError

    try:
        found = sqlglot.parse(sql, read="mysql")
    except SqlglotError as problem:
        raise ValueError(str(problem).splitlines()[0][:100]) from None
    except RecursionError:
        raise ValueError("it is nested too deeply to be read") from None
    if len(found) != 1 or found[0] is None or found[0].key == "command":
        raise ValueError("it is no query that is known")
    return found[0]


def read_query(sql: str) -> Iterator[Action]:
    """The actions of SELECT, INSERT, REPLACE, UPDATE, DELETE or WITH."""
    tree = parsed(sql)
    if tree.key in WRITES:
        yield from write(tree)
    else:
        yield actions.Read(tuple(names_in(tree)))


def write(tree: Any) -> Iterator[Action]:
    from sqlglot import expressions

    tables = list(names_in(tree))
    if tree.key == "insert":
        source = tree.expression
        from_query = isinstance(source, expressions.Query) and any(source.find_all(expressions.Table))
        table = tree.this.this if isinstance(tree.this, expressions.Schema) else tree.this
        target = name_of(table)
        others = tuple(name_of(found) for found in source.find_all(expressions.Table)) if from_query else ()
        yield actions.Write(target, "INSERT", True, not from_query, from_query, others)
        return
    where = tree.args.get("where")
    filtered = where is not None or tree.args.get("limit") is not None
    bounded = tree.args.get("limit") is not None or (where is not None and names_rows(where.this))
    for target in targets(tree, tables):
        others = tuple(name for name in tables if name != target)
        yield actions.Write(target, tree.key.upper(), filtered, bounded, reads=others)


def targets(tree: Any, tables: list[Name]) -> list[Name]:
    """The table that is written: the first one, or for DELETE those named before FROM."""
    named = tree.args.get("tables") or ()
    wanted = {table.name for table in named}
    from sqlglot import expressions

    found = [name_of(t) for t in tree.find_all(expressions.Table) if t.alias_or_name in wanted and t not in named]
    return found or ([name_of(tree.this)] if hasattr(tree.this, "name") and tree.this.name else tables[:1])


def names_rows(condition: Any) -> bool:
    """Whether a condition demands that a column be equal to constants."""
    from sqlglot import expressions

    if isinstance(condition, expressions.Paren):
        return names_rows(condition.this)
    if isinstance(condition, expressions.And):
        return names_rows(condition.left) or names_rows(condition.right)
    constant = (expressions.Literal, expressions.Parameter, expressions.Placeholder, expressions.Neg)
    if isinstance(condition, expressions.EQ):
        return isinstance(condition.left, expressions.Column) and isinstance(condition.right, constant)
    if isinstance(condition, expressions.In):
        return bool(condition.expressions) and all(isinstance(e, constant) for e in condition.expressions)
    if isinstance(condition, expressions.Between):
        return isinstance(condition.args["low"], constant) and isinstance(condition.args["high"], constant)
    return False


def names_in(tree: Any) -> Iterator[Name]:
    from sqlglot import expressions

    found = {name_of(table): None for table in tree.find_all(expressions.Table)}
    yield from found


def name_of(table: Any) -> Name:
    return Name(table.db, table.name)


def view(name: Name, sql: str, replace: bool) -> Action:
    """CREATE VIEW: what it reads, as far as its query can be read."""
    try:
        reads = tuple((found, "") for found in names_in(parsed(sql)))
    except ValueError:
        reads = ()
    return actions.CreateView(name, Relation(name, "view", reads=reads), replace)
