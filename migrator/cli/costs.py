"""Estimates as text and JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from migrator.cli.render import say

if TYPE_CHECKING:
    from migrator.estimating import PlanEstimate
    from phases.estimates import Estimate


def print_cost(cost: Estimate | None, log: str = "WAL") -> None:
    """The line of one step; none for a step that is done. `log` is what the server's log is called."""
    from migrator.estimating import size_text, time_text

    if cost is None:
        return
    if not cost.source:
        say(f"       cost: {time_text(cost.seconds)}, touches no rows", dim=True)
        return
    rows = f"{cost.rows} rows" if cost.analysed else f"rows unknown, run ANALYZE (about {cost.rows} by its size)"
    parts = [rows, f"{size_text(cost.bytes)} read", f"about {time_text(cost.seconds)} ({cost.source})"]
    parts += [f"{size_text(cost.wal)} {log}"] if cost.wal else []
    bloat = f" (bloat: {size_text(cost.bloat)})" if cost.bloat else ""
    parts += [f"{size_text(cost.disk)} more disk{bloat}"] if cost.disk else []
    parts += [f"{size_text(cost.temporary)} for a while"] if cost.temporary else []
    say(f"       cost: {', '.join(parts)}", dim=True)


def print_total(cost: PlanEstimate) -> None:
    from migrator.estimating import size_text, time_text

    total = cost.total
    say(
        f"In all: about {time_text(total.seconds)}, {size_text(total.wal)} {cost.log},"
        f" {size_text(total.disk)} more disk; {size_text(total.needed)} have to be free",
        bold=True,
    )
    free = f"{size_text(cost.free)} ({cost.free_source})" if cost.free is not None else cost.free_source
    say(f"Free: {free}")
    for table in cost.tables:
        say(f'Never analysed: ANALYZE "{table.schema}"."{table.name}"', fg="yellow")


def total_data(cost: PlanEstimate) -> dict[str, Any]:
    total = cost.total
    return {
        "seconds": total.seconds,
        "wal": total.wal,
        "disk": total.disk,
        "needed": total.needed,
        "free": cost.free,
        "free_source": cost.free_source,
        "never_analysed": [str(table) for table in cost.tables],
    }
