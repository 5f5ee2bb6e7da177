"""What piles up on the server: readings in, a verdict out."""

from __future__ import annotations

import pytest

from phases.burdens import Transaction, judge_disk, judge_history, judge_transaction, usual_reserve
from phases.pressure import (
    FEW_ROWS,
    VACUUM_PATIENCE,
    Archive,
    Rows,
    Slot,
    Wait,
    amount,
    judge_archive,
    judge_rows,
    judge_slots,
    needs_vacuum,
    queued_since,
    together,
)
from phases.replication import Verdict

LIMIT = 100
SEGMENT = 16 * 1024**2


@pytest.mark.parametrize(("queued", "paused", "go"), [(100, False, True), (101, False, False), (51, True, False)])
def test_53_batches_pause_while_too_much_log_waits_to_be_archived(queued, paused, go):
    verdict = judge_archive(Archive(queued, "000A"), LIMIT, paused=paused)
    assert verdict.go is go
    assert ("archiving fails, last for 000A" in verdict.reason) is not go


def test_an_archive_that_the_role_may_not_see_is_said_and_holds_nothing_up():
    assert "may not see; archiving fails" in judge_archive(Archive(None, "000A"), LIMIT).unknown
    assert judge_archive(Archive(None), LIMIT).go


def test_what_waits_is_worked_out_from_the_file_archived_last():
    current = "000000020000000100000003"
    assert queued_since("000000010000000100000000", current, SEGMENT) == 2 * SEGMENT
    assert queued_since("0000000100000000000000FE.00000028.backup", current, SEGMENT) == 4 * SEGMENT
    assert queued_since(current, current, SEGMENT) == 0
    assert queued_since("00000002.history", current, SEGMENT) is None
    assert queued_since("", current, SEGMENT) is None


SLOTS = {
    "no slot": ((), True, ""),
    "as much as may be": ((Slot("s", 100),), True, ""),
    "a reader that is behind": ((Slot("s", 101, active=True),), False, "replication slot s (more than 100 B)"),
    "nobody reads it": ((Slot("s", 101), Slot("t", 1)), False, "pg_drop_replication_slot('s')"),
    "about to lose what it needs": ((Slot("s", 1, status="unreserved"),), False, "about to remove"),
    "lost": ((Slot("s", 101, status="lost"),), True, ""),
}


@pytest.mark.parametrize("name", SLOTS)
def test_53_batches_pause_while_too_much_log_is_kept_for_a_slot(name):
    slots, go, told = SLOTS[name]
    verdict = judge_slots(slots, LIMIT)
    assert verdict.go is go
    assert told in verdict.reason
    assert ("has to begin again" in verdict.unknown) is (name == "lost")


def dead(count, **facts):
    return Rows("public.users", 1_000_000, count, **facts)


ROWS = {
    "few": (dead(500_000), 0, None, True, ""),
    "too many": (dead(500_001), 0, None, False, "autovacuum is behind"),
    "many of a small table": (Rows("public.users", 10, FEW_ROWS), 0, None, True, ""),
    "fewer than before the wait, and not yet few": (dead(250_001), 0, Wait(9, 0), False, "autovacuum is behind"),
    "few again": (dead(250_000), 0, Wait(9, 0), True, ""),
    "vacuumed, and as many": (dead(600_000, vacuums=4), 0, Wait(9, 3), True, "though it was vacuumed"),
    "nobody came": (dead(600_000, vacuums=3), 0, Wait(VACUUM_PATIENCE, 3), True, "no vacuum came in 10 minutes"),
    "waited for before": (dead(1_100_000), 600_000, None, True, ""),
    "as many again since": (dead(1_100_001), 600_000, None, False, "more than 1,100,000"),
    "autovacuum is off": (dead(600_000, served=False), 0, None, True, "VACUUM it"),
}


@pytest.mark.parametrize("name", ROWS)
def test_53_batches_wait_for_a_vacuum_and_never_for_good(name):
    rows, forgiven, wait, go, told = ROWS[name]
    verdict = judge_rows(rows, 0.5, forgiven=forgiven, wait=wait)
    assert verdict.go is go
    assert told in verdict.reason + verdict.unknown


VACUUMS = {
    "autovacuum comes": (dead(900_000), 0, False),
    "few": (dead(200_000, served=False), 0, False),
    "too many": (dead(200_001, served=False), 0, True),
    "many of a small table": (Rows("public.users", 10, FEW_ROWS, served=False), 0, False),
    "the last one could not clear them": (dead(300_000, served=False), 300_000, False),
}


@pytest.mark.parametrize("name", VACUUMS)
def test_53_a_table_that_autovacuum_leaves_alone_is_vacuumed_when_it_would_have_come(name):
    rows, left, wanted = VACUUMS[name]
    assert needs_vacuum(rows, left) is wanted


OLD = Transaction('pid 7 "shop" (role app)', 3601, "SELECT pg_terminate_backend(7)")
BURDENS = {
    "a history that is purged": (judge_history(100, 100), True, ""),
    "a history that is not": (judge_history(101, 100), False, "101 transactions to purge (more than 100)"),
    "a history not short yet": (judge_history(51, 100, paused=True), False, "(down to 50)"),
    "a history short again": (judge_history(50, 100, paused=True), True, ""),
    "room on the disk": (judge_disk(100, 100), True, ""),
    "room on a small disk": (judge_disk(2, usual_reserve(100)), True, ""),
    "no room on the disk": (judge_disk(99, 100), False, "99 B of the server's disk are free (100 B have to be)"),
    "not enough room yet": (judge_disk(124, 100, paused=True), False, "(125 B have to be)"),
    "nobody is in a transaction": (judge_transaction(None, 1), True, ""),
    "a transaction that is not old": (judge_transaction(OLD, 3601), True, ""),
    "an old transaction": (
        judge_transaction(OLD, 3600),
        False,
        "where nobody needs it, SELECT pg_terminate_backend(7)",
    ),
}


@pytest.mark.parametrize("name", BURDENS)
def test_batches_pause_while_the_server_cannot_carry_more(name):
    verdict, go, reason = BURDENS[name]
    assert verdict.go is go
    assert reason in verdict.reason
    assert bool(verdict.reason) is not go


def test_every_reason_is_said():
    verdict = together([Verdict(True, unknown="a"), Verdict(False, "b"), Verdict(False, "c")])
    assert (verdict.go, verdict.reason, verdict.unknown) == (False, "b; c", "a")
    assert together([]).go


def test_sizes_are_said_as_the_server_counts_them():
    assert [amount(size) for size in (1, 1536, SEGMENT, 3 * 1024**5)] == ["1 B", "1.5 kB", "16 MB", "3072 TB"]
