"""`migrator observe`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from migrator.cli.commands import COMMANDS
from migrator.cli.options import example, settings_from, with_database
from migrator.cli.render import note, print_json, say
from migrator.errors import MigratorError, UsageError

if TYPE_CHECKING:
    from migrator.observing import Look, Observed
    from migrator.settings import Settings

EXAMPLES = example("""
migrator observe                 once: who is connected, which statements use what contracts take away
migrator observe --every 1m      again and again, until Ctrl-C, for as long as a contract waits
migrator observe --pooler postgresql://stats@pgbouncer:6432/pgbouncer
""")


@click.command("observe", help=COMMANDS["observe"], epilog=EXAMPLES)
@click.option("--every", metavar="DURATION", help="Look again so often, until Ctrl-C; 1m is often enough.")
@click.option(
    "--pooler",
    "poolers",
    multiple=True,
    metavar="URL",
    help="Admin console of a PgBouncer, to look at its clients, too; may be given more than once.",
)
@with_database
def command(
    every: str | None, poolers: tuple[str, ...], database_url: str | None, config: Path | None, form: str
) -> None:
    from migrator import api

    pause = seconds(every)
    settings = settings_from(database_url, config, poolers=poolers or None)
    show(api.observe(settings), form, lines=pause is not None)
    try:
        while pause is not None:
            time.sleep(pause)
            look_again(settings, form)
    except KeyboardInterrupt:
        return  # this is how it ends


def look_again(settings: Settings, form: str) -> None:
    """One more look; a server that is away for a moment ends nothing."""
    from migrator import api

    try:
        show(api.observe(settings), form, lines=True)
    except MigratorError as problem:
        note(f"not observed: {problem.message}", fg="yellow")


def seconds(every: str | None) -> float | None:
    from migrator.setting_values import duration

    try:
        return max(1.0, duration(every)) if every is not None else None
    except ValueError as problem:
        raise UsageError(f"--every: {problem}", next_step="migrator observe --every 1m") from None


def show(observed: Observed, form: str, *, lines: bool) -> None:
    if form == "json":
        print_json(observed_data(observed), compact=lines)
        return
    say(f"{observed.at:%Y-%m-%d %H:%M:%S %Z}", bold=True)
    for look in observed.looks:
        print_look(look)


def print_look(look: Look) -> None:
    total = sum(look.sessions.values())
    say(f"{look.source}: {total} {'session' if total == 1 else 'sessions'} of others")
    for (name, role), count in look.sessions.items():
        say(f"  {name or '(no name)'}, role {role}: {count}")
    for thing, count in look.statements.items():
        say(f"  statements that use {thing}, as far as they are counted: {count}")
    for reason, remedy in look.missing:
        say(f"  not observed: {reason}", fg="yellow")
        if remedy:
            say(f"    {remedy}")


def observed_data(observed: Observed) -> dict[str, Any]:
    return {
        "at": observed.at,
        "things": observed.things,
        "looks": [
            {
                "source": look.source,
                "sessions": [
                    {"name": name, "role": role, "sessions": count} for (name, role), count in look.sessions.items()
                ],
                "statements": look.statements,
                "missing": [{"reason": reason, "remedy": remedy} for reason, remedy in look.missing],
            }
            for look in observed.looks
        ],
    }
