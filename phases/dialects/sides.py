"""When the two sides of a dual write say the same: conditions over a row that every server understands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from phases.catalog import Column
from phases.dual_write import DualWrite, Pairs
from phases.sql import Expressions, identifier


class Sides:
    """The part of a dialect that compares both sides of a row."""

    __slots__ = ()

    @property
    def _expressions(self) -> Expressions:
        raise TypeError("the dialect has the reader of expressions")

    def differs(self, column: Column, left: str, right: str) -> str:
        raise TypeError("the dialect says when two values differ")

    def cast(self, expression: str, type_: str) -> str:
        raise TypeError("the dialect gives an expression a type")

    def disagree(self, link: DualWrite, row: str = "") -> str:
        """Condition under which the two sides of a row do not say the same."""
        up, down = self._mapped(link.up, row), self._mapped(link.down, row)
        new_is_up = self._same(link.news, up, row)
        if link.exact:
            return self._distinct(link.news, up, row)
        if link.fills_old:
            branches = f"WHEN {self._same(link.olds, down, row)} THEN false WHEN {none_of(link.olds, row)} THEN true"
            return f"CASE {branches} ELSE NOT ({new_is_up}) END"
        branches = f"WHEN {new_is_up} THEN false WHEN {none_of(link.news, row)} THEN true"
        if link.fallible and not row:
            # What the old side cannot hold is NULL there; a trigger tries again, whoever reads rows accepts it.
            branches += f" WHEN {none_of(link.olds, row)} THEN false"
        return f"CASE {branches} ELSE NOT ({self._same(link.olds, down, row)}) END"

    def _mapped(self, pairs: Pairs, row: str) -> dict[str, str]:
        qualifier = row.rstrip(".")
        return {name: self._expressions.qualify(text, qualifier) if row else text for name, text in pairs}

    def _same(self, columns: Sequence[Column], values: Mapping[str, str], row: str) -> str:
        return " AND ".join(
            f"NOT ({self.differs(column, row + identifier(column.name), values[column.name])})" for column in columns
        )

    def _distinct(self, columns: Sequence[Column], values: Mapping[str, str], row: str) -> str:
        return " OR ".join(self.differs(c, row + identifier(c.name), values[c.name]) for c in columns)

    def _half_given(self, link: DualWrite) -> str:
        """Condition of an UPDATE that gives some new columns of a row that is not filled yet; empty: there is one."""
        if link.fills_old or len(link.news) == 1:
            return ""
        given = f"NOT ({none_of(link.news, 'NEW.')}) AND NOT ({none_of(link.olds, 'NEW.')})"
        return f"{none_of(link.news, 'OLD.')} AND {given}"

    def _completed(self, link: DualWrite) -> dict[str, str]:
        """What the new columns get there: where they are not given, what `up` makes of the old ones."""
        values = self._mapped(link.up, "NEW.")
        return {name: f"COALESCE(NEW.{identifier(name)}, {value})" for name, value in values.items()}

    def _changed(self, columns: Sequence[Column]) -> str:
        return self._distinct(columns, {c.name: f"OLD.{identifier(c.name)}" for c in columns}, "NEW.")


def none_of(columns: Sequence[Column], row: str, *, negated: bool = False) -> str:
    """Condition: none of the columns has a value (or, negated, one has)."""
    if negated:
        return " OR ".join(f"{row}{identifier(column.name)} IS NOT NULL" for column in columns)
    return " AND ".join(f"{row}{identifier(column.name)} IS NULL" for column in columns)
