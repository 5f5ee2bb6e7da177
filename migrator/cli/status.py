"""`migrator status`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from migrator.cli.commands import COMMANDS
from migrator.cli.options import example, settings_from, with_database
from migrator.cli.render import print_json, say

if TYPE_CHECKING:
    from migrator.api import Status

SAMPLE = 5
"""Rows set aside that are shown."""

EXAMPLES = example("""
migrator status
migrator status --check          exit 3 while a revision is not ready for release
migrator status --events 20      the newest entries of the audit log
""")


@click.command("status", help=COMMANDS["status"], epilog=EXAMPLES)
@click.option("--check", is_flag=True, help="Exit 3 while a revision is not ready for release.")
@click.option("--events", type=int, default=0, metavar="N", help="Show the newest N entries of the audit log.")
@with_database
def command(check: bool, events: int, database_url: str | None, config: Path | None, form: str) -> None:
    from migrator import api
    from migrator.planning import RELEASABLE

    status = api.status(settings_from(database_url, config), events=events)
    if form == "json":
        print_json(status_data(status))
    else:
        print_status(status)
    waiting = [r for r in status.revisions if r.state not in RELEASABLE and not (r.additive and r.state == "expanded")]
    if check and waiting:
        raise click.exceptions.Exit(3)


def status_data(status: Status) -> dict[str, Any]:
    from migrator.cli.plan import revision_data

    return {
        "database_time": status.clock,
        "alembic_heads": sorted(status.heads),
        "runner": status.runner,
        "replicas": status.replicas,
        "pressure": status.pressure,
        "revisions": [
            {
                **revision_data(item),
                "backfilled_rows": status.rows.get(item.revision, 0),
                "set_aside": set_aside_data(status, item.revision),
            }
            for item in status.revisions
        ],
        "events": status.events,
    }


def set_aside_data(status: Status, revision: str) -> dict[str, Any]:
    rows = status.aside.get(revision, ())
    return {"rows": len(rows), "sample": rows[:SAMPLE]}


def print_set_aside(status: Status, revision: str) -> None:
    rows = status.aside.get(revision, ())
    if not rows:
        return
    counted = f"{len(rows)} {'row' if len(rows) == 1 else 'rows'} of {rows[0].table}"
    say(f"  {counted} set aside; once mended: migrator retry {revision}", fg="yellow")
    for row in rows[:SAMPLE]:
        say(f"    {row.row}")
    if len(rows) > SAMPLE:
        say(f"    and {len(rows) - SAMPLE} more, all of them in the table migrator.set_aside")


def print_status(status: Status) -> None:
    say(f"alembic_version: {', '.join(sorted(status.heads)) or 'nothing yet'}")
    say(f"runner:          {status.runner or 'none at work'}")
    if status.replicas:
        say(f"replicas:        {status.replicas}", fg="yellow")
    for reason in status.pressure:
        say(f"backfills:       {reason}", fg="yellow")
    if not status.revisions:
        say("Every revision is finished.")
    for item in status.revisions:
        done = sum(1 for step in item.steps if step.state == "done")
        say(
            f"{item.revision}  {item.message}  [{item.state}]  {done} of {len(item.steps)} steps done",
            bold=True,
        )
        if item.problem:
            say(f"  cannot be planned: {item.problem}", fg="yellow")
        if rows := status.rows.get(item.revision):
            say(f"  {rows} rows backfilled")
        print_set_aside(status, item.revision)
        if item.remaining:
            say(f"  next: {item.remaining[0].phase}: {item.remaining[0].step.name}")
    for event in status.events:
        about = " ".join(part for part in (event.revision, event.step) if part)
        say(f"{event.at:%Y-%m-%d %H:%M:%S}  {event.kind}  {about}  by {event.actor}")
