"""Applications under test: real clients, each a thread with a connection of its own.

Every other one speaks through SQLAlchemy sessions, the others through psycopg. Each
goes round and round through every statement it knows, on rows that are its own
and on rows that everybody touches, and keeps a journal of what must be there.
Waits are bounded by the server: a statement that waits for a lock longer than
`LOCK_TIMEOUT` fails, and a failed statement is what no test forgives.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert as upsert_into
from sqlalchemy.orm import Session, registry

from migrator.app import unprepared

LOCK_TIMEOUT = "1000ms"
"""The runner's own lock timeout, and as much again for the statement itself and a busy machine."""

CONNECTIONS = 2
"""One through SQLAlchemy, one through psycopg."""
SHARED_ROWS = 40
ROUND_SECONDS = 60.0
REST_SECONDS = 0.04
"""Between two rounds for which nobody waits: clients that never rest take the runner's processor."""

Values = Callable[[str, int], object]


@dataclass(frozen=True)
class Shape:
    """How one version of the application sees the table.

    `values` makes, for each column it writes, a value from the writer's name and a number.
    `reads` are columns it reads besides, `unique` the one by which it upserts, else its e-mail address.
    `distinct`: it never writes one value to two rows. `unprepared`: its connections hold no prepared statements.
    `copies`: it uses COPY … FROM, which no view can. `views`: where it reads a column again, as `view.column`.
    `same`: values that it takes for another one when it reads them.
    """

    values: Mapping[str, Values]
    reads: tuple[str, ...] = ()
    table: str = "users"
    unique: str | None = None
    distinct: bool = False
    unprepared: bool = False
    copies: bool = True
    views: Mapping[str, str] = field(default_factory=dict)
    same: Mapping[object, object] = field(default_factory=dict)

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(self.values)

    def row(self, writer: str, number: int) -> dict[str, object]:
        return {column: make(writer, number) for column, make in self.values.items()}


def is_shared(row_id: int) -> bool:
    return 0 < row_id <= SHARED_ROWS


class Journal(dict[int, dict[str, object] | None]):
    """What must be in each row, None where it was deleted. `alive`: rows that are there and that nobody else writes."""

    def __init__(self) -> None:
        super().__init__()
        self.alive: dict[int, None] = {}

    def __setitem__(self, row_id: int, values: dict[str, object] | None) -> None:
        super().__setitem__(row_id, values)
        if values is None:
            self.alive.pop(row_id, None)
        elif not is_shared(row_id):  # a table that begins empty gives such numbers to other rows, too
            self.alive[row_id] = None


@dataclass
class Client(threading.Thread):
    """One connection of an application that runs all its statements, again and again."""

    url: str
    name_: str
    shape: Shape
    reading: bool
    done: int = 0
    statements: int = 0
    failures: list[str] = field(default_factory=list)
    journal: Journal = field(default_factory=Journal)

    def __post_init__(self) -> None:
        super().__init__(daemon=True)
        self.stopping = threading.Event()
        self.awaited = threading.Event()
        self.number = 0

    def __hash__(self) -> int:
        return id(self)

    def next_row(self) -> dict[str, object]:
        self.number += 1
        return self.shape.row(self.name_, self.number)

    def same_key(self) -> tuple[str, list[dict[str, object]]]:
        """Two rows for an upsert, and the column by which they are one: a new one needs its index first."""
        first, second = self.next_row(), self.next_row()
        if self.shape.unique is None or not self.reading:
            return "email", [first, second]
        return self.shape.unique, [first, {**second, self.shape.unique: first[self.shape.unique]}]

    def email(self) -> str:
        return f"{self.name_}-{self.number}-{time.time_ns()}@example.org"

    def run(self) -> None:
        while not self.stopping.is_set():
            try:
                with self.connected() as actions:
                    self.go_round(actions)
            except Exception as problem:
                self.failures.append(f"{self.name_}: {type(problem).__name__}: {problem}")

    def go_round(self, actions: list[Callable[[], None]]) -> None:
        self.statements = len(actions)
        while not self.stopping.is_set():
            for action in actions:
                try:
                    action()
                except Exception as problem:
                    said = f"{self.name_} {action.__name__}: {type(problem).__name__}: {problem}"
                    self.failures.append(said + self.explained(problem))
                self.done += 1
            self.awaited.wait(REST_SECONDS)

    def explained(self, problem: Exception) -> str:
        """What the server knows of a failure besides."""
        return ""

    def connected(self) -> Any:
        raise NotImplementedError

    def own(self) -> list[int]:
        """Rows that nobody else writes, oldest first."""
        return list(self.journal.alive)


class PlainClient(Client):
    """psycopg as it comes: autocommit, statements prepared after five runs."""

    @contextmanager
    def connected(self) -> Iterator[list[Callable[[], None]]]:
        options: dict[str, Any] = {"options": f"-c lock_timeout={LOCK_TIMEOUT}"}
        if self.shape.unprepared:
            options |= {"prepare_threshold": None, "application_name": "shop unprepared"}
        with psycopg.connect(self.url, autocommit=True, **options) as self.connection:
            copies = [self.copy_in] if self.shape.copies else []
            actions = [self.insert, *copies, self.many, self.update, self.shared, self.upsert, self.delete]
            yield [*actions, self.read, self.copy_out] if self.reading else actions

    def quoted(self) -> str:
        return ", ".join(f'"{column}"' for column in self.shape.columns)

    def execute(self, sql: str, values: object = ()) -> list[tuple]:
        cursor = self.connection.execute(sql.encode(), values)
        return cursor.fetchall() if cursor.description else []

    def insert(self) -> None:
        row = self.next_row()
        marks = ", ".join(["%s"] * (len(row) + 1))
        sql = f"INSERT INTO {self.shape.table} (email, {self.quoted()}) VALUES ({marks}) RETURNING id"
        self.journal[self.execute(sql, [self.email(), *row.values()])[0][0]] = row

    def copy_in(self) -> None:
        row, email = self.next_row(), self.email()
        statement = f"COPY {self.shape.table} (email, {self.quoted()}) FROM STDIN"
        with self.connection.cursor() as cursor, cursor.copy(statement.encode()) as copy:
            copy.write_row([email, *row.values()])
        self.journal[self.execute(f"SELECT id FROM {self.shape.table} WHERE email = %s", [email])[0][0]] = row

    def many(self) -> None:
        rows = [self.next_row() for _ in range(3)]
        marks = ", ".join(["%s"] * (len(rows[0]) + 1))
        sql = f"INSERT INTO {self.shape.table} (email, {self.quoted()}) VALUES ({marks}) RETURNING id"
        with self.connection.cursor() as cursor:
            cursor.executemany(sql.encode(), [[self.email(), *row.values()] for row in rows], returning=True)
            for row in rows:
                self.journal[cursor.fetchall()[0][0]] = row
                cursor.nextset()

    def update(self) -> None:
        for row_id in self.own()[-2:]:
            row = self.next_row()
            sets = ", ".join(f'"{column}" = %s' for column in row)
            self.execute(f"UPDATE {self.shape.table} SET {sets} WHERE id = %s", [*row.values(), row_id])
            self.journal[row_id] = row

    def shared(self) -> None:
        """Rows that both versions write, in full, in part, and not at all."""
        row_id, row = self.number % SHARED_ROWS + 1, self.next_row()
        column = self.shape.columns[self.number % len(row)]
        self.execute(f'UPDATE {self.shape.table} SET "{column}" = %s WHERE id = %s', [row[column], row_id])
        self.execute(f"UPDATE {self.shape.table} SET email = email WHERE id = %s", [row_id])

    def upsert(self) -> None:
        (key, rows), email = self.same_key(), self.email()
        marks = ", ".join(["%s"] * (len(rows[0]) + 1))
        sets = ", ".join(f'"{column}" = EXCLUDED."{column}"' for column in rows[0])
        sql = (
            f"INSERT INTO {self.shape.table} (email, {self.quoted()}) VALUES ({marks})"
            f" ON CONFLICT ({key}) DO UPDATE SET {sets} RETURNING id"
        )
        for values in rows:
            self.journal[self.execute(sql, [email, *values.values()])[0][0]] = values

    def delete(self) -> None:
        for row_id in self.own()[:2]:
            self.execute(f"DELETE FROM {self.shape.table} WHERE id = %s", [row_id])
            self.journal[row_id] = None

    def read(self) -> None:
        columns = ", ".join(f'"{column}"' for column in (*self.shape.columns, *self.shape.reads))
        self.execute(f"SELECT id, {columns} FROM {self.shape.table} WHERE id < 20")
        for row_id in self.own()[-1:]:
            wanted = self.journal[row_id] or {}
            names = ", ".join(f'"{column}"' for column in wanted)
            found = self.execute(f"SELECT {names} FROM {self.shape.table} WHERE id = %s", [row_id])
            if [tuple(self.shape.same.get(value, value) for value in row) for row in found] != [tuple(wanted.values())]:
                raise AssertionError(f"row {row_id} has {found}, not {wanted}")
            for column, place in self.shape.views.items():
                view, _, name = place.partition(".")
                found = self.execute(f"SELECT {name} FROM {view} WHERE id = %s", [row_id])
                if found != [(wanted[column],)]:
                    raise AssertionError(f"{place} of row {row_id} is {found}, not {wanted[column]}")

    def copy_out(self) -> None:
        statement = f"COPY (SELECT id, {self.quoted()} FROM {self.shape.table} WHERE id < 20) TO STDOUT"
        with self.connection.cursor() as cursor, cursor.copy(statement.encode()) as copy:
            list(copy)


class OrmClient(Client):
    """SQLAlchemy sessions: units of work of several statements, bulk writes, upserts."""

    @contextmanager
    def connected(self) -> Iterator[list[Callable[[], None]]]:
        engine = sa.create_engine(
            self.url.replace("postgresql://", "postgresql+psycopg://"),
            poolclass=sa.pool.StaticPool,
            connect_args={"options": f"-c lock_timeout={LOCK_TIMEOUT}"},
        )
        if self.shape.unprepared:
            unprepared(engine)
        self.model = self.mapped()
        self.engine = engine
        actions = [self.insert, self.bulk, self.update, self.update_many, self.upsert, self.delete]
        try:
            yield [*actions, self.read] if self.reading else actions
        finally:
            engine.dispose()

    def mapped(self) -> type:
        types = {
            name: sa.Text if isinstance(make("x", 1), str) else sa.Integer for name, make in self.shape.values.items()
        }
        columns = [sa.Column(name, type_) for name, type_ in types.items()]
        columns += [sa.Column(name, server_default=sa.FetchedValue()) for name in self.shape.reads]
        key = sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True)
        table = sa.Table(self.shape.table, sa.MetaData(), key, sa.Column("email", sa.Text), *columns)
        model = type("Row", (), {})
        registry().map_imperatively(model, table)
        return model

    @contextmanager
    def session(self) -> Iterator[Session]:
        with Session(self.engine, expire_on_commit=False) as session, session.begin():
            yield session

    def made(self, row: dict[str, object]) -> Any:
        item = self.model()
        for name, value in {"email": self.email(), **row}.items():
            setattr(item, name, value)
        return item

    def insert(self) -> None:
        row = self.next_row()
        with self.session() as session:
            item = self.made(row)
            session.add(item)
            session.flush()
            session.execute(sa.select(sa.func.count()).select_from(self.model).where(self.model.id == item.id))
        self.journal[item.id] = row

    def bulk(self) -> None:
        rows = [{"email": f"{index}-{self.email()}", **self.next_row()} for index in range(3)]
        with self.session() as session:
            found = session.scalars(sa.insert(self.model).returning(self.model.id, sort_by_parameter_order=True), rows)
            ids = list(found)
        for row_id, row in zip(ids, rows, strict=True):
            self.journal[row_id] = {name: value for name, value in row.items() if name != "email"}

    def update(self) -> None:
        for row_id in self.own()[-2:]:
            row = self.next_row()
            with self.session() as session:
                options = [sa.orm.load_only(self.model.id)]
                item = session.scalars(sa.select(self.model).options(*options).filter_by(id=row_id)).one()
                for name, value in row.items():
                    setattr(item, name, value)
            self.journal[row_id] = row

    def update_many(self) -> None:
        row = self.next_row()
        with self.session() as session:
            changed = (
                sa.update(self.model)
                .where(self.model.id.between(1, 1 if self.shape.unique or self.shape.distinct else 3))
                .values(row)
            )
            session.execute(changed, execution_options={"synchronize_session": False})

    def upsert(self) -> None:
        email, table = self.email(), self.model.__table__
        key, rows = self.same_key()
        for row in rows:
            made = upsert_into(table).values(email=email, **row)
            made = made.on_conflict_do_update(index_elements=[key], set_=row).returning(table.c.id)
            with self.session() as session:
                row_id = session.execute(made).scalar_one()
            self.journal[row_id] = row

    def delete(self) -> None:
        for row_id in self.own()[:2]:
            with self.session() as session:
                session.execute(sa.delete(self.model).where(self.model.id == row_id))
            self.journal[row_id] = None

    def read(self) -> None:
        with self.session() as session:
            session.scalars(sa.select(self.model).where(self.model.id < 20)).all()
            for row_id in self.own()[-1:]:
                item = session.get(self.model, row_id)
                values = {column: getattr(item, column) for column in self.shape.columns}
                found = {column: self.shape.same.get(value, value) for column, value in values.items()}
                if found != self.journal[row_id]:
                    raise AssertionError(f"row {row_id} has {found}, not {self.journal[row_id]}")


class Application:
    """One version: clients that can be started, waited for and stopped."""

    def __init__(self, url: str, name: str, shape: Shape, connections: int = CONNECTIONS) -> None:
        self.url, self.name, self.shape, self.connections = url, name, shape, connections
        self.clients: list[Client] = []
        self.started = 0
        self.failures: list[str] = []
        self.journal: dict[int, dict[str, object] | None] = {}

    def start(self, *, reading: bool = True) -> Application:
        self.started += 1
        for number in range(self.connections):
            kind = PlainClient if number % 2 else OrmClient
            client = kind(self.url, f"{self.name}{self.started}.{number}", self.shape, reading)
            client.start()
            self.clients.append(client)
        return self

    def stop(self) -> None:
        for client in self.clients:
            client.stopping.set()
            client.awaited.set()
        for client in self.clients:
            client.join(30)
            self.failures += client.failures
            self.journal |= client.journal
        self.clients.clear()

    def all_failures(self) -> list[str]:
        return [*self.failures, *(failure for client in self.clients for failure in client.failures)]


def one_round(*applications: Application) -> None:
    """Wait until every client has run every statement once more, whichever is first."""
    clients = [client for application in applications for client in application.clients]
    before = {client: client.done for client in clients}
    deadline = time.monotonic() + ROUND_SECONDS
    for client in clients:
        client.awaited.set()
    while before:
        for client, done in list(before.items()):
            # One more than there are: that which is under way has begun earlier.
            if client.statements and client.done - done > client.statements:
                client.awaited.clear()
                del before[client]
        if time.monotonic() > deadline:
            raise TimeoutError(f"a client stands still: {[a.all_failures()[:3] for a in applications]}")
        time.sleep(0.005)
