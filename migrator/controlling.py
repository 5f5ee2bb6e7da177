"""Control of backfills from any terminal and through any pooler: a row of the ledger that runners read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from migrator.errors import UsageError
from migrator.runs import install_ledger, load_graph
from phases.pacing import Control

if TYPE_CHECKING:
    from migrator.settings import Settings


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of a revision, or (None) of every backfill, and whether a runner is there to heed it."""

    revision: str | None
    control: Control
    runner: str | None


def pause(settings: Settings, revision: str | None = None, *, reason: str = "") -> Asked:
    """Let the backfills of a revision, or all, wait until `resume`.

    Raises:
        UsageError: the revision is not known, or a text is too long.
    """
    return ask(settings, revision, "paused", lambda now: replace(now, paused=True), reason)


def resume(settings: Settings, revision: str | None = None) -> Asked:
    """Take a pause back; limits of the rate stay.

    Raises:
        UsageError: that scope is not paused; says what is.
    """
    return ask(settings, revision, "resumed", lambda now: replace(now, paused=False))


def throttle(
    settings: Settings,
    revision: str | None = None,
    *,
    rows_per_second: float | None = None,
    max_latency: float | None = None,
    reason: str = "",
) -> Asked:
    """Limit the backfills of a revision, or all; without a limit, take limits back.

    Args:
        rows_per_second: rows written in a second, at most.
        max_latency: seconds that a look at the table may take for others.
    """
    limits = Control(rows_per_second=rows_per_second, max_latency=max_latency)
    return ask(settings, revision, "throttled", lambda now: replace(limits, paused=now.paused), reason)


def ask(
    settings: Settings, revision: str | None, verb: str, change: Callable[[Control], Control], reason: str = ""
) -> Asked:
    """Change what is asked of one scope, with an entry in the audit log."""
    from migrator.database import connect, require_writable
    from migrator.ledger import controls, store
    from migrator.runner_lock import runner_owner

    name = load_graph(settings).resolve(revision) if revision else None
    with connect(settings.require_url(), verb) as session:
        require_writable(session)
        install_ledger(session)
        with session.transaction() as connection:
            scope = name or controls.EVERYTHING
            was = controls.get(connection, scope)
            if verb == "resumed" and not was.paused:
                raise not_paused(controls.all_of(connection), name)
            said = f"{store.actor()}: {reason}" if reason else store.actor()
            control = replace(change(was), said=said if verb != "resumed" else was.said)
            controls.put(connection, scope, control)
            detail = {"rows_per_second": control.rows_per_second, "max_latency": control.max_latency, "reason": reason}
            store.record_event(connection, verb, revision=name, detail=detail)
        return Asked(name, control, runner_owner(session))


def not_paused(known: dict[str, Control], name: str | None) -> UsageError:
    paused = [scope for scope, control in known.items() if control.paused]
    what = f"revision {name} is" if name else "backfills as a whole are"
    if not paused:
        return UsageError(f"{what} not paused, and nothing else is", next_step="migrator status")
    also = ", ".join(scope or "everything" for scope in paused)
    again = f"migrator resume {paused[0]}".strip()
    return UsageError(f"{what} not paused; paused: {also}", next_step=again)
