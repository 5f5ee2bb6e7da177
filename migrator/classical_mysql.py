"""Classical Alembic revisions on MySQL and MariaDB: each statement is read, judged, and a step of its own.

DDL commits by itself there, so no statements are grouped.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from linters.collected import Collected, Item, collected
from linters.dialects import dialect as linter
from linters.effects import Effect, NoWayBack
from linters.engine import Engine
from linters.mysql.effects import ambiguous, effect_of, in_place, operation_for
from linters.values import Name
from migrator.classical import CHOICE, Objection, Read, as_statement, concerns, counts, oneline, refused, told
from migrator.places import silencing
from phases.dialects.mysql import own_kind
from phases.errors import Refused
from phases.model import Lock, LockMode
from phases.operations.adopted import Adopted, Statement

if TYPE_CHECKING:
    from linters.findings import Finding
    from linters.session import Session
    from migrator.revisions import Revision
    from phases.operations import Operation


def adopted(revision: Revision, items: Sequence[Item], session: Session) -> Sequence[Operation]:
    """A revision as operations, one for each statement.

    Args:
        items: what `upgrade()` sends.
        session: of the linter; knows the schema that the revision finds.

    Raises:
        PlanRefused: a statement is not safe while the database is in use, or nobody could take it back.
    """
    statements = list(followed(collected(str(revision.path), items), session.copy()))
    left, silenced = judged(revision, statements, session)
    objections = [each for statement in statements for each in objected(statement, left, silenced)]
    if objections:
        raise refused(revision, objections)
    return tuple(operations(statements, silenced))


def followed(source: Collected, session: Session) -> Iterator[Read]:
    """The statements one after another, each with its effect in the state that the ones before leave."""
    kind, made = linter(session.given.dialect), set[Name]()
    for piece in kind.split(source, session):
        item = Item(source.text(piece).rstrip("; \n"), *source.place(piece.start))
        summary = oneline(item.text)[:80]
        if piece.node is None:
            yield Read(item, None, Effect(summary), NoWayBack(piece.problem, "mend it"))
            continue
        try:
            if problem := ambiguous(piece.node):
                raise NoWayBack(problem, "names in backquotes, texts in single quotes, CONCAT(…) and OR")
            own_kind(item.text)
            effect = effect_of(piece.node, session, made)
            made |= {effect.table} if effect.is_new and effect.table is not None else set()
            yield Read(item, piece.node, effect)
        except NoWayBack as unsure:
            yield Read(item, piece.node, Effect(summary), unsure)
        except Refused as unsure:
            yield Read(item, piece.node, Effect(summary), NoWayBack(unsure.reason, unsure.remedy))
        for action in kind.read(piece.node):
            kind.apply(action, session)


def judged(revision: Revision, statements: Iterable[Read], session: Session) -> tuple[list[Finding], list[Finding]]:
    """Findings, and those that comments of the revision silence."""
    source = collected(str(revision.path), [*(each.item for each in statements), *silencing(revision.path)])
    engine = Engine(session, CHOICE)
    found = list(engine.unsilenced(source, False))
    left = engine.silenced(source, found)
    return [finding for finding in left if counts(finding)], [finding for finding in found if finding not in left]


def objected(statement: Read, left: Iterable[Finding], silenced: Iterable[Finding]) -> Iterator[Objection]:
    """Why a statement is not run: what the linter finds, or that it could not be taken back."""
    mine = [finding for finding in left if concerns(finding, statement)]
    operation = operation_for(statement.node) if statement.node is not None else ""
    for instead in dict.fromkeys(operation or finding.safer for finding in mine):
        alike = [finding for finding in mine if (operation or finding.safer) == instead]
        reason = "; ".join(f"{finding.message}: {finding.effect}" for finding in alike)
        yield Objection(statement.item, reason, instead, tuple(finding.rule for finding in alike))
    if not mine and statement.problem is not None and not any(concerns(f, statement) for f in silenced):
        instead = statement.problem.remedy or operation or 'RunSQL(expand="…", undo="…")'
        yield Objection(statement.item, statement.problem.reason, instead)


def operations(statements: Iterable[Read], silenced: Sequence[Finding]) -> Iterator[Adopted]:
    created: set[Name] = set()
    for statement in statements:
        accepted = tuple(told(finding, statement) for finding in silenced if concerns(finding, statement))
        names = frozenset(as_statement(replace(statement, effect=Effect("", creates=tuple(created)))).creates)
        yield Adopted((step_of(statement, created),), names, accepted)
        if statement.effect.is_new and statement.effect.table is not None:
            created.add(statement.effect.table)


def step_of(statement: Read, created: set[Name]) -> Statement:
    """A statement that says how it is done, and how it is known to be done."""
    made, effect = as_statement(statement), statement.effect
    used = effect.table is not None and not effect.is_new and effect.table not in created
    sql, otherwise = in_place(made.sql, statement.node) if used else (made.sql, "")
    return replace(
        made,
        sql=sql,
        otherwise=otherwise,
        done=own_kind(made.sql),
        locks=metadata(made.locks),
        undo_locks=metadata(made.undo_locks),
    )


def metadata(locks: Iterable[Lock]) -> tuple[Lock, ...]:
    return tuple(Lock(lock.table, LockMode.METADATA) for lock in locks)
