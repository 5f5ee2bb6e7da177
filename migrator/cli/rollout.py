"""`migrator rollout`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from migrator.cli.commands import COMMANDS
from migrator.cli.options import example, settings_from, with_database
from migrator.cli.render import note, print_json, say

if TYPE_CHECKING:
    from migrator.ledger.rollouts import ActionRecord
    from migrator.rolling_out import Rollout

EXAMPLES = example("""
migrator rollout run --version "$SHA"        as [tool.migrator.rollout] says
migrator rollout run --version 2.0 --strategy blue-green --hold-requests 5s
migrator rollout run --version 2.0 --strategy shadow       nobody has its answers; ab: some users do
migrator rollout run --version 2.0 --strategy toggle --flag read_name --variant dual_write
migrator rollout flags                       which flags could go, and why
migrator rollout status
migrator rollout promote                     end the wait it is at; --all: every further one, too
migrator rollout pause
migrator rollout resume                      after a pause, or when the one that drove it was killed
migrator rollout abort --reason "slow"       back to what was live
migrator rollout config --into /etc/haproxy  how the target has to be configured for the pools
""")
ENDED = {"succeeded": 0, "shadowed": 0, "rolled_back": 1, "held": 1, "failed": 1, "refused": 3}


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
    for line in figures(record.facts, record.said):
        say(f"  {line}")


def figures(facts: Mapping[str, Any], said: str) -> Iterator[str]:
    """What was measured, in words, but for what is said already."""
    analysis = facts.get("analysis")
    if analysis and analysis["reason"] not in said:
        verdict = analysis["verdict"].replace("_", " ")
        yield f"{analysis['arm']} with {analysis['version']}: {verdict}: {analysis['reason']}"
    known = {
        "exposed_percent": "up to {} % of the traffic",
        "switch_seconds": "switched in {} s",
        "rollback_seconds": "taken back in {} s",
        "held_seconds": "requests held for {} s at most",
    }
    if measured := [text.format(facts[name]) for name, text in known.items() if name in facts]:
        yield ", ".join(measured)
    if probe := facts.get("probe"):
        yield (
            f"as a client saw it: {probe['requests']} requests, {probe['failed']} failed,"
            f" longest gap {probe['longest_gap_seconds']} s"
        )
        if changes := probe.get("arm_changes"):
            yield (
                f"as {changes['users']} users saw it: their version changed {changes['most']} times at most,"
                f" {changes['mean']} times in the mean, {changes['back']} times back to one they had before"
            )
    if drains := facts.get("drains"):
        yield "drained: " + ", ".join(f"{count} {end}" for end, count in drains.items())


def show_actions(found: Rollout) -> None:
    for item in found.actions:
        state = "under way" if item.outcome is None else "done" if item.outcome["ok"] else "failed"
        values = [value for key, value in item.action.items() if key != "kind"]
        given = ", ".join(plainly(value) for value in values if value not in ("", None, []) and value is not False)
        why = f": {item.outcome['reason']}" if item.outcome and item.outcome["reason"] else ""
        say(f"  {item.position + 1:>3}. {item.action['kind']} {given}: {state}{drained(item)}{why}")


def drained(item: ActionRecord) -> str:
    """How a drain ended, in words; empty for other actions."""
    facts = (item.outcome or {}).get("facts", {})
    if "end" not in facts:
        return ""
    ended = f"{facts['end']} after {facts['seconds']:g} s"
    more = [
        f"{facts[name]} {said}"
        for name, said in (("closed", "ended for their age"), ("left", "left"))
        if facts.get(name)
    ]
    return f" ({', '.join([ended, *more])})"


def plainly(value: Any) -> str:
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return " and ".join(f"{item['attribute']} {'|'.join(item['values'])}" for item in value)
    if isinstance(value, dict):
        return ", ".join(f"{name} {share:g} %" for name, share in value.items())
    return " ".join(value) if isinstance(value, list) else f"{value}"


def leave(found: Rollout) -> None:
    code = ENDED.get(found.record.status, 0)
    if code:
        raise click.exceptions.Exit(code)


def limit(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
    """Read a duration: `5s`."""
    from migrator.setting_values import duration

    try:
        return None if value is None else duration(value)
    except ValueError as problem:
        raise click.BadParameter(str(problem), ctx, param) from None


@command.command("run", help="Roll a version out, to its end; exit 1 where it was rolled back, 3 where it may not run.")
@click.option("--version", required=True, help="Version, best the commit or digest.")
@click.option("--strategy", help="Another strategy than [tool.migrator.rollout] names.")
@click.option("--from", "previous", metavar="VERSION", help="What is live; the newest deployment by default.")
@click.option("--shape", metavar="REVISION", help="Newest revision whose new shape it uses; the head by default.")
@click.option("--flag", help="Which flag a toggle moves; the only one that is configured by default.")
@click.option("--variant", help="The variant that everybody gets of it; the one that reads the new shape by default.")
@click.option(
    "--hold-requests",
    "hold",
    metavar="DURATION",
    callback=limit,
    help="Let requests wait at the proxy while all traffic moves (blue-green), for so long at most, as 5s.",
)
@with_database
def run(
    version: str,
    strategy: str | None,
    previous: str | None,
    shape: str | None,
    flag: str | None,
    variant: str | None,
    hold: float | None,
    database_url: str | None,
    config: Path | None,
    form: str,
) -> None:
    from migrator import api
    from migrator.cli.rollout_progress import going_on_later, observer_for

    with going_on_later():
        done = api.rollout_run(
            settings_from(database_url, config),
            version,
            config=config,
            strategy=strategy,
            previous=previous,
            shape=shape,
            flag=flag,
            variant=variant,
            hold=hold,
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


@command.command("flags", help="Show the feature flags, and which of them could go.")
@click.option("--check", is_flag=True, help="Exit with 1 where something is found.")
@with_database
def flags(check: bool, database_url: str | None, config: Path | None, form: str) -> None:
    from migrator import api
    from migrator.cli.rollout_flags import show_flags

    found = api.rollout_flags(settings_from(database_url, config), config=config)
    if form == "json":
        print_json({"flags": found})
    else:
        show_flags(found)
    if check and any(flag.findings for flag in found):
        raise click.exceptions.Exit(1)


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


@command.command("config", help="Print how the target has to be configured for the pools; opens no connection.")
@click.option("--into", type=click.Path(file_okay=False, path_type=Path), help="Write it, and the files it reads.")
@click.option("--config", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="File of settings.")
def config(into: Path | None, config: Path | None) -> None:
    from migrator import api

    for place, (path, content) in enumerate(api.rollout_files(config).items()):
        if into is None and place == 0:
            say(content.rstrip())
        elif into is None:
            note(f"reads {path}; --into FOLDER writes it")
        else:
            write(into / path, content)


def write(path: Path, content: str) -> None:
    """Write a file unless there is one: it may say where the traffic goes at this moment."""
    if path.exists():
        note(f"{path} is there, and stays as it is")
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    say(str(path))


def going_on(back: bool, reason: str, database_url: str | None, config: Path | None, form: str) -> None:
    from migrator import api
    from migrator.cli.rollout_progress import going_on_later, observer_for

    settings = settings_from(database_url, config)
    with going_on_later():
        done = api.rollout_go_on(settings, config=config, abort=back, reason=reason, observer=observer_for(form))
    show(done, form)
    if done.record.status == "running":
        note("whoever drives it has been told")
    elif not back:
        leave(done)
