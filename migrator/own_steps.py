"""The steps of operations, judged by the linter as SQL that somebody else wrote."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from linters.collected import Item, collected
from linters.engine import Choice, Engine
from linters.findings import Category, Finding
from linters.session import Session
from phases.dialects.postgresql_backfill import PageWalk
from phases.model import BuildIndex, Fill, Phase, RemoveIndex, Step, Transaction

JUDGED = ("postgresql",)
"""Where the rules know all that the runner does around a statement."""
REVOKED = "EXECUTE 'REVOKE ALL ON "
"""How a block begins that takes from a relation what default privileges have given: roles are known to the server."""


def findings(steps: Iterable[tuple[Phase, Step]], session: Session) -> Iterator[tuple[Phase, Step, Finding]]:
    """What the linter says of steps in their phases, but for those that run SQL of the user's own.

    Args:
        session: knows the schema before the first step, and is changed by all of them.
    """
    given = list(steps)
    for phase in Phase:
        own = [step for of, step in given if of is phase]
        items = [item for number, step in enumerate(own, 1) for item in sent(step, number)]
        # What a purge destroys left the shape in the contract.
        engine = Engine(session, Choice(phase=str(Phase.CONTRACT if phase is Phase.PURGE else phase)))
        for finding in engine.judge(collected(str(phase), items), False):
            step = own[finding.line - 1]
            # A bounded step is undone before anybody has waited longer than for any lock.
            known = not (isinstance(step, Transaction) and (step.unread or step.bounded))
            if known and finding.category is not Category.STYLE and not finding.message.startswith(REVOKED):
                yield phase, step, finding


def sent(step: Step, number: int) -> Sequence[Item]:
    """The statements of a step, with its number for a line; those of a backfill as its first batch sends them."""
    match step:
        case Transaction():
            # The last locks are let go, and asked for again, before anybody has waited for too long.
            lasting = step.statements[:-1] if step.closing else step.statements
            statements = ("BEGIN", *lasting, "COMMIT")
        case BuildIndex():
            statements = (step.create,)
        case RemoveIndex():
            statements = (step.drop,)
        case Fill():
            # Whichever way a server walks, a batch is bounded.
            statements = (PageWalk(step, 1, ranges=True).batch([0, 8, 0]),)
        case _:
            statements = ()
    return [Item(text, number) for text in statements]
