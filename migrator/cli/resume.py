"""`migrator resume`."""

from __future__ import annotations

from pathlib import Path

import click

from migrator.cli.commands import COMMANDS
from migrator.cli.options import example, settings_from, with_database
from migrator.cli.pause import show

EXAMPLES = example("""
migrator resume           what `migrator pause` stopped goes on, limits of the rate stay
migrator resume 4f2a9c    where one revision was paused
""")


@click.command("resume", help=COMMANDS["resume"], epilog=EXAMPLES)
@click.argument("revision", required=False)
@with_database
def command(revision: str | None, database_url: str | None, config: Path | None, form: str) -> None:
    from migrator import api

    show(api.resume(settings_from(database_url, config), revision), form, "Resumed", "")
