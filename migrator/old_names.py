"""Names that the contract of a revision takes away, read from its steps as they are in the ledger."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from linters.departing import departing
from linters.values import Name
from migrator.ledger import store
from phases.model import Phase, Step, TableName, Transaction
from phases.names import PREFIX, TRIGGER_PREFIX

if TYPE_CHECKING:
    from sqlalchemy import Connection

WAITING = ("expanding", "expanded", "migrating", "migrated", "contracting", "restoring")
"""States of revisions whose contract is not done."""


@dataclass(frozen=True, slots=True)
class OldName:
    """A column that goes, or a table where there is none."""

    table: TableName
    column: str | None = None

    def __str__(self) -> str:
        return f"{self.table}.{self.column}" if self.column is not None else str(self.table)

    @property
    def of_linter(self) -> Name:
        return Name(self.table.schema, self.table.name)


def old_names(connection: Connection, revision: str) -> tuple[OldName, ...]:
    """What the contract of a revision takes away."""
    steps = [record.step for record in store.steps(connection, revision, phase=Phase.CONTRACT)]
    return taken(steps, connection.dialect.name)


def waiting_names(connection: Connection) -> Mapping[str, tuple[OldName, ...]]:
    """The same of all revisions whose contract is not done, by revision."""
    waiting = [name for name, record in store.revisions(connection).items() if record.state in WAITING]
    return {name: old_names(connection, name) for name in waiting}


def taken(steps: Iterable[Step], dialect: str) -> tuple[OldName, ...]:
    """Names that some steps take away, but for those that are ours."""
    statements = [sql for step in steps if isinstance(step, Transaction) for sql in step.statements]
    found = [OldName(TableName(*table), column) for table, column in departing(statements, dialect)]
    return tuple(name for name in found if not ours(name))


def ours(name: OldName) -> bool:
    last = name.column if name.column is not None else name.table.name
    return last.startswith((PREFIX, TRIGGER_PREFIX))
