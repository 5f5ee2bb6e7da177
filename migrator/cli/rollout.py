"""`migrator rollout`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from migrator.cli.commands import COMMANDS
from migrator.cli.options import example, settings_from, with_database
from migrator.cli.render import note, print_json, say

if TYPE_CHECKING:
    from migrator.rolling_out import Rollout

EXAMPLES = example("""
migrator rollout run --version "$SHA"        as [tool.migrator.rollout] says
migrator rollout run --version 2.0 --strategy blue-green
migrator rollout status
migrator rollout promote                     end the wait it is at; --all: every further one, too
migrator rollout pause
migrator rollout resume                      after a pause, or when the one that drove it was killed
migrator rollout abort --reason "slow"       back to what was live
""")
ENDED = {"succeeded": 0, "rolled_back": 1, "held": 1, "failed": 1, "refused": 3}


@click.group("rollout", help=COMMANDS["rollout"], epilog=EXAMPLES)
def command() -> None:
    pass


def show(found: Rollout, form: str, *, actions: bool = False) -> None:
    if form == "json":
        print_json({"rollout": found})
        return
    record = found.record
    driven = "" if record.status != "running" or found.controlled else ", and nobody drives it: migrator rollout resume"
    asked = f" ({record.wish})" if record.wish else ""
    say(f"{record.application} {record.version} in {record.environment}: {record.status}{asked}{driven}", bold=True)
    if record.said:
        say(f"  {record.said}")
    if actions:
        show_actions(found)
    probe = record.facts.get("probe") or {}
    if probe:
        say(
            f"  as a client saw it: {probe['requests']} requests, {probe['failed']} failed,"
            f" longest gap {probe['longest_gap_seconds']} s"
        )


def show_actions(found: Rollout) -> None:
    for item in found.actions:
        state = "under way" if item.outcome is None else "done" if item.outcome["ok"] else "failed"
        given = ", ".join(f"{value}" for key, value in item.action.items() if key != "kind" and value not in ("", None))
        why = f": {item.outcome['reason']}" if item.outcome and item.outcome["reason"] else ""
        say(f"  {item.position + 1:>3}. {item.action['kind']} {given}: {state}{why}")


def leave(found: Rollout) -> None:
    code = ENDED.get(found.record.status, 0)
    if code:
        raise click.exceptions.Exit(code)


@command.command("run", help="Roll a version out, to its end; exit 1 where it was rolled back, 3 where it may not run.")
@click.option("--version", required=True, help="Version, best the commit or digest.")
@click.option("--strategy", help="Another strategy than [tool.migrator.rollout] names.")
@click.option("--from", "previous", metavar="VERSION", help="What is live; the newest deployment by default.")
@click.option("--shape", metavar="REVISION", help="Newest revision whose new shape it uses; the head by default.")
@with_database
def run(
    version: str,
    strategy: str | None,
    previous: str | None,
    shape: str | None,
    database_url: str | None,
    config: Path | None,
    form: str,
) -> None:
    from migrator import api
    from migrator.cli.progress import observer_for

    done = api.rollout_run(
        settings_from(database_url, config),
        version,
        config=config,
        strategy=strategy,
        previous=previous,
        shape=shape,
        observer=observer_for(form),
    )
    show(done, form)
    leave(done)


@command.command("status", help="Show the newest rollout, action by action.")
@with_database
def status(database_url: str | None, config: Path | None, form: str) -> None:
    from migrator import api

    found = api.rollout_status(settings_from(database_url, config), config=config)
    if found is not None:
        show(found, form, actions=True)
    elif form == "json":
        print_json({"rollout": None})
    else:
        say("No rollout is recorded.")


@command.command("promote", help="End the wait that a rollout is at.")
@click.option("--all", "everything", is_flag=True, help="And every further one; floor and readiness are still asked.")
@click.option("--reason", default="", help="Why; kept in the ledger.")
@with_database
def promote(everything: bool, reason: str, database_url: str | None, config: Path | None, form: str) -> None:
    asked("promote all" if everything else "promote", reason, database_url, config, form)


@command.command("pause", help="Let a rollout wait where it is.")
@click.option("--reason", default="", help="Why; shown wherever somebody wonders.")
@with_database
def pause(reason: str, database_url: str | None, config: Path | None, form: str) -> None:
    asked("pause", reason, database_url, config, form)


def asked(what: str, reason: str, database_url: str | None, config: Path | None, form: str) -> None:
    from migrator import api

    show(api.rollout_ask(settings_from(database_url, config), what, config=config, reason=reason), form)


@command.command("resume", help="Go on after a pause, or where a run was killed.")
@with_database
def resume(database_url: str | None, config: Path | None, form: str) -> None:
    going_on(False, "", database_url, config, form)


@command.command("abort", help="Take a rollout back.")
@click.option("--reason", default="", help="Why; kept in the ledger.")
@with_database
def abort(reason: str, database_url: str | None, config: Path | None, form: str) -> None:
    going_on(True, reason, database_url, config, form)


def going_on(back: bool, reason: str, database_url: str | None, config: Path | None, form: str) -> None:
    from migrator import api
    from migrator.cli.progress import observer_for

    settings = settings_from(database_url, config)
    done = api.rollout_go_on(settings, config=config, abort=back, reason=reason, observer=observer_for(form))
    show(done, form)
    if done.record.status == "running":
        note("whoever drives it has been told")
    elif not back:
        leave(done)
