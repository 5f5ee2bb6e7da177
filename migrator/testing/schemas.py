"""`assert_two_ways_one_schema`: what the models create is what the migrations come to."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

from migrator.database import connect
from migrator.introspection import read_catalog
from migrator.testing.databases import Database, fresh_database
from migrator.testing.defaults import project_of, usual_server
from migrator.testing.statements import plain_engine
from migrator.testing.upgrading import upgrade

if TYPE_CHECKING:
    from sqlalchemy import MetaData

    from phases.catalog import Catalog, Column, Constraint, Table

MODELS, MIGRATIONS = "models", "migrations"
NOT_MODELLED = ("alembic_version", "migrator_*")
TO_DO = {
    MODELS: "only the models have it: migrator new --autogenerate writes the revision",
    MIGRATIONS: "only the migrations have it: put it into the models, or name it in ignore= where it is not theirs",
    "both": "they differ: decide which is right; migrator new --autogenerate brings the database to the models",
}

Parts = Mapping[str, str]
"""What a table is made of, by kind and name, each as one line of text."""


class DifferentSchemas(AssertionError):
    """Models and migrations do not make the same schema.

    Args:
        differences: table and part, then the text of the models and that of the migrations, empty where it is absent.
    """

    def __init__(self, report: str, differences: tuple[tuple[str, str, str], ...]) -> None:
        super().__init__(report)
        self.differences = differences


def assert_two_ways_one_schema(
    metadata: MetaData,
    *,
    given: Sequence[str] = (),
    ignore: Sequence[str] = (),
    server: str | None = None,
    project: str | Path | None = None,
) -> None:
    """Assert that `metadata.create_all()` and all revisions with all their phases make the same schema.

    Both are done on an empty database each, and what the server says of them is compared: tables, columns with their
    types, defaults and NOT NULL, indexes, constraints, triggers, enum types. The order of columns is left out.

    Args:
        metadata: of the models: `Base.metadata`.
        given: SQL that is run before `create_all()`, for what models need and do not create: extensions, schemas.
        ignore: tables, and parts of them as `users.users_search_idx`, that only one of the two makes; with `*` for
            any text.
        server: what to do it on: `postgresql`, `postgresql-16`, `mysql`, `mariadb`; as the project where not given.
        project: the folder that `migrator` is run in; that of the test run where not given.

    Raises:
        DifferentSchemas: with the difference, table by table.
        StepFailed: the migrations cannot be run on an empty database.
    """
    __tracebackhide__ = True
    folder = project_of(project)
    chosen = server or usual_server(folder)
    with fresh_database(chosen) as one, fresh_database(chosen) as other:
        create(metadata, one, given)
        upgrade(other.url, project=folder)
        models, migrations = parts(one), parts(other)
    found = tuple(differences(models, migrations, (*NOT_MODELLED, *ignore)))
    if found:
        raise DifferentSchemas(report(found, chosen), found)


def create(metadata: MetaData, database: Database, given: Sequence[str]) -> None:
    database.execute(*given)
    engine = plain_engine(database.url)
    try:
        metadata.create_all(engine)
    finally:
        engine.dispose()


def parts(database: Database) -> dict[str, Parts]:
    """Every table and type of a database, and what it is made of."""
    with connect(database.url, "testing") as session, session.transaction() as connection:
        catalog = read_catalog(connection)
    found = {f"table {shown(catalog, name)}": dict(table_parts(table)) for name, table in catalog.tables.items()}
    for name, enum in catalog.enums.items():
        found[f"enum {shown(catalog, name)}"] = {"labels": ", ".join(enum.labels)}
    # Where a schema is a database, the two have other names.
    own = re.compile(rf"[`\"]?{re.escape(database.name)}[`\"]?\.")
    return {name: {part: own.sub("", text) for part, text in made.items()} for name, made in found.items()}


def shown(catalog: Catalog, name: Any) -> str:
    return name.name if name.schema == catalog.default_schema else str(name)


def table_parts(table: Table) -> Iterator[tuple[str, str]]:
    """The parts of a table, each with its text."""
    yield "kind", table.kind
    for column in table.columns:
        yield f"column {column.name}", column_text(column)
    for constraint in table.constraints:
        yield f"constraint {constraint.name}", constraint_text(constraint)
    for index in table.indexes:
        if index.constraint is None:
            yield f"index {index.name}", index.definition + ("" if index.valid else " (not valid)")
    for trigger in table.triggers:
        yield f"trigger {trigger.name}", trigger.definition


def column_text(column: Column) -> str:
    said = [column.type]
    said += [f"COLLATE {column.collation}"] if column.collation else []
    said += ["NOT NULL"] if column.not_null else []
    said += [f"DEFAULT {column.default}"] if column.default is not None else []
    said += [f"GENERATED AS ({column.generated})"] if column.generated else []
    if column.sequence is not None and column.sequence.identity:
        said.append(f"GENERATED {column.sequence.identity} AS IDENTITY")
    return " ".join(said)


def constraint_text(constraint: Constraint) -> str:
    return " ".join(filter(None, (constraint.definition, "" if constraint.validated else "(not validated)")))


def differences(
    models: Mapping[str, Parts], migrations: Mapping[str, Parts], ignore: Sequence[str]
) -> Iterator[tuple[str, str, str]]:
    """What is otherwise: `table users: column name`, with the text of each side; whole tables as one."""
    for name in sorted(models.keys() | migrations.keys()):
        one, other = models.get(name), migrations.get(name)
        if any(fnmatch(name.partition(" ")[2], pattern) for pattern in ignore):
            continue
        if one is None or other is None:
            yield name, summary(one), summary(other)
            continue
        for part in sorted(one.keys() | other.keys()):
            left, right = one.get(part, ""), other.get(part, "")
            place = f"{name.partition(' ')[2]}.{part.partition(' ')[2]}"
            if left != right and not any(fnmatch(place, pattern) for pattern in ignore):
                yield f"{name}: {part}", left, right


def summary(made: Parts | None) -> str:
    if made is None:
        return ""
    columns = [part.partition(" ")[2] for part in made if part.startswith("column ")]
    return f"({', '.join(columns)})" if columns else made.get("labels", "there")


def report(found: Sequence[tuple[str, str, str]], server: str) -> str:
    """The difference for people: each part with both texts, and what to do about each kind of difference."""
    lines = [f"the models and the migrations make different schemas on {server}: {len(found)} differences\n"]
    for what, models, migrations in found:
        lines += [what, f"  models      {models or '-'}", f"  migrations  {migrations or '-'}"]
    lines.append("")
    lines += [f"to do, where {TO_DO[side]}" for side in sides(found)]
    return "\n".join(lines)


def sides(found: Sequence[tuple[str, str, str]]) -> list[str]:
    seen = [MIGRATIONS if not models else MODELS if not migrations else "both" for _, models, migrations in found]
    return [side for side in (MODELS, MIGRATIONS, "both") if side in seen]
