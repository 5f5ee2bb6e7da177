"""A change of type under a name waits for prepared statements; what cannot be mapped is found, never lost."""

from __future__ import annotations

import asyncio
import threading

import asyncpg
import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

from migrator.app import unprepared
from migrator.errors import NotYet, PlanRefused, StepFailed, VerificationFailed
from migrator.events import StepFinished

pytestmark = pytest.mark.in_turn

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
        states = project.states()
        with pytest.raises(NotYet, match='"shop"'):
            project.apply(waits, revision)
        assert project.states() == states, "refused before anything is begun"
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


QUESTION = "SELECT id, quantity FROM items WHERE id = {mark}"
CHANGE = "UPDATE items SET quantity = quantity WHERE id = {mark}"
ASYNCPG = {"statement_cache_size": 0, "server_settings": {"application_name": "shop unprepared"}}


class Client(threading.Thread):
    """Reads and writes, alone and in transactions, until it is told to stop; keeps what failed."""

    def __init__(self, url, kind):
        super().__init__(daemon=True)
        self.url, self.kind, self.stopping = url, kind, threading.Event()
        self.rounds, self.failures = 0, []

    def run(self):
        try:
            getattr(self, self.kind)()
        except Exception as problem:
            self.failures.append(f"{self.kind}: {type(problem).__name__}: {problem}")

    def psycopg(self):
        options = {"prepare_threshold": None, "application_name": "shop unprepared"}
        with psycopg.connect(self.url, autocommit=True, **options) as connection:
            while not self.stopping.is_set():
                for sql in (QUESTION, CHANGE):
                    connection.execute(sql.format(mark="%s"), [7])
                with connection.transaction():
                    connection.execute(QUESTION.format(mark="%s"), [8])
                    connection.execute(CHANGE.format(mark="%s"), [8])
                self.rounds += 1

    def sqlalchemy(self):
        engine = sa.create_engine(self.url.replace("postgresql://", "postgresql+psycopg://"))
        unprepared(engine)
        while not self.stopping.is_set():
            with engine.begin() as connection:
                connection.execute(sa.text(QUESTION.format(mark=":id")), {"id": 7})
                connection.execute(sa.text(CHANGE.format(mark=":id")), {"id": 7})
            self.rounds += 1
        engine.dispose()

    def sqlalchemy_asyncpg(self):
        asyncio.run(self._sqlalchemy_asyncpg())

    async def _sqlalchemy_asyncpg(self):
        arguments = {**ASYNCPG, "prepared_statement_cache_size": 0}
        engine = create_async_engine(self.url.replace("postgresql://", "postgresql+asyncpg://"), connect_args=arguments)
        while not self.stopping.is_set():
            async with engine.begin() as connection:
                await connection.execute(sa.text(QUESTION.format(mark=":id")), {"id": 7})
                await connection.execute(sa.text(CHANGE.format(mark=":id")), {"id": 7})
            self.rounds += 1
        await engine.dispose()

    def asyncpg(self):
        asyncio.run(self._asyncpg())

    async def _asyncpg(self):
        connection = await asyncpg.connect(self.url, **ASYNCPG)
        while not self.stopping.is_set():
            await connection.fetch(QUESTION.format(mark="$1"), 7)
            async with connection.transaction():
                await connection.fetch(QUESTION.format(mark="$1"), 8)
                await connection.execute(CHANGE.format(mark="$1"), 8)
            self.rounds += 1
        await connection.close()


def test_no_client_of_any_kind_fails_through_the_switch(database, project):
    database.run(*TABLE)
    project.url = database.url
    revision = project.revision("change", 'ChangeType("items", "quantity", "bigint")')
    project.apply()
    kinds = ("psycopg", "sqlalchemy", "sqlalchemy_asyncpg", "asyncpg")
    clients = [Client(database.plain_url, kind) for kind in kinds for _ in range(2)]

    def more_rounds():
        goals = {client: client.rounds + 5 for client in clients}
        while any(client.rounds < goal and client.is_alive() for client, goal in goals.items()):
            clients[0].stopping.wait(0.01)

    class Watched(list):
        def append(self, event):
            super().append(event)
            if isinstance(event, StepFinished):
                more_rounds()

    project.seen = Watched()
    for client in clients:
        client.start()
    more_rounds()
    for _ in range(5):
        project.apply("contract", revision)
        project.restore(revision)
    for client in clients:
        client.stopping.set()
        client.join(20)
    assert [failure for client in clients for failure in client.failures] == []
