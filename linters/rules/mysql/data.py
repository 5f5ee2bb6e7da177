"""Statements of MySQL and MariaDB that change or copy many rows at once, and what cannot be read."""

from __future__ import annotations

from collections.abc import Iterator

from linters import actions
from linters.findings import Severity
from linters.rules.base import HAZARD, UNANALYSED, At, Found
from linters.rules.mysql.base import T, rule


@rule(
    "unbatched-write",
    HAZARD,
    actions.Write,
    condition="UPDATE or DELETE of a table in use that may change many rows in one transaction",
    effect="every row it looks at stays locked until the last one is done; replicas lag, the undo log grows",
    safer="batches by key, a transaction each",
    given=T,
    bad="UPDATE t SET a = 1",
    good="UPDATE t SET a = 1 WHERE id = 7",
)
def unbatched(at: At) -> Iterator[Found]:
    action = at.action
    if action.what not in ("UPDATE", "DELETE") or action.bounded or not at.in_use(action.table):
        return
    table = at.session.resolve(action.table)
    how_many = "every row" if not action.filtered else "every row that matches"
    yield Found(
        f"{action.what} locks {how_many} of {table} until the last one is done",
        f"{action.what} … {table} WHERE id BETWEEN … AND …;  -- one transaction for each batch",
        severity=None if not action.filtered else Severity.WARNING,
    )


@rule(
    "copies-rows",
    HAZARD,
    actions.Write,
    actions.CreateTable,
    condition="INSERT … SELECT or CREATE TABLE … SELECT copies the rows of a table in use in one transaction",
    effect="the rows that are read stay locked for as long as it takes; replicas lag",
    safer="batches by key, a transaction each",
    severity=Severity.WARNING,
    given=T,
    bad="INSERT INTO r SELECT id FROM t",
    good="INSERT INTO r VALUES (1)",
)
def copies(at: At) -> Iterator[Found]:
    action = at.action
    copied = isinstance(action, actions.Write) and action.from_query and any(at.in_use(n) for n in action.reads)
    if copied or (isinstance(action, actions.CreateTable) and action.is_copy):
        yield Found(f"all rows of the query go into {at.session.resolve(action.table)} in one transaction")


@rule(
    "truncate",
    HAZARD,
    actions.Truncate,
    condition="TRUNCATE of a table in use",
    effect="reads and writes wait, and all rows are gone",
    safer="DELETE in batches, or drop a partition",
    given=T,
    bad="TRUNCATE TABLE t",
    good="DELETE FROM t WHERE id = 1",
)
def truncate(at: At) -> Iterator[Found]:
    if at.in_use(at.action.table):
        yield Found(f"all rows of {at.action.table} are gone")


@rule(
    "lock-table",
    HAZARD,
    actions.LockTable,
    condition="LOCK TABLES of a table in use",
    effect="writers, or readers too, wait until UNLOCK TABLES",
    safer="leave it out: every statement takes the locks that it needs",
    given=T,
    bad="LOCK TABLES t WRITE",
    good="SELECT id FROM t WHERE id = 1 FOR UPDATE",
)
def lock_table(at: At) -> Iterator[Found]:
    if at.in_use(at.action.table):
        who = "reads and writes" if at.action.mode.blocks_reads else "writes"
        yield Found(f"{who} of {at.session.resolve(at.action.table)} wait until UNLOCK TABLES")


@rule(
    "unanalysed",
    UNANALYSED,
    actions.Opaque,
    condition="a statement cannot be read, or what it runs is put together at run time",
    effect="nobody knows what it locks, or what it breaks",
    safer="write the statement out, or try it with --shadow",
    severity=Severity.WARNING,
    bad="PREPARE s FROM @sql",
    good="SELECT 1",
)
def opaque(at: At) -> Iterator[Found]:
    yield Found(at.action.reason)


@rule(
    "unknown-routine",
    UNANALYSED,
    actions.CallRoutine,
    condition="CALL of a procedure whose body is not known",
    effect="nobody knows what it locks, or what it breaks",
    safer="write the statements out, or give the schema with --schema",
    severity=Severity.WARNING,
    bad="CALL cleanup()",
    good="SELECT 1",
)
def routine(at: At) -> Iterator[Found]:
    if at.session.routines.get(at.action.name) is None:
        yield Found(f"what {at.action.name}() does is not known")
