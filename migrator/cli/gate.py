"""`migrator gate`."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from migrator.cli.commands import COMMANDS
from migrator.cli.options import example, settings_from, with_database
from migrator.cli.render import plain, print_json, say

if TYPE_CHECKING:
    from phases.gate_facts import Verdict

EXAMPLES = example("""
migrator gate                  every migrated revision; exit 3 while one is closed
migrator gate 4f2a9c --format json
""")


@click.command("gate", help=COMMANDS["gate"], epilog=EXAMPLES)
@click.argument("revision", required=False)
@with_database
def command(revision: str | None, database_url: str | None, config: Path | None, form: str) -> None:
    from migrator import api

    verdicts = api.gate(settings_from(database_url, config), revision)
    if form == "json":
        print_json({"gates": {name: as_data(verdict) for name, verdict in verdicts.items()}})
    else:
        for name, verdict in verdicts.items():
            print_verdict(name, verdict)
        if not verdicts:
            say("No revision waits for its contract.")
    if not all(verdict.open for verdict in verdicts.values()):
        raise click.exceptions.Exit(3)


def as_data(verdict: Verdict) -> dict[str, Any]:
    """A verdict as JSON has it, each condition with its state."""
    conditions = [{**plain(condition), "state": condition.state} for condition in verdict.conditions]
    return {"verdict": word(verdict), "open": verdict.open, "opens_at": verdict.opens_at, "conditions": conditions}


def word(verdict: Verdict) -> str:
    return "open" if verdict.open else "closed"


def print_verdict(revision: str, verdict: Verdict) -> None:
    """Every condition: `x` holds, `?` holds as far as could be looked, blank does not hold."""
    opens = f", opens at {both(verdict.opens_at)}" if verdict.opens_at and not verdict.open else ""
    say(f"{revision}: {word(verdict)}{opens}", bold=True)
    for condition in verdict.conditions:
        mark = {"holds": "x", "fails": " ", "not observed": "?" if condition.holds else " "}[condition.state]
        say(f"  [{mark}] {condition.name}: {condition.evidence}")
        if condition.remedy and not (condition.holds and condition.observed):
            say(f"      {condition.remedy}")


def both(moment: datetime) -> str:
    """A moment in UTC, and here where that is another time."""
    here = moment.astimezone()
    local = f" ({here:%Y-%m-%d %H:%M:%S %Z})" if here.utcoffset() else ""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S %Z}{local}"
