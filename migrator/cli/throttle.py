"""`migrator throttle`."""

from __future__ import annotations

from pathlib import Path

import click

from migrator.cli.commands import COMMANDS
from migrator.cli.options import example, settings_from, with_database
from migrator.cli.pause import show

EXAMPLES = example("""
migrator throttle --rows-per-second 5000     every backfill, from the next second on
migrator throttle 4f2a9c --max-latency 20ms  slow down while a look at the table takes longer for others
migrator throttle --off                      as fast as it goes again
""")


@click.command("throttle", help=COMMANDS["throttle"], epilog=EXAMPLES)
@click.argument("revision", required=False)
@click.option("--rows-per-second", type=click.FloatRange(min=0, min_open=True), metavar="N", help="Rows, at most.")
@click.option("--max-latency", metavar="DURATION", help="How long a look at the table may take for others, 20ms.")
@click.option("--off", is_flag=True, help="Take limits back.")
@click.option("--reason", default="", help="Why; shown wherever somebody wonders.")
@with_database
def command(
    revision: str | None,
    rows_per_second: float | None,
    max_latency: str | None,
    off: bool,
    reason: str,
    database_url: str | None,
    config: Path | None,
    form: str,
) -> None:
    from migrator import api
    from migrator.errors import UsageError
    from migrator.setting_values import duration

    if off == (rows_per_second is not None or max_latency is not None):
        raise UsageError(
            "give a limit, or --off, which takes limits back", next_step="migrator throttle --rows-per-second 5000"
        )
    try:
        latency = duration(max_latency) if max_latency is not None else None
    except ValueError as problem:
        raise UsageError(f"--max-latency: {problem}", next_step="migrator throttle --max-latency 20ms") from None
    settings = settings_from(database_url, config)
    asked = api.throttle(settings, revision, rows_per_second=rows_per_second, max_latency=latency, reason=reason)
    show(asked, form, "As fast as it goes" if off else "Throttled", "" if off else "migrator throttle --off")
