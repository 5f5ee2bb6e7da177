"""Revisions of operations as SQL: what they run of the user's own, phase by phase, and what they come to.

What an operation runs itself is safe in its phase by what the operation is; what the linter
needs of it is the schema it leaves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from linters.collected import Item
from migrator.migration import Migration
from phases import operations
from phases.model import Phase, TableName
from phases.operations.data import RunSQL
from phases.sql import identifier, listed, qualified


def phases(migration: Migration, lines: Sequence[int]) -> Iterator[tuple[Phase, list[Item]]]:
    """SQL that the revision runs as it is given, each phase's of an operation in one transaction.

    Args:
        lines: where each operation begins.
    """
    for phase in (Phase.EXPAND, Phase.MIGRATE, Phase.CONTRACT):
        items: list[Item] = []
        for number, operation in enumerate(migration.operations):
            script = operation.scripts().get(phase) if isinstance(operation, RunSQL) else ""
            if script:
                line = line_of(number, lines)
                items += [Item("BEGIN", line), Item(script, line), Item("COMMIT", line)]
        yield phase, items


def accepted(migration: Migration, lines: Sequence[int]) -> frozenset[tuple[str, int]]:
    """Rules that a `RunSQL` accepts, each with the line of the operation."""
    given = ((number, o) for number, o in enumerate(migration.operations) if isinstance(o, RunSQL) and o.reason)
    return frozenset((rule, line_of(number, lines)) for number, operation in given for rule in operation.accept)


def line_of(number: int, lines: Sequence[int]) -> int:
    return lines[number] if number < len(lines) - 1 else lines[-1]


def outcome(migration: Migration, lines: Sequence[int]) -> list[Item]:
    """SQL that leaves the schema that the revision leaves, as far as later ones need it. It is never run."""
    found = []
    for number, operation in enumerate(migration.operations):
        write = WRITTEN.get(type(operation))
        line = line_of(number, lines)
        if write is None:
            found.append(Item(operation.describe(), line, problem="which names it leaves is not known"))
        else:
            found += [Item(sql, line) for sql in write(operation)]
    return found


def named(name: str, schema: str | None) -> str:
    return qualified(TableName(schema, name)) if schema else identifier(name)


def table_of(operation: Any) -> str:
    return named(operation.table, operation.schema)


def type_of(type_: object) -> str:
    from migrator.building import compile_sqlalchemy_type

    return type_ if isinstance(type_, str) else compile_sqlalchemy_type(type_)


def alter(action: Callable[[Any], str]) -> Callable[[Any], list[str]]:
    return lambda operation: [f"ALTER TABLE {table_of(operation)} {action(operation)}"]


def column(name: str, type_: object, nullable: bool, default: str | None) -> str:
    null = "" if nullable else " NOT NULL"
    return f"{identifier(name)} {type_of(type_)}{f' DEFAULT {default}' if default else ''}{null}"


def create_table(operation: operations.CreateTable) -> list[str]:
    columns = [column(c.name, c.type, c.nullable and not c.primary_key, c.default) for c in operation.columns]
    key = [c.name for c in operation.columns if c.primary_key]
    parts = [*columns, *([f"PRIMARY KEY ({listed(key)})"] if key else []), *operation.constraints]
    return [f"CREATE TABLE {table_of(operation)} ({', '.join(parts)})"]


def change_type(operation: operations.ChangeType) -> list[str]:
    name, type_ = operation.column, type_of(operation.type)
    found = [f"ALTER TABLE {table_of(operation)} ALTER {identifier(name)} TYPE {type_}"]
    to = operation.to
    return found + ([f"ALTER TABLE {table_of(operation)} RENAME {identifier(name)} TO {identifier(to)}"] if to else [])


def add_foreign_key(operation: operations.AddForeignKey) -> list[str]:
    target = named(operation.to, operation.to_schema)
    key = f"FOREIGN KEY ({listed(operation.columns)}) REFERENCES {target} ({listed(operation.to_columns)})"
    return constrained(operation, key)


def create_index(operation: operations.CreateIndex) -> list[str]:
    unique = "UNIQUE " if operation.unique else ""
    name = identifier(operation.name) if operation.name else ""
    return [f"CREATE {unique}INDEX {name} ON {table_of(operation)} ({listed(operation.columns)})"]


def constrained(operation: Any, what: str) -> list[str]:
    name = f"CONSTRAINT {identifier(operation.name)} " if operation.name else ""
    return [f"ALTER TABLE {table_of(operation)} ADD {name}{what}"]


WRITTEN: dict[type, Callable[[Any], list[str]]] = {
    operations.CreateTable: create_table,
    operations.DropTable: lambda o: [f"DROP TABLE {table_of(o)}"],
    operations.AddColumn: alter(lambda o: f"ADD COLUMN {column(o.column, o.type, o.nullable, o.default)}"),
    operations.DropColumn: alter(lambda o: f"DROP COLUMN {identifier(o.column)}"),
    operations.RenameColumn: alter(lambda o: f"RENAME COLUMN {identifier(o.old)} TO {identifier(o.new)}"),
    operations.RenameTable: lambda o: [f"ALTER TABLE {named(o.old, o.schema)} RENAME TO {identifier(o.new)}"],
    operations.ChangeType: change_type,
    operations.SetNotNull: alter(lambda o: f"ALTER {identifier(o.column)} SET NOT NULL"),
    operations.DropNotNull: alter(lambda o: f"ALTER {identifier(o.column)} DROP NOT NULL"),
    operations.SetDefault: alter(lambda o: f"ALTER {identifier(o.column)} SET DEFAULT {o.default}"),
    operations.DropDefault: alter(lambda o: f"ALTER {identifier(o.column)} DROP DEFAULT"),
    operations.AddForeignKey: add_foreign_key,
    operations.AddUnique: lambda o: constrained(o, f"UNIQUE ({listed(o.columns)})"),
    operations.AddExclusion: lambda o: constrained(o, o.definition),
    operations.AddCheck: lambda o: constrained(o, f"CHECK ({o.check})"),
    operations.DropConstraint: alter(lambda o: f"DROP CONSTRAINT {identifier(o.name)}"),
    operations.CreateIndex: create_index,
    operations.DropIndex: lambda o: [f"DROP INDEX {named(o.index, o.schema)}"],
    RunSQL: lambda o: [script for script in o.scripts().values() if script],
}
"""What each operation comes to. The others leave names that nothing can be assumed of."""
