"""Statements that are harmless alone, and not in the transaction they stand in."""

from __future__ import annotations

from collections.abc import Iterator

from linters import actions
from linters.findings import Severity
from linters.rules.base import HAZARD, At, Found, rule, words
from linters.values import Mode, Name

T = "CREATE TABLE t (id bigint PRIMARY KEY, a int); CREATE TABLE u (id bigint PRIMARY KEY, a int);"


@rule(
    "concurrently-in-transaction",
    HAZARD,
    actions.CreateIndex,
    actions.DropIndex,
    actions.Reindex,
    actions.DetachPartition,
    actions.OutsideTransaction,
    condition="CONCURRENTLY, VACUUM or another statement that no transaction may hold stands in one",
    effect="the statement fails, and what the transaction did before it is undone",
    safer="a step of its own outside any transaction: autocommit_block() in Alembic, -- no-transaction elsewhere",
    given=T,
    bad="BEGIN; CREATE INDEX CONCURRENTLY t_a ON t (a); COMMIT",
    good="CREATE INDEX CONCURRENTLY t_a ON t (a)",
)
def concurrently(at: At) -> Iterator[Found]:
    alone = isinstance(at.action, actions.OutsideTransaction) or at.action.concurrently
    if alone and at.session.in_transaction:
        what = at.action.what if isinstance(at.action, actions.OutsideTransaction) else "CONCURRENTLY"
        yield Found(f"{what} fails inside a transaction", "COMMIT;  -- first, and then this statement alone")


@rule(
    "locks-of-several-tables",
    HAZARD,
    condition="one transaction takes locks that keep reads or writes from several tables in use",
    effect="the first table waits for the second, and whoever locks them the other way round is a deadlock",
    safer="one table per transaction",
    severity=Severity.WARNING,
    given=T,
    bad="BEGIN; ALTER TABLE t ADD COLUMN b int; ALTER TABLE u ADD COLUMN b int; COMMIT",
    good="ALTER TABLE t ADD COLUMN b int; ALTER TABLE u ADD COLUMN b int",
)
def several_tables(at: At) -> Iterator[Found]:
    if not at.session.in_transaction:
        return
    held = at.session.held
    had = {n for n in at.cost.locks if n in held and held[n].mode.blocks_writes}
    added = [n for n, mode in at.cost.locks.items() if mode.blocks_writes and n not in had and at.in_use(n)]
    if not added:
        return
    before = {n for n, lock in held.items() if lock.mode.blocks_writes and not lock.renamed and at.in_use(n)}
    gone = {n for n in before if at.session.given.complete and not at.session.knows(n)}
    before = {n for n in before - gone if at.session.relation(n).kind != "view"}
    if before and added and not related(before, added, at):
        first = min(before, key=lambda name: held[name].line)
        yield Found(
            f"{words(sorted(before))} stays locked from line {held[first].line} on while this waits for {words(added)}",
            "COMMIT;  -- before it",
        )


def related(before: set[Name], added: list[Name], at: At) -> bool:
    """Partitions of one table, the two sides of one foreign key, and a sequence of a column cannot be had apart."""
    for name in added:
        if reads_one_of(before, name, at):
            continue
        if any(name.name.startswith(f"{n.name}_") and name.name.endswith("_seq") for n in before):
            continue
        relation = at.session.relation(name)
        parents = {*relation.parents, *(c.references for c in relation.constraints if c.references)}
        others = {c.references for n in before for c in at.session.relation(n).constraints if c.references}
        if not ({*parents} & before or name in others or any(name in at.session.relation(n).parents for n in before)):
            return False
    return True


def reads_one_of(tables: set[Name], name: Name, at: At) -> bool:
    """Whether it is a view over one of the tables, or over such a view: it goes and comes with them."""
    relation = at.session.relation(name)
    if relation.kind != "view":
        return False
    return any(table in tables or reads_one_of(tables, table, at) for table in {table for table, _ in relation.reads})


@rule(
    "work-under-lock",
    HAZARD,
    actions.Write,
    actions.CreateIndex,
    actions.Read,
    actions.CreateTable,
    condition="rows are written, copied or read in the transaction that holds a lock on a table in use",
    effect="everybody waits for as long as the work takes, not for as long as the DDL does",
    safer="COMMIT between the DDL and the work, and do the work in batches",
    given=T,
    bad="BEGIN; ALTER TABLE t ADD COLUMN b int; UPDATE t SET b = a WHERE b IS NULL; COMMIT",
    good="ALTER TABLE t ADD COLUMN b int; UPDATE t SET b = a WHERE id = 1",
)
def work_under_lock(at: At) -> Iterator[Found]:
    if not at.session.held or not takes_long(at):
        return
    held = [n for n, lock in at.session.held.items() if lock.mode.blocks_writes and at.in_use(n)]
    if not held:
        return
    first = min((at.session.held[name] for name in held), key=lambda lock: lock.line)
    who = "reads and writes" if first.mode is Mode.ACCESS_EXCLUSIVE else "writes"
    yield Found(
        f"{who} of {words(held)} wait for it, because of the lock of line {first.line}", "COMMIT;  -- before it"
    )


def takes_long(at: At) -> bool:
    action = at.action
    if isinstance(action, actions.Write):
        size = not at.few_rows(action)
        target = at.in_use(action.table)
        return size and (target or any(at.in_use(name) for name in action.reads))
    if isinstance(action, actions.CreateIndex):
        return (
            not action.concurrently
            and bool(at.cost.builds)
            and at.in_use(action.table)
            and at.held(action.table) is None
        )
    if isinstance(action, actions.Read):
        return not action.bounded and any(is_table(at, name) for name in action.tables)
    return isinstance(action, actions.CreateTable) and action.is_copy


def is_table(at: At, name: Name) -> bool:
    """Whether rows are read from it that are in use: not those of the server's own catalog, nor that of a sequence."""
    own = name.schema in ("pg_catalog", "information_schema") or name.name.startswith("pg_")
    return not own and at.session.relation(name).kind != "sequence" and at.in_use(name)


@rule(
    "enum-value-used-at-once",
    HAZARD,
    actions.Write,
    actions.Read,
    actions.AddColumn,
    actions.SetDefault,
    condition="a value is added to an enum type and used in the same transaction",
    effect="the statement fails: unsafe use of new value",
    safer="COMMIT between ADD VALUE and the first use",
    given="CREATE TYPE mood AS ENUM ('sad'); CREATE TABLE t (m mood);",
    bad="BEGIN; ALTER TYPE mood ADD VALUE 'glad'; INSERT INTO t VALUES ('glad'); COMMIT",
    good="ALTER TYPE mood ADD VALUE 'glad'; INSERT INTO t VALUES ('glad')",
)
def enum_value(at: At) -> Iterator[Found]:
    used = getattr(at.action, "labels", ())
    if isinstance(at.action, actions.AddColumn | actions.SetDefault):
        given = at.action.column.default if isinstance(at.action, actions.AddColumn) else at.action.default
        used = (str(given).strip("'").partition("'")[0],) if given is not None and at.session.new_values else ()
    for value in used:
        if at.session.in_transaction and value in at.session.new_values:
            yield Found(f"'{value}' was added in this transaction, and may not be used before it commits", "COMMIT;")


@rule(
    "unclosed-transaction",
    HAZARD,
    actions.Begin,
    condition="a script begins a transaction and does not end it, or begins another inside it",
    effect="its work is undone when the session ends, or commits at another place than it seems",
    safer="COMMIT at the end, one BEGIN for each",
    severity=Severity.WARNING,
    given=T,
    bad="BEGIN; ALTER TABLE t ADD COLUMN b int",
    good="BEGIN; ALTER TABLE t ADD COLUMN b int; COMMIT",
)
def unclosed(at: At) -> Iterator[Found]:
    if isinstance(at.action, actions.Begin) and at.session.explicit:
        yield Found("BEGIN inside a transaction begins nothing; the first COMMIT ends both")
