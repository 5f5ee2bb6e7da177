"""Dual writes by the application leave what the triggers leave, whichever way a statement is written."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import String, create_engine, func, insert, select, text, update
from sqlalchemy.dialects import mysql, postgresql
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from migrator import api
from migrator.app import dual_write
from migrator.database import connect
from migrator.errors import UsageError, VerificationFailed
from migrator.introspection import read_catalog
from migrator.planning import dialect_for, steps_of
from phases.model import Phase
from phases.operations import Column, RenameColumn, TransformColumns
from tests.app.places import async_engine_of, everywhere
from tests.plugins.families import MYSQL, POSTGRESQL, named, servers
from tests.plugins.mysql_servers import fresh_mysql_database
from tests.plugins.servers import fresh_database, missing

DEFAULT = "dflt"
ROWS = 6
KINDS = {
    "renamed": (RenameColumn("renamed", "old", "new"), {}, None),
    "renamed, with a default": (RenameColumn("defaulted", "old", "new"), {}, DEFAULT),
    "mapped by functions that lose something": (
        TransformColumns(
            "mapped",
            "old",
            Column("new", "varchar(40)"),
            up={"new": "upper(old)"},
            down={"old": "lower(new)"},
            lossy=True,
        ),
        {"up": func.upper, "down": func.lower},
        None,
    ),
}
EXAMPLES = settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))


def places():
    """The newest PostgreSQL has every kind, MariaDB and MySQL take turns: SQLAlchemy says the same to both."""
    postgresql = (POSTGRESQL, servers(POSTGRESQL)[0])
    found = [(postgresql, kind) for kind in KINDS]
    for place, family in enumerate(servers(MYSQL)):
        found += [((MYSQL, family), kind) for kind in list(KINDS)[place::2]]
    return [pytest.param(*each, id=f"{named(*each[0])}-{each[1]}") for each in found]


@pytest.fixture
def twins(place, kind, fleet, mysql_fleet):
    family, server = place
    if server is None:
        missing(f"no server of {family}")
    opening = fresh_mysql_database(mysql_fleet, server) if family == MYSQL else fresh_database(fleet.server(server))
    with opening as database:
        made = Twins(database.url, *KINDS[kind], in_turn=family == MYSQL)
        yield made
        made.engine.dispose()


def declared(name, default):
    """A model of a table with both columns, as the build that writes both has it."""

    class Base(DeclarativeBase):
        pass

    class Thing(Base):
        __tablename__ = name
        id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
        old: Mapped[str | None] = mapped_column(String(40), server_default=default)
        other: Mapped[int | None]
        new: Mapped[str | None] = mapped_column(String(40), server_default=default)

    return Thing


class Twins:
    """The table whose triggers write both columns, and the one that the application does it for."""

    def __init__(self, url, operation, mapping, default, *, in_turn):
        self.in_turn = in_turn
        self.engine = create_engine(url)
        by_trigger, by_application = operation.table, f"{operation.table}_by_application"
        self.models = [declared(by_trigger, default), declared(by_application, default)]
        dual_write(self.models[1].old, self.models[1].new, **mapping)
        self._create(url, operation, default)

    def _create(self, url, operation, default):
        given = f"DEFAULT '{default}'" if default else ""
        columns = f"id int PRIMARY KEY, old varchar(40) {given}, other int"
        with connect(url, "test") as session:
            session.alone(f"CREATE TABLE {operation.table} ({columns})")
            session.alone(f"CREATE TABLE {operation.table}_by_application ({columns}, new varchar(40) {given})")
            with session.transaction() as connection:
                catalog = read_catalog(connection)
            steps, _ = steps_of([operation], catalog, dialect_for(session.server, lambda _: "immutable"))
            for phase, step in steps:
                if phase is Phase.EXPAND:
                    for statement in step.statements:
                        session.alone(statement)

    def empty(self):
        with self.engine.begin() as connection:
            for model in self.models:
                connection.execute(model.__table__.delete())

    def rows(self):
        with self.engine.connect() as connection:
            return [
                sorted(connection.execute(select(table.c.id, table.c.old, table.c.new)).all())
                for table in (model.__table__ for model in self.models)
            ]


def add(session, model, row, values):
    session.add(model(id=row, **values))


def add_many(session, model, row, values):
    session.add_all([model(id=row, **values), model(id=row + 100, old="x"), model(id=row + 200, other=1)])


def set_attributes(session, model, row, values):
    found = session.get(model, row)
    for name, value in values.items():
        setattr(found, name, value)


def set_expression(session, model, row, values):
    found = session.get(model, row)
    for name, value in values.items():
        setattr(found, name, func.concat(getattr(model, name), value))


def merge(session, model, row, values):
    session.merge(model(id=row, **values))


def orm_insert(session, model, row, values):
    session.execute(insert(model), [{"id": row, **values}, {"id": row + 100, **values}])


def core_insert(session, model, row, values):
    session.connection().execute(model.__table__.insert().values(id=row, **values))


def several_values(session, model, row, values):
    session.execute(insert(model).values([{"id": row, **values}, {"id": row + 100, **values}]))


def insert_select(session, model, row, values):
    columns = [getattr(model, name) for name in values]
    query = select(model.id + row + 100, *columns).where(model.id < 100)
    session.execute(insert(model).from_select(["id", *values], query))


def bulk_mappings(session, model, row, values):
    session.bulk_insert_mappings(model, [{"id": row, **values}, {"id": row + 100, "other": 2}])


def bulk_objects(session, model, row, values):
    session.bulk_save_objects([model(id=row, **values)])


def update_where(session, model, row, values):
    session.execute(update(model).where(model.id == row).values(**values))


def update_all(session, model, row, values):
    session.execute(update(model.__table__).values(other=row, **values))


def update_expression(session, model, row, values):
    given = {name: func.concat(getattr(model, name), value) for name, value in values.items()}
    session.execute(update(model).where(model.id <= row).values(given))


def update_from_other(session, model, row, values):
    name = next(iter(values))
    source = model.new if name == "old" else model.old
    session.execute(update(model).where(model.id == row).values({name: func.concat(source, "!")}))


def update_by_key(session, model, row, values):
    session.execute(update(model), [{"id": row, **values}])


def bulk_update(session, model, row, values):
    session.bulk_update_mappings(model, [{"id": row, **values}])


def upsert(session, model, row, values):
    if session.get_bind().dialect.name == "postgresql":
        statement = postgresql.insert(model).values(id=row, **values)
        taken = {name: statement.excluded[name] for name in values}
        statement = statement.on_conflict_do_update(index_elements=["id"], set_={**taken, "other": 5})
    else:
        statement = mysql.insert(model).values(id=row, **values)
        taken = {name: statement.inserted[name] for name in values}
        statement = statement.on_duplicate_key_update({**taken, "other": 5})
    session.execute(statement)


INSERTS = (add, add_many, orm_insert, core_insert, several_values, insert_select, bulk_mappings, bulk_objects)
UPDATES = (
    set_attributes,
    set_expression,
    update_where,
    update_expression,
    update_from_other,
    update_by_key,
    bulk_update,
)
EITHER = (merge, upsert, update_all)
VALUES = st.sampled_from(["a", "A", "b ", DEFAULT, None])
WRITES = st.one_of(
    st.fixed_dictionaries({"old": VALUES}),
    st.fixed_dictionaries({"new": VALUES}),
    st.fixed_dictionaries({"old": VALUES, "new": VALUES}),
)
ACTIONS = st.lists(
    st.tuples(st.sampled_from((*INSERTS, *UPDATES, *EITHER)), st.integers(1, ROWS), WRITES), min_size=1, max_size=10
)


def possible(there, way, row, values):
    if way is insert_select:
        return not {each + row + 100 for each in there if each < 100} & there
    if way in INSERTS:
        return not {row, row + 100, row + 200} & there
    if way in (set_expression, update_expression, update_from_other):
        return row in there and len(values) == 1 and None not in values.values()
    return way in EITHER or row in there


@pytest.mark.parametrize(("place", "kind"), places())
@example(actions=[(add, 1, {"new": "a"}), (update_where, 1, {"old": "a"})], signal=None)
@example(actions=[(add, 1, {"old": "a", "new": "b"}), (core_insert, 2, {"old": "a", "new": "b"})], signal="old")
@given(actions=ACTIONS, signal=st.sampled_from([None, "old", "new"]))
@EXAMPLES
def test_every_way_to_write_leaves_what_the_triggers_leave(twins, actions, signal):
    twins.empty()
    there = set()
    for number, (way, row, values) in enumerate(actions):
        # An assignment of these servers cannot ask what a column had before the one in front of it.
        in_turn = twins.in_turn and signal == "old" and len(values) == 2 and way not in INSERTS
        if in_turn or not possible(there, way, row, values):
            continue
        for model in twins.models:
            with Session(twins.engine) as session, session.begin():
                say(session, signal)
                way(session, model, row, values)
        by_trigger, by_application = twins.rows()
        there = {each[0] for each in by_trigger}
        assert by_application == by_trigger, (number, way.__name__)


def say(session, signal):
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text(f"SET LOCAL migrator.writes = '{signal or ''}'"))
    else:
        session.execute(text(f"SET @migrator_writes = '{signal or ''}'"))


@everywhere
def test_objects_of_an_event_loop_show_both_columns_without_another_look(server_database):
    Thing = declared("things", None)
    dual_write(Thing.old, Thing.new)

    async def use():
        async with async_engine_of(server_database) as engine, AsyncSession(engine) as session:
            async with engine.begin() as connection:
                await connection.run_sync(Thing.metadata.create_all)
            thing = Thing(id=1, old="a")
            session.add(thing)
            await session.flush()
            shown = [(thing.old, thing.new)]
            thing.new = "b"
            await session.flush()
            shown.append((thing.old, thing.new))
            await session.execute(update(Thing).values(old="c"))
            shown.append((thing.old, thing.new))
            await session.commit()
            return shown, (await session.execute(select(Thing.old, Thing.new))).one()

    assert asyncio.run(use()) == ([("a", "a"), ("b", "b"), ("c", "c")], ("c", "c"))


def test_columns_that_something_else_writes_are_refused():
    Thing = declared("refused", None)
    with pytest.raises(UsageError, match="only one of up= and down="):
        dual_write(Thing.old, Thing.new, up=func.upper)
    with pytest.raises(UsageError, match="is written by the server"):
        dual_write(Thing.id, Thing.new)
    with pytest.raises(UsageError, match="not a mapped attribute"):
        dual_write("old", Thing.new)
    dual_write(Thing.old, Thing.new)
    with pytest.raises(UsageError, match="another dual_write"):
        dual_write(Thing.old, Thing.other)


@everywhere
def test_rows_that_nobody_dual_wrote_are_found_by_the_verification_of_the_backfill_and_mended(server_database, project):
    server_database.run(
        "CREATE TABLE users (id int PRIMARY KEY, full_name varchar(40), name varchar(40))",
        "INSERT INTO users (id, full_name) VALUES (1, 'a'), (2, 'b')",
    )
    project.url = server_database.url
    filled = "where=\"name IS NULL AND full_name IS NOT NULL\", wrong=\"coalesce(name, '') <> coalesce(full_name, '')\""
    revision = project.revision("fill", f'Backfill("users", {{"name": "full_name"}}, {filled})')
    project.apply()
    api.verify(project.settings, revision)
    server_database.run("UPDATE users SET full_name = 'written past it' WHERE id = 1")
    with pytest.raises(VerificationFailed, match="users"):
        api.verify(project.settings, revision)
    api.verify(project.settings, revision, side="old")
    assert server_database.rows("SELECT name FROM users ORDER BY id") == [("written past it",), ("b",)]
