"""The value that makes an Alembic revision one of ours."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from typing import Any

from phases.operations.base import Operation


@dataclass(frozen=True, init=False)
class Migration:
    """What one revision changes, as operations.

    Put it at the top level of an Alembic revision file:

    ```python
    migration = Migration(RenameColumn("users", "full_name", "name"))
    upgrade, downgrade = migration.upgrade, migration.downgrade
    ```
    """

    operations: tuple[Operation, ...]

    def __init__(self, *operations: Operation) -> None:
        for operation in operations:
            if not isinstance(operation, Operation):
                raise TypeError(f"{operation!r} is not an operation")
        object.__setattr__(self, "operations", operations)

    def describe(self) -> str:
        """Canonical JSON of the operations: the same for the same change, whatever the file looks like."""
        data = [{"operation": type(o).__name__, **canonical_fields(o)} for o in self.operations]
        return json.dumps(data, sort_keys=True, separators=(",", ":"))

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.describe().encode()).hexdigest()

    def upgrade(self) -> None:
        """Called by Alembic: run all phases at once, on a database that nobody uses yet.

        Raises:
            UsageError: the database has a ledger, so `migrator apply` must do it.
        """
        from migrator.alembic_support import run_straight

        run_straight(self, downgrade=False)

    def downgrade(self) -> None:
        """Called by Alembic: go back, on a database that nobody uses yet.

        Raises:
            UsageError: the database has a ledger, or an operation has no way back.
        """
        from migrator.alembic_support import run_straight

        run_straight(self, downgrade=True)


def canonical_fields(value: Any) -> dict[str, Any]:
    """Fields that say something; a field added to an operation later does not change old digests."""
    found = {}
    for item in dataclasses.fields(value):
        current = getattr(value, item.name)
        if current != item.default:
            found[item.name] = canonical(current)
    return found


def canonical(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return canonical_fields(value)
    if isinstance(value, tuple | list):
        return [canonical(item) for item in value]
    if isinstance(value, dict):
        return {key: canonical(item) for key, item in value.items()}
    return value if isinstance(value, str | int | float | bool | None) else repr(value)
