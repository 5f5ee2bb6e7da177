"""The verbs about overrides: ask, approve, list."""

from __future__ import annotations

from typing import TYPE_CHECKING

from migrator.contracting import judge_gate
from migrator.errors import UsageError
from migrator.runs import load_graph, looking
from phases.overrides import CODES as CODES

if TYPE_CHECKING:
    from migrator.ledger.records import OverrideRecord
    from migrator.settings import Settings


def override_request(
    settings: Settings, revision: str, *, reason: str, code: str = "other", approvals: int | None = None
) -> OverrideRecord:
    """Ask to let the contract of a revision through what shuts its gate at this moment, within the hour.

    Args:
        approvals: of somebody else that it takes; None, or fewer than the settings say: as these say.

    Raises:
        NotYet: what is in the way cannot be overridden.
        UsageError: the gate is open, the revision was not begun, or there is no reason.
    """
    from migrator.deploying import recording
    from migrator.ledger import store
    from migrator.ledger.dialect import hold_deployments
    from migrator.overriding import ask

    if not reason.strip():
        raise UsageError("an override needs a reason", next_step='--reason "…"')
    graph = load_graph(settings)
    name = graph.resolve(revision)
    needed = max(settings.override_approvals, approvals or 0)
    with recording(settings) as session, session.transaction() as connection:
        if store.revision(connection, name) is None:
            raise UsageError(f"revision {name} has not been started", next_step="migrator plan")
        hold_deployments(connection, exclusive=False)
        verdict = judge_gate(connection, settings, graph, name)
        return ask(connection, name, verdict, reason=reason.strip(), code=code, needed=needed)


def override_approve(settings: Settings, number: int) -> OverrideRecord:
    """Approve an override that somebody else has asked for.

    Raises:
        UsageError: there is none of this number, it is over, or it is one's own.
    """
    from migrator.deploying import recording
    from migrator.overriding import approve

    with recording(settings) as session, session.transaction() as connection:
        return approve(connection, number)


def overrides(settings: Settings) -> tuple[OverrideRecord, ...]:
    """Every override, oldest first. Writes nothing."""
    from migrator.ledger import audit, schema
    from migrator.overriding import all_overrides

    with looking(settings, "override") as session, session.transaction() as connection:
        if (schema.installed(connection) or 0) < audit.SINCE:
            return ()
        return tuple(all_overrides(connection))
