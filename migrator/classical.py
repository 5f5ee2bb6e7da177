"""Classical Alembic revisions, which have only `upgrade()`, as operations: rendered, judged, and grouped into steps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from linters.actions import AddColumn, Begin, Commit, OutsideTransaction, Set
from linters.applying import apply
from linters.collected import Collected, Item, collected
from linters.effects import UNKNOWN, Effect, NoWayBack, effect_of, locked
from linters.engine import Choice, Engine
from linters.findings import Category, Finding, Severity
from linters.instead import operation_for
from linters.postgresql.costs import steady_functions
from linters.postgresql.reading import read
from linters.values import Mode, Name, Routine
from migrator.environment import environment_of, not_rendered
from migrator.errors import PlanRefused
from migrator.known_schema import KnownSchema
from migrator.places import silencing
from phases.catalog import Catalog, Column, Volatility
from phases.model import Lock, LockMode, TableName
from phases.operations import Operation, Touch
from phases.operations.adopted import Adopted, Statement

if TYPE_CHECKING:
    from linters.session import Session
    from migrator.revisions import Revision, RevisionGraph
    from phases.dialects.base import Dialect

Adopt = Callable[["Revision", Catalog, "Dialect"], Sequence[Operation]]

STRICT = ("changed-default", "drop-not-null", "new-enum-value", "new-rule-for-old-writers", "replaced-object")
"""Rules that are off where nobody says that the old version is live: while a revision expands it always is."""
CHOICE = Choice(phase="expand", also=frozenset(STRICT), severities=dict.fromkeys(STRICT, Severity.ERROR))
TIMEOUTS = ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout")
"""Settings that the runner makes for every step."""


@dataclass(frozen=True, slots=True)
class Read:
    """A statement that was read: where it stands, its node, what it changes, and why nobody could take it back."""

    item: Item
    node: Any
    effect: Effect
    problem: NoWayBack | None = None

    @property
    def place(self) -> tuple[int, str]:
        """What a finding about it has, too: its line, and the beginning of its text."""
        return self.item.line, oneline(self.item.text)

    @property
    def is_alone(self) -> bool:
        """Whether no transaction may hold it."""
        found = read(self.node) if self.node is not None else ()
        return any(isinstance(a, OutsideTransaction) or getattr(a, "concurrently", False) for a in found)


@dataclass(frozen=True, slots=True)
class Objection:
    """Why a statement is not run, and what to write instead."""

    item: Item
    reason: str
    remedy: str
    rules: tuple[str, ...] = ()


def adopter(graph: RevisionGraph, started: Iterable[str]) -> Adopt:
    """A function that turns a classical revision into operations.

    Args:
        started: revisions that are recorded or stamped, which are never rendered.
    """
    known, schema = frozenset(started), KnownSchema(unreleased=True)

    def adopt(revision: Revision, catalog: Catalog, dialect: Dialect) -> Sequence[Operation]:
        family = catalog.server.family
        others = [item for item in graph.ordered() if item.migration is None and item.id not in known]
        rendered = environment_of(graph).rendered(revision, others, family)
        if rendered.problem:
            raise not_rendered(revision, rendered.problem)
        session = schema.session(catalog)
        if family != "postgresql":
            from migrator.classical_mysql import adopted

            return adopted(revision, rendered.items, session)
        source = collected(str(revision.path), rendered.items)
        groups = list(grouped(followed(source, session.copy())))
        left, silenced = judged(revision, groups, session, dialect)
        objections = [each for group in groups for item in group for each in objected(item, left, silenced)]
        if objections:
            raise refused(revision, objections)
        return tuple(operations(groups, silenced))

    return adopt


def followed(source: Collected, session: Session) -> Iterator[Read]:
    """The statements of a revision one after another, each with its effect in the state that the ones before leave.

    The borders of transactions and the timeouts are the runner's, and left out.
    """
    for piece in source.statements():
        item = Item(source.text(piece).rstrip("; \n"), *source.place(piece.start))
        summary = oneline(item.text)[:80]
        if piece.node is None:
            yield Read(item, None, Effect(summary), NoWayBack(piece.problem, "mend it"))
        elif not is_ours(piece.node):
            try:
                yield Read(item, piece.node, effect_of(piece.node, session))
            except NoWayBack as problem:
                yield Read(item, piece.node, Effect(summary, locks=locked(piece.node, session)), problem)
            for action in read(piece.node):
                apply(action, session)


def is_ours(node: Any) -> bool:
    """Whether a statement draws a border of a transaction, or makes a setting that the runner makes for every step."""
    kinds = (Begin, Commit)
    return all(isinstance(a, kinds) or (isinstance(a, Set) and a.name in TIMEOUTS) for a in read(node))


def oneline(text: str) -> str:
    return " ".join(text.split())


def grouped(statements: Iterable[Read]) -> Iterator[list[Read]]:
    """Statements that commit together: no group locks a second table that was there before."""
    group: list[Read] = []
    held: set[Name] = set()
    for statement in statements:
        wanted = {name for name, _ in statement.effect.locks}
        if group and (statement.is_alone or group[0].is_alone or (held and wanted - held)):
            yield group
            group, held = [], set()
        group.append(statement)
        held |= wanted
    if group:
        yield group


def judged(
    revision: Revision, groups: Iterable[Sequence[Read]], session: Session, dialect: Dialect
) -> tuple[list[Finding], list[Finding]]:
    """Findings in the transactions that the runner draws, and those that comments of the revision silence."""
    items: list[Item] = []
    for group in groups:
        own = [statement.item for statement in group]
        border = own[0].line
        items += own if group[0].is_alone else [Item("BEGIN", border), *own, Item("COMMIT", border)]
        for statement in group:
            learn_functions(statement.node, session, dialect)
    source = collected(str(revision.path), [*items, *silencing(revision.path)])
    engine = Engine(session, CHOICE)
    found = list(engine.unsilenced(source, False))
    left = engine.silenced(source, found)
    return [finding for finding in left if counts(finding)], [finding for finding in found if finding not in left]


def counts(finding: Finding) -> bool:
    return finding.category is not Category.STYLE and finding.severity is not Severity.NOTICE


def learn_functions(node: Any, session: Session, dialect: Dialect) -> None:
    """Ask the server of functions that a default calls: whether their value differs from row to row."""
    for action in read(node) if node is not None else ():
        default = action.column.default if isinstance(action, AddColumn) else None
        calls = {call.rpartition(".")[2] for call in default.calls} if default is not None else set()
        unknown = [name for name in calls - steady_functions() if session.routines.get(name) is None]
        if unknown and dialect.volatility(str(default)) is not Volatility.VOLATILE:
            for name in unknown:
                session.routines.put(name, Routine(name, volatile=False))


def objected(statement: Read, left: Iterable[Finding], silenced: Iterable[Finding]) -> Iterator[Objection]:
    """Why a statement is not run: what the linter finds, or that it could not be taken back unless that is accepted."""
    mine = [finding for finding in left if concerns(finding, statement)]
    for instead in dict.fromkeys(remedy(finding, statement) for finding in mine):
        alike = [finding for finding in mine if remedy(finding, statement) == instead]
        reason = "; ".join(f"{finding.message}: {finding.effect}" for finding in alike)
        yield Objection(statement.item, reason, instead, tuple(finding.rule for finding in alike))
    problem = statement.problem
    if mine or problem is None:
        return
    operation = operation_for(statement.node) if statement.node is not None else ""
    if statement.is_alone:
        reason = "it has to run outside any transaction" if problem.reason is UNKNOWN else problem.reason
        yield Objection(statement.item, reason, operation or "run it by hand")
    elif not any(concerns(finding, statement) for finding in silenced):
        instead = problem.remedy or operation or 'RunSQL(expand="…", undo="…")'
        yield Objection(statement.item, problem.reason, instead)


def concerns(finding: Finding, statement: Read) -> bool:
    line, text = statement.place
    return finding.line == line and text.startswith(finding.statement.removesuffix("…"))


def remedy(finding: Finding, statement: Read) -> str:
    """What to write instead. The linter knows whether an operation does it; the statement says which, in full."""
    whole = operation_for(statement.node) if statement.node is not None else ""
    if finding.operation:
        return whole or finding.operation
    return finding.safer if finding.rewrites or not whole else whole


def refused(revision: Revision, objections: Sequence[Objection]) -> PlanRefused:
    """The error for a revision with statements that are not safe: each with its line, and what to write instead."""
    path = revision.path
    lines = "".join(
        f"\n  {path}:{o.item.line}: {oneline(o.item.text)}\n    {o.reason}; write: {indented(o.remedy)}"
        for o in objections
    )
    found = [
        {"statement": o.item.text, "line": o.item.line, "rules": list(o.rules), "reason": o.reason, "remedy": o.remedy}
        for o in objections
    ]
    return PlanRefused(
        f"{path}:{revision.line}: not safe while the database is in use:{lines}",
        next_step="write the operations instead (migrator new), say why it does no harm in a comment beside it"
        f" (# migrator: disable=RULE reason), or, while nobody uses the database: alembic upgrade {revision.id}",
        revision=revision.id,
        file=str(path),
        line=revision.line,
        statements=found,
    )


def indented(text: str) -> str:
    return text.replace("\n", "\n      ")


def operations(groups: Iterable[Sequence[Read]], silenced: Sequence[Finding]) -> Iterator[Adopted]:
    created: set[TableName] = set()
    for group in groups:
        accepted = tuple(told(f, s) for s in group for f in silenced if concerns(f, s))
        yield Adopted(tuple(map(as_statement, group)), frozenset(created), accepted)
        created |= {table_name(s.effect.table) for s in group if s.effect.is_new and s.effect.table is not None}


def told(finding: Finding, statement: Read) -> str:
    """What a revision accepts, in words, for the plan."""
    stays = "; an abort does not take it back" if statement.problem is not None else ""
    return f"{finding.message} ({finding.rule}), accepted by a comment{stays}"


def as_statement(statement: Read) -> Statement:
    effect = statement.effect
    return Statement(
        statement.item.text,
        effect.summary,
        tuple(map(table_name, effect.creates)),
        table_name(effect.table) if effect.table else None,
        effect.is_new,
        tuple(Column(c.name, c.type, not_null=c.not_null, default=c.default) for c in effect.columns),
        effect.key,
        locks(effect.locks),
        tuple(Touch(table_name(table), column) for table, column in effect.reads),
        effect.undo,
        locks(effect.undo_locks),
        effect.index,
    )


def table_name(name: Name) -> TableName:
    return TableName(name.schema, name.name)


def locks(found: Iterable[tuple[Name, Mode]]) -> tuple[Lock, ...]:
    return tuple(Lock(table_name(table), LockMode(str(mode))) for table, mode in found)
