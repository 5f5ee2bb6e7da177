"""Reads and rewrites expressions and definitions of MySQL and MariaDB, written as in standard SQL.

`"x"` is a name and `'x'` a text (sql_mode ANSI_QUOTES); a name in backquotes is read as well.
Text is rewritten at the places that the parser gives, never by what it looks like.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

from linters.mysql.cursor import Cursor, Unknown, plain, separated, unquoted
from linters.mysql.tokens import Splitter, Token, Unfinished, tokens
from linters.source import Source

SELECT = "SELECT "
REFUSED = {
    "Subquery": "a sub-select",
    "Select": "a sub-select",
    "Placeholder": "a parameter",
    "Star": "a star",
    "Window": "a window",
    "Parameter": "a variable",
    "SessionParameter": "a variable",
}


@cache
def standard() -> Any:
    """MySQL's grammar with the quotes of standard SQL."""
    from sqlglot.dialects.mysql import MySQL

    class Standard(MySQL):  # type: ignore[misc, unused-ignore]
        class Tokenizer(MySQL.Tokenizer):  # type: ignore[misc, unused-ignore]
            QUOTES = ["'"]  # noqa: RUF012 - the parser's own way of being told
            IDENTIFIERS = ["`", '"']  # noqa: RUF012
            STRING_ESCAPES = ["'", "\\"]  # noqa: RUF012

    return Standard


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


class MySQLExpressions:
    """Reads and rewrites expressions and definitions.

    Args:
        dialect: `mysql` or `mariadb`.
        release: the server's version.
    """

    def __init__(self, dialect: str, release: tuple[int, ...]) -> None:
        self.dialect, self.release = dialect, release

    def check(self, expression: str) -> None:
        """Raise `ValueError` unless the text is exactly one scalar expression."""
        self._target(expression)

    def _target(self, expression: str) -> Any:
        import sqlglot
        from sqlglot.errors import SqlglotError

        if has_comment(expression):
            raise ValueError("it has a comment, which could hide what follows")
        try:
            found = [tree for tree in sqlglot.parse(SELECT + expression, read=standard()) if tree is not None]
        except SqlglotError as problem:
            raise ValueError(str(problem).splitlines()[0][:100]) from None
        except RecursionError:
            raise ValueError("it is nested too deeply to be read") from None
        if len(found) != 1 or type(found[0]).__name__ != "Select" or len(found[0].expressions) != 1:
            raise ValueError("it is not one expression")
        select, target = found[0], found[0].expressions[0]
        if [name for name, value in select.args.items() if value and name not in ("expressions", "kind")]:
            raise ValueError("it is more than one expression")
        if type(target).__name__ == "Alias":
            raise ValueError(f'it has an alias ("{target.alias}")')
        for node in target.walk():
            if what := REFUSED.get(type(node).__name__):
                raise ValueError(f"it has {what}")
        return target

    def _references(self, expression: str) -> Iterator[tuple[int, int, str, str]]:
        """Columns of an expression: from where to where, the name, and what it is qualified with."""
        from sqlglot import expressions

        for column in self._target(expression).find_all(expressions.Column):
            meta = column.this.meta
            yield meta["start"] - len(SELECT), meta["end"] + 1 - len(SELECT), column.name, column.table

    def columns(self, expression: str) -> frozenset[str]:
        """Names of the columns an expression reads."""
        return frozenset(name for _, _, name, _ in self._references(expression))

    def _spliced(self, expression: str, change: Callable[[str, str], str | None]) -> str:
        text = expression
        for start, end, name, table in sorted(self._references(expression), reverse=True):
            if (other := change(name, table)) is not None:
                text = text[:start] + other + text[end:]
        return text

    def qualify(self, expression: str, qualifier: str) -> str:
        """Put `qualifier.` before every column reference that has none."""
        return self._spliced(expression, lambda name, table: None if table else f"{qualifier}.{quoted(name)}")

    def substitute(self, expression: str, values: Mapping[str, str]) -> str:
        """Put expressions in the place of unqualified column references."""
        return self._spliced(expression, lambda n, table: f"({values[n]})" if not table and n in values else None)

    def total(self, expression: str) -> bool:
        """Whether an expression never raises: of none is it known here."""
        self._target(expression)
        return False

    def rename(self, expression: str, names: Mapping[str, str]) -> str:
        """Rename column references."""
        return self._spliced(expression, lambda name, _: quoted(names[name]) if name in names else None)

    def rename_in_constraint(self, definition: str, names: Mapping[str, str]) -> str:
        """Rename the columns of a foreign key.

        Raises:
            ValueError: it is another constraint, which follows no column on these servers.
        """
        found = list(tokens(definition, self.dialect, self.release))
        if [token.upper for token in found[:2]] != ["FOREIGN", "KEY"]:
            raise ValueError("a constraint cannot follow a column here")
        own = separated(Cursor(found[2:]).group())
        changes = {item[0].start: (item[0].end, quoted(names[c])) for item in own if (c := unquoted(item[0])) in names}
        return spliced(definition, changes)

    def rename_referenced(self, definition: str, names: Mapping[str, str]) -> str:
        """Raise: what a foreign key references keeps its name on these servers."""
        raise ValueError("a foreign key cannot follow a column here")

    def copy_index(
        self,
        definition: str,
        *,
        name: str,
        names: Mapping[str, str],
        concurrently: bool,
        table: tuple[str, str] | None = None,
        only: bool = False,
    ) -> str:
        """Rewrite a CREATE INDEX statement: another name, other columns, another table."""
        del concurrently, only
        found = list(tokens(definition, self.dialect, self.release))
        at = next(i for i, token in enumerate(found) if token.upper == "INDEX") + 1
        end = next(i for i, token in enumerate(found) if token.upper == "ON" and i > at)
        opening = next(i for i, token in enumerate(found) if token.text == "(" and i > end)
        changes = {found[at].start: (found[at].end, quoted(name))}
        if table is not None:
            changes[found[end + 1].start] = (found[opening - 1].end, ".".join(map(quoted, table)))
        for item in separated(Cursor(found[opening:]).group()):
            if (column := unquoted(item[0])) in names:
                changes[item[0].start] = (item[0].end, quoted(names[column]))
        return spliced(definition, changes)

    def key(self, constraint: str) -> tuple[str, bool, tuple[str, ...]] | None:
        """Name (empty where it has none), whether it is primary, and columns of a key of CREATE TABLE.

        Raises:
            ValueError: it is nothing that CREATE TABLE takes.
        """
        try:
            cursor = Cursor(list(tokens(constraint.encode().decode("latin-1"), self.dialect, self.release)))
            name = "" if not cursor.accept("CONSTRAINT") or starts_constraint(cursor.peek()) else cursor.identifier()
            if cursor.accept("PRIMARY", "KEY"):
                return name, True, tuple(plain(item[0]) for item in cursor.items())
            if cursor.accept("UNIQUE"):
                cursor.one_of("KEY", "INDEX")
                name = name if cursor.looking_at("(") else cursor.identifier()
                return name, False, tuple(plain(item[0]) for item in cursor.items())
            if cursor.one_of("CHECK", "FOREIGN KEY", "INDEX", "KEY"):
                return None
        except (Unknown, Unfinished) as problem:
            raise ValueError(str(problem)) from None
        raise ValueError("it begins with none of PRIMARY KEY, UNIQUE, CHECK, FOREIGN KEY, INDEX")

    def defaults(self, table: str) -> dict[str, str]:
        """Columns whose default is an expression in parentheses, in a CREATE TABLE as the server shows it."""
        found = list(tokens(table, self.dialect, self.release))
        opening = next(i for i, token in enumerate(found) if token.text == "(")
        defaults = {}
        for item in separated(Cursor(found[opening:]).group()):
            cursor = Cursor(item)
            cursor.until("DEFAULT")
            if cursor.accept("DEFAULT") and cursor.looking_at("("):
                inside = cursor.group()
                defaults[unquoted(item[0])] = table[inside[0].start : inside[-1].end]
        return defaults

    def type_name(self, type_: str) -> str:
        """Write a type as the server does, as far as that is known without it."""
        return type_.strip()

    def split(self, script: str) -> tuple[str, ...]:
        """Split a script into statements.

        Raises:
            ValueError: it is not SQL; one line says where.
        """
        data = script.encode()
        found = []
        for piece in Splitter(Source("script", data), self.dialect, self.release).pieces():
            if piece.problem:
                raise ValueError(piece.problem)
            found.append(data[piece.start : piece.end].decode())
        return tuple(found)


def starts_constraint(token: Token) -> bool:
    return token.kind == "word" and token.upper in ("PRIMARY", "UNIQUE", "CHECK", "FOREIGN")


def has_comment(text: str) -> bool:
    """Whether something of a text would not be read: tokens leave comments and blanks out, and nothing else."""
    try:
        found = list(tokens(text, "mysql", ()))
    except Unfinished as problem:
        raise ValueError(str(problem)) from None
    at = 0
    for token in found:
        if text[at : token.start].strip():
            return True
        at = token.end
    return bool(text[at:].strip())


def spliced(text: str, changes: Mapping[int, tuple[int, str]]) -> str:
    for start in sorted(changes, reverse=True):
        end, other = changes[start]
        text = text[:start] + other + text[end:]
    return text
