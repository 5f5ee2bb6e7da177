"""A deployment of an old build and a contract, begun at the same moment: never both."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import delete, func, select, update

from migrator import api
from migrator.builds import Build, Going, Shape
from migrator.contracting import contract_guard
from migrator.database import connect
from migrator.deployments import begin
from migrator.errors import NotYet
from migrator.events import ignore
from migrator.ledger import audit, store, tables
from migrator.runs import execution, load_graph
from phases.exposure import Deployment
from phases.gate import judge
from phases.gate_facts import Facts
from phases.shapes import RevisionState, judge_build
from tests.plugins.aging import age, guarded, unguarded
from tests.plugins.families import MYSQL, POSTGRESQL, named, servers

SCHEDULES = 1000
ON_SERVERS = int(os.environ.get("MIGRATOR_TEST_RACES", "12"))
"""Races on each server; all 1,000 take minutes."""
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SETTLED = [
    Deployment("shop", "production", "1.0", "succeeded", NOON, NOON, clean=False),
    Deployment("shop", "production", "2.0", "succeeded", NOON, NOON + timedelta(hours=1), clean=True),
]


class World:
    """A database of which each transaction sees what was committed, with one lock that is shared or held alone."""

    def __init__(self, locked: bool) -> None:
        self.locked = locked
        self.state, self.started = "migrated", False
        self.holders: dict[str, bool] = {}

    def take(self, who: str, alone: bool) -> Iterator[None]:
        while self.locked and any((alone or theirs) for other, theirs in self.holders.items() if other != who):
            yield
        self.holders[who] = alone

    def contract(self) -> Iterator[None]:
        yield from self.take("contract", alone=True)
        running = [Deployment("shop", "production", "1.0", "started", NOON, None, clean=False)] if self.started else []
        verdict = judge(Facts(NOON + timedelta(hours=30), [*SETTLED, *running], "migrated", True))
        yield
        if verdict.open:
            self.state = "contracting"
        del self.holders["contract"]

    def deployment(self) -> Iterator[None]:
        yield from self.take("deployment", alone=False)
        lines = {"first": frozenset({"first"}), "change": frozenset({"first", "change"})}
        states = {"first": RevisionState("purged"), "change": RevisionState(self.state)}
        verdict = judge_build("first", "first", states, lines, frozenset(lines))
        yield
        self.started = verdict.allowed
        del self.holders["deployment"]


def played(world: World, chance: random.Random) -> tuple[bool, bool]:
    """Whether the contract has begun, and whether the deployment has, after one of the orders of their steps."""
    going = [world.contract(), world.deployment()]
    while going:
        step = chance.choice(going)
        if next(step, StopIteration) is StopIteration:
            going.remove(step)
    return world.state == "contracting", world.started


def test_never_both_in_any_order_of_steps():
    chance = random.Random(33)
    seen = {played(World(locked=True), chance) for _ in range(SCHEDULES)}
    assert seen == {(True, False), (False, True)}
    without = {played(World(locked=False), chance) for _ in range(SCHEDULES)}
    assert (True, True) in without  # so the lock is what keeps them apart


RACING = [(POSTGRESQL, servers(POSTGRESQL)[0]), *((MYSQL, family) for family in servers(MYSQL)[:1])]


@pytest.mark.parametrize("server_database", RACING, indirect=True, ids=lambda param: named(*param))
def test_case_33_never_both_on_a_server(server_database, project):
    server_database.run("CREATE TABLE users (id int PRIMARY KEY, full_name varchar(50))")
    project.url = server_database.url
    project.revision("first", 'CreateTable("other", Column("id", "int", primary_key=True))')
    project.revision("change", 'RenameColumn("users", "full_name", "name")')
    project.apply()
    api.deploy_record(project.settings, api.Build("shop", "2.0"))
    age(project.url, 25)
    chance, graph = random.Random(33), load_graph(project.settings)
    with ExitStack() as stack:
        one, other, keeper = (stack.enter_context(connect(project.url, "race")) for _ in range(3))
        unguarded(keeper.connection, keeper.family.commits_ddl)
        if keeper.family.commits_ddl:
            keeper.alone("DROP TRIGGER migrator_events_delete")
        work = execution(project.settings, one, graph, ignore)
        guard = contract_guard(project.settings, graph, "change", None)

        def contract(before: float, between: float) -> None:
            def slowly(connection):
                guard(connection)
                time.sleep(between)

            time.sleep(before)
            work.enter("change", "contracting", slowly)

        def deploy(before: float, between: float) -> None:
            time.sleep(before)
            with other.transaction() as connection:
                going = Going(Build("shop", "1.0"), Shape("first", "first"))
                begin(connection, going, graph)
                time.sleep(between)

        seen = set()
        pool = stack.enter_context(ThreadPoolExecutor(2))
        with keeper.transaction() as connection:
            kept = marks(connection)
        for _ in range(ON_SERVERS):
            runs = [pool.submit(tried, verb, *delays(chance)) for verb in (contract, deploy)]
            said = tuple(run.result() for run in runs)
            with keeper.transaction() as connection:
                assert said == there(connection)
                put_back(connection, kept)
            seen.add(said)
        guarded(keeper.connection, keeper.family.commits_ddl)
    assert seen <= {(True, False), (False, True)}
    assert len(seen) == 2 or ON_SERVERS < 100


def tried(verb: Callable[[float, float], None], before: float, between: float) -> bool:
    try:
        verb(before, between)
    except NotYet:
        return False
    return True


def delays(chance: random.Random) -> tuple[float, float]:
    return chance.uniform(0, 0.02), chance.uniform(0, 0.003)


def there(connection) -> tuple[bool, bool]:
    """What the ledger says: contract begun, deployment begun."""
    running = select(func.count()).where(tables.deployments.c.status == "started")
    record = store.revision(connection, "change")
    return record.state == "contracting", connection.execute(running).scalar_one() == 1


def marks(connection) -> tuple[int, int, tuple[str, int]]:
    newest = [
        connection.execute(select(func.max(table.c.id))).scalar_one() for table in (tables.deployments, tables.events)
    ]
    return (*newest, audit.hold(connection))


def put_back(connection, kept) -> None:
    """As it was before the race, log and all."""
    deployment, event, (last, count) = kept
    connection.execute(delete(tables.deployments).where(tables.deployments.c.id > deployment))
    connection.execute(delete(tables.events).where(tables.events.c.id > event))
    connection.execute(update(tables.chain).values(events=count, hash=last))
    for state in ("restoring", "migrated"):
        if store.revision(connection, "change").state in ("contracting", "restoring"):
            store.transition(connection, "change", state)
