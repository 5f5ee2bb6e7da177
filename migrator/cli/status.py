"""`migrator status`."""

from __future__ import annotations

import sys
import time
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
HEARD = 10.0
"""Seconds for which somebody who has said how far he is counts as at work."""
OLD = 5.0
"""Seconds after which it is said how old a report is."""

EXAMPLES = example("""
migrator status
migrator status --check          exit 3 while a revision is not ready for release
migrator status --events 20      the newest entries of the audit log
migrator status --watch 2s       again and again, while a backfill runs
""")


@click.command("status", help=COMMANDS["status"], epilog=EXAMPLES)
@click.option("--check", is_flag=True, help="Exit 3 while a revision is not ready for release.")
@click.option("--events", type=int, default=0, metavar="N", help="Show the newest N entries of the audit log.")
@click.option("--watch", metavar="DURATION", help="Look again so often, until nothing is under way or Ctrl-C.")
@with_database
def command(
    check: bool, events: int, watch: str | None, database_url: str | None, config: Path | None, form: str
) -> None:
    from migrator import api
    from migrator.planning import RELEASABLE

    every, settings = seconds(watch), settings_from(database_url, config)
    status = api.status(settings, events=events)
    show(status, form, lines=every is not None)
    while every is not None and under_way(status):
        time.sleep(every)
        status = api.status(settings, events=events)
        show(status, form, lines=True)
    waiting = [r for r in status.revisions if r.state not in RELEASABLE and not (r.additive and r.state == "expanded")]
    if check and waiting:
        raise click.exceptions.Exit(3)


def under_way(status: Status) -> bool:
    """Whether a runner is at work, or somebody who compares rows without being one."""
    said = (status.clock - found.updated_at for found in status.progress.values())
    return status.runner is not None or any(age.total_seconds() < HEARD for age in said)


def seconds(watch: str | None) -> float | None:
    from migrator.errors import UsageError
    from migrator.setting_values import duration

    try:
        return max(0.1, duration(watch)) if watch is not None else None
    except ValueError as problem:
        raise UsageError(f"--watch: {problem}", next_step="migrator status --watch 2s") from None


def show(status: Status, form: str, *, lines: bool) -> None:
    """Print it as it was asked for; `lines`: one JSON document a line, and the screen anew for people."""
    if form == "json":
        print_json(status_data(status), compact=lines)
        return
    if lines and sys.stdout.isatty():
        click.clear()
    print_status(status)


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
                "progress": status.progress.get(item.revision),
            }
            for item in status.revisions
        ],
        "controls": status.controls,
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


def print_controls(status: Status) -> None:
    for scope, control in status.controls.items():
        parts = ["paused"] if control.paused else []
        parts += [f"{control.rows_per_second:g} rows/s"] if control.rows_per_second is not None else []
        parts += [f"latency {control.max_latency * 1000:g} ms"] if control.max_latency is not None else []
        say(f"{scope or 'every backfill'}: {', '.join(parts)} (by {control.said})", fg="yellow")


def print_progress(status: Status, revision: str) -> None:
    """How far the step under way is, how fast, until when, and why not faster."""
    found = status.progress.get(revision)
    if found is None:
        return
    share = f"{100 * found.done / found.total:.0f} %, " if found.total else ""
    left = ""
    if found.seconds_left is not None and found.seconds_left_least is not None and found.seconds_left_most is not None:
        left = f", {spoken(found.seconds_left)} left"
        left += f" ({spoken(found.seconds_left_least)} to {spoken(found.seconds_left_most)})"
    age = (status.clock - found.updated_at).total_seconds()
    stale = f", as of {spoken(age)} ago" if age > OLD else ""
    say(f"  {found.step}: {share}{found.rows_per_second:.0f} rows/s{left}{stale}")
    if found.limits:
        say(f"    kept to: {found.limits}")
    if found.reason:
        say(f"    {found.reason}", fg="yellow")


def spoken(seconds: float) -> str:
    """A duration in the unit that suits it."""
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}" if seconds < 10 * size else f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def print_status(status: Status) -> None:
    say(f"alembic_version: {', '.join(sorted(status.heads)) or 'nothing yet'}")
    say(f"runner:          {status.runner or 'none at work'}")
    if status.replicas:
        say(f"replicas:        {status.replicas}", fg="yellow")
    for reason in status.pressure:
        say(f"backfills:       {reason}", fg="yellow")
    print_controls(status)
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
        print_progress(status, item.revision)
        print_set_aside(status, item.revision)
        if item.remaining:
            say(f"  next: {item.remaining[0].phase}: {item.remaining[0].step.name}")
    for event in status.events:
        about = " ".join(part for part in (event.revision, event.step) if part)
        say(f"{event.at:%Y-%m-%d %H:%M:%S}  {event.kind}  {about}  by {event.actor}")
