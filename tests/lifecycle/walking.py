"""The way that every operation goes, on every server: out, back, out again, and through."""

from __future__ import annotations

import re
from dataclasses import dataclass

VALUE_FOR_GOOD = "'_migrator_quarantine_[^']*'"
"""Of an enum type: no server drops it."""

Statements = str | tuple[str, ...]


@dataclass(frozen=True)
class Case:
    """An operation, and what is checked of it.

    `given` alters the tables first, `meanwhile` gives a restore work to do, `question` is asked at the end.
    `moves`: an abort leaves the column at the end of its table.
    `stays` is the line of the schema that no abort can take back.
    """

    operation: str
    meanwhile: Statements = ()
    question: str = "SELECT 1"
    answer: object = 1
    given: Statements = ()
    moves: bool = False
    stays: str = ""


def same(dump: str, other: str, case: Case) -> bool:
    """Whether two schemas are the same; in any order of columns, where the case says that one moves."""
    if not case.moves:
        return dump == other
    return sorted(line.rstrip(",") for line in dump.splitlines()) == sorted(
        line.rstrip(",") for line in other.splitlines()
    )


def walk(case, database, project, revision):
    before = database.dump()
    project.apply("expand")
    project.abort(revision)
    assert same(taken_back(database, case), before, case), "abort after expand"

    project.apply()
    migrated = database.dump()
    project.abort(revision, discard=True)
    assert same(taken_back(database, case), before, case), "abort after migrate"

    project.apply()
    assert same(database.dump(), migrated, case), "the same again"
    project.apply("contract", revision)
    database.run(*one_by_one(case.meanwhile))
    project.restore(revision)
    assert database.dump() == migrated, "restore"

    project.apply("contract", revision)
    project.apply("purge", revision)
    assert database.rows(case.question) == [(case.answer,)]
    assert own_names(database.dump()) == [], "something of ours is left"
    assert database.rows("SELECT version_num FROM alembic_version") == [(revision,)]


def own_names(dump):
    """Lines of a schema that have a name of ours, but for the values that no server drops."""
    return [line for line in re.sub(VALUE_FOR_GOOD, "", dump).splitlines() if "migrator" in line]


def one_by_one(given):
    """Statements in a list, or in a text with semicolons between them."""
    return [part for part in given.split("; ") if part] if isinstance(given, str) else given


def taken_back(database, case):
    """The schema after an abort, without what the case says no abort can take back."""
    schema = database.dump()
    if not case.stays:
        return schema
    assert schema.count(f"{case.stays}\n") == 1
    return schema.replace(f"{case.stays}\n", "")
