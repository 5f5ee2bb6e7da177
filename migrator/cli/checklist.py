"""`migrator checklist`."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from migrator.cli.commands import COMMANDS
from migrator.cli.options import example, moment, settings_from, with_database
from migrator.cli.render import plain, print_json, say

if TYPE_CHECKING:
    from migrator.api import Listed
    from phases.checklist_facts import Item

EXAMPLES = example("""
migrator checklist                     before a deployment; exit 3 while something is not as it should be
migrator checklist 4f2a9c              before the contract of a revision: its gate and verification, too
migrator checklist record smoke --command "./smoke.sh https://shop.example"
migrator checklist record backup --at 2026-03-01T02:10:00Z --evidence "pgbackrest 20260301-020000F, restored to staging"
migrator checklist waive budget --reason "the fix of incident 12" --for 4h
""")
MARKS = {"passed": "x", "failed": " ", "not known": "?", "waived": "-"}


class Listing(click.Group):
    """A group that shows the list where no other verb of it is named."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        asks_help = bool(args) and args[0] in ("-h", "--help")
        if not asks_help and (not args or args[0] not in self.commands):
            args = ["show", *args]
        return super().parse_args(ctx, args)


@click.group("checklist", cls=Listing, help=COMMANDS["checklist"], epilog=EXAMPLES)
def command() -> None:
    pass


@command.command(
    "show",
    help="Show every item with its evidence, its age and its result; `show` may be left out. Asks the URLs, the query"
    " and the commands that the settings name, and writes nothing.",
    epilog=example("migrator checklist 4f2a9c --format json"),
)
@click.argument("revision", required=False)
@with_database
def show(revision: str | None, database_url: str | None, config: Path | None, form: str) -> None:
    from migrator import api

    listed = api.checklist(settings_from(database_url, config), revision)
    if form == "json":
        print_json({"checklist": as_data(listed)})
    else:
        print_list(listed)
    if not listed.checklist.met:
        raise click.exceptions.Exit(3)


def share(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
    from migrator.setting_values import share as read

    return None if value is None else as_read(read, value, ctx, param)


def seconds(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
    from migrator.setting_values import duration

    return None if value is None else as_read(duration, value, ctx, param)


def as_read(read: Any, value: str, ctx: click.Context, param: click.Parameter) -> float:
    try:
        return float(read(value))
    except ValueError as problem:
        raise click.BadParameter(str(problem), ctx, param) from None


@command.command(
    "record",
    help="Record what was found of probes, smoke, budget or backup: evidence, the run of a command, or what the"
    " settings name. Who records it is kept in the audit log. Exit 1 where it is not as it should be.",
    epilog=example("""
migrator checklist record smoke --command "./smoke.sh" --timeout 2m
migrator checklist record backup --at 2026-03-01T02:10:00Z --evidence "restored to staging, ticket 9"
migrator checklist record budget --left 42% --evidence "https://slo.example/shop"
migrator checklist record backup          with the command in [tool.migrator.checklist.backup]
"""),
)
@click.argument("item", metavar="ITEM")
@click.option("--evidence", default="", help="What shows it, so that others find it again.")
@click.option("--command", "run", default="", help="Run this, without a shell; 0 is well. Its last lines are kept.")
@click.option("--timeout", metavar="DURATION", callback=seconds, help="How long it may take; 60s, or as set.")
@click.option("--at", metavar="TIME", callback=moment, help="When it was so; of a backup when that was made.")
@click.option("--left", metavar="SHARE", callback=share, help="What is left of the error budget, as 42%.")
@click.option("--failed", is_flag=True, help="The evidence says that it is not as it should be.")
@click.option("--app", "application", metavar="NAME", help="Of which application; else of all, or as set.")
@click.option("--version", default="", metavar="VERSION", help="Of which version; else of the one that is live.")
@with_database
def record(
    item: str,
    evidence: str,
    run: str,
    timeout: float | None,
    at: datetime | None,
    left: float | None,
    failed: bool,
    application: str | None,
    version: str,
    database_url: str | None,
    config: Path | None,
    form: str,
) -> None:
    from migrator import api

    found = api.Found(evidence, run, at, left, failed=failed, application=application, version=version, timeout=timeout)
    given = api.checklist_record(settings_from(database_url, config), item, found)
    if form == "json":
        print_json({"recorded": given})
    else:
        for each in given:
            say(f"recorded: {each.about} {'passed' if each.ok else 'failed'}: {each.said}")
    if not all(each.ok for each in given):
        raise click.exceptions.Exit(1)


@command.command(
    "waive",
    help="Do without an item for a while, with a reason; who says so is kept in the audit log. What is waived stays in"
    " the list with what was found, and no gate opens by it.",
    epilog=example("""migrator checklist waive budget --reason "the fix of incident 12" --for 4h"""),
)
@click.argument("item", metavar="ITEM")
@click.option("--reason", required=True, help="Why; kept in the audit log.")
@click.option("--for", "time", metavar="DURATION", callback=seconds, default="24h", show_default=True, help="How long.")
@with_database
def waive(item: str, reason: str, time: float, database_url: str | None, config: Path | None, form: str) -> None:
    from migrator import api

    made = api.checklist_waive(settings_from(database_url, config), item, reason=reason, seconds=time)
    if form == "json":
        print_json({"waiver": made})
    else:
        say(f"{made.item} is waived by {made.actor} until {made.until:%Y-%m-%d %H:%M:%S %Z}: {made.reason}")


def as_data(listed: Listed) -> dict[str, Any]:
    """The list as JSON has it."""
    return {
        "met": listed.checklist.met,
        "unmet": listed.checklist.unmet,
        "revision": listed.revision,
        "policy": listed.policy,
        "at": listed.at,
        "items": [plain(item) for item in listed.checklist.items],
        "notes": listed.checklist.notes,
    }


def print_list(listed: Listed) -> None:
    """Every item: `x` passed, blank failed, `?` not known, `-` waived."""
    found = listed.checklist
    unknown = [item.name for item in found.items if item.result == "not known" and item.name not in found.unmet]
    said = "nothing failed" if unknown else "met"
    said = said if found.met else f"not met: {', '.join(found.unmet)}"
    said += f"; not known, and let through by policy {listed.policy}: {', '.join(unknown)}" if unknown else ""
    say(said, bold=True)
    for item in found.items:
        print_item(item)
    for note in found.notes:
        say(f"      {note}")


def print_item(item: Item) -> None:
    age = f", {old(item.age_seconds)}" if item.age_seconds is not None and item.age_seconds >= 1 else ""
    say(f"  [{MARKS[item.result]}] {item.name} {item.result}{age}: {item.evidence}")
    if item.waiver is not None:
        until = f"{item.waiver.until:%Y-%m-%d %H:%M:%S %Z}"
        say(f"      waived by {item.waiver.actor} until {until}: {item.waiver.reason}")
    elif item.remedy:
        say(f"      {item.remedy}")


def old(age_seconds: float) -> str:
    from phases.checklist_evidence import span

    return f"{span(timedelta(seconds=age_seconds))} old"
