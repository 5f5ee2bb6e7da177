"""`migrator new`."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from migrator.cli.check import comparison_data, show_hints
from migrator.cli.commands import COMMANDS
from migrator.cli.options import example, settings_from, with_database
from migrator.cli.render import print_json, say

if TYPE_CHECKING:
    from migrator.autogenerate.comparing import Comparison
    from migrator.autogenerate.renames import Rename
    from migrator.settings import Settings

EXAMPLES = example("""
migrator new "Rename users.full_name to users.name"
migrator new "Add invoices" --branch-label billing
migrator new "Add invoices.total" --head billing@head --depends-on 4f2a9c
migrator new "What the models say" --autogenerate
migrator new "Name" --autogenerate --rename users.full_name=name
""")


@click.command("new", help=COMMANDS["new"], epilog=EXAMPLES)
@click.argument("message")
@click.option("--head", default="head", metavar="REVISION", help="What it builds on, if there are several heads.")
@click.option("--splice", is_flag=True, help="Build on a revision that others build on already.")
@click.option("--branch-label", metavar="LABEL", help="Name of the branch that begins here.")
@click.option("--depends-on", multiple=True, metavar="REVISION", help="Runs after this one, too; repeatable.")
@click.option("--autogenerate", is_flag=True, help="Write the operations that the models ask for.")
@click.option(
    "--rename",
    "renames",
    multiple=True,
    metavar="TABLE.OLD=NEW",
    help="A column that is renamed, not dropped and added; repeatable.",
)
@with_database
def command(
    message: str,
    head: str,
    splice: bool,
    branch_label: str | None,
    depends_on: tuple[str, ...],
    autogenerate: bool,
    renames: tuple[str, ...],
    database_url: str | None,
    config: Path | None,
    form: str,
) -> None:
    from migrator import api, projects

    if renames and not autogenerate:
        raise click.UsageError("--rename is for --autogenerate")
    settings = settings_from(database_url, config)
    projects.check_message(message)
    found = compared(settings, renames, form) if autogenerate else None
    if found is not None and not found.proposals:
        nothing(found, form)
        return
    path = api.new(
        settings,
        message,
        head=head,
        branch_label=branch_label,
        depends_on=depends_on,
        splice=splice,
        arguments=template_arguments(found),
    )
    if found is not None:
        written(path, found, form)
    elif form == "json":
        print_json({"path": path, "next": "migrator plan"})
    else:
        say(f"wrote {path}")
        say("next: put the operations into it, then: migrator plan")


def compared(settings: Settings, renames: tuple[str, ...], form: str) -> Comparison:
    from migrator import api
    from migrator.autogenerate.renames import never

    asking = form == "text" and sys.stdin.isatty()
    return api.check(settings, renames, confirm if asking else never)


def confirm(rename: Rename) -> bool:
    return click.confirm(f"Is {rename.table}.{rename.new} the {rename.old} of before, renamed?", err=True)


def template_arguments(found: Comparison | None) -> Mapping[str, str]:
    from migrator.autogenerate import rendering

    return rendering.template_arguments(found.proposals if found else ())


def nothing(found: Comparison, form: str) -> None:
    if form == "json":
        print_json({"path": None, **comparison_data(found)})
    else:
        say("Models and database agree; no file was written.")
        show_hints(found)


def written(path: Path, found: Comparison, form: str) -> None:
    todo = sum(proposal.name == "Todo" for proposal in found.proposals)
    if form == "json":
        print_json({"path": path, "todo": todo, **comparison_data(found), "next": "migrator plan"})
        return
    say(f"wrote {path}")
    for proposal in found.proposals:
        say(f"  {proposal.operation.describe()}")
    show_hints(found)
    say(f"next: decide {todo} Todo in it, then: migrator plan" if todo else "next: look at it, then: migrator plan")
