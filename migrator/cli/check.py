"""`migrator check`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from migrator.cli.commands import COMMANDS
from migrator.cli.options import example, settings_from, with_database
from migrator.cli.render import note, print_json, say

if TYPE_CHECKING:
    from migrator.autogenerate.comparing import Comparison

EXAMPLES = example("""
migrator check                     exit 3 when the models ask for something else than the database has
migrator check --format json
""")


@click.command("check", help=COMMANDS["check"], epilog=EXAMPLES)
@with_database
def command(database_url: str | None, config: Path | None, form: str) -> int:
    from migrator import api
    from migrator.errors import NotYet

    found = api.check(settings_from(database_url, config))
    if form == "json":
        print_json(comparison_data(found))
    else:
        show(found)
    return NotYet.exit_code if found.proposals else 0


def comparison_data(found: Comparison) -> dict[str, Any]:
    return {
        "clean": not found.proposals,
        "operations": [
            {"operation": p.name, "describe": p.operation.describe(), "code": p.code} for p in found.proposals
        ],
        "in_flight": list(found.left_out),
        "possible_renames": [str(rename) for rename in found.possible],
        "next": 'migrator new --autogenerate "…"' if found.proposals else "",
    }


def show(found: Comparison) -> None:
    if not found.proposals:
        say("Models and database agree.")
    for proposal in found.proposals:
        say(proposal.code)
    show_hints(found)
    if found.proposals:
        note('next: migrator new --autogenerate "…"')


def show_hints(found: Comparison) -> None:
    """What was left out and why, and which columns may be one."""
    for revision in dict.fromkeys(left.revision for left in found.left_out):
        parts = sorted({left.what for left in found.left_out if left.revision == revision})
        note(f"left out, until the contract of {revision} is done: {', '.join(parts)}")
    for rename in found.possible:
        note(f"if {rename.table}.{rename.old} is to become {rename.new}: --rename {rename}")
