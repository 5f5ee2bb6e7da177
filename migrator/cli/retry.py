"""`migrator retry`."""

from __future__ import annotations

from pathlib import Path

import click

from migrator.cli.commands import COMMANDS
from migrator.cli.options import example, settings_from, with_database
from migrator.cli.progress import observer_for
from migrator.cli.render import print_json

EXAMPLES = example("""
migrator retry 4f2a9c                          exit 1 while a row fails still, with its key and the reason
migrator retry 4f2a9c --set-aside-limit 1000   let so many fail before the backfill stops
""")


@click.command("retry", help=COMMANDS["retry"], epilog=EXAMPLES)
@click.argument("revision")
@click.option(
    "--workers", metavar="N", help="Sessions that walk a table at once, 1 by default; auto: while it is faster."
)
@click.option("--set-aside-limit", metavar="N", help="Rows that may fail before a backfill stops, 100 by default.")
@with_database
def command(
    revision: str,
    workers: str | None,
    set_aside_limit: str | None,
    database_url: str | None,
    config: Path | None,
    form: str,
) -> None:
    from migrator import api
    from migrator.cli.apply import applied_data, print_applied

    settings = settings_from(database_url, config, workers=workers, set_aside_limit=set_aside_limit)
    applied = api.retry(settings, revision, observer=observer_for(form))
    if form == "json":
        print_json(applied_data(applied))
    else:
        print_applied(applied)
