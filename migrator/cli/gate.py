"""`migrator gate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from migrator.cli.commands import COMMANDS
from migrator.cli.options import example, settings_from, with_database
from migrator.cli.render import print_json, say

if TYPE_CHECKING:
    from phases.gate import Verdict

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
        print_json({"gates": verdicts})
    else:
        for name, verdict in verdicts.items():
            print_verdict(name, verdict)
        if not verdicts:
            say("No revision waits for its contract.")
    if not all(verdict.open for verdict in verdicts.values()):
        raise click.exceptions.Exit(3)


def print_verdict(revision: str, verdict: Verdict) -> None:
    opens = f", opens at {verdict.opens_at:%Y-%m-%d %H:%M:%S %Z}" if verdict.opens_at and not verdict.open else ""
    say(f"{revision}: {'open' if verdict.open else 'closed'}{opens}", bold=True)
    for condition in verdict.conditions:
        say(f"  [{'x' if condition.holds else ' '}] {condition.name}: {condition.evidence}")
        if condition.remedy and not condition.holds:
            say(f"      {condition.remedy}")
