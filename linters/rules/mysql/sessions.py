"""Transactions and settings of a session of MySQL and MariaDB."""

from __future__ import annotations

from collections.abc import Iterator

from linters import actions
from linters.findings import Severity
from linters.mysql import alterations
from linters.rules.base import HAZARD, At, Found
from linters.rules.mysql.base import AlterTable, T, rule

LONGEST_WAIT = 10
"""Seconds: longer than this a queue behind the lock is an outage."""
SET = "SET lock_wait_timeout = 2; "


def waits(at: At) -> float | None:
    """Seconds that a statement waits for its lock, None where nothing is set."""
    if isinstance(at.action, alterations.AlterTable) and at.action.wait is not None:
        return at.action.wait
    value = at.session.setting("lock_wait_timeout")
    try:
        return float(value) if value is not None else None
    except ValueError:
        return None


@rule(
    "implicit-commit",
    HAZARD,
    alterations.ImplicitCommit,
    condition="DDL stands in a transaction",
    effect="it commits what the transaction has done so far; ROLLBACK takes nothing of it back",
    safer="DDL outside transactions, one statement in a step of its own",
    severity=Severity.WARNING,
    given=T,
    bad="START TRANSACTION; ALTER TABLE t ADD COLUMN c INT; COMMIT",
    good="ALTER TABLE t ADD COLUMN c INT",
)
def implicit_commit(at: At) -> Iterator[Found]:
    if at.session.explicit:
        yield Found(f"{at.action.what} commits the transaction that it stands in")


@rule(
    "unclosed-transaction",
    HAZARD,
    actions.Begin,
    condition="a script begins a transaction and does not end it, or begins another inside it",
    effect="its work is undone when the session ends; a second BEGIN commits the first",
    safer="COMMIT at the end, one BEGIN for each",
    severity=Severity.WARNING,
    given=T,
    bad="BEGIN; UPDATE t SET a = 1 WHERE id = 1",
    good="BEGIN; UPDATE t SET a = 1 WHERE id = 1; COMMIT",
)
def unclosed(at: At) -> Iterator[Found]:
    if at.session.explicit:
        yield Found("BEGIN inside a transaction commits the first one")


@rule(
    "lock-timeout-useless",
    HAZARD,
    actions.Set,
    condition="lock_wait_timeout is set to more than ten seconds",
    effect="statements wait as if it were not set, and everybody queues behind them",
    safer="SET lock_wait_timeout = 2",
    given=T,
    bad="SET lock_wait_timeout = 3600; ALTER TABLE t ADD COLUMN c INT",
    good=SET + "ALTER TABLE t ADD COLUMN c INT",
)
def useless_timeout(at: At) -> Iterator[Found]:
    value = at.action.value
    if at.action.name == "lock_wait_timeout" and value is not None and value.isdigit() and int(value) > LONGEST_WAIT:
        yield Found(f"with lock_wait_timeout = {value} a statement waits so many seconds, and everybody behind it")


@rule(
    "lock-timeout-missing",
    HAZARD,
    AlterTable,
    actions.DropTable,
    actions.RenameTable,
    actions.CreateTrigger,
    actions.Truncate,
    condition="DDL on a table in use while no lock_wait_timeout is set",
    effect="behind an open transaction it waits up to a year (a day on MariaDB), and every statement behind it",
    safer="SET lock_wait_timeout = 2 at the head of the script, and try again; ALTER TABLE … WAIT 2 on MariaDB",
    severity=Severity.WARNING,
    default=False,
    given=T,
    bad="ALTER TABLE t ADD COLUMN c INT",
    good=SET + "ALTER TABLE t ADD COLUMN c INT",
)
def missing_timeout(at: At) -> Iterator[Found]:
    seconds = waits(at)
    if at.in_use(at.action.table) and (seconds is None or seconds > LONGEST_WAIT):
        yield Found(f"everybody who uses {at.session.resolve(at.action.table)} queues behind this statement", SET)
