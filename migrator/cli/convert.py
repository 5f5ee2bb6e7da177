"""`migrator convert`."""

from __future__ import annotations

from pathlib import Path

import click

from migrator.cli.commands import COMMANDS
from migrator.cli.options import example, settings_from, with_database
from migrator.cli.render import print_json, say

EXAMPLES = example("""
migrator convert hotfix.sql
migrator convert hotfix.sql -m "Widen orders.id" --head billing@head
""")


@click.command("convert", help=COMMANDS["convert"], epilog=EXAMPLES)
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("-m", "--message", help="What the revision is for; else the name of the file.")
@click.option("--head", default="head", metavar="REVISION", help="What it builds on, if there are several heads.")
@with_database
def command(
    file: Path, message: str | None, head: str, database_url: str | None, config: Path | None, form: str
) -> None:
    from linters.source import Source
    from migrator import api
    from migrator.autogenerate.rendering import template_arguments
    from migrator.converting import proposals
    from migrator.errors import UsageError

    try:
        found = proposals(Source(str(file), file.read_bytes()))
    except ValueError as problem:
        raise UsageError(f"{file} cannot be read: {problem}", next_step="save it as UTF-8 text") from None
    if not found:
        raise UsageError(f"{file} has no statements", next_step="name a file of SQL")
    arguments = template_arguments(found)
    path = api.new(
        settings_from(database_url, config), message or file.stem.replace("_", " "), head=head, arguments=arguments
    )
    todo = sum(proposal.name == "Todo" for proposal in found)
    if form == "json":
        print_json({"path": path, "todo": todo, "operations": [proposal.code for proposal in found]})
        return
    say(f"wrote {path}")
    for proposal in found:
        say(f"  {proposal.operation.describe()}")
    say(f"next: decide {todo} Todo in it, then: migrator plan" if todo else "next: look at it, then: migrator plan")
