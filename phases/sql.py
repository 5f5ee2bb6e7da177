"""Quoting, and the seam through which SQL text is understood.

`phases` imports no parser. Whoever builds a dialect hands in something that
can read expressions (`linters.parsing` for PostgreSQL).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from phases.model import TableName

COMPARED = "migrator_compared"
"""A name in our comparisons of rows, by which they are known among the statements that the server has counted."""


def identifier(name: str) -> str:
    """Quote a name, always: a name never has to be compared with a list of reserved words."""
    return '"' + name.replace('"', '""') + '"'


def qualified(name: TableName) -> str:
    return f"{identifier(name.schema)}.{identifier(name.name)}"


def listed(names: Iterable[str]) -> str:
    """Quote several names for a column list."""
    return ", ".join(identifier(name) for name in names)


def literal(text: str) -> str:
    """Quote a string constant for PostgreSQL with standard_conforming_strings."""
    return "'" + text.replace("'", "''") + "'"


class Expressions(Protocol):
    """Reads and rewrites SQL by parse tree, never by substring."""

    def check(self, expression: str) -> None:
        """Raise `ValueError` with a one-line reason unless `expression` is one scalar expression."""

    def columns(self, expression: str) -> frozenset[str]:
        """Names of the columns an expression reads (last part of each reference)."""

    def qualify(self, expression: str, qualifier: str) -> str:
        """Put `qualifier.` before every unqualified column reference (`NEW.`)."""

    def substitute(self, expression: str, values: Mapping[str, str]) -> str:
        """Put expressions in the place of unqualified column references."""

    def total(self, expression: str) -> bool:
        """Whether an expression has a value, or NULL, for everything it may read: it never raises."""

    def rename(self, expression: str, names: Mapping[str, str]) -> str:
        """Rename column references in an expression."""

    def rename_in_constraint(self, definition: str, names: Mapping[str, str]) -> str:
        """Rename the table's own columns in the text of `pg_get_constraintdef`."""

    def rename_referenced(self, definition: str, names: Mapping[str, str]) -> str:
        """Rename the columns that a foreign key references in the text of `pg_get_constraintdef`."""

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
        """Rewrite a CREATE INDEX statement: other name, columns and table (schema and name), CONCURRENTLY or not.

        `only`: of the other table without its partitions.
        """

    def key(self, constraint: str) -> tuple[str, bool, tuple[str, ...]] | None:
        """Name (empty where it has none), whether it is primary, and columns of a key of CREATE TABLE.

        None: it is something else.

        Raises:
            ValueError: the text is not SQL that CREATE TABLE takes.
        """

    def type_name(self, type_: str) -> str:
        """Write a type as the server does.

        Raises:
            ValueError: the text is not a type.
        """

    def split(self, script: str) -> tuple[str, ...]:
        """Split a script into statements.

        Raises:
            ValueError: the script is not SQL; one line says where.
        """
