"""Two columns that say the same in two shapes, and what each gets when a statement writes the other.

The rules are those of the triggers (`phases/dual_write.py`); the side of them that a statement cannot see, a row
that nobody has filled yet and nobody writes now, is left to the backfill.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BindParameter,
    Column,
    ColumnElement,
    and_,
    bindparam,
    case,
    false,
    literal_column,
    not_,
    or_,
    true,
    type_coerce,
)
from sqlalchemy.schema import DefaultClause

from migrator.app.mirror_sql import Blank, Expression, OfType, OldInsists, differs

Mapping = Callable[[Expression], Expression]


@dataclass(frozen=True, eq=False)
class Mirror:
    """A column and the one that takes its place.

    Args:
        old, new: columns of one table.
        up: what the new one gets, of an expression for the old one; None: the same value.
        down: the way back.
        revision: that they belong to; labels what is counted.
    """

    old: Column[Any]
    new: Column[Any]
    up: Mapping | None = None
    down: Mapping | None = None
    revision: str = ""

    @property
    def plain(self) -> bool:
        """Both hold the same value."""
        return self.up is None

    def other(self, column: Column[Any]) -> Column[Any]:
        return self.new if column is self.old else self.old

    def made(self, column: Column[Any], value: Expression) -> Expression:
        """What a column gets where the other one has a value, and nothing else is asked."""
        mapping = self.up if column is self.new else self.down
        return value if mapping is None else mapping(value)

    def old_default(self) -> Expression | None:
        return declared_default(self.old)

    def new_default(self) -> Expression | None:
        own, old = declared_default(self.new), self.old_default()
        return own if own is not None or old is None else self.made(self.new, old)

    def inserted(self, column: Column[Any], value: Expression) -> Expression:
        """What a column gets in an INSERT that gives the other one only."""
        if self.plain:
            return value
        default, value = self.old_default(), of_type(value)
        if column is self.new or default is None:
            return self.made(column, value)
        says_default = not_(differs(self.new, value, self.made(self.new, default)))
        return case((says_default, default), else_=self.made(column, value))

    def inserted_both(self, old: Expression, new: Expression) -> tuple[Expression, Expression]:
        """What both get in an INSERT that gives both: the one that is not what its default gives was written."""
        old, new = of_type(old), of_type(new)
        old_written = is_not(self.old, old, self.old_default())
        wins = and_(is_not(self.new, new, self.new_default()), not_(and_(OldInsists(), old_written)))
        return self._settled(wins, old, new)

    def updated(self, column: Column[Any], value: Expression) -> Expression:
        """What a column gets in an UPDATE that sets the other one only; it stays where it says the same already."""
        if self.plain:
            return value
        value = of_type(value)
        made = self.made(column, value)
        if column is self.new:
            says_it = and_(self.new.is_not(None), not_(differs(self.old, value, self.made(self.old, self.new))))
            return case((says_it, self.new), else_=made)
        nulled = and_(value.is_(None), Blank(self.new))
        says_it = not_(differs(self.new, value, self.made(self.new, self.old)))
        return case((and_(says_it, not_(nulled)), self.old), else_=made)

    def updated_both(self, old: Expression, new: Expression) -> tuple[Expression, Expression]:
        """What both get in an UPDATE that sets both: the new one wins if it changes."""
        old, new = of_type(old), of_type(new)
        old_changes = differs(self.old, old, self.old)
        wins = and_(differs(self.new, new, self.new), not_(OldInsists(old_changes)))
        nulled = and_(new.is_(None), Blank(self.new), old.is_not(None), not_(old_changes))
        return self._settled(wins, old, new, nulled)

    def _settled(
        self, wins: Any, old: Expression, new: Expression, nulled: Any = None
    ) -> tuple[Expression, Expression]:
        if self.plain:
            value = case((wins if nulled is None else or_(wins, nulled), new), else_=old)
            return value, value
        same = [not_(differs(self.new, new, self.made(self.new, old)))]
        same.append(and_(new.is_not(None), not_(differs(self.old, old, self.made(self.old, new)))))
        from_new, from_old = self.made(self.old, new), self.made(self.new, old)
        first_old, first_new = ([], []) if nulled is None else ([(nulled, from_new)], [(nulled, new)])
        return (
            case(*first_old, (or_(*same), old), (wins, from_new), else_=old),
            case(*first_new, (or_(*same), new), (wins, new), else_=from_old),
        )

    def disagreeing(self) -> Expression:
        """Condition of a row whose columns do not say the same."""
        old, new = self.old, self.new
        is_up = not_(differs(new, new, self.made(new, old)))
        if self.plain:
            return not_(is_up)
        is_down = not_(differs(old, old, self.made(old, new)))
        return case((is_up, false()), (new.is_(None), true()), else_=not_(is_down))


def of_type(value: Expression) -> Expression:
    return OfType(value) if isinstance(value, BindParameter) else value


def is_not(column: Column[Any], value: Expression, default: Expression | None) -> Any:
    """Condition: a value is another one than an INSERT gives that leaves the column out."""
    return value.is_not(None) if default is None else differs(column, value, default)


def declared_default(column: Column[Any]) -> Expression | None:
    """The DEFAULT of a column as its model declares it."""
    given = column.server_default
    if not isinstance(given, DefaultClause):
        return None
    if isinstance(given.arg, str):
        return typed(given.arg, column)
    text = getattr(given.arg, "text", None)
    return literal_column(text, column.type) if text is not None else type_coerce(given.arg, column.type)


def typed(value: Any, column: Column[Any]) -> Expression:
    """A value or an expression as one of a column's type."""
    if isinstance(value, BindParameter) and value.unique and not value.callable:
        value = value.value
    elif hasattr(value, "__clause_element__") or isinstance(value, ColumnElement):
        found: Expression = getattr(value, "__clause_element__", lambda: value)()
        return type_coerce(found, column.type) if isinstance(found, BindParameter) else found
    return bindparam(None, value, type_=column.type, unique=True)
