"""Statements that write a table again."""

from __future__ import annotations

from collections.abc import Iterator

from linters import actions
from linters.rules.base import HAZARD, At, Found, rule, sql_name

T = "CREATE TABLE t (id bigint PRIMARY KEY, a int);"


@rule(
    "table-rewrites",
    HAZARD,
    actions.Rewrite,
    condition="VACUUM FULL, CLUSTER, SET LOGGED, SET UNLOGGED, SET TABLESPACE or SET ACCESS METHOD of a table in use",
    effect="reads and writes wait while the table and all its indexes are written again",
    safer="VACUUM for space, a second table kept in step for the rest",
    given=T,
    bad="VACUUM FULL t",
    good="VACUUM t",
)
def rewritten(at: At) -> Iterator[Found]:
    if at.worked_on(at.cost.rewrites):
        table = at.session.resolve(at.action.table)
        safer = f"VACUUM {sql_name(table)};" if at.action.by in ("VACUUM FULL", "CLUSTER") else ""
        yield Found(f"{at.action.by} writes {table} again while reads and writes wait", safer)


@rule(
    "set-expression-rewrites",
    HAZARD,
    actions.SetExpression,
    condition="a stored generated column gets another expression",
    effect="reads and writes wait while the table and all its indexes are written again",
    safer="a second column, kept in step by triggers, backfilled in batches",
    given="CREATE TABLE t (id bigint PRIMARY KEY, a int, g int GENERATED ALWAYS AS (a * 2) STORED);",
    bad="ALTER TABLE t ALTER g SET EXPRESSION AS (a * 3)",
    good="ALTER TABLE t ALTER g DROP EXPRESSION",
)
def expression(at: At) -> Iterator[Found]:
    if at.worked_on(at.cost.rewrites):
        yield Found(f"SET EXPRESSION of {at.action.column} writes {at.action.table} again")


@rule(
    "refresh-blocks-readers",
    HAZARD,
    actions.RefreshView,
    condition="REFRESH MATERIALIZED VIEW without CONCURRENTLY",
    effect="readers of the view wait until its query is done",
    safer="REFRESH MATERIALIZED VIEW CONCURRENTLY, which needs a unique index",
    given=T + "CREATE MATERIALIZED VIEW m AS SELECT id FROM t; CREATE UNIQUE INDEX m_id ON m (id);",
    bad="REFRESH MATERIALIZED VIEW m",
    good="REFRESH MATERIALIZED VIEW CONCURRENTLY m",
)
def refresh(at: At) -> Iterator[Found]:
    if not at.action.concurrently and at.in_use(at.action.table):
        view = at.session.resolve(at.action.table)
        yield Found(
            f"readers of {view} wait until its query is done",
            f"REFRESH MATERIALIZED VIEW CONCURRENTLY {sql_name(view)};",
        )
