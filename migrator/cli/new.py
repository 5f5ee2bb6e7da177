"""`migrator new`."""

from __future__ import annotations

from pathlib import Path

import click

from migrator.cli.commands import COMMANDS
from migrator.cli.options import example, settings_from, with_database
from migrator.cli.render import print_json, say

EXAMPLES = example("""
migrator new "Rename users.full_name to users.name"
migrator new "Add invoices" --branch-label billing
migrator new "Add invoices.total" --head billing@head --depends-on 4f2a9c
""")


@click.command("new", help=COMMANDS["new"], epilog=EXAMPLES)
@click.argument("message")
@click.option("--head", default="head", metavar="REVISION", help="What it builds on, if there are several heads.")
@click.option("--splice", is_flag=True, help="Build on a revision that others build on already.")
@click.option("--branch-label", metavar="LABEL", help="Name of the branch that begins here.")
@click.option("--depends-on", multiple=True, metavar="REVISION", help="Runs after this one, too; repeatable.")
@with_database
def command(
    message: str,
    head: str,
    splice: bool,
    branch_label: str | None,
    depends_on: tuple[str, ...],
    database_url: str | None,
    config: Path | None,
    form: str,
) -> None:
    from migrator import projects

    path = projects.write_revision(
        settings_from(database_url, config),
        message,
        head=head,
        branch_label=branch_label,
        depends_on=depends_on,
        splice=splice,
    )
    if form == "json":
        print_json({"path": path, "next": "migrator plan"})
    else:
        say(f"wrote {path}")
        say("next: put the operations into it, then: migrator plan")
