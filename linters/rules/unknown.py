"""What cannot be read is never taken for safe."""

from __future__ import annotations

from collections.abc import Iterator

from linters import actions
from linters.findings import Severity
from linters.postgresql.types import OWN_TYPES
from linters.rules.base import UNANALYSED, At, Found, rule
from linters.values import Kind

EXTENSION_TYPES = frozenset({"hstore", "ltree", "vector", "geometry", "geography", "cube", "regclass", "name"})


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
    condition="a type changes that may be had for free or not, as the old type or the TimeZone is",
    effect="reads and writes wait while the table is written again, unless its values stay the same bytes",
    safer="give the schema with --schema or --database-url",
    severity=Severity.WARNING,
    bad="ALTER TABLE t ALTER v TYPE varchar(40)",
    good="CREATE TABLE t (v varchar(20)); ALTER TABLE t ALTER v TYPE varchar(40)",
)
def type_change(at: At) -> Iterator[Found]:
    if at.cost.assumed and not at.cost.rewrites and at.in_use(at.action.table):
        yield Found(f"{at.action.column} TYPE {at.action.type}: {at.cost.assumed}")


@rule(
    "unknown-column-type",
    UNANALYSED,
    actions.AddColumn,
    condition="a column of a type is added that is neither the server's own nor known",
    effect="reads and writes wait while the table is written again, if it is a domain with constraints",
    safer="give the schema with --schema or --database-url",
    severity=Severity.NOTICE,
    bad="ALTER TABLE t ADD COLUMN points positive",
    good="CREATE TABLE t (id int); CREATE DOMAIN positive AS int; ALTER TABLE t ADD COLUMN points positive",
)
def column_type(at: At) -> Iterator[Found]:
    name = at.action.column.type.name
    known = name in OWN_TYPES or at.session.domains.get(name) is not None or at.session.enums.get(name) is not None
    known = known or name in EXTENSION_TYPES or at.session.given.complete
    if not known and not at.cost.rewrites and at.in_use(at.action.table):
        yield Found(f"{name} may be a domain with constraints, which writes the table again")


@rule(
    "unknown-index",
    UNANALYSED,
    actions.AddConstraint,
    condition="ADD CONSTRAINT … USING INDEX of an index that is not known",
    effect="the server refuses it unless the index is unique, whole and valid; a primary key may read every row",
    safer="give the schema with --schema or --database-url",
    severity=Severity.NOTICE,
    bad="ALTER TABLE t ADD UNIQUE USING INDEX t_a",
    good="CREATE TABLE t (a int); CREATE UNIQUE INDEX CONCURRENTLY t_a ON t (a);"
    " ALTER TABLE t ADD UNIQUE USING INDEX t_a",
)
def index(at: At) -> Iterator[Found]:
    name = at.action.constraint.using_index
    table = at.session.relation(at.action.table)
    if name and at.in_use(table.name) and not at.cost.error:
        made = at.session.indexes.get(table.name._replace(name=name))
        unknown = made is None or (at.action.constraint.kind is Kind.PRIMARY and not table.complete)
        if unknown:
            yield Found(f"whether {name} will do for {at.action.constraint.kind.value} is not known")


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
