"""`migrator init`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from migrator.cli.commands import COMMANDS
from migrator.cli.options import example
from migrator.cli.render import note, print_json, say

if TYPE_CHECKING:
    from migrator.projects import Setup

EXAMPLES = example("""
migrator init                          in the folder of the project
migrator init --script-location db     revisions go to db/versions
migrator init --yes                    add to pyproject.toml without asking
""")


@click.command("init", help=COMMANDS["init"], epilog=EXAMPLES)
@click.option(
    "--script-location",
    default="migrations",
    show_default=True,
    metavar="FOLDER",
    help="Script directory of a new project.",
)
@click.option("--yes", is_flag=True, help="Do not ask before adding to a file.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", help="How to print.")
def command(script_location: str, yes: bool, form: str) -> None:
    from migrator import projects

    setup = projects.plan_setup(Path.cwd(), script_location)
    appended = [path for path in setup.writes if path.exists()]
    if form == "text":
        announce(setup)
    if appended and not yes:
        if form == "json":
            raise click.UsageError("a file would be added to, and nobody can be asked; add --yes")
        click.confirm("Add this?", abort=True, err=True)
    projects.write_setup(setup)
    if form == "json":
        print_json(setup_data(setup, appended))
    elif setup.writes:
        say('next: migrator new "Rename users.full_name to users.name"')


def announce(setup: Setup) -> None:
    """Say what is missing, before anything is written."""
    if setup.adopts:
        say("This project uses Alembic already; its files and its history stay as they are.")
    if not setup.writes:
        say("Everything is in place.")
    for path, text in setup.writes.items():
        if path.exists():
            say(f"add to {path}:")
            say("\n".join(f"    {line}".rstrip() for line in text.strip().splitlines()))
        else:
            say(f"create {path}")
    if setup.advice:
        note(setup.advice)


def setup_data(setup: Setup, appended: list[Path]) -> dict[str, Any]:
    return {
        "adopts": setup.adopts,
        "created": [path for path in setup.writes if path not in appended],
        "added_to": appended,
        "advice": setup.advice,
    }
