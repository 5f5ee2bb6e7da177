"""`migrator audit`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from migrator.cli.commands import COMMANDS
from migrator.cli.options import example, settings_from, with_database
from migrator.cli.render import plain, print_json, say

if TYPE_CHECKING:
    from migrator.api import Audit

EXAMPLES = example("""
migrator audit verify                          exit 1: a record or an event was changed by hand
migrator audit export > audit.jsonl            one event on a line, each with its hash
migrator audit verify --head 9f2c…             and that an event that was exported is still there
migrator audit accept --reason "restored from backup, ticket 9"
""")


@click.group("audit", help=COMMANDS["audit"], epilog=EXAMPLES)
def command() -> None:
    pass


@command.command(
    "verify",
    help="Compare records with the audit log, and the log with its chain of hashes: exit 0, or 1.",
    epilog=example("migrator audit verify --head 9f2c…"),
)
@click.option("--head", metavar="HASH", help="Hash of an event that was exported before.")
@with_database
def verify(head: str | None, database_url: str | None, config: Path | None, form: str) -> None:
    from migrator import api

    found = api.audit_verify(settings_from(database_url, config), head=head)
    show(found, form)
    if found.findings:
        raise click.exceptions.Exit(1)


@command.command(
    "export",
    help="Print every event as a line of JSON; the last hash, kept elsewhere, proves what came before it.",
    epilog=example("migrator audit export > audit.jsonl"),
)
@with_database
def export(database_url: str | None, config: Path | None, form: str) -> None:
    from migrator import api

    events = api.audit_export(settings_from(database_url, config))
    if form == "json":
        print_json({"events": events})
        return
    for event in events:
        click.echo(json.dumps(plain(event), ensure_ascii=False))


@command.command(
    "accept",
    help="Take records and log as they are, once you know why they were changed; that is kept, too.",
    epilog=example("""migrator audit accept --reason "restored from backup, ticket 9" """),
)
@click.option("--reason", required=True, help="Why; kept in the log with what was found.")
@with_database
def accept(reason: str, database_url: str | None, config: Path | None, form: str) -> None:
    from migrator import api

    show(api.audit_accept(settings_from(database_url, config), reason), form)


def show(found: Audit, form: str) -> None:
    if form == "json":
        print_json({"audit": found})
        return
    for finding in found.findings:
        say(finding)
    for item in found.accepted:
        say(f"accepted by {item['actor']} at {item['at']:%Y-%m-%d %H:%M:%S %Z}: {item['reason']}")
    if found.findings:
        say("next:  find out who and why; then: migrator audit accept --reason …")
    else:
        say(f"{found.events} events, as they were written; the last is {found.head or 'none'}")
