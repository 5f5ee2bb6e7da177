"""What cannot be read is never taken for safe."""

from __future__ import annotations

from collections.abc import Iterator

from linters import actions
from linters.findings import Severity
from linters.rules.base import UNANALYSED, At, Found, rule


@rule(
    "unanalysed",
    UNANALYSED,
    actions.Opaque,
    condition="a statement cannot be read, or what it runs is put together at run time",
    effect="nobody knows what it locks, or what it breaks",
    safer="write the statement out, or try it with --shadow",
    severity=Severity.WARNING,
    bad="DO $$ BEGIN EXECUTE format('DROP TABLE %I', current_user); END $$",
    good="SELECT 1",
)
def opaque(at: At) -> Iterator[Found]:
    yield Found(at.action.reason)


@rule(
    "unknown-type-change",
    UNANALYSED,
    actions.ChangeType,
    condition="a column whose type is not known gets a type that it may have for free, or not",
    effect="reads and writes wait while the table is written again, unless the old type is one of the same bytes",
    safer="give the schema with --schema or --database-url",
    severity=Severity.WARNING,
    bad="ALTER TABLE t ALTER v TYPE varchar(40)",
    good="CREATE TABLE t (v varchar(20)); ALTER TABLE t ALTER v TYPE varchar(40)",
)
def type_change(at: At) -> Iterator[Found]:
    if at.cost.assumed and not at.cost.rewrites and at.in_use(at.action.table):
        yield Found(f"{at.action.column} TYPE {at.action.type}: {at.cost.assumed}")


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
