"""`migrator baseline`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from migrator.cli.commands import COMMANDS
from migrator.cli.options import example, settings_from, with_database
from migrator.cli.render import print_json, say

if TYPE_CHECKING:
    from migrator.baseline import Baseline

EXAMPLES = example("""
migrator baseline                        the schema is that of the newest revision
migrator baseline 4f2a9c                 it is that of an older one
migrator baseline --accept-differences   also where it is not quite what env.py describes
""")


@click.command("baseline", help=COMMANDS["baseline"], epilog=EXAMPLES)
@click.argument("revision", required=False)
@click.option("--accept-differences", is_flag=True, help="Also where the schema differs from the metadata of env.py.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@with_database
def command(
    revision: str | None,
    accept_differences: bool,
    yes: bool,
    database_url: str | None,
    config: Path | None,
    form: str,
) -> None:
    from migrator import api

    settings = settings_from(database_url, config)
    if form == "text" and not yes:
        found = api.baseline_look(settings, revision)
        announce(found)
        if not found.already and not (found.differences and not accept_differences):
            click.confirm("Stamp it?", abort=True, err=True)
    written = api.baseline(settings, revision, accept=accept_differences)
    if form == "json":
        print_json({"baseline": written})
    elif yes:
        announce(written)
    if form == "text":
        say("Nothing to do: it is stamped." if written.already else f"Stamped: {', '.join(written.revisions)}.")


def announce(found: Baseline) -> None:
    """Say what is taken for granted, and what was looked at."""
    say(f"Counted as applied, and not run: {found.covered}, up to {', '.join(found.revisions)}.")
    if not found.compared:
        say("The schema was not compared: env.py has no target_metadata, or this is not the newest revision.")
    elif not found.differences:
        say("The schema is that of the metadata of env.py.")
    for line in found.differences:
        say(f"  differs: {line}")
