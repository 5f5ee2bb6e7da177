"""Statements that change many rows at once."""

from __future__ import annotations

from collections.abc import Iterator

from linters import actions
from linters.findings import Severity
from linters.rules.base import COMPATIBILITY, HAZARD, At, Found, code, rule, sql_name

T = "CREATE TABLE t (id bigint PRIMARY KEY, a int); CREATE TABLE u (id bigint PRIMARY KEY, a int);"


@rule(
    "unbatched-write",
    HAZARD,
    actions.Write,
    condition="UPDATE, DELETE or MERGE of a table in use that may change many rows in one transaction",
    effect="every row it has changed stays locked until the last one is done; replicas lag, the table bloats",
    safer="batches by key, a transaction each",
    given=T,
    bad="UPDATE t SET a = 1",
    good="UPDATE t SET a = 1 WHERE id = 7",
)
def unbatched(at: At) -> Iterator[Found]:
    action = at.action
    if action.what not in ("UPDATE", "DELETE", "MERGE") or not at.in_use(action.table) or at.few_rows(action):
        return
    table = at.session.resolve(action.table)
    how_many = "every row" if not action.filtered else "every row that matches"
    operation = (
        code("Backfill", table.name, "{…}", where="…").replace('"{…}"', "{…}") if action.what == "UPDATE" else ""
    )
    yield Found(
        f"{action.what} locks {how_many} of {table} until the last one is done",
        f"{action.what} … {sql_name(table)} WHERE id BETWEEN … AND …;  -- one transaction for each batch",
        operation,
        severity=None if not action.filtered else Severity.WARNING,
    )


@rule(
    "copies-rows",
    HAZARD,
    actions.Write,
    actions.CreateTable,
    condition="INSERT … SELECT or CREATE TABLE … AS copies the rows of a table in use in one transaction",
    effect="one snapshot is held for as long as it takes, so nothing can be vacuumed; replicas lag",
    safer="batches by key, a transaction each",
    severity=Severity.WARNING,
    given=T,
    bad="INSERT INTO u SELECT id + 100, a FROM t",
    good="INSERT INTO u VALUES (7, 2)",
)
def copies(at: At) -> Iterator[Found]:
    action = at.action
    if (isinstance(action, actions.Write) and action.from_query and any(at.in_use(name) for name in action.reads)) or (
        isinstance(action, actions.CreateTable) and action.is_copy and not action.relation.temporary
    ):
        yield Found(f"all rows of the query go into {at.session.resolve(action.table)} in one transaction")


@rule(
    "replica-identity-lost",
    COMPATIBILITY,
    actions.ReplicaIdentity,
    actions.DropConstraint,
    condition="the replica identity of a table is NOTHING, or its primary key is dropped",
    effect="UPDATE and DELETE fail where the table is published",
    safer="set another replica identity first",
    severity=Severity.WARNING,
    given=T + "CREATE PUBLICATION changes FOR TABLE t;",
    bad="ALTER TABLE t REPLICA IDENTITY NOTHING",
    good="ALTER TABLE t REPLICA IDENTITY FULL",
)
def identity(at: At) -> Iterator[Found]:
    table = at.session.relation(at.action.table)
    if not at.in_use(table.name):
        return
    if isinstance(at.action, actions.DropConstraint):
        found = table.constraint(at.action.name)
        if found is None or found.kind.value != "PRIMARY KEY" or not table.published:
            return
    elif at.action.what != "NOTHING" or (at.session.given.complete and not table.published):
        return
    yield Found(f"UPDATE and DELETE of {table.name} fail where it is published")


@rule(
    "autovacuum-off",
    HAZARD,
    actions.Tune,
    condition="autovacuum is switched off for a table",
    effect="dead rows stay, and the transaction counter nears its end",
    safer="leave it on; let it work harder with autovacuum_vacuum_scale_factor",
    severity=Severity.WARNING,
    given=T,
    bad="ALTER TABLE t SET (autovacuum_enabled = false)",
    good="ALTER TABLE t SET (autovacuum_vacuum_scale_factor = 0.01)",
)
def autovacuum(at: At) -> Iterator[Found]:
    off = [n for n, value in at.action.options if n == "autovacuum_enabled" and value in ("false", "off", "0", "no")]
    if off:
        yield Found(f"dead rows of {at.action.table} stay until it is on again")


@rule(
    "composite-cascade",
    HAZARD,
    actions.AlterComposite,
    condition="an attribute of a composite type changes with CASCADE",
    effect="reads and writes of every table of that type wait",
    safer="columns instead of a composite type",
    severity=Severity.WARNING,
    given="CREATE TYPE pair AS (a int); CREATE TABLE t OF pair;",
    bad="ALTER TYPE pair ADD ATTRIBUTE b int CASCADE",
    good="CREATE TYPE triple AS (a int, b int)",
)
def composite(at: At) -> Iterator[Found]:
    if at.action.cascade and (at.cost.locks or not at.session.given.complete):
        yield Found(f"every table of type {at.action.type} is changed while its readers and writers wait")
