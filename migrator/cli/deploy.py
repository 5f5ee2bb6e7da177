"""`migrator deploy`."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from migrator.cli.commands import COMMANDS
from migrator.cli.deploy_import import import_
from migrator.cli.options import example, moment, settings_from, with_database
from migrator.cli.render import plain, print_json, say
from migrator.errors import UsageError

if TYPE_CHECKING:
    from migrator.api import Checked
    from migrator.ledger.records import DeploymentRecord

F = TypeVar("F", bound=Callable[..., Any])

EXAMPLES = example("""
migrator deploy record --app shop --version "$SHA"     one line at the end of a deploy script
migrator deploy start --app shop --version 2.0         before: exit 3 if that build may not run now
migrator deploy finish --app shop --status succeeded
migrator deploy check 1.0 --app shop                   may 1.0 run now? exit 3: no, and what may
migrator deploy stop --app shop --version 1.0          the blue that was kept warm is gone
migrator deploy import deploys.jsonl                   what other systems have recorded
migrator deploy list
""")


@click.group("deploy", help=COMMANDS["deploy"], epilog=EXAMPLES)
def command() -> None:
    pass


def with_place(function: F) -> F:
    """Where a build goes."""
    for option in (
        click.option("--region", default="", help="Region, or whatever else tells places of one environment apart."),
        click.option("--environment", default="production", show_default=True),
    ):
        function = option(function)
    return function


def with_build(function: F) -> F:
    """The options that describe a build and where it goes."""
    for option in (
        click.option("--actor", help="Who deploys; who types this by default, or MIGRATOR_ACTOR."),
        click.option("--at", "claimed", callback=moment, metavar="TIME", help="When it was, as you say; only kept."),
        click.option("--ci-run", metavar="URL", help="The CI run, for people."),
        click.option("--digest", help="Digest of the artifact; another one makes another build of the version."),
        click.option("--commit", help="Commit the build was made from."),
        click.option("--key", help="Idempotency key, such as the CI run: the same key is recorded once."),
        click.option(
            "--previous",
            type=click.Choice(["stopped", "kept"]),
            help="What becomes of the build before it; kept by blue-green, ab and shadow, else stopped.",
        ),
        click.option("--weight", type=float, metavar="PERCENT", help="Share of the traffic; 1 % is live, too."),
        click.option(
            "--strategy",
            default="rolling",
            show_default=True,
            help="How the build is rolled out; shadow replaces nothing, run is one run of a cron job.",
        ),
        click.option(
            "--survives",
            metavar="REVISION",
            help="Newest revision whose contract it survives; --shape by default.",
        ),
        click.option(
            "--shape",
            metavar="REVISION",
            help="Newest revision whose new shape it uses; by default what was recorded for that version, else the"
            " head of this checkout; 'none': none; 'unknown': nobody knows.",
        ),
        with_place,
        click.option("--version", help="Version, best the commit or digest; the commit of a CI job by default."),
        click.option("--app", "application", required=True, help="Name of the application."),
    ):
        function = option(function)
    return function


def build_of(given: dict[str, Any]) -> Any:
    from migrator.api import Build

    previous, given = given.pop("previous"), with_job(given)
    return Build(**given, keeps=None if previous is None else previous == "kept")


def with_job(given: dict[str, Any]) -> dict[str, Any]:
    """What was not said, as the environment of a CI job has it.

    Raises:
        UsageError: no version is given, and this is no such job.
    """
    from migrator.imports.ci import job

    found = job(os.environ)
    if found is not None:
        commit = found.commit if found.made(given["version"]) else None
        said = {"version": found.commit, "commit": commit, "actor": found.actor, "ci_run": found.url}
        given = {**given, **{name: value for name, value in said.items() if given[name] is None}}
    if given["version"] is None:
        raise UsageError("no version is given", next_step='--version "$SHA"; a CI job that is known needs none')
    return given


def show(record: DeploymentRecord, form: str) -> None:
    if form == "json":
        print_json({"deployment": record})
    else:
        say(line(record))


def line(record: DeploymentRecord) -> str:
    ended = f" at {when(record.finished_at)}" if record.finished_at else ""
    place = f"{record.environment}/{record.region}" if record.region else record.environment
    return f"{record.id}: {record.application} {record.version} in {place}: {record.status}{ended}"


def when(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S %Z}"


@command.command(
    "start",
    help="Record that a deployment begins; exit 3 if the build may not run now.",
    epilog=example("""migrator deploy start --app shop --version "$SHA" --key "$RUN" --strategy canary --weight 1"""),
)
@with_build
@with_database
def start(database_url: str | None, config: Path | None, form: str, **build: Any) -> None:
    from migrator import api

    show(api.deploy_start(settings_from(database_url, config), build_of(build)), form)


@command.command(
    "record",
    help="Record a deployment that is done: started and succeeded at once. What may not run is recorded, too: exit 3.",
    epilog=example("""
migrator deploy record --app shop --version "$SHA"
migrator deploy record --app nightly --version "$SHA" --strategy run       a cron job, of itself, after each run
"""),
)
@with_build
@with_database
def record(database_url: str | None, config: Path | None, form: str, **build: Any) -> None:
    from migrator import api

    show(api.deploy_record(settings_from(database_url, config), build_of(build)), form)


@command.command(
    "finish",
    help="Record how the running deployment of an application ended.",
    epilog=example("""
migrator deploy finish --app shop --status failed
migrator deploy finish --app shop --version "$SHA" --key "$RUN"      whether its start was heard of yet or not
"""),
)
@click.option("--app", required=True, help="Name of the application.")
@click.option("--version", help="Version; the one that is running by default.")
@with_place
@click.option("--key", help="Key of the deployment; then its end may come before its start.")
@click.option("--at", "claimed", callback=moment, metavar="TIME", help="When it was, as you say; only kept.")
@click.option(
    "--status",
    type=click.Choice(["succeeded", "failed", "rolled_back"]),
    default="succeeded",
    show_default=True,
)
@with_database
def finish(
    app: str,
    version: str | None,
    environment: str,
    region: str,
    key: str | None,
    claimed: datetime | None,
    status: str,
    database_url: str | None,
    config: Path | None,
    form: str,
) -> None:
    from migrator import api

    settings = settings_from(database_url, config)
    done = api.deploy_finish(settings, app, environment, version, status, region=region, key=key, claimed=claimed)
    show(done, form)


@command.command(
    "stop",
    help="Record that what was kept of a version is gone: a warm blue, an arm of a test, a shadow.",
    epilog=example("migrator deploy stop --app shop --version 1.0"),
)
@click.option("--app", required=True, help="Name of the application.")
@click.option("--version", required=True, help="Version whose instances are gone.")
@with_place
@with_database
def stop(
    app: str, version: str, environment: str, region: str, database_url: str | None, config: Path | None, form: str
) -> None:
    from migrator import api

    found = api.deploy_stop(settings_from(database_url, config), app, environment, version, region=region)
    if form == "json":
        print_json({"deployments": found})
        return
    for item in found:
        say(f"{line(item)}, stopped at {when(item.stopped_at)}" if item.stopped_at else line(item))


@command.command(
    "check",
    help="Say whether a version may run now, neither below the floor nor above the ceiling: exit 0, or 3.",
    epilog=example("""
migrator deploy check 1.0 --app shop              before a rollback
migrator deploy check "$SHA" --app shop --here    in CI, or when that build starts: this checkout is that version
"""),
)
@click.argument("version")
@click.option("--app", "application", help="Name of the application; not needed where one alone is recorded.")
@click.option("--shape", metavar="REVISION", help="Newest revision whose new shape it uses, where none is recorded.")
@click.option("--here", is_flag=True, help="Where none is recorded: this checkout is that version.")
@with_database
def check(
    version: str,
    application: str | None,
    shape: str | None,
    here: bool,
    database_url: str | None,
    config: Path | None,
    form: str,
) -> None:
    from migrator import api

    found = api.deploy_check(settings_from(database_url, config), version, application, shape=shape, here=here)
    if form == "json":
        print_json({"check": found})
    else:
        print_check(found)
    if not found.allowed:
        raise click.exceptions.Exit(3)


def print_check(found: Checked) -> None:
    made = f"made for {found.uses}" if found.uses else "made for no revision"
    if found.allowed:
        say(f"{found.application} {found.version} may run: {made}, {found.shape_source}")
        return
    say(found.message)
    safe = found.newest_safe_version or "none that is recorded"
    say(f"newest version of {found.application} that may run: {safe}")
    say(f"next:  {found.next_step}")


@command.command("list", help="Show what was deployed, newest last, and what is live.")
@with_database
def list_(database_url: str | None, config: Path | None, form: str) -> None:
    from migrator import api

    found = api.deployments(settings_from(database_url, config))
    if form == "json":
        lived = [{**plain(item.deployment), "live_since": item.since, "live_until": item.until} for item in found]
        print_json({"deployments": lived})
        return
    for item in found:
        until = f"live until {when(item.until)}" if item.until else f"live since {when(item.since)}"
        weight = f", {item.deployment.weight:g} %" if item.deployment.weight is not None else ""
        said = item.deployment
        say(f"{line(said)}; {said.strategy}{weight}, {until}; made for {said.survives or 'no revision'}")
    if not found:
        say("No deployment is recorded.")


command.add_command(import_)
