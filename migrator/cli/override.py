"""`migrator override`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from migrator.cli.commands import COMMANDS
from migrator.cli.options import example, settings_from, with_database
from migrator.cli.render import print_json, say

if TYPE_CHECKING:
    from migrator.ledger.records import OverrideRecord

EXAMPLES = example("""
migrator override request 4f2a9c --code security --reason "leaks addresses, ticket 42" --approvals 1
migrator override approve 7                                     by somebody else
migrator apply --phase contract --to 4f2a9c --override          within the hour, once
migrator override list
""")


@click.group("override", help=COMMANDS["override"], epilog=EXAMPLES)
def command() -> None:
    pass


@command.command(
    "request",
    help="Ask to contract in spite of what shuts the gate at this moment; for that alone, once, within the hour.",
    epilog=example("""migrator override request 4f2a9c --code security --reason "leaks addresses, ticket 42" """),
)
@click.argument("revision")
@click.option("--reason", required=True, help="Why; kept in the ledger.")
@click.option(
    "--code",
    type=click.Choice(["security", "legal", "cost", "data-loss", "other"]),
    default="other",
    show_default=True,
    help="Kind of the reason.",
)
@click.option("--approvals", type=click.IntRange(0, 9), help="Approvals of others that it takes; as set by default.")
@with_database
def request(
    revision: str,
    reason: str,
    code: str,
    approvals: int | None,
    database_url: str | None,
    config: Path | None,
    form: str,
) -> None:
    from migrator import api

    settings = settings_from(database_url, config)
    show(api.override_request(settings, revision, reason=reason, code=code, approvals=approvals), form)


@command.command(
    "approve",
    help="Approve what somebody else has asked for; MIGRATOR_ACTOR says who you are.",
    epilog=example("migrator override approve 7"),
)
@click.argument("number", type=int)
@with_database
def approve(number: int, database_url: str | None, config: Path | None, form: str) -> None:
    from migrator import api

    show(api.override_approve(settings_from(database_url, config), number), form)


@command.command("list", help="Show every override, newest last.")
@with_database
def list_(database_url: str | None, config: Path | None, form: str) -> None:
    from migrator import api

    found = api.overrides(settings_from(database_url, config))
    if form == "json":
        print_json({"overrides": found})
        return
    for item in found:
        say(line(item))
    if not found:
        say("Nothing was ever overridden.")


def show(record: OverrideRecord, form: str) -> None:
    if form == "json":
        print_json({"override": record})
        return
    say(line(record))
    missing = record.needed - len(record.approvers)
    contract = f"migrator apply --phase contract --to {record.revision} --override"
    say(f"next:  {f'as somebody else: migrator override approve {record.id}' if missing > 0 else contract}")


def line(record: OverrideRecord) -> str:
    parts = [f"{record.id}: {record.revision}, {record.code}: {record.reason} ({record.actor})"]
    parts += [f"against {', '.join(record.blockers)}"] if record.blockers else []
    parts += [f"approved by {', '.join(record.approvers)}"] if record.approvers else []
    missing = record.needed - len(record.approvers)
    parts += [f"{missing} approvals are missing"] if missing > 0 else []
    if record.used_at is not None:
        parts.append(f"used at {record.used_at:%Y-%m-%d %H:%M:%S %Z}")
    elif record.expires_at is not None:
        parts.append(f"expires at {record.expires_at:%Y-%m-%d %H:%M:%S %Z}")
    return "; ".join(parts)
