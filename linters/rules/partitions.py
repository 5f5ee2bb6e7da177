"""Partitions that come and go."""

from __future__ import annotations

from collections.abc import Iterator

from linters import actions
from linters.rules.base import HAZARD, At, Found, code, quoted, rule, schema_of, sql_name, words
from linters.rules.locks import unbounded

P = """CREATE TABLE p (k int, a int) PARTITION BY RANGE (k);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10);
CREATE TABLE q (k int, a int); INSERT INTO q VALUES (11, 1);"""


@rule(
    "attach-partition-scans",
    HAZARD,
    actions.AttachPartition,
    condition="ATTACH PARTITION of a table without a valid CHECK that covers the bound and NOT NULL of the key",
    effect="reads and writes of the partition, and of the default partition, wait while every row is checked",
    safer="ADD CHECK … NOT VALID, VALIDATE, then ATTACH",
    given=P,
    bad="ALTER TABLE p ATTACH PARTITION q FOR VALUES FROM (10) TO (20)",
    good="""ALTER TABLE q ADD CONSTRAINT q_k CHECK (k IS NOT NULL AND k >= 10 AND k < 20) NOT VALID;
ALTER TABLE q VALIDATE CONSTRAINT q_k;
ALTER TABLE p ATTACH PARTITION q FOR VALUES FROM (10) TO (20);""",
)
def attach(at: At) -> Iterator[Found]:
    tables = at.worked_on(at.cost.scans)
    if not tables:
        return
    child = at.session.resolve(at.action.partition)
    name = quoted(f"{child.name}_bound")
    yield Found(
        f"every row of {words(tables)} is checked while reads and writes of it wait",
        f"ALTER TABLE {sql_name(tables[0])} ADD CONSTRAINT {name} CHECK (… IS NOT NULL AND …) NOT VALID;\n"
        f"ALTER TABLE {sql_name(tables[0])} VALIDATE CONSTRAINT {name};",
        code("AttachPartition", at.action.table.name, child.name, "…", schema=schema_of(child)),
    )


@rule(
    "create-partition-blocks",
    HAZARD,
    actions.CreateTable,
    condition="CREATE TABLE … PARTITION OF a table in use",
    effect="reads and writes of all partitions wait for the lock, and while the default partition is checked",
    safer="CREATE TABLE … (LIKE …), then ATTACH PARTITION, which lets reads and writes go on",
    given=P,
    bad="CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (10) TO (20)",
    good="CREATE TABLE p2 (LIKE p); ALTER TABLE p ATTACH PARTITION p2 FOR VALUES FROM (10) TO (20)",
)
def partition_of(at: At) -> Iterator[Found]:
    if not at.action.bound:
        return
    parents = [at.session.resolve(p) for p in at.action.relation.parents if at.in_use(p)]
    if parents:
        child, parent = sql_name(at.action.table), sql_name(parents[0])
        yield Found(
            f"reads and writes of {words(parents)} wait for CREATE TABLE … PARTITION OF",
            f"CREATE TABLE {child} (LIKE {parent} INCLUDING DEFAULTS INCLUDING CONSTRAINTS);\n"
            f"ALTER TABLE {parent} ATTACH PARTITION {child} …;",
        )


@rule(
    "detach-partition-blocks",
    HAZARD,
    actions.DetachPartition,
    condition="DETACH PARTITION without CONCURRENTLY",
    effect="reads and writes of all partitions wait for the lock, and everybody behind it",
    safer="DETACH PARTITION … CONCURRENTLY (PostgreSQL 14), outside any transaction",
    given=P,
    bad="ALTER TABLE p DETACH PARTITION p1",
    good="ALTER TABLE p DETACH PARTITION p1 CONCURRENTLY",
)
def detach(at: At) -> Iterator[Found]:
    parent = at.session.relation(at.action.table)
    if at.action.concurrently or at.action.finalize or not at.in_use(parent.name):
        return
    if at.phase == "contract" and not unbounded(at):
        return  # whoever runs a phase tries again until it gets the lock
    if parent.has_default_partition or at.session.version < 14:
        safer = "under a short lock_timeout, tried again until it gets the lock: CONCURRENTLY is refused here"
    else:
        safer = f"ALTER TABLE {sql_name(parent.name)} DETACH PARTITION {sql_name(at.action.partition)} CONCURRENTLY;"
    operation = code("DetachPartition", parent.name.name, at.action.partition.name, schema=schema_of(parent.name))
    yield Found(f"reads and writes of {parent.name} wait for DETACH PARTITION", safer, operation)
