"""What is in order on MySQL and MariaDB, and could be done with more care. Off unless asked for."""

from __future__ import annotations

from collections.abc import Iterator

from linters import actions
from linters.findings import Severity
from linters.mysql import alterations
from linters.mysql.ways import Algorithm, AlterCost
from linters.rules.base import COMPATIBILITY, HAZARD, At, Found
from linters.rules.compatibility import CONTRACT, own
from linters.rules.mysql.base import SHADOW, AlterTable, T, asserted, is_costly, rule, table_of


@rule(
    "algorithm-not-asserted",
    HAZARD,
    AlterTable,
    condition="an ALTER that is cheap does not say by which ALGORITHM it is to be done",
    effect="where the server cannot do it so, it takes a dearer one without a word",
    safer="ALGORITHM=INSTANT, or LOCK=NONE with the ALGORITHM it needs: then it fails at once instead",
    severity=Severity.NOTICE,
    default=False,
    given=T,
    bad="ALTER TABLE t ADD COLUMN c INT",
    good="ALTER TABLE t ADD COLUMN c INT, ALGORITHM=INSTANT",
)
def asserting(at: At) -> Iterator[Found]:
    cost, action = at.cost, at.action
    if not isinstance(cost, AlterCost) or action.algorithm or action.lock or not at.in_use(action.table):
        return
    if not is_costly(cost.way) and not cost.error:
        clause = asserted(at, cost.way)
        yield Found(f"{table_of(at)} could be copied without a word", f"ALTER TABLE {table_of(at)} …, {clause};")


@rule(
    "build-behind-replicas",
    HAZARD,
    AlterTable,
    condition="an index is built on a table in use",
    effect="writers go on, but a replica falls behind by as long, and the log of the changes may overflow at the end",
    safer="room in innodb_online_alter_log_max_size; replicas that nobody reads from meanwhile",
    severity=Severity.NOTICE,
    default=False,
    given=T,
    bad="ALTER TABLE t ADD INDEX t_a (a)",
    good="ALTER TABLE t ADD COLUMN c INT",
)
def build(at: At) -> Iterator[Found]:
    cost = at.cost
    online = isinstance(cost, AlterCost) and cost.way.algorithm is Algorithm.NOCOPY and not is_costly(cost.way)
    if online and cost.builds and at.in_use(at.action.table):
        yield Found(f"replicas wait while the index of {table_of(at)} is built")


@rule(
    "cluster-waits",
    HAZARD,
    AlterTable,
    condition="on a Galera cluster a table in use is written again, or an index is built on it",
    effect="all nodes do it at the same point of the order (TOI), and writers of every table wait as long, whatever"
    " LOCK= says",
    safer=f"node by node (wsrep_OSU_method = RSU) where nodes with and without it can replicate, or {SHADOW}",
    severity=Severity.ERROR,
    default=False,
    given=T,
    bad="ALTER TABLE t ADD INDEX t_a (a)",
    good="ALTER TABLE t ADD COLUMN c INT",
)
def cluster(at: At) -> Iterator[Found]:
    cost = at.cost
    if not isinstance(cost, AlterCost) or cost.error or not at.in_use(at.action.table):
        return
    if cost.way.algorithm >= Algorithm.INPLACE or (cost.way.algorithm is Algorithm.NOCOPY and cost.builds):
        yield Found(f"the whole cluster waits while {table_of(at)} is changed")


@rule(
    "index-dropped-untried",
    HAZARD,
    actions.DropIndex,
    condition="an index is dropped that queries may use",
    effect="they read the whole table, and building it again takes long",
    safer="hide it first: ALTER INDEX … INVISIBLE on MySQL, IGNORED on MariaDB; drop it after some days",
    severity=Severity.NOTICE,
    default=False,
    given="CREATE TABLE t (id INT PRIMARY KEY, a INT, KEY t_a (a));",
    bad="ALTER TABLE t DROP INDEX t_a",
    good="ALTER TABLE t ADD COLUMN c INT",
)
def untried(at: At) -> Iterator[Found]:
    index = at.session.indexes.get(at.action.index)
    if index is None or at.in_use(index.table):
        yield Found(f"queries that use {at.action.index.name} read the whole table")


@rule(
    "several-ddl",
    HAZARD,
    alterations.ImplicitCommit,
    condition="a script has more than one statement of DDL",
    effect="each commits by itself: if one fails, those before it stay",
    safer="one statement of DDL for each step",
    severity=Severity.NOTICE,
    default=False,
    given=T,
    bad="ALTER TABLE t ADD COLUMN c INT; ALTER TABLE r ADD COLUMN c INT",
    good="ALTER TABLE t ADD COLUMN c INT",
)
def several(at: At) -> Iterator[Found]:
    if at.session.setting("migrator ddl") is not None:
        yield Found(f"what was done before this {at.action.what} stays done if it fails")


@rule(
    "new-rule-for-old-writers",
    COMPATIBILITY,
    actions.AddConstraint,
    condition="a constraint is added that writers of the live version may break",
    effect="their INSERT and UPDATE fail from then on",
    safer="release a version that keeps the rule first",
    severity=Severity.NOTICE,
    default=False,
    harmless_in=CONTRACT,
    given=T,
    bad="SET foreign_key_checks = 0; ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES r (id)",
    good="ALTER TABLE t ADD COLUMN d INT",
)
def stricter(at: At) -> Iterator[Found]:
    if at.in_use(at.action.table) and at.action.constraint.enforced:
        yield Found(f"writers of {own(at)} that break {at.action.constraint.kind.value} fail from then on")


@rule(
    "changed-default",
    COMPATIBILITY,
    actions.SetDefault,
    condition="the default of a column changes",
    effect="frameworks that remember defaults write the old one, others the new one",
    safer="give the value explicitly in a release before",
    severity=Severity.NOTICE,
    default=False,
    given="CREATE TABLE t (id INT PRIMARY KEY, b INT DEFAULT 1);",
    bad="ALTER TABLE t ALTER b SET DEFAULT 2",
    good="ALTER TABLE t ADD COLUMN d INT",
)
def changed_default(at: At) -> Iterator[Found]:
    known = at.session.relation(at.action.table).column(at.action.column)
    if at.in_use(at.action.table) and not (known is not None and known.default is None):
        yield Found(f"{own(at)}.{at.action.column} gets another default than writers may remember")
