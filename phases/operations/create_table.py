"""Create a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from phases import catalog as facts
from phases import names
from phases.catalog import Catalog, Constraint, ConstraintKind
from phases.dialects.base import Dialect
from phases.errors import Refused
from phases.model import Lock, LockMode, Loss, TableName
from phases.operations.add_column import check_default
from phases.operations.base import RENAMED, Operation, Steps, Touch, check_name, check_ordinary, check_table_free
from phases.operations.constraints import AddForeignKey
from phases.operations.data import RunSQL
from phases.operations.enum_types import typed_touches
from phases.sql import identifier, listed, qualified


@dataclass(frozen=True)
class Column:
    """A column of a table that does not exist yet.

    Args:
        name: exact name.
        type: type as the server writes it, or an SQLAlchemy type.
        nullable: False demands a value.
        default: SQL expression used where a writer gives nothing.
        primary_key: part of the primary key; implies NOT NULL.
        unique: no two rows may have the same value.
        identity: `"ALWAYS"` or `"BY DEFAULT"` for an identity column.
        references: table and column of a foreign key, `("users", "id")`.
        comment: stored with the column.
    """

    name: str
    type: object
    nullable: bool = True
    default: str | None = None
    primary_key: bool = False
    unique: bool = False
    identity: str | None = None
    references: tuple[str, str] | None = None
    comment: str | None = None


@dataclass(frozen=True, init=False)
class CreateTable(Operation):
    """Create a table.

    Args:
        table: exact name.
        columns: its columns, in order.
        constraints: further table constraints as SQL, `"UNIQUE (a, b)"`.
        schema: schema of the table; the connection's default where not given.
        comment: stored with the table.
    """

    table: str
    columns: tuple[Column, ...]
    constraints: tuple[str, ...] = ()
    schema: str | None = None
    comment: str | None = field(default=None)

    def __init__(
        self,
        table: str,
        *columns: Column,
        constraints: Sequence[str] = (),
        schema: str | None = None,
        comment: str | None = None,
    ) -> None:
        object.__setattr__(self, "table", table)
        object.__setattr__(self, "columns", columns)
        object.__setattr__(self, "constraints", tuple(constraints))
        object.__setattr__(self, "schema", schema)
        object.__setattr__(self, "comment", comment)

    def describe(self) -> str:
        return f"create table {self.table}"

    def touches(self, catalog: Catalog, dialect: Dialect) -> tuple[Touch, ...]:
        table = catalog.name(self.table, self.schema)
        types = {column.name: dialect.type_text(column.type) for column in self.columns}
        keys = [column.references for column in self.columns if column.references is not None]
        referenced = (Touch(catalog.name(other, self.schema), column, uses=True) for other, column in keys)
        return Touch(table), *referenced, *typed_touches(catalog, table, types)

    def validate(self, catalog: Catalog, dialect: Dialect) -> None:
        check_name(self.table, dialect, "table")
        name = catalog.name(self.table, self.schema)
        check_table_free(catalog, name)
        if not self.columns:
            raise Refused(f'table "{name}" would have no columns')
        for constraint in self.constraints:
            try:
                dialect.expressions.key(constraint)
            except ValueError as problem:
                raise Refused(f"{constraint!r} is no constraint of a table: {problem}") from None
        seen: set[str] = set()
        for column in self.columns:
            check_name(column.name, dialect, "column")
            if column.name in seen:
                raise Refused(f'table "{name}" would have two columns "{column.name}"')
            seen.add(column.name)
            if column.default is not None:
                check_default(column.default, dialect)
            if column.references is not None and column.references[0] != self.table:
                other = catalog.table(column.references[0], self.schema)
                other.column(column.references[1])
                if other.kind == RENAMED:
                    check_ordinary(other, "CreateTable")

    def _facts(self, column: Column, dialect: Dialect) -> facts.Column:
        sequence = facts.Sequence("", "", column.identity) if column.identity else None
        return facts.Column(
            column.name,
            dialect.type_text(column.type),
            not_null=not column.nullable or column.primary_key,
            default=column.default,
            sequence=sequence,
            comment=column.comment,
        )

    def _key(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns if column.primary_key)

    def _parts(self, catalog: Catalog, dialect: Dialect) -> list[str]:
        parts = [dialect.column_definition(self._facts(column, dialect)) for column in self.columns]
        if self._key():
            parts.append(f"PRIMARY KEY ({listed(self._key())})")
        parts += [f"UNIQUE ({identifier(column.name)})" for column in self.columns if column.unique]
        for column in self.columns:
            if column.references is not None:
                target = qualified(catalog.name(column.references[0], self.schema))
                parts.append(
                    f"FOREIGN KEY ({identifier(column.name)}) REFERENCES {target} ({identifier(column.references[1])})"
                )
        return [*parts, *self.constraints]

    def _referenced(self, catalog: Catalog) -> tuple[TableName, ...]:
        named = {column.references[0] for column in self.columns if column.references is not None}
        return tuple(catalog.name(table, self.schema) for table in sorted(named))

    def expand(self, catalog: Catalog, dialect: Dialect) -> Steps:
        name = catalog.name(self.table, self.schema)
        first, *rest = dialect.create_table(name, self._parts(catalog, dialect), self.comment)
        others = [table for table in self._referenced(catalog) if table != name]
        locks = tuple(Lock(table, LockMode.SHARE_ROW_EXCLUSIVE) for table in others)
        changes = [replace(first, locks=locks), *rest]
        for column in self.columns:
            properties = dialect.copy_column_properties(name, self._facts(column, dialect), column.name)
            changes += [replace(change, locks=()) for change in properties]
        # A foreign key leaves triggers on the other table, too; they go with this one.
        drop, *more = dialect.drop_table(name)
        drop = replace(drop, locks=(*drop.locks, *(Lock(table, LockMode.ACCESS_EXCLUSIVE) for table in others)))
        undo = dialect.together(f"drop table {self.table}", (drop, *more))
        rows = f"SELECT count(*) FROM (SELECT 1 FROM {qualified(name)} LIMIT 1000) AS written"
        loses = Loss(f"rows of {self.table}", rows)
        return (dialect.together(f"create table {self.table}", changes, undo=(undo,), loses=loses),)

    def outcome(self, catalog: Catalog, dialect: Dialect) -> Catalog:
        name, keys = catalog.name(self.table, self.schema), self._keys(dialect)
        columns = tuple(self._facts(column, dialect) for column in self.columns)
        indexes = tuple(self._index(name, key, dialect) for key in keys)
        after = catalog.with_table(facts.Table(name, columns=columns, constraints=keys, indexes=indexes))
        for column in self.columns:
            if column.references is not None:
                key = AddForeignKey(self.table, column.name, *column.references, schema=self.schema)
                after = key.outcome(after, dialect)
        return after

    def _keys(self, dialect: Dialect) -> tuple[Constraint, ...]:
        """What foreign keys may reference, under the names that the server gives where there are none."""
        given = [("", True, self._key())] if self._key() else []
        given += [("", False, (column.name,)) for column in self.columns if column.unique]
        given += [key for key in map(dialect.expressions.key, self.constraints) if key is not None]
        found = []
        for own, primary, columns in given:
            kind = ConstraintKind.PRIMARY if primary else ConstraintKind.UNIQUE
            words = (self.table, "pkey") if primary else (self.table, *columns, "key")
            text = f"{'PRIMARY KEY' if primary else 'UNIQUE'} ({listed(columns)})"
            found.append(Constraint(own or names.composed(*words), kind, text, columns))
        return tuple(found)

    @staticmethod
    def _index(table: TableName, key: Constraint, dialect: Dialect) -> facts.Index:
        text = dialect.index_statement(table, key.name, key.columns, unique=True, where=None, using="btree", include=())
        return facts.Index(
            table.schema, key.name, text, key.columns, unique=True, constraint=key.name, plain_key=key.columns
        )

    def inverse(self) -> tuple[Operation, ...]:
        name = identifier(self.table) if self.schema is None else qualified(TableName(self.schema, self.table))
        return (RunSQL(expand=f"DROP TABLE {name}", undo=""),)
