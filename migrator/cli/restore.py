"""`migrator restore`."""

from __future__ import annotations

from pathlib import Path

import click

from migrator.cli.commands import COMMANDS
from migrator.cli.options import example, settings_from, with_database
from migrator.cli.progress import observer_for
from migrator.cli.render import print_json, say

EXAMPLES = example("""
migrator restore 4f2a9c      the old shape is back, equal to the new one
""")


@click.command("restore", help=COMMANDS["restore"], epilog=EXAMPLES)
@click.argument("revision")
@click.option("--yes", is_flag=True, help="Do not ask.")
@with_database
def command(revision: str, yes: bool, database_url: str | None, config: Path | None, form: str) -> None:
    from migrator import api

    settings = settings_from(database_url, config)
    if not yes and form == "text":
        click.confirm(f"Bring back what {revision} put aside?", abort=True, err=True)
    applied = api.restore(settings, revision, observer=observer_for(form))
    if form == "json":
        print_json({"restored": revision, "steps": applied.outcomes})
    else:
        say(f"{revision} is migrated again: both shapes are there, and dual writes are on.")
