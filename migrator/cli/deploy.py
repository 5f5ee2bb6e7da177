"""`migrator deploy`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from migrator.cli.commands import COMMANDS
from migrator.cli.options import example, settings_from, with_database
from migrator.cli.render import print_json, say

if TYPE_CHECKING:
    from migrator.ledger.records import DeploymentRecord

F = TypeVar("F", bound=Callable[..., Any])

EXAMPLES = example("""
migrator deploy record --app shop --version "$SHA"     one line at the end of a deploy script
migrator deploy start --app shop --version 2.0         before: exit 3 if that build may not run now
migrator deploy finish --app shop --status succeeded
migrator deploy list
""")


@click.group("deploy", help=COMMANDS["deploy"], epilog=EXAMPLES)
def command() -> None:
    pass


def with_build(function: F) -> F:
    """The options that describe a build and where it goes."""
    for option in (
        click.option("--commit", help="Commit the build was made from."),
        click.option("--key", help="Idempotency key, such as the CI run: the same key is recorded once."),
        click.option("--strategy", default="rolling", show_default=True, help="How the build is rolled out."),
        click.option(
            "--survives",
            metavar="REVISION",
            help="Newest revision whose contract it survives; --shape by default.",
        ),
        click.option(
            "--shape",
            metavar="REVISION",
            help="Newest revision whose new shape it uses; the head of this checkout by default, 'none' for none.",
        ),
        click.option("--environment", default="production", show_default=True),
        click.option("--version", required=True, help="Version, best the commit or digest."),
        click.option("--app", "application", required=True, help="Name of the application."),
    ):
        function = option(function)
    return function


def show(record: DeploymentRecord, form: str) -> None:
    if form == "json":
        print_json({"deployment": record})
    else:
        ended = f" at {record.finished_at:%Y-%m-%d %H:%M:%S %Z}" if record.finished_at else ""
        say(f"{record.id}: {record.application} {record.version} in {record.environment}: {record.status}{ended}")


@command.command("start", help="Record that a deployment begins; exit 3 if the build may not run now.")
@with_build
@with_database
def start(database_url: str | None, config: Path | None, form: str, **build: Any) -> None:
    from migrator import api

    show(api.deploy_start(settings_from(database_url, config), api.Build(**build)), form)


@command.command("record", help="Record a deployment that is done: started and succeeded at once.")
@with_build
@with_database
def record(database_url: str | None, config: Path | None, form: str, **build: Any) -> None:
    from migrator import api

    show(api.deploy_record(settings_from(database_url, config), api.Build(**build)), form)


@command.command("finish", help="Record how the running deployment of an application ended.")
@click.option("--app", required=True, help="Name of the application.")
@click.option("--version", help="Version; the one that is running by default.")
@click.option("--environment", default="production", show_default=True)
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
    status: str,
    database_url: str | None,
    config: Path | None,
    form: str,
) -> None:
    from migrator import api

    settings = settings_from(database_url, config)
    show(api.deploy_finish(settings, app, environment, version, status), form)


@command.command("list", help="Show what was deployed, newest last.")
@with_database
def list_(database_url: str | None, config: Path | None, form: str) -> None:
    from migrator import api

    found = api.deployments(settings_from(database_url, config))
    if form == "json":
        print_json({"deployments": found})
        return
    for item in found:
        show(item, form)
    if not found:
        say("No deployment is recorded.")
