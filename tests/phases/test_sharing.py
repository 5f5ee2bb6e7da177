"""One walk by several workers, driven by a list: every page and key once, whoever comes first and is killed."""

from __future__ import annotations

import json
import random
import re
from collections import deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phases.backfill import Pacing, perform_fill
from phases.catalog import Server
from phases.effects import Assign, Batch, Batched, Claim, Claimed, Commit, ListAside, Query, Spread
from phases.model import Fill, TableName
from phases.room import GOOD, MOST, Room, Updates, roomy
from phases.sharing import is_over, perform_share
from phases.staffing import AGAIN, Staff, staffed

STEP = Fill(name="b", table=TableName("public", "t"), target="t.b", assignments="x", pending="y", key=('"id"',))
PAGES = re.compile(r"ctid >= '\((\d+),0\)'::tid AND ctid < '\((\d+),0\)'::tid AND .* & \d+\) = (\d+)")
KEYS = re.compile(r"(?:true|\(\"id\"\) > \('(\d+)'\)) AND \(\"id\"\) <= \('(\d+)'\)")


class Killed(Exception):
    """The runner is gone, with all its workers, and what they did not commit."""


class Shop:
    """A table of so many pages, or of so many keys; what is committed survives, and `done` has it."""

    def __init__(self, size, version, blocked):
        self.size, self.server = size, Server("postgresql", (version, 0))
        self.cursors, self.done, self.blocked = {}, [], list(blocked)
        self.finished = False

    def save(self, worker, cursor):
        self.cursors[worker] = json.loads(json.dumps(cursor))

    def run(self, workers, seed, kill_after):
        """One run; `seed` chooses who goes on, `kill_after` how many effects are answered."""
        self.left, chance = kill_after, random.Random(seed)
        pacing = Pacing(
            stripes=4,
            first_window=3,
            smallest_window=1,
            largest_window=6,
            first_rows=7,
            largest_rows=9,
            workers=workers,
            few_pages=2,
            few_rows=3,
            stretch_batches=2,
        )
        steps, answer = perform_fill(STEP, self.cursors.get(0), self.server, pacing), None
        try:
            while True:
                effect = steps.send(answer)
                answer = self.spread(pacing, chance) if isinstance(effect, Spread) else self.answer(effect, 0)
        except StopIteration:
            self.finished = True

    def spread(self, pacing, chance):
        shares = {number: share for number, share in self.cursors.items() if number}
        waiting = deque(number for number, share in shares.items() if not is_over(share))
        given, at_work, claiming = max(shares, default=0), {}, None

        def begin(number):
            at_work[number] = [perform_share(STEP, shares.get(number), self.server, pacing), None]

        for _ in range(pacing.workers):
            given += not waiting
            begin(waiting.popleft() if waiting else given)
        while at_work:
            number = chance.choice(sorted(at_work))
            steps, answer = at_work[number]
            if isinstance(answer, Claim):
                if claiming not in (None, number):
                    continue
                claiming, answer = number, json.loads(json.dumps(self.cursors[0]))
            try:
                effect = steps.send(answer)
            except StopIteration as end:
                shares[number] = end.value
                del at_work[number]
                if waiting:
                    begin(waiting.popleft())
                continue
            if isinstance(effect, Claim):
                at_work[number][1] = effect
                continue
            at_work[number][1] = self.answer(effect, number)
            if isinstance(effect, Claimed):
                claiming = None
        return list(shares.values())

    def answer(self, effect, worker):
        self.left -= 1
        if not self.left:
            raise Killed
        match effect:
            case Query():
                return self.asked(effect.sql)
            case Batch():
                if self.blocked and self.blocked.pop():
                    return Batched(0, 0.1, blocked=True)
                self.done += self.spanned(effect.sql)
                self.save(worker, effect.cursor)
                return Batched(1, 0.1, room=3)
            case Assign():
                self.cursors = {}
                for number, cursor in enumerate((effect.cursor, *effect.shares)):
                    self.save(number, cursor)
            case Claimed(cursor, share) if cursor is not None:
                self.save(0, cursor)
                self.save(worker, share)
            case ListAside():
                return []
            case Commit():
                assert effect.finishes
        return None

    def asked(self, sql):
        if "pg_relation_size" in sql:
            return [(self.size,)]
        if "EXISTS" in sql:
            return [(False,)]
        if "DESC" in sql:
            return [(str(self.size),)] if self.size else []
        after = int(m[1]) if (m := re.search(r"> \('(\d+)'\)", sql)) else 0
        inside = range(after + 1, int(re.search(r"< \('(\d+)'\)", sql)[1]))
        skip = int(m[1]) if (m := re.search(r"OFFSET (\d+)", sql)) else (len(inside) - 1) // 2
        return [(str(found),) for found in inside[max(skip, 0) :][:1]]

    def spanned(self, sql):
        if one := re.search(r"\(\"id\"\) = \('(\d+)'\)", sql):
            return [int(one[1])]
        if keys := KEYS.search(sql):
            return list(range(int(keys[1] or 0) + 1, int(keys[2]) + 1))
        first, last, stripe = map(int, PAGES.search(sql).groups())
        return [(page, stripe) for page in range(first, last)]

    @property
    def wanted(self):
        if self.server.version < (14, 0):
            return list(range(1, self.size + 1))
        return [(page, stripe) for page in range(self.size) for stripe in range(4)]


runs = st.lists(st.tuples(st.integers(1, 5), st.integers(0, 99), st.integers(1, 80)), max_size=6)


@settings(deadline=None)
@given(st.integers(0, 90), st.sampled_from([18, 13]), st.lists(st.booleans(), max_size=12), runs, st.integers(1, 5))
def test_every_page_and_key_is_done_once_by_somebody_however_many_and_wherever_they_are_killed(
    size, version, blocked, killed, workers
):
    shop = Shop(size, version, blocked)
    for many, seed, kill_after in killed:
        try:
            shop.run(many, seed, kill_after)
        except Killed:
            continue
        break
    shop.run(workers, 0, -1)
    assert sorted(shop.done) == shop.wanted
    assert shop.finished


STAFFS = {
    "nothing is known": (Staff(), 100, {}, 2, ""),
    "one more brings something": (Staff(2, before=100), 130, {}, 3, ""),
    "one more brings nothing": (Staff(2, before=100), 105, {}, 1, "2 workers write 105 rows/s, 1 worker 100"),
    "it brought nothing a moment ago": (Staff(1, full=2, since=3), 100, {}, 1, ""),
    "it brought nothing long ago": (Staff(1, full=2, since=AGAIN), 100, {}, 2, ""),
    "as many as may be": (Staff(3), 100, {"most": 3}, 3, ""),
    "somebody limits the rate": (Staff(1), 100, {"limited": True}, 1, ""),
    "users feel it": (Staff(3), 100, {"felt": "a look takes long"}, 2, "a look takes long"),
    "users feel the only one": (Staff(1), 100, {"felt": "a look takes long"}, 1, "a look takes long"),
    "and do not any more": (Staff(2, full=3, since=3), 100, {}, 2, ""),
}


@pytest.mark.parametrize("name", STAFFS)
def test_a_worker_stays_only_where_all_write_more_for_it_and_nobody_feels_it(name):
    now, rate, options, workers, reason = STAFFS[name]
    chosen = staffed(now, rate, **options)
    assert (chosen.workers, chosen.reason) == (workers, reason)


@given(st.integers(1, 8))
def test_workers_settle_where_one_more_brings_nothing(best):
    staff = Staff()
    for _ in range(20):
        staff = staffed(staff, 100.0 * min(staff.workers, best))
    assert staff.workers == best


ROOMS = {
    "nothing is known": (Room(), Updates(), 0.0, 1, 1, ""),
    "as good as can be": (Room(), Updates(9000, 7800), 0.0, 1, 1, ""),
    "a snapshot as old as three batches": (Room(), Updates(), 0.3, 1, 5, ""),
    "workers have snapshots, too": (Room(), Updates(), 0.0, 2, 3, ""),
    "few updates stay on their page": (Room(3), Updates(9000, 900), 0.0, 2, 6, "10% of the updates are HOT"),
    "and no window is large enough": (Room(MOST), Updates(9000, 900), 0.0, 2, MOST, "10% of the updates are HOT"),
    "a snapshot that outlives every pass": (Room(6), Updates(9000, 0), 60.0, 1, 1, "a snapshot is 60 s old"),
    "it is gone": (Room(1, "a snapshot is 60 s old"), Updates(9000, 9000 * GOOD), 0.0, 1, 1, ""),
}


@pytest.mark.parametrize("name", ROOMS)
def test_backfill_21_a_window_is_so_large_that_the_next_pass_finds_its_pages_pruned(name):
    now, made, age, workers, batches, reason = ROOMS[name]
    chosen = roomy(now, made, age, 0.1, stripes=8, workers=workers)
    assert chosen.batches == batches
    assert chosen.reason.startswith(reason)
    assert bool(chosen.reason) is bool(reason)
