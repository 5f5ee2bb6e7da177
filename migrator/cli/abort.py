"""`migrator abort`."""

from __future__ import annotations

from pathlib import Path

import click

from migrator.cli.commands import COMMANDS
from migrator.cli.options import example, settings_from, with_database
from migrator.cli.progress import observer_for
from migrator.cli.render import print_json, say

EXAMPLES = example("""
migrator abort 4f2a9c                  the database is as it was before expand
migrator abort 4f2a9c --discard-data   also where values would be thrown away
""")


@click.command("abort", help=COMMANDS["abort"], epilog=EXAMPLES)
@click.argument("revision")
@click.option("--discard-data", is_flag=True, help="Throw away values that exist nowhere else.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@with_database
def command(
    revision: str, discard_data: bool, yes: bool, database_url: str | None, config: Path | None, form: str
) -> None:
    from migrator import api

    settings = settings_from(database_url, config)
    if not yes and form == "text":
        click.confirm(f"Take {revision} back?", abort=True, err=True)
    applied = api.abort(settings, revision, discard=discard_data, observer=observer_for(form))
    if form == "json":
        print_json({"aborted": revision, "steps": applied.outcomes})
    else:
        say(f"Nothing of {revision} is in the database.")
