"""A decision that only a person can make."""

from __future__ import annotations

from dataclasses import dataclass

from phases.catalog import Catalog
from phases.dialects.base import Dialect
from phases.errors import Refused
from phases.operations.base import Operation


@dataclass(frozen=True)
class Todo(Operation):
    """Hold the place of an operation whose intent only a person knows: `plan` refuses it.

    Written by `migrator new --autogenerate`, below a comment with the operations it may stand for.

    Args:
        decide: what is to be decided.
    """

    decide: str

    def describe(self) -> str:
        return f"to be decided: {self.decide}"

    def validate(self, catalog: Catalog, dialect: Dialect) -> None:
        raise Refused(
            f"still to be decided: {self.decide}", remedy="put the operation that is meant in place of Todo(…)"
        )
