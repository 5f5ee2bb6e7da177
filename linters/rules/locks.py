"""Locks that are brief once they are granted: what matters is who waits behind them meanwhile."""

from __future__ import annotations

import re
from collections.abc import Iterator

from linters import actions
from linters.absent import absent
from linters.findings import Severity
from linters.rules.base import HAZARD, At, Found, rule, sql_name, words
from linters.values import Mode

LONGEST_TIMEOUT = 10_000
"""Milliseconds: longer than this a queue behind the lock is an outage."""
T = "CREATE TABLE r (id bigint PRIMARY KEY); CREATE TABLE t (id bigint PRIMARY KEY, r_id bigint REFERENCES r, a int);"
FUNCTION = "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
FOREIGN_KEY = re.compile(r"fkey\d*$|_fk\d*$|^fk_|^fk", re.I)
"""Names of foreign keys where nothing else is known of them: the server's own, and those of usual conventions."""
SET = "SET lock_timeout = '2s'; "


def unbounded(at: At) -> bool:
    """Whether nothing stops the statement from waiting, and others from queueing behind it."""
    return not 0 < at.session.lock_timeout <= LONGEST_TIMEOUT


@rule(
    "trigger-blocks-writes",
    HAZARD,
    actions.CreateTrigger,
    actions.SwitchTrigger,
    condition="CREATE, ENABLE or DISABLE TRIGGER on a table in use without lock_timeout",
    effect="writes queue behind it for as long as it waits for a transaction that is open",
    safer="SET lock_timeout to a second or two and try again until it gets the lock",
    severity=Severity.WARNING,
    given=T + FUNCTION,
    bad="CREATE TRIGGER g BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION f()",
    good=SET + "CREATE TRIGGER g BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION f()",
)
def trigger(at: At) -> Iterator[Found]:
    if at.in_use(at.action.table) and unbounded(at):
        yield Found(f"writes to {at.action.table} queue behind the trigger for as long as it waits", SET.strip())


@rule(
    "drop-trigger-blocks",
    HAZARD,
    actions.DropTrigger,
    condition="DROP TRIGGER on a table in use without lock_timeout",
    effect="reads and writes queue behind it for as long as it waits for a transaction that is open",
    safer="SET lock_timeout to a second or two and try again until it gets the lock",
    severity=Severity.WARNING,
    given=T + FUNCTION + "CREATE TRIGGER g BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION f()",
    bad="DROP TRIGGER g ON t",
    good=SET + "DROP TRIGGER g ON t",
)
def drop_trigger(at: At) -> Iterator[Found]:
    if at.in_use(at.action.table) and unbounded(at):
        yield Found(f"reads and writes of {at.action.table} queue behind DROP TRIGGER", SET.strip())


@rule(
    "reference-blocks-target",
    HAZARD,
    actions.CreateTable,
    condition="a new table references a table in use, without lock_timeout",
    effect="writes to the referenced table queue behind it for as long as it waits",
    safer="SET lock_timeout to a second or two, one reference per transaction, and try again until it gets the lock",
    severity=Severity.WARNING,
    given=T,
    bad="CREATE TABLE n (id bigint PRIMARY KEY, r_id bigint REFERENCES r)",
    good=SET + "CREATE TABLE n (id bigint PRIMARY KEY, r_id bigint REFERENCES r)",
)
def reference(at: At) -> Iterator[Found]:
    if not unbounded(at):
        return
    table = at.session.resolve(at.action.table)
    locked = [
        n for n, mode in at.cost.locks.items() if mode is Mode.SHARE_ROW_EXCLUSIVE and n != table and at.in_use(n)
    ]
    if locked:
        yield Found(
            f"writes to {words(locked)} queue behind the new reference to it", SET.strip(), tables=tuple(locked)
        )


@rule(
    "drop-blocks-referenced",
    HAZARD,
    actions.DropConstraint,
    actions.DropTable,
    actions.DropColumn,
    condition="a foreign key goes, alone or with its table or column, without lock_timeout",
    effect="reads and writes of both tables queue behind it, the referenced one too",
    safer="drop the foreign key in a step of its own under a short lock_timeout, tried again until it gets the locks",
    severity=Severity.WARNING,
    given=T,
    bad="ALTER TABLE t DROP CONSTRAINT t_r_id_fkey",
    good=SET + "ALTER TABLE t DROP CONSTRAINT t_r_id_fkey",
)
def drop_reference(at: At) -> Iterator[Found]:
    if not unbounded(at):
        return
    table = at.session.resolve(at.action.table)
    others = [n for n, mode in at.cost.locks.items() if mode is Mode.ACCESS_EXCLUSIVE and n != table]
    found = [n for n in others if at.in_use(n) and table not in at.session.relation(n).parents]
    unknown = isinstance(at.action, actions.DropConstraint) and not at.session.relation(table).complete
    if unknown and not found and at.in_use(table) and FOREIGN_KEY.search(at.action.name):
        yield Found("reads and writes of the referenced table queue behind it too", SET.strip())
    if found and at.in_use(table):
        yield Found(f"reads and writes of {words(found)} queue behind it too", SET.strip(), tables=tuple(found))


@rule(
    "lock-table",
    HAZARD,
    actions.LockTable,
    condition="LOCK TABLE in a mode that keeps writes out of a table in use",
    effect="everybody waits until the transaction ends",
    safer="the weakest mode that does, NOWAIT or a short lock_timeout, and a transaction of one statement",
    given=T,
    bad="BEGIN; LOCK t; COMMIT",
    good="BEGIN; LOCK t IN SHARE UPDATE EXCLUSIVE MODE; COMMIT",
)
def lock_table(at: At) -> Iterator[Found]:
    if at.action.mode.blocks_writes and at.in_use(at.action.table):
        who = "reads and writes" if at.action.mode.blocks_reads else "writes"
        table = at.session.resolve(at.action.table)
        yield Found(
            f"{who} of {table} wait until this transaction ends",
            f"LOCK TABLE {sql_name(table)} IN SHARE UPDATE EXCLUSIVE MODE NOWAIT;",
        )


@rule(
    "row-security-blocks",
    HAZARD,
    actions.RowSecurity,
    condition="row level security or a policy changes on a table in use without lock_timeout",
    effect="reads and writes queue behind it for as long as it waits for a transaction that is open",
    safer="SET lock_timeout to a second or two and try again until it gets the lock",
    severity=Severity.WARNING,
    given=T,
    bad="CREATE POLICY own ON t USING (a = 1)",
    good=SET + "CREATE POLICY own ON t USING (a = 1)",
)
def row_security(at: At) -> Iterator[Found]:
    if at.in_use(at.action.table) and unbounded(at):
        yield Found(f"reads and writes of {at.action.table} queue behind {at.action.what}", SET.strip())


@rule(
    "lock-timeout-useless",
    HAZARD,
    actions.Set,
    condition="lock_timeout is set to nothing, or to more than ten seconds, or SET LOCAL outside a transaction",
    effect="statements wait as if it were not set, and everybody queues behind them",
    safer="SET lock_timeout = '2s', in the same transaction where it is LOCAL",
    given=T,
    bad="SET lock_timeout = 0; ALTER TABLE t ADD COLUMN b int",
    good=SET + "ALTER TABLE t ADD COLUMN b int",
)
def useless_timeout(at: At) -> Iterator[Found]:
    if at.action.name != "lock_timeout" or at.action.value is None:
        return
    if at.action.local and not at.session.in_transaction:
        yield Found("SET LOCAL outside a transaction sets nothing", "BEGIN; SET LOCAL lock_timeout = '2s'; …; COMMIT;")
        return
    found = type(at.session)(at.session.given)
    found.settings.put("lock_timeout", at.action.value)
    if found.milliseconds("lock_timeout") is None:
        return
    if not 0 < found.lock_timeout <= LONGEST_TIMEOUT:
        what = "never gives up" if found.lock_timeout <= 0 else f"waits {at.action.value}"
        yield Found(f"with lock_timeout = {at.action.value} a statement {what}, and everybody behind it", SET.strip())


@rule(
    "lock-timeout-missing",
    HAZARD,
    condition="a statement takes a lock that blocks others on a table in use, and no lock_timeout is in force",
    effect="everybody queues behind it for as long as it waits for a transaction that is open",
    safer="SET lock_timeout = '2s' at the head of the script, and try again until it gets the lock",
    severity=Severity.WARNING,
    default=False,
    given=T,
    bad="ALTER TABLE t ADD COLUMN b int",
    good=SET + "ALTER TABLE t ADD COLUMN b int",
)
def missing_timeout(at: At) -> Iterator[Found]:
    blocked = [n for n, mode in at.cost.locks.items() if mode.blocks_writes and at.in_use(n)]
    if blocked and unbounded(at):
        yield Found(f"everybody who uses {words(blocked)} queues behind this statement", SET.strip())


@rule(
    "timeout-cancels-build",
    HAZARD,
    actions.CreateIndex,
    actions.ValidateConstraint,
    condition="statement_timeout is set around CREATE INDEX CONCURRENTLY or VALIDATE CONSTRAINT",
    effect="the build is cancelled after hours of work, and leaves an invalid index",
    safer="SET statement_timeout = 0 for this statement, which blocks nobody",
    given=T,
    bad="SET statement_timeout = '5s'; CREATE INDEX CONCURRENTLY t_a ON t (a)",
    good="SET statement_timeout = 0; CREATE INDEX CONCURRENTLY t_a ON t (a)",
)
def cancelled_build(at: At) -> Iterator[Found]:
    timeout = at.session.milliseconds("statement_timeout")
    long = not isinstance(at.action, actions.CreateIndex) or at.action.concurrently
    if timeout and long and at.in_use(at.action.table):
        yield Found(
            f"statement_timeout = {at.session.setting('statement_timeout')} would cancel it half way",
            "SET statement_timeout = 0;",
        )


@rule(
    "truncate",
    HAZARD,
    actions.Truncate,
    condition="TRUNCATE of a table in use",
    effect="reads and writes wait, and all rows are gone; CASCADE takes those of referencing tables along",
    safer="DELETE in batches, or detach a partition",
    given=T,
    bad="TRUNCATE t",
    good="DELETE FROM t WHERE id = 1",
)
def truncate(at: At) -> Iterator[Found]:
    if at.in_use(at.action.table):
        along = " and of every table that references it" if at.action.cascade else ""
        yield Found(f"all rows of {at.action.table}{along} are gone")


@rule(
    "statement-fails",
    HAZARD,
    condition="the server refuses the statement in the state it finds",
    effect="the migration stops in the middle",
    safer="take away what stands in the way first",
    given="CREATE TABLE t (id bigint PRIMARY KEY, v varchar(20)); CREATE VIEW w AS SELECT v FROM t;",
    bad="ALTER TABLE t ALTER v TYPE varchar(40)",
    good="ALTER TABLE t ADD COLUMN v2 varchar(40)",
)
def refused(at: At) -> Iterator[Found]:
    if at.cost.error:
        yield Found(f"the server refuses this: {at.cost.error}")
        return
    name = absent(at.action, at.statement, at.session)
    if name is not None:
        yield Found(f"the server refuses this: there is no {name}")
