"""`migrator pause`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from migrator.cli.commands import COMMANDS
from migrator.cli.options import example, settings_from, with_database
from migrator.cli.render import print_json, say

if TYPE_CHECKING:
    from migrator.api import Asked

EXAMPLES = example("""
migrator pause                               every backfill of the database waits, within a second
migrator pause 4f2a9c --reason "the sale"    those of one revision
migrator resume                              they go on where they are
""")


@click.command("pause", help=COMMANDS["pause"], epilog=EXAMPLES)
@click.argument("revision", required=False)
@click.option("--reason", default="", help="Why; shown wherever somebody waits for it.")
@with_database
def command(revision: str | None, reason: str, database_url: str | None, config: Path | None, form: str) -> None:
    from migrator import api

    asked = api.pause(settings_from(database_url, config), revision, reason=reason)
    show(asked, form, "Paused", "migrator resume")


def show(asked: Asked, form: str, done: str, next_step: str) -> None:
    """Print what is asked, and who will heed it."""
    if form == "json":
        print_json(asked_data(asked))
        return
    say(f"{done}: {asked.revision or 'every backfill'}.")
    say(f"  runner: {asked.runner or 'none at work; the next one heeds it'}")
    if next_step:
        say(f"  to take it back: {next_step} {asked.revision or ''}".rstrip())


def asked_data(asked: Asked) -> dict[str, Any]:
    return {
        "revision": asked.revision,
        "paused": asked.control.paused,
        "rows_per_second": asked.control.rows_per_second,
        "max_latency": asked.control.max_latency,
        "by": asked.control.said,
        "runner": asked.runner,
    }
