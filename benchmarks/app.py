"""What helpers for applications cost a statement: ratios to the same statement without them, A-B-B-A in one run.

python -m benchmarks.app [--statements 400] [--rounds 8] [--url postgresql+psycopg://…] [--format json]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, String, create_engine, event, insert, select, text, update
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from benchmarks import show
from migrator.app import dual_write, ignored_column, read_switch, register
from migrator.app.deciding import LISTENERS
from migrator.app.dual_writing import synchronize_both, write_both
from migrator.embedded import EmbeddedServer

Listeners = tuple[tuple[Any, str, Any, dict[str, bool]], ...]

SWITCHES: Listeners = tuple((*each, {}) for each in LISTENERS)
DUAL_WRITES: Listeners = (
    (Engine, "before_execute", write_both, {"retval": True}),
    (Session, "do_orm_execute", synchronize_both, {}),
)
"""What helpers listen to in the whole process: a statement without them is one of a process that has none."""
ROWS = 1_000


class Base(DeclarativeBase):
    pass


class Plain(Base):
    __tablename__ = "plain"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None] = mapped_column(String(40))


class Doubled(Base):
    __tablename__ = "doubled"
    id: Mapped[int] = mapped_column(primary_key=True)
    full_name: Mapped[str | None] = mapped_column(String(40))
    name: Mapped[str | None] = mapped_column(String(40))


class Switching(Base):
    __tablename__ = "switching"
    id: Mapped[int] = mapped_column(primary_key=True)
    old: Mapped[str | None] = ignored_column("full_name", String(40))
    new: Mapped[str | None] = ignored_column("new_name", String(40))


@dataclass(frozen=True)
class Case:
    """A statement without a helper, and the same with it."""

    name: str
    without: Callable[[Session, int], object]
    with_helper: Callable[[Session, int], object]

    @property
    def listeners(self) -> Listeners:
        return SWITCHES if self.name.startswith("read_switch") else DUAL_WRITES


def added(model: Any, column: str) -> Callable[[Session, int], object]:
    def run(session: Session, number: int) -> None:
        session.add(model(**{column: f"user {number}"}))
        session.flush()

    return run


def changed(model: Any, column: str) -> Callable[[Session, int], object]:
    def run(session: Session, number: int) -> None:
        found = session.get(model, number % ROWS + 1)
        setattr(found, column, f"user {number}")
        session.flush()

    return run


def updated(model: Any, column: str) -> Callable[[Session, int], object]:
    def run(session: Session, number: int) -> object:
        return session.execute(update(model).where(model.id == number % ROWS + 1).values({column: f"user {number}"}))

    return run


def inserted(model: Any, column: str) -> Callable[[Session, int], object]:
    def run(session: Session, number: int) -> object:
        return session.execute(insert(model), [{column: f"user {number} {each}"} for each in range(20)])

    return run


def read(model: Any) -> Callable[[Session, int], object]:
    def run(session: Session, number: int) -> object:
        wanted = f"user {number % ROWS}"
        return session.scalars(select(model).where(model.id == number % ROWS, model.name != wanted)).all()

    return run


def attribute(model: Any) -> Callable[[Session, int], object]:
    def run(session: Session, number: int) -> object:
        return session.get(model, number % ROWS + 1).name  # type: ignore[union-attr]

    return run


CASES = (
    Case("read_switch, query", read(Plain), read(Switching)),
    Case("read_switch, attribute in memory", attribute(Plain), attribute(Switching)),
    Case("read_switch, query of another model", read(Plain), read(Plain)),
    Case("dual_write, add and flush", added(Plain, "name"), added(Doubled, "full_name")),
    Case("dual_write, change and flush", changed(Plain, "name"), changed(Doubled, "full_name")),
    Case("dual_write, update()", updated(Plain, "name"), updated(Doubled, "full_name")),
    Case("dual_write, insert() of 20 rows", inserted(Plain, "name"), inserted(Doubled, "full_name")),
    Case("dual_write, update() of another model", updated(Plain, "name"), updated(Plain, "name")),
)


@contextmanager
def listening(listeners: Listeners) -> Iterator[None]:
    """Let the process have these helpers for a while, and no other."""
    for target, name, function, options in listeners:
        event.listen(target, name, function, **options)
    try:
        yield
    finally:
        for target, name, function, _ in listeners:
            event.remove(target, name, function)


def seconds(engine: Engine, case: Case, statements: int, *, helpers: bool) -> float:
    run = case.with_helper if helpers else case.without
    with listening(case.listeners if helpers else ()), Session(engine) as session:
        run(session, 0)
        began = time.perf_counter()
        for number in range(statements):
            run(session, number)
        return time.perf_counter() - began


def ratio(measure: Callable[[bool], float], rounds: int) -> float:
    """The fastest part with over the fastest without: what a busy machine adds is in the slower ones.

    Each round is A-B-B-A, so that both have the same chances.
    """
    parts: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(rounds):
        for helpers in (False, True, True, False):
            parts[helpers].append(measure(helpers))
    return round(min(parts[True]) / min(parts[False]), 3)


def of_register(url: str, statements: int, rounds: int) -> float:
    """A connection from the pool and one statement, of an engine that is registered and of one that is not."""
    engines = [create_engine(url), create_engine(url)]
    register(engines[1], app="benchmark", version="1", policy="warn", heartbeat=30.0)

    def measure(helpers: bool) -> float:
        engine, question = engines[helpers], text("SELECT 1")
        began = time.perf_counter()
        for _ in range(statements):
            with engine.connect() as connection:
                connection.execute(question)
        return time.perf_counter() - began

    try:
        measure(False), measure(True)
        return ratio(measure, rounds)
    finally:
        for engine in engines:
            engine.dispose()


def prepare(engine: Engine) -> None:
    dual_write(Doubled.full_name, Doubled.name)
    read_switch(Switching, "name", old=Switching.old, new=Switching.new, flag=lambda: True)
    Base.metadata.drop_all(engine)
    Base.metadata.create_all(engine)
    names = [{"id": number + 1, "name": f"user {number}"} for number in range(ROWS)]
    twice = [{"full_name": each["name"], **each} for each in names]
    for target, name, function, _ in (*SWITCHES, *DUAL_WRITES):
        event.remove(target, name, function)
    with engine.begin() as connection:
        connection.execute(Plain.__table__.insert(), names)
        connection.execute(Doubled.__table__.insert(), twice)
        switched = [{"id": each["id"], "full_name": each["name"], "new_name": each["name"]} for each in names]
        connection.execute(Switching.__table__.insert(), switched)
        if connection.dialect.name == "postgresql":
            for table in ("plain", "doubled"):
                connection.execute(text(f"SELECT setval('{table}_id_seq', {ROWS})"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--statements", type=int, default=400, help="in each of the four parts of a round")
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--url", help="a database that may be written to; one of its own where not given")
    parser.add_argument("--format", choices=("text", "json"), default="text")
    given = parser.parse_args()
    with ExitStack() as stack:
        url = given.url or stack.enter_context(EmbeddedServer()).url()
        engine = create_engine(url)
        prepare(engine)
        figures: dict[str, object] = {}
        for case in CASES:

            def measure(helpers: bool, case: Case = case) -> float:
                return seconds(engine, case, given.statements, helpers=helpers)

            figures[case.name] = ratio(measure, given.rounds)
        figures["register, connect and SELECT 1"] = of_register(url, given.statements, given.rounds)
        engine.dispose()
    show(figures, given.format)


if __name__ == "__main__":
    main()
