"""What the live version survives, but may be surprised by. Off unless asked for."""

from __future__ import annotations

from collections.abc import Iterator

from linters import actions
from linters.findings import Severity
from linters.rules.base import COMPATIBILITY, At, Found, code, rule, schema_of
from linters.rules.compatibility import CONTRACT, T, own


@rule(
    "new-rule-for-old-writers",
    COMPATIBILITY,
    actions.AddConstraint,
    actions.CreateIndex,
    condition="a constraint, NOT VALID or not, or a unique index is added that writers of the live version may break",
    effect="their INSERT and UPDATE fail from then on",
    safer="release a version that keeps the rule first",
    severity=Severity.NOTICE,
    default=False,
    harmless_in=CONTRACT,
    given=T,
    bad="ALTER TABLE t ADD CONSTRAINT t_a CHECK (a > 0) NOT VALID",
    good="ALTER TABLE t ADD COLUMN d int",
)
def stricter(at: At) -> Iterator[Found]:
    if not at.in_use(at.action.table):
        return
    if isinstance(at.action, actions.CreateIndex):
        broken = f"UNIQUE INDEX {at.action.index.name.name}" if at.action.index.unique else ""
    else:
        broken = at.action.constraint.kind.value if at.action.constraint.enforced else ""
    if broken:
        yield Found(f"writers of {own(at)} that break {broken} fail from then on")


@rule(
    "drop-not-null",
    COMPATIBILITY,
    actions.DropNotNull,
    condition="a column may be NULL from then on",
    effect="readers of the live version may meet a NULL they do not expect",
    safer="release readers that bear NULL first",
    severity=Severity.NOTICE,
    default=False,
    given=T,
    bad="ALTER TABLE t ALTER b DROP NOT NULL",
    good="ALTER TABLE t ALTER b SET DEFAULT 'y'",
)
def drop_not_null(at: At) -> Iterator[Found]:
    if at.in_use(at.action.table):
        yield Found(
            f"readers of {own(at)}.{at.action.column} may meet NULL",
            operation=code("DropNotNull", own(at).name, at.action.column, schema=schema_of(own(at))),
        )


@rule(
    "changed-default",
    COMPATIBILITY,
    actions.SetDefault,
    condition="the default of a column changes",
    effect="frameworks that remember defaults write the old one, others the new one",
    safer="give the value explicitly in a release before",
    severity=Severity.NOTICE,
    default=False,
    given=T,
    bad="ALTER TABLE t ALTER b SET DEFAULT 'y'",
    good="ALTER TABLE t ADD COLUMN d int",
)
def changed_default(at: At) -> Iterator[Found]:
    known = at.session.relation(at.action.table).column(at.action.column)
    if at.in_use(at.action.table) and not (known is not None and known.default is None):
        yield Found(f"{own(at)}.{at.action.column} gets another default than writers may remember")


@rule(
    "new-enum-value",
    COMPATIBILITY,
    actions.AddEnumValue,
    condition="a value is added to an enum type",
    effect="readers of the live version may meet a value they do not know",
    safer="release readers that know it first",
    severity=Severity.NOTICE,
    default=False,
    given="CREATE TYPE mood AS ENUM ('sad', 'happy'); CREATE TABLE t (m mood);",
    bad="ALTER TYPE mood ADD VALUE 'glad'",
    good="CREATE TYPE colour AS ENUM ('red')",
)
def new_enum_value(at: At) -> Iterator[Found]:
    yield Found(
        f"readers may meet '{at.action.value}', which they do not know",
        operation=code("AddEnumValue", at.action.type.name, at.action.value, schema=schema_of(at.action.type)),
    )


@rule(
    "replaced-object",
    COMPATIBILITY,
    actions.CreateRoutine,
    actions.CreateView,
    condition="CREATE OR REPLACE of a view or function that may be in use",
    effect="the live version gets another shape, or another answer, from one statement to the next",
    safer="create it under another name",
    severity=Severity.NOTICE,
    default=False,
    given="CREATE VIEW w AS SELECT 1 AS a;",
    bad="CREATE OR REPLACE VIEW w AS SELECT 2 AS a",
    good="CREATE VIEW w2 AS SELECT 2 AS a",
)
def replaced(at: At) -> Iterator[Found]:
    known = not isinstance(at.action, actions.CreateView) or at.session.knows(at.action.table)
    if at.action.replace and (known or not at.session.given.complete):
        what = at.action.routine.name if isinstance(at.action, actions.CreateRoutine) else str(own(at))
        yield Found(f"{what} answers otherwise from one statement to the next")


@rule(
    "prepared-statements",
    COMPATIBILITY,
    actions.AddColumn,
    actions.DropColumn,
    actions.ChangeType,
    condition="a table in use gets or loses a column, or one of its columns another type",
    effect="prepared SELECT * fails, and any prepared SELECT of a column whose type changes",
    safer="name the columns, and let sessions prepare again",
    severity=Severity.NOTICE,
    default=False,
    given=T,
    bad="ALTER TABLE t ADD COLUMN d int",
    good="CREATE TABLE u (id bigint PRIMARY KEY)",
)
def prepared(at: At) -> Iterator[Found]:
    if at.in_use(at.action.table):
        yield Found(f"sessions that have prepared SELECT * FROM {own(at)} fail until they prepare again")
