"""An index of a partitioned table is put together without anybody waiting, and can be stopped anywhere."""

from __future__ import annotations

import pytest

from migrator.events import StepFinished
from tests.lifecycle.test_operations import PARTITIONED

INDEX = 'CreateIndex("events", ["what", "day"])'
VALID = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'events_what_day_idx'::regclass"


class Stopped(Exception):
    """Stands for whatever ends a run between two steps."""


class StopAfter(list):
    """A list of events that ends the run after so many steps."""

    def __init__(self, steps):
        super().__init__()
        self.steps = steps

    def append(self, event):
        super().append(event)
        if len([seen for seen in self if isinstance(seen, StepFinished)]) == self.steps:
            raise Stopped


@pytest.fixture
def shop(any_database, project):
    any_database.run(PARTITIONED)
    project.url = any_database.url
    return project


def test_an_index_stopped_after_any_step_is_taken_back_or_finished(shop, any_database):
    revision = shop.revision("change", INDEX)
    before = any_database.dump()
    steps = len(shop.plan(revision))
    assert steps == 8
    for stop in range(1, steps + 1):
        shop.seen = StopAfter(stop)
        with pytest.raises(Stopped):
            shop.apply("expand")
        shop.seen = []
        shop.abort(revision)
        assert any_database.dump() == before, f"stopped after step {stop}"
    for _ in range(steps):
        shop.seen = StopAfter(1)
        with pytest.raises(Stopped):
            shop.apply("expand")
    shop.seen = []
    shop.apply()
    assert any_database.rows(VALID) == [(True,)]


def test_a_partition_made_meanwhile_has_its_part(shop, any_database):
    revision = shop.revision("change", INDEX)
    shop.seen = StopAfter(3)
    with pytest.raises(Stopped):
        shop.apply("expand")
    any_database.run("CREATE TABLE later PARTITION OF events FOR VALUES FROM ('2027-01-01') TO ('2028-01-01')")
    shop.seen = []
    shop.apply()
    assert any_database.rows(VALID) == [(True,)]
    shop.abort(revision)
    assert any_database.rows("SELECT count(*) FROM pg_indexes WHERE indexdef LIKE '%(what, day)'") == [(0,)]
