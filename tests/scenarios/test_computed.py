"""Backfills whose values a function computes, on every kind of server."""

from __future__ import annotations

import pytest

from migrator.errors import PlanRefused, RowsSetAside
from tests.plugins.families import MYSQL, POSTGRESQL, kind_of, named, servers

SERVERS = [
    pytest.param((kind, server), id=named(kind, server)) for kind in (POSTGRESQL, MYSQL) for server in servers(kind)[:1]
]
ROWS = {
    POSTGRESQL: "SELECT CASE i % 2 WHEN 0 THEN 'a%' ELSE 'ü''' END, i, 'word ' || i FROM generate_series(1, 2500) i",
    MYSQL: "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 900)"
    " SELECT CASE i % 2 WHEN 0 THEN 'a%' ELSE 'ü''' END, i, CONCAT('word ', i) FROM n",
}
FUNCTIONS = '''
import asyncio, json
from pathlib import Path

CALLS = Path(__file__).parent / "calls"


def backwards(rows):
    if any(row["word"] == "word 77" for row in rows):
        raise ValueError("77 is no word")
    return [row["word"][::-1] for row in rows]


async def counted(rows):
    await asyncio.sleep(0)
    return [{"size": len(row["word"]), "backwards": f'{row["area"]}{row["no"]}'} for row in rows]


def interrupted(rows):
    """Somebody changes rows meanwhile."""
    if not CALLS.exists():
        CALLS.write_text("once")
        change()
    return [row["word"].upper() for row in rows]


def change():
    import os
    from sqlalchemy import create_engine, text

    engine = create_engine(os.environ["CHANGED"])
    with engine.begin() as connection:
        connection.execute(text("UPDATE words SET word = 'changed' WHERE no = 5"))
    engine.dispose()


def too_few(rows):
    return []


def strange(rows):
    return [object() for row in rows]
'''


@pytest.fixture
def words(server_database, project):
    server_database.run(
        "CREATE TABLE words (area varchar(9) NOT NULL, no int NOT NULL, word varchar(60), backwards varchar(60),"
        " size int, PRIMARY KEY (area, no))",
        f"INSERT INTO words (area, no, word) {ROWS[kind_of(server_database)]}",
    )
    project.url = server_database.url
    return server_database


@pytest.fixture
def computing(project):
    def compute(function, writes='"backwards"', where="backwards IS NULL"):
        project.revision(
            "change",
            f'Backfill("words", function={function}, reads=["word"], writes={writes}, where="{where}")',
            extra=FUNCTIONS,
        )
        return project

    return compute


@pytest.mark.parametrize("server_database", SERVERS, indirect=True)
def test_a_row_that_the_function_fails_for_is_set_aside_and_tried_again(words, computing):
    project = computing("backwards")
    with pytest.raises(RowsSetAside, match=r"ValueError: 77 is no word \(by its function\)"):
        project.apply()
    missing = words.rows("SELECT no FROM words WHERE backwards IS NULL")
    assert missing == [(77,)]
    words.run("UPDATE words SET word = 'mended' WHERE no = 77")
    project.apply()
    assert words.rows("SELECT backwards FROM words WHERE no IN (77, 100) ORDER BY no") == [("dednem",), ("001 drow",)]


@pytest.mark.parametrize("server_database", SERVERS, indirect=True)
def test_an_async_function_computes_several_columns(words, computing):
    project = computing("counted", '["size", "backwards"]')
    project.apply()
    assert words.rows("SELECT COUNT(*) FROM words WHERE size IS NULL OR backwards IS NULL") == [(0,)]
    found = words.rows("SELECT size, backwards FROM words WHERE no IN (8, 9) ORDER BY no")
    assert found == [(6, "a%8"), (6, "ü'9")]


@pytest.mark.parametrize("server_database", SERVERS, indirect=True)
def test_what_somebody_changes_while_it_is_computed_is_computed_again(words, computing, monkeypatch):
    monkeypatch.setenv("CHANGED", words.url)
    computing("interrupted").apply()
    assert words.rows("SELECT backwards FROM words WHERE no IN (5, 6) ORDER BY no") == [("CHANGED",), ("WORD 6",)]


@pytest.mark.parametrize("server_database", SERVERS[:1], indirect=True)
@pytest.mark.parametrize(
    ("function", "said"), [("too_few", "returned 0"), ("strange", "of type object, which no column holds")]
)
@pytest.mark.usefixtures("words")
def test_answers_that_cannot_be_used_are_set_aside_with_the_reason(function, said, computing):
    with pytest.raises(RowsSetAside, match=said):
        computing(function, where="backwards IS NULL AND no < 4").apply()


def test_alembic_computes_on_a_database_that_nobody_uses(database, project):
    database.run("CREATE TABLE words (no int PRIMARY KEY, word text, backwards text, area text)")
    database.run("INSERT INTO words VALUES (1, 'ab')")
    project.url = database.url
    call = 'Backfill("words", function=backwards, reads=["word"], writes="backwards", where="backwards IS NULL")'
    project.revision("change", call, extra=FUNCTIONS)
    done = project.alembic("upgrade", "head")
    assert done.returncode == 0, done.stderr
    assert database.rows("SELECT backwards FROM words") == [("ba",)]


WRONG = {
    "a lambda": ('function=lambda rows: rows, writes="word", where="true"', "could not find by its name"),
    "both": ("set={'word': '1'}, function='a:b', writes='word', where='true'", "leave the other out"),
    "no columns": ("function='a:b', where='true'", "which columns it computes"),
    "the key": ("function='a:b', writes='no', where='true'", "by which the rows"),
    "no condition": ("function='a:b', writes='word'", "which rows are still to do"),
    "an unknown column": ("function='a:b', reads='wrod', writes='word', where='true'", "word"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_a_function_cannot_do_is_refused_when_it_is_planned(name, database, project):
    database.run("CREATE TABLE words (no int PRIMARY KEY, word text)")
    project.url = database.url
    arguments, said = WRONG[name]
    project.revision("change", f'Backfill("words", {arguments})')
    with pytest.raises(PlanRefused) as refused:
        project.plan("change")
    assert said in f"{refused.value.message} {refused.value.next_step}"
