"""Indexes that are built, built again or dropped while writes wait."""

from __future__ import annotations

from collections.abc import Iterator

from linters import actions
from linters.rules.base import HAZARD, At, Found, code, listing, quoted, rule, schema_of, sql_name, words
from linters.values import Name

T = "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);"
PARTITIONED = "CREATE TABLE p (k int, a int) PARTITION BY RANGE (k); CREATE TABLE p1 PARTITION OF p DEFAULT;"


def keys(at: At) -> str:
    return listing(name for name in at.action.index.columns if name) or "…"


@rule(
    "index-blocks-writes",
    HAZARD,
    actions.CreateIndex,
    condition="an index of a table in use is built without CONCURRENTLY",
    effect="every write to the table waits until the index is built",
    safer="CREATE INDEX CONCURRENTLY, in a step of its own outside any transaction",
    given=T,
    bad="CREATE INDEX t_a ON t (a)",
    good="CREATE INDEX CONCURRENTLY t_a ON t (a)",
)
def plain_index(at: At) -> Iterator[Found]:
    index, table = at.action.index, at.session.relation(at.action.table)
    if at.action.concurrently or table.kind == "partitioned" or not at.worked_on(at.cost.builds):
        return
    unique = "UNIQUE " if index.unique else ""
    name = f"{quoted(index.name.name)} " if index.name.name else ""
    safer = f"CREATE {unique}INDEX CONCURRENTLY {name}ON {sql_name(table.name)} ({keys(at)});"
    operation = ""
    if all(index.columns) and not index.partial:
        operation = code(
            "CreateIndex", table.name.name, list(index.columns), name=index.name.name, unique=index.unique or None,
            schema=schema_of(table.name),
        )  # fmt: skip
    yield Found(f"building {index.name.name or 'an index'} holds up every write to {table.name}", safer, operation)


@rule(
    "index-of-partitioned-table",
    HAZARD,
    actions.CreateIndex,
    condition="an index of a partitioned table is built on all its partitions at once",
    effect="writes to every partition wait until all of them have the index; CONCURRENTLY is refused",
    safer="CREATE INDEX … ON ONLY the partitioned table, CREATE INDEX CONCURRENTLY on each partition, then ATTACH",
    given=PARTITIONED,
    bad="CREATE INDEX p_a ON p (a)",
    good="""CREATE INDEX p_a ON ONLY p (a);
CREATE INDEX CONCURRENTLY p1_a ON p1 (a);
ALTER INDEX p_a ATTACH PARTITION p1_a;""",
)
def partitioned_index(at: At) -> Iterator[Found]:
    table = at.session.relation(at.action.table)
    if table.kind != "partitioned" or at.action.only or not at.in_use(table.name):
        return
    index = at.action.index.name.name or f"{table.name.name}_idx"
    leaves = [child.name for child in at.session.children(table.name)] or [Name("", "each_partition")]
    steps = [f"CREATE INDEX {quoted(index)} ON ONLY {sql_name(table.name)} ({keys(at)});"]
    for leaf in leaves:
        own = quoted(f"{leaf.name}_{index}")
        steps += [
            f"CREATE INDEX CONCURRENTLY {own} ON {sql_name(leaf)} ({keys(at)});",
            f"ALTER INDEX {quoted(index)} ATTACH PARTITION {own};",
        ]
    if at.action.concurrently:
        message = f"{table.name} is partitioned: CONCURRENTLY is refused"
    else:
        message = f"building {index} holds up every write to {table.name} and its partitions"
    operation = code("CreateIndex", table.name.name, list(at.action.index.columns), schema=schema_of(table.name))
    yield Found(message, "\n".join(steps), operation if all(at.action.index.columns) else "")


@rule(
    "drop-index-blocks",
    HAZARD,
    actions.DropIndex,
    condition="an index is dropped without CONCURRENTLY",
    effect="reads and writes of its table wait until every transaction before it is over",
    safer="DROP INDEX CONCURRENTLY, in a step of its own outside any transaction",
    given=T + "CREATE INDEX t_a ON t (a)",
    bad="DROP INDEX t_a",
    good="DROP INDEX CONCURRENTLY t_a",
)
def drop_index(at: At) -> Iterator[Found]:
    name = at.session.resolve(at.action.index)
    index = at.session.indexes.get(name)
    if at.action.concurrently or (index is not None and not at.in_use(index.table)):
        return
    if index is not None and at.session.relation(index.table).kind == "partitioned":
        return
    held = at.held(index.table) if index is not None else None
    if at.phase == "contract" and held is not None and held.mode.blocks_reads:
        return  # part of a switch that keeps everybody out already
    table = f" on {index.table}" if index is not None else ""
    yield Found(
        f"dropping {name.name}{table} waits for everybody, and everybody waits for it",
        f"DROP INDEX CONCURRENTLY {sql_name(name)};",
        code("DropIndex", name.name, schema=schema_of(name)),
    )


@rule(
    "reindex-blocks",
    HAZARD,
    actions.Reindex,
    condition="an index is built again without CONCURRENTLY",
    effect="writes to the table wait, and reads that would use the index",
    safer="REINDEX … CONCURRENTLY, outside any transaction",
    given=T,
    bad="REINDEX TABLE t",
    good="REINDEX TABLE CONCURRENTLY t",
)
def reindex(at: At) -> Iterator[Found]:
    tables = [table for table in at.cost.builds if at.in_use(table)]
    known = at.action.what in ("TABLE", "INDEX") and at.cost.builds
    if at.action.concurrently or (known and not tables):
        return
    target = sql_name(at.action.name)
    yield Found(
        f"REINDEX of {at.action.name.name} holds up every write to {words(tables) or 'its table'}",
        f"REINDEX {at.action.what} CONCURRENTLY {target};",
    )


@rule(
    "invalid-index-hidden",
    HAZARD,
    actions.CreateIndex,
    condition="CREATE INDEX CONCURRENTLY IF NOT EXISTS",
    effect="a build that failed leaves an invalid index, which the next run takes for done: nothing uses it",
    safer="DROP INDEX CONCURRENTLY IF EXISTS first, then CREATE INDEX CONCURRENTLY without IF NOT EXISTS",
    given=T,
    bad="CREATE INDEX CONCURRENTLY IF NOT EXISTS t_a ON t (a)",
    good="DROP INDEX CONCURRENTLY IF EXISTS t_a; CREATE INDEX CONCURRENTLY t_a ON t (a)",
)
def hidden_index(at: At) -> Iterator[Found]:
    name = at.action.index.name
    if at.action.concurrently and at.action.if_not_exists and at.in_use(at.action.table):
        known = at.session.indexes.get(at.session.resolve(name))
        if known is not None and known.valid and at.session.given.complete:
            return
        unique = "UNIQUE " if at.action.index.unique else ""
        yield Found(
            f"an invalid {name.name}, left by a build that failed, would pass for the real one",
            f"DROP INDEX CONCURRENTLY IF EXISTS {sql_name(name)};\n"
            f"CREATE {unique}INDEX CONCURRENTLY {quoted(name.name)} ON {sql_name(at.action.table)} ({keys(at)});",
        )
