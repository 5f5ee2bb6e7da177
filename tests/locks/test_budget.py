"""How long the locks of one transaction may take, all together."""

from __future__ import annotations

from migrator.dialects.postgresql import lock_statements
from phases.model import Lock, LockMode, TableName


def test_33_all_locks_of_a_transaction_share_one_timeout():
    """Whoever waits behind the first lock waits until the last one is granted."""
    tables = [TableName("public", name) for name in "abcd"]
    modes = [LockMode.ACCESS_EXCLUSIVE, LockMode.SHARE_UPDATE_EXCLUSIVE, *[LockMode.SHARE_ROW_EXCLUSIVE] * 2]
    now = iter([10.0, 10.0, 10.3, 10.9])
    locks = [Lock(table, mode) for table, mode in zip(tables, modes, strict=True)]
    sent = list(lock_statements(locks, 500, 1000, clock=lambda: next(now)))
    exclusive = [statement for statement in sent if "SHARE UPDATE EXCLUSIVE" not in statement]
    assert exclusive == [
        "SET LOCAL lock_timeout = 3000",
        "SET LOCAL lock_timeout = 500",
        'LOCK TABLE ONLY "public"."a" IN ACCESS EXCLUSIVE MODE',
        "SET LOCAL lock_timeout = 200",
        'LOCK TABLE ONLY "public"."c" IN SHARE ROW EXCLUSIVE MODE',
        "SET LOCAL lock_timeout = 1",
        'LOCK TABLE ONLY "public"."d" IN SHARE ROW EXCLUSIVE MODE',
    ]
