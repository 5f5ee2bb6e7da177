"""How often MySQL adds and drops columns of a table INSTANT: a table keeps so many versions of its rows, and no more.

MariaDB counts none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from phases.catalog import Catalog, Server
from phases.model import PhasedSteps, Script, Step, TableName
from phases.sql import qualified

VERSIONED = re.compile(
    r'ALTER TABLE ((?:"(?:[^"]|"")*"\.)?"(?:[^"]|"")*") (?:ADD|DROP) COLUMN .*ALGORITHM=INSTANT', re.S
)
FEW = 0.25
"""Part of the versions below which a plan says how many are left."""


def limit(server: Server) -> int:
    """Versions of its rows that a table may have."""
    return 255 if server.version >= (9, 1, 0) else 64


class Budget:
    """What tables have left, while steps are planned one after another.

    Args:
        catalog: before the first step.
    """

    def __init__(self, catalog: Catalog) -> None:
        self.limit = limit(catalog.server)
        self.left = {t.name: t.instant_left for t in catalog.tables.values() if t.instant_left is not None}
        self.texts = {qualified(name): name for name in self.left}
        self.spent: dict[TableName, str] = {}

    def afford(self, steps: PhasedSteps) -> PhasedSteps:
        """The steps; where nothing is left, with the other way that was planned."""
        return tuple((phase, self._step(step)) for phase, step in steps)

    def _step(self, step: Step) -> Step:
        if not isinstance(step, Script):
            return step
        chosen = [self._way(sql, other, step) for sql, other in zip(step.statements, step.otherwise, strict=True)]
        if tuple(chosen) == step.statements:
            return step
        kept = [o if sql == old else "" for sql, old, o in zip(chosen, step.statements, step.otherwise, strict=True)]
        return replace(step, statements=tuple(chosen), otherwise=tuple(kept))

    def _way(self, sql: str, otherwise: str, step: Step) -> str:
        found = VERSIONED.match(sql)
        table = self.texts.get(found[1]) if found else None
        if table is None:
            return sql
        if self.left[table] > 0 or not otherwise:
            self.left[table] -= 1
            self.spent.setdefault(table, "")
            return sql
        self.left[table] = self.limit  # a table that is written again has one version of its rows
        self.spent[table] = step.name
        return otherwise

    def said(self) -> Iterator[str]:
        """What should be known of the tables that are changed."""
        for table, rebuilt in self.spent.items():
            if rebuilt:
                yield (
                    f'"{table}" has been changed INSTANT as often as it may be ({self.limit} times): "{rebuilt}" writes'
                    " all of it again while it is used (ALGORITHM=INPLACE), after which it may be as often again"
                )
            elif self.left[table] < self.limit * FEW:
                yield (
                    f'"{table}" may be changed INSTANT {max(0, self.left[table])} more times after this'
                    f" (of {self.limit}); writing it again (ALTER TABLE … ENGINE=InnoDB) makes them free"
                )

    def after(self, catalog: Catalog) -> Catalog:
        """The catalog that the steps leave, with what is left."""
        for name in self.spent:
            if name in catalog.tables:
                catalog = catalog.with_table(replace(catalog.tables[name], instant_left=self.left[name]))
        return catalog


def afforded(steps: PhasedSteps, before: Catalog, after: Catalog) -> tuple[PhasedSteps, Catalog, Sequence[str]]:
    """Steps in ways that the server has left, the catalog they leave, and what should be known."""
    budget = Budget(before)
    chosen = budget.afford(steps)
    return chosen, budget.after(after), tuple(budget.said())
