"""Demand that no two rows exclude each other."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from phases.catalog import Catalog, Constraint, ConstraintKind, Index, Table
from phases.dialects.base import Dialect
from phases.errors import Refused
from phases.operations.base import (
    Operation,
    Precheck,
    Steps,
    Touch,
    check_expression,
    check_index_free,
    check_ordinary,
    reads,
    row_key_text,
)
from phases.operations.constraints import check_brief, check_free, exclude, few_rows, with_constraint
from phases.sql import identifier, qualified

OPERATOR = re.compile(r"[-+*/<>=~!@#%^&|`?]+|OPERATOR\([\w.\"]*[-+*/<>=~!@#%^&|`?]+\)")
IN_A_WINDOW = (
    "put it on a second table, where CreateTable and AddExclusion are one revision; or, in a maintenance window:"
    ' RunSQL(expand="ALTER TABLE …", undo="…", accept=["exclusion-builds-index"], reason="…")'
)


@dataclass(frozen=True)
class AddExclusion(Operation):
    """Add an EXCLUDE constraint to a table of this revision, or of very few rows.

    The server can build the index of such a constraint only inside `ALTER TABLE`, while reads and
    writes wait. So it is refused for a table of more than 1,000 rows, and is undone where waiting and building
    together would take longer than the lock timeout. It holds from expand on, whoever writes.

    Args:
        table: exact name of the table.
        name: exact name of the constraint.
        elements: pairs of a column (or an expression in parentheses) and an operator: two rows may not
            both exist where all operators give true.
        using: index method.
        where: SQL condition of the rows it is about; all of them where not given.
        schema: schema of the table; the connection's default where not given.
    """

    table: str
    name: str
    elements: Sequence[tuple[str, str]]
    using: str = "gist"
    where: str | None = None
    schema: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "elements", tuple(map(tuple, self.elements)))

    def describe(self) -> str:
        return f"exclude rows of {self.table} from each other: {self.definition}"

    @property
    def definition(self) -> str:
        """The constraint as ALTER TABLE takes it."""
        parts = ", ".join(f"{sql(key)} WITH {operator}" for key, operator in self.elements)
        where = f" WHERE ({self.where})" if self.where else ""
        return f"EXCLUDE USING {identifier(self.using)} ({parts}){where}"

    def _columns(self, dialect: Dialect) -> tuple[str, ...]:
        """Every column it reads."""
        keys = [key for key, _ in self.elements]
        read = [*(key for key in keys if key.startswith("(")), *([self.where] if self.where else [])]
        inside = {column for text in read for column in dialect.expressions.columns(text)}
        return tuple(dict.fromkeys([*(key for key in keys if not key.startswith("(")), *sorted(inside)]))

    def touches(self, catalog: Catalog, dialect: Dialect) -> tuple[Touch, ...]:
        table = catalog.name(self.table, self.schema)
        plain = [Touch(table, key) for key, *_ in self.elements if not key.startswith("(")]
        computed = [reads(table, key, dialect) for key, *_ in self.elements if key.startswith("(")]
        return (*plain, *(touch for found in computed for touch in found), *reads(table, self.where, dialect))

    def validate(self, catalog: Catalog, dialect: Dialect) -> None:
        table = catalog.table(self.table, self.schema)
        check_ordinary(table, "AddExclusion")
        check_free(table, self.name, dialect)
        check_index_free(catalog, self.name, table.name.schema)
        self._check_elements(table, dialect)
        if self.where:
            check_expression(self.where, table, dialect, "where")
        check_brief(table, "it cannot be added", IN_A_WINDOW)

    def _check_elements(self, table: Table, dialect: Dialect) -> None:
        wanted = 'elements of AddExclusion are pairs: [("room", "="), ("during", "&&")]'
        if not self.elements or any(len(pair) != 2 for pair in self.elements):
            raise Refused(f"{self.elements!r} are not pairs of a column and an operator", remedy=wanted)
        for key, operator in self.elements:
            if not OPERATOR.fullmatch(operator):
                raise Refused(f'"{operator}" is not an operator', remedy=wanted)
            if key.startswith("("):
                check_expression(key, table, dialect, "an element")
            else:
                table.column(key)
        if {operator for _, operator in self.elements} == {"="}:
            plain = all(not key.startswith("(") for key, _ in self.elements) and not self.where
            unique = "AddUnique" if plain else "CreateIndex(…, unique=True)"
            raise Refused("rows that may not be equal are what a unique key is for", remedy=f"write {unique}")

    def prechecks(self, catalog: Catalog, dialect: Dialect) -> tuple[Precheck, ...]:
        table = catalog.table(self.table, self.schema)
        plain = [key for key, _ in self.elements if not key.startswith("(")]
        needed = tuple(Touch(table.name, column) for column in self._columns(dialect))
        unindexed = Precheck(
            dialect.without_operator_class(table.name, plain, self.using),
            f'{self.using} has no operator class for columns of "{table.name}"',
            "create the extension that has it; for gist and plain types: CREATE EXTENSION btree_gist",
            needed,
        )
        problem = f'rows of "{table.name}" exclude each other'
        pairs = Precheck(self._pairs(table, dialect), problem, "mend them first", needed, asks="an element")
        return few_rows(table, IN_A_WINDOW), *([unindexed] if plain else []), pairs

    def _pairs(self, table: Table, dialect: Dialect) -> str:
        """Ask for rows that could not both be there."""
        computed = ", ".join(f"{sql(key)} AS e{number}" for number, (key, _) in enumerate(self.elements))
        rows = f"SELECT ctid AS place, {row_key_text(table, dialect)} AS name, {computed} FROM {qualified(table.name)}"
        rows += f" WHERE ({self.where})" if self.where else ""
        both = " AND ".join(f"a.e{number} {operator} b.e{number}" for number, (_, operator) in enumerate(self.elements))
        return (
            f"SELECT a.name || ' and ' || b.name FROM ({rows}) AS a JOIN ({rows}) AS b"
            f" ON a.place < b.place AND {both} LIMIT 5"
        )

    def _constraint(self, dialect: Dialect) -> Constraint:
        columns = self._columns(dialect)
        return Constraint(self.name, ConstraintKind.EXCLUSION, self.definition, columns, index=self.name)

    def expand(self, catalog: Catalog, dialect: Dialect) -> Steps:
        table = catalog.table(self.table, self.schema)
        return (exclude(dialect, table.name, self._constraint(dialect), undo=True),)

    def outcome(self, catalog: Catalog, dialect: Dialect) -> Catalog:
        table, constraint = catalog.table(self.table, self.schema), self._constraint(dialect)
        index = Index(table.name.schema, self.name, "", constraint.columns, constraint=self.name)
        return with_constraint(catalog, replace(table, indexes=(*table.indexes, index)), constraint)


def sql(key: str) -> str:
    """A column, or an expression in parentheses, as SQL."""
    return key if key.startswith("(") else identifier(key)
