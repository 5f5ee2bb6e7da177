"""A change of type under a name waits for prepared statements; what cannot be mapped is found, never lost."""

from __future__ import annotations

import psycopg
import pytest
import sqlalchemy as sa

from migrator.app import unprepared
from migrator.errors import NotYet, PlanRefused, StepFailed, VerificationFailed

TABLE = (
    "CREATE TABLE items (id int PRIMARY KEY, quantity int, code varchar(20), mark text)",
    "INSERT INTO items SELECT i, i, 'c' || i, i::text FROM generate_series(1, 500) i",
)


@pytest.mark.parametrize(
    ("operation", "waits"),
    [('ChangeType("items", "quantity", "bigint")', "contract"), ('ChangeType("items", "code", "text")', "expand")],
)
def test_the_name_changes_its_type_only_when_no_session_can_hold_a_prepared_statement(
    operation, waits, any_database, project
):
    any_database.run(*TABLE)
    project.url = any_database.url
    revision = project.revision("change", operation)
    if waits == "contract":
        project.apply()
    with psycopg.connect(any_database.plain_url, autocommit=True, application_name="shop") as prepared:
        for _ in range(6):
            prepared.execute("SELECT quantity, code FROM items WHERE id = 1")
        with pytest.raises(NotYet, match='"shop"'):
            project.apply(waits, revision)
        assert prepared.execute("SELECT quantity, code FROM items WHERE id = 1").fetchall() == [(1, "c1")]
    engine = sa.create_engine(project.url.replace("postgresql://", "postgresql+psycopg://"))
    unprepared(engine)
    with engine.connect() as connection:
        question = sa.text("SELECT quantity, code FROM items WHERE id = 1")
        for _ in range(6):
            connection.execute(question)
        connection.commit()
        project.apply(waits, revision)
        assert connection.execute(question).all() == [(1, "c1")]
    engine.dispose()


def test_sessions_may_be_declared_to_prepare_nothing(database, project):
    database.run(*TABLE)
    project.url = database.url
    config = project.folder / "pyproject.toml"
    config.write_text(
        config.read_text().replace("[tool.migrator]", '[tool.migrator]\nunprepared_applications = ["rep*"]')
    )
    project.revision("change", 'ChangeType("items", "code", "text")')
    with psycopg.connect(database.plain_url, autocommit=True, application_name="report"):
        assert project.apply("expand")


BY_EXPRESSION = 'ChangeType("items", "mark", "integer", to="number", up="mark::integer", down="number::text"{more})'


def test_a_value_that_cannot_be_mapped_fails_no_statement_and_keeps_the_contract_shut(any_database, project):
    any_database.run(*TABLE)
    project.url = any_database.url
    revision = project.revision("change", BY_EXPRESSION.format(more=""))
    project.apply()
    any_database.run("UPDATE items SET mark = 'many' WHERE id = 7", "INSERT INTO items (id, mark) VALUES (0, '12')")
    assert any_database.rows("SELECT mark, number FROM items WHERE id IN (0, 7) ORDER BY id") == [
        ("12", 12),
        ("many", None),
    ]
    with pytest.raises((VerificationFailed, StepFailed), match=r"verify items\.number"):
        project.apply("contract", revision)
    assert any_database.rows("SELECT mark FROM items WHERE id = 7") == [("many",)]
    any_database.run("UPDATE items SET mark = '70' WHERE id = 7")
    project.apply("contract", revision)
    assert any_database.rows("SELECT number FROM items WHERE id = 7") == [(70,)]


@pytest.mark.parametrize(
    ("given", "operation", "reason"),
    [
        ("SELECT 1", 'ChangeType("items", "mark", "integer")', "nothing says what becomes of it"),
        ("SELECT 1", 'ChangeType("items", "quantity", "text", to="q")', "what the old version reads then"),
        ("SELECT 1", 'ChangeType("items", "quantity", "integer")', "is of type integer already"),
        ("SELECT 1", 'ChangeType("items", "quantity", "int teger(")', "is not a type"),
        ("SELECT 1", 'ChangeType("items", "id", "bigint")', "part of the primary key"),
        (
            "UPDATE items SET mark = '007' WHERE id = 7",
            BY_EXPRESSION.format(more=""),
            "come back different.*for example 7, 007, 7",
        ),
        (
            "UPDATE items SET mark = '' WHERE id = 7",
            BY_EXPRESSION.format(more="").replace("mark::integer", "nullif(mark, '')::integer"),
            "up gives NULL for rows .*for example 7",
        ),
        (
            "UPDATE items SET mark = NULL WHERE id = 7",
            BY_EXPRESSION.format(more="").replace("mark::integer", "coalesce(mark, '0')::integer"),
            "makes a value of NULL",
        ),
    ],
)
def test_what_would_lose_a_value_is_refused_before_anything_is_touched(given, operation, reason, database, project):
    database.run(*TABLE, given)
    project.url = database.url
    project.revision("change", operation)
    before = database.dump()
    with pytest.raises(PlanRefused, match=reason):
        project.apply()
    assert database.dump() == before


def test_a_lossy_mapping_can_be_accepted(database, project):
    database.run(*TABLE, "UPDATE items SET mark = '007' WHERE id = 7")
    project.url = database.url
    revision = project.revision("change", BY_EXPRESSION.format(more=", lossy=True"))
    project.apply()
    assert database.rows("SELECT mark, number FROM items WHERE id = 7") == [("007", 7)]
    database.run("UPDATE items SET quantity = 0 WHERE id = 7")
    assert database.rows("SELECT mark, number FROM items WHERE id = 7") == [("007", 7)]
    database.run("UPDATE items SET number = 8 WHERE id = 7")
    assert database.rows("SELECT mark, number FROM items WHERE id = 7") == [("8", 8)]
    project.apply("contract", revision)
