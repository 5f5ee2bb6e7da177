"""`migrator consumer`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from migrator.cli.commands import COMMANDS
from migrator.cli.options import example, settings_from, with_database
from migrator.cli.render import print_json, say

if TYPE_CHECKING:
    from migrator.ledger.records import ConsumerRecord

EXAMPLES = example("""
migrator consumer add --app billing --owner team-money       the gate waits until it is heard of
migrator consumer add --app nightly --kind cron              a run of it has to be recorded, not its deployment
migrator consumer add --app psql --kind tool --owner dba     its sessions are known, nothing is expected
migrator consumer retire --app billing --reason "switched off, ticket 7"
migrator consumer list
""")


@click.group("consumer", help=COMMANDS["consumer"], epilog=EXAMPLES)
def command() -> None:
    pass


@command.command(
    "add",
    help="Register who uses the database; what deploys and records it is registered by that.",
    epilog=example("migrator consumer add --app reports --kind reader --owner team-numbers"),
)
@click.option("--app", required=True, help="Name, as its deployments and its sessions have it.")
@click.option("--environment", default="production", show_default=True)
@click.option("--region", default="", help="Region, or whatever else tells places of one environment apart.")
@click.option(
    "--kind",
    type=click.Choice(["application", "worker", "cron", "reader", "tool"]),
    default="application",
    show_default=True,
    help="cron: recorded by each run; tool: uses no shape of yours.",
)
@click.option("--owner", default="", help="Whom to ask.")
@with_database
def add(
    app: str,
    environment: str,
    region: str,
    kind: str,
    owner: str,
    database_url: str | None,
    config: Path | None,
    form: str,
) -> None:
    from migrator import api

    settings = settings_from(database_url, config)
    show(api.consumer_add(settings, app, environment=environment, region=region, kind=kind, owner=owner), form)


@command.command(
    "retire",
    help="Record that a consumer is gone for good; refused while it is connected.",
    epilog=example("""migrator consumer retire --app billing --region eu --reason "switched off, ticket 7" """),
)
@click.option("--app", required=True, help="Name of the consumer.")
@click.option("--environment", default="production", show_default=True)
@click.option("--region", default="")
@click.option("--reason", required=True, help="Why it is sure; kept in the ledger.")
@with_database
def retire(
    app: str, environment: str, region: str, reason: str, database_url: str | None, config: Path | None, form: str
) -> None:
    from migrator import api

    settings = settings_from(database_url, config)
    show(api.consumer_retire(settings, app, environment=environment, region=region, reason=reason), form)


@command.command("list", help="Show who is registered.")
@with_database
def list_(database_url: str | None, config: Path | None, form: str) -> None:
    from migrator import api

    found = api.consumers(settings_from(database_url, config))
    if form == "json":
        print_json({"consumers": found})
        return
    for item in found:
        say(line(item))
    if not found:
        say("Nobody is registered; who records deployments is known by these: migrator deploy list")


def show(record: ConsumerRecord, form: str) -> None:
    if form == "json":
        print_json({"consumer": record})
    else:
        say(line(record))


def line(record: ConsumerRecord) -> str:
    place = f"{record.environment}/{record.region}" if record.region else record.environment
    owner = f", {record.owner}" if record.owner else ""
    gone = ""
    if record.retired_at is not None:
        gone = f"; retired at {record.retired_at:%Y-%m-%d %H:%M:%S %Z}: {record.retired_because}"
    return f"{record.application} in {place}: {record.kind}{owner}{gone}"
