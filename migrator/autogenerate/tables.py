"""Tables that the models have and the database has not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from migrator.autogenerate import words
from migrator.autogenerate.rendering import Call, Proposal
from migrator.autogenerate.types import compiled, ddl_compiler, default_text, type_text
from phases import names
from phases.operations import AddForeignKey, Column, CreateTable, RunSQL, Todo
from phases.sql import identifier

if TYPE_CHECKING:
    import sqlalchemy as sa
    from alembic.autogenerate.api import AutogenContext

SERIAL = {"integer": "serial", "bigint": "bigserial", "smallint": "smallserial"}
GIVEN = (("mysql_engine", "innodb"), ("mariadb_engine", "innodb"))
"""Options of a table that it has anyway."""
IDENTITY_OPTIONS = ("start", "increment", "minvalue", "maxvalue", "cycle", "cache")


def create_table(table: sa.Table, created: Sequence[sa.Table], default: str) -> Iterator[Proposal]:
    """A table with its constraints, then the foreign keys that need an operation of their own.

    Args:
        created: every table that is created, in order.
        default: the schema of names that are given none.
    """
    reason = beyond_create_table(table)
    if reason:
        drop = f"DROP TABLE {qualified_name(table)}"
        yield Proposal(
            Todo(f"create the table {table.name}, which has {reason}"),
            "CreateTable cannot say that. As SQL it would be:",
            (Call.of("RunSQL", expand=statement(table), undo=drop),),
        )
        return
    yield Proposal(operation(table, created, default))
    yield from (Proposal(late(key, default)) for key in keys_of(table) if place(key, created) == "operation")


def operation(table: sa.Table, created: Sequence[sa.Table], default: str) -> CreateTable:
    """The table itself."""
    references, constraints = {}, [sentence(constraint) for constraint in further(table)]
    for key in keys_of(table):
        target = key.elements[0].column
        if place(key, created) == "column":
            references[next(iter(key.columns)).name] = (target.table.name, target.name)
        elif place(key, created) == "table":
            constraints.append(sentence(key))
    alone = {next(iter(c.columns)).name for c in uniques(table)}
    columns = [column_of(column, references.get(column.name), column.name in alone) for column in table.columns]
    schema = unless(default, table.schema)
    return CreateTable(table.name, *columns, constraints=constraints, schema=schema, comment=table.comment)


def place(key: sa.ForeignKeyConstraint, created: Sequence[sa.Table]) -> str:
    """Where to say a foreign key: at its `column`, as SQL of the `table`, or as an `operation` of its own."""
    target, table = key.elements[0].column.table, key.table
    if target in created and created.index(target) > created.index(table):
        return "operation"  # what it references is not there yet
    if beyond_add_foreign_key(key) or (target in created and not is_primary_key(key)):
        return "table"
    near = target.schema == table.schema and len(key.elements) == 1
    if not words.is_postgresql() and (key.ondelete or key.onupdate or final_name(key) or not near):
        return "table"  # of a table that is used already, a key cannot be added without a lock
    return "operation" if key.ondelete or key.onupdate or final_name(key) or not near else "column"


def is_primary_key(key: sa.ForeignKeyConstraint) -> bool:
    """Whether it references a primary key with the server's own name, the one that planning knows."""
    target = key.elements[0].column.table
    same = {element.column.name for element in key.elements} == {column.name for column in target.primary_key}
    return same and final_name(target.primary_key) is None


def beyond_add_foreign_key(key: sa.ForeignKeyConstraint) -> str:
    """What `AddForeignKey` has no words for; empty where it can say everything."""
    given = (("DEFERRABLE", key.deferrable), ("INITIALLY", key.initially), ("MATCH", key.match))
    return " ".join(word for word, value in given if value)


def column_of(column: sa.Column[Any], references: tuple[str, str] | None, unique: bool) -> Column:
    import sqlalchemy as sa

    type_, default = type_text(column.type), column.server_default
    identity = default if isinstance(default, sa.Identity) else None
    numbered = default is None and column.table._autoincrement_column is column
    if numbered and words.is_postgresql():
        type_ = SERIAL.get(type_, type_)
    key = column.primary_key and final_name(column.table.primary_key) is None
    return Column(
        column.name,
        type_,
        nullable=bool(column.nullable) or key or identity is not None,
        default=default_text(default),
        primary_key=key,
        unique=unique,
        identity=identity_of(identity, numbered),
        references=references,
        comment=column.comment,
    )


def identity_of(identity: sa.Identity | None, numbered: bool) -> str | None:
    if identity is None:
        return "BY DEFAULT" if numbered and not words.is_postgresql() else None
    return "ALWAYS" if identity.always else "BY DEFAULT"


def final_name(constraint: Any) -> str | None:
    """The name of a constraint or index after naming conventions; None leaves it to the server."""
    from alembic.util import sqla_compat
    from sqlalchemy import PrimaryKeyConstraint

    if not words.is_postgresql() and isinstance(constraint, PrimaryKeyConstraint):
        return None  # it is PRIMARY, whatever name it is given
    return sqla_compat._get_constraint_final_name(constraint, words.dialect())


def keys_of(table: sa.Table) -> list[sa.ForeignKeyConstraint]:
    return sorted(table.foreign_key_constraints, key=lambda key: [column.name for column in key.columns])


def uniques(table: sa.Table) -> list[Any]:
    return [constraint for constraint in table.constraints if is_unique_column(constraint)]


def is_unique_column(constraint: Any) -> bool:
    """Whether `unique=True` of a column says it all."""
    import sqlalchemy as sa

    unique = isinstance(constraint, sa.UniqueConstraint) and len(constraint.columns) == 1
    return unique and final_name(constraint) is None and not constraint.dialect_kwargs


def further(table: sa.Table) -> Iterator[Any]:
    """Constraints that no column says, in the same order every time."""
    import sqlalchemy as sa

    if final_name(table.primary_key) is not None:
        yield table.primary_key
    rest = (sa.PrimaryKeyConstraint, sa.ForeignKeyConstraint)
    found = [c for c in table.constraints if not isinstance(c, rest) and not is_unique_column(c)]
    yield from sorted((c for c in found if is_created(c)), key=sentence)


def is_created(constraint: Any) -> bool:
    """Whether the server gets to see a constraint: one of a native type (Boolean, Enum) it does not."""
    rule = getattr(constraint, "_create_rule", None)
    return rule is None or bool(rule(ddl_compiler()))


def sentence(constraint: Any) -> str:
    """A constraint as it stands inside CREATE TABLE."""
    return " ".join(str(ddl_compiler().process(constraint)).split())


def late(key: sa.ForeignKeyConstraint, default: str) -> AddForeignKey | RunSQL:
    """A foreign key for which a table has to be created first; nobody has written to it yet."""
    if not beyond_add_foreign_key(key):
        return foreign_key(key, default)
    table, text = qualified_name(key.table), sentence(key)
    name = final_name(key) or names.composed(key.table.name, *(column.name for column in key.columns), "fkey")
    said = text if final_name(key) else f"CONSTRAINT {identifier(name)} {text}"
    return RunSQL(
        expand=f"ALTER TABLE {table} ADD {said}", undo=f"ALTER TABLE {table} DROP CONSTRAINT {identifier(name)}"
    )


def foreign_key(key: sa.ForeignKeyConstraint, default: str) -> AddForeignKey:
    target = key.elements[0].column.table
    schema, to_schema = schemas(key.table.schema, target.schema, default)
    return AddForeignKey(
        key.table.name,
        [column.name for column in key.columns],
        target.name,
        [element.column.name for element in key.elements],
        on_delete=key.ondelete,
        on_update=key.onupdate,
        name=final_name(key),
        schema=schema,
        to_schema=to_schema,
    )


def unless(default: str, schema: str | None) -> str | None:
    """A schema, where it is not the default one."""
    return None if schema == default else schema


def schemas(own: str | None, other: str | None, default: str) -> tuple[str | None, str | None]:
    """`schema` and `to_schema` of a foreign key: the second is that of the first where it is not given."""
    mine, theirs = unless(default, own), unless(default, other)
    return mine, None if mine == theirs else theirs or default


def beyond_create_table(table: sa.Table) -> str:
    """What `CreateTable` has no words for; empty where it can say everything."""
    import sqlalchemy as sa

    for column in table.columns:
        default = column.server_default
        if isinstance(default, sa.Computed):
            return f"the generated column {column.name}"
        if isinstance(default, sa.Identity) and any(getattr(default, name) is not None for name in IDENTITY_OPTIONS):
            return f"an identity with options ({column.name})"
    given = sorted(words.own_options(table.dialect_kwargs).items())
    options = [name for name, value in given if (name, str(value).lower()) not in GIVEN]
    return f"the option {options[0]}" if options else ""


def find(autogen: AutogenContext, schema: str | None, name: str) -> sa.Table | None:
    """A table of the models; Alembic leaves the default schema out of its names."""
    known = autogen.table_key_to_table
    keys = [f"{schema}.{name}"] if schema else [name, f"{autogen.dialect.default_schema_name}.{name}"]
    return next((known[key] for key in keys if key in known), None)


def qualified_name(table: Any) -> str:
    return ".".join(identifier(part) for part in (table.schema, table.name) if part)


def statement(table: sa.Table) -> str:
    """CREATE TABLE as SQLAlchemy writes it."""
    from sqlalchemy.schema import CreateTable as Statement

    return " ".join(compiled(Statement(table)).split())
