"""What reads a column, and follows when another column takes its place."""

from __future__ import annotations

from dataclasses import dataclass

from phases.catalog import Catalog, Definition, Dependent, Table, Trigger
from phases.dialects.base import Changes, Dialect
from phases.errors import Refused
from phases.model import TableName
from phases.names import TRIGGER_PREFIX
from phases.operations.base import Touch

REASONS = {
    "materialized view": "it would be computed again while the table is locked",
    "generated column": "it would be computed again for every row while the table is locked",
    "rule": "what it does would have to be written again",
    "function": "its body would have to be written again",
    "publication": "its subscribers know the columns it lists",
}
DROP_FIRST = "drop it in an earlier revision and create it again after this one; nothing is ever dropped with CASCADE"


@dataclass(frozen=True)
class Dependents:
    """The objects that read a column and are moved to the one that takes its place.

    Args:
        catalog: the catalog before the change.
        dialect: of the server.
        table: the table.
        column: exact name of the column.
        retyped: the other column is of another type, so that views have to be dropped first.
        renamed: the column does not keep its name.
        unchecked: those that an earlier step of the same change has created again.
    """

    catalog: Catalog
    dialect: Dialect
    table: Table
    column: str
    retyped: bool = False
    renamed: bool = False
    unchecked: tuple[Definition, ...] = ()

    def _read(self) -> list[Dependent]:
        return [dependent for dependent in self.table.dependents if self.column in dependent.columns]

    def _triggers(self) -> list[Trigger]:
        return [trigger for trigger in self.table.triggers if self.column in trigger.columns]

    def validate(self, what: str) -> None:
        """Refuse what cannot follow.

        Raises:
            Refused: naming every object in the way, with the reason.
        """
        found = [reason for dependent in self._read() if (reason := self._unmovable(dependent))]
        found += [reason for trigger in self._triggers() if (reason := self._unmovable_trigger(trigger))]
        found += [reason for view in self._views() for reason in self._view_in_the_way(view)]
        if found:
            raise Refused(
                f'{what} of "{self.table.name}"."{self.column}" would break {"; ".join(sorted(set(found)))}',
                remedy=DROP_FIRST,
            )

    def _unmovable(self, dependent: Dependent) -> str:
        if dependent.view is not None or self._own(dependent.kind, dependent.name):
            return ""
        reason = REASONS.get(dependent.kind, "it belongs to something else")
        return f"{dependent.kind} {dependent.name} ({reason})"

    def _unmovable_trigger(self, trigger: Trigger) -> str:
        if trigger.name.startswith(TRIGGER_PREFIX) or not self._own("trigger", trigger.name):
            return f"trigger {trigger.name} (it belongs to a change that is not done)"
        if self.renamed:
            # UPDATE OF looks at what a statement names, and the function's text names the column.
            return f"trigger {trigger.name} (it would not fire for statements that write the other name)"
        return ""

    def _view_in_the_way(self, view: TableName) -> list[str]:
        if not self.retyped:
            return []
        table = self.catalog.tables[view]
        (definition,) = table.definitions
        reasons = (*definition.obstacles, *(f"{reader} needs it" for reader in table.readers))
        return [f"view {definition.name} ({reason})" for reason in reasons]

    def _own(self, kind: str, name: str) -> Definition | None:
        return next((d for d in self.table.definitions if (d.kind, d.name) == (kind, name)), None)

    def _views(self) -> list[TableName]:
        """Views that follow, each before those that it reads."""
        roots = [dependent.view for dependent in self._read() if dependent.view is not None]
        if not self.retyped:
            return sorted(set(roots), key=str)
        order: list[TableName] = []
        waiting = [(view, False) for view in sorted(set(roots), key=str)]
        while waiting:
            view, seen = waiting.pop()
            if view in order:
                continue
            if seen:
                order.append(view)
                continue
            waiting += [(view, True), *((over, False) for over in self.catalog.tables[view].viewed_by)]
        return order

    @property
    def parts(self) -> tuple[Definition, ...]:
        """In the order in which they are dropped."""
        views = [d for view in self._views() for d in self.catalog.tables[view].definitions]
        named = [(dependent.kind, dependent.name) for dependent in self._read() if dependent.view is None]
        named += [("trigger", trigger.name) for trigger in self._triggers()]
        return (*views, *(own for kind, name in named if (own := self._own(kind, name))))

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(str(part) for part in self.parts)

    @property
    def views_retyped(self) -> bool:
        return self.retyped and any(part.kind == "view" for part in self.parts)

    def touches(self) -> tuple[Touch, ...]:
        """Each as a whole: whoever else creates it again would put back what this change has moved."""
        own = [part for part in self.parts if part.kind != "view"]
        return (*map(Touch, self._views()), *(Touch(self.table.name, str(part)) for part in own))

    def _in_place(self, part: Definition) -> bool:
        return bool(part.replace) and not self.retyped

    def away(self) -> Changes:
        """Drop what cannot be there while columns change places, unless it is not what it was at planning."""
        parts, dialect = self.parts, self.dialect
        looked_at = [part for part in parts if part not in self.unchecked]
        checked = dialect.check_unchanged(looked_at, in_place=not self.retyped) if looked_at else ()
        dropped = (change for part in parts if not self._in_place(part) for change in dialect.drop_defined(part))
        return (*checked, *dropped)

    def again(self, holder: str) -> Changes:
        """Create everything over column `holder`, which has the name of the column for that moment."""
        parts, dialect, table = self.parts, self.dialect, self.table.name
        if not parts:
            return ()
        made = [
            change
            for part in reversed(parts)
            for change in (dialect.replace_defined(part) if self._in_place(part) else dialect.create_defined(part))
        ]
        if holder == self.column:
            return tuple(made)
        # A definition follows its column from name to name: the server itself rewrites the text.
        lent = dialect.rename_column(table, holder, self.column)
        return (*lent, *made, *dialect.rename_column(table, self.column, holder))
