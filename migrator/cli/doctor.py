"""`migrator doctor`."""

from __future__ import annotations

from pathlib import Path

import click

from migrator.cli.commands import COMMANDS
from migrator.cli.options import example, settings_from, with_database
from migrator.cli.render import print_json, say

EXAMPLES = example("""
migrator doctor          exit 1 when something would stop a migration
""")
MARKS = {"ok": "ok  ", "warning": "warn", "problem": "FAIL"}
COLOURS = {"ok": "green", "warning": "yellow", "problem": "red"}


@click.command("doctor", help=COMMANDS["doctor"], epilog=EXAMPLES)
@with_database
def command(database_url: str | None, config: Path | None, form: str) -> None:
    from migrator import api

    findings = api.doctor(settings_from(database_url, config))
    if form == "json":
        print_json({"findings": findings})
    else:
        for finding in findings:
            say(f"{MARKS[finding.level]}  {finding.about}: {finding.text}", fg=COLOURS[finding.level])
            if finding.remedy:
                say(f"      {finding.remedy}")
    if any(finding.level == "problem" for finding in findings):
        raise click.exceptions.Exit(1)
