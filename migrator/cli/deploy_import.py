"""`migrator deploy import`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from migrator.cli.options import example, settings_from, with_database
from migrator.cli.render import print_json, say
from migrator.errors import UsageError

if TYPE_CHECKING:
    from migrator.importing import Imported

FORMS = ("auto", "lines", "github", "kubernetes", "ci")
EXAMPLES = example("""
migrator deploy import deploys.jsonl
kubectl get deployments,replicasets -o json | migrator deploy import
gh api graphql -f query="$(cat deployments.graphql)" | migrator deploy import
migrator deploy import --from ci --app shop          in a job of GitHub Actions, GitLab CI or Jenkins
""")


@click.command(
    "import",
    help="Record deployments from FILE, or standard input: lines of JSON, GitHub's deployments, what kubectl prints."
    " What is known is not recorded twice; where a line is wrong, nothing is recorded.",
    epilog=EXAMPLES,
)
@click.argument("file", required=False, default="-")
@click.option("--from", "source", type=click.Choice(FORMS), default="auto", show_default=True, help="What it is.")
@click.option("--app", "application", help="Name of the application, where the input does not say.")
@click.option("--environment", help="Environment; what the input says, or production by default.")
@click.option("--region", default="", help="Region, where the input does not say.")
@click.option(
    "--shape",
    metavar="REVISION",
    help="Newest revision whose new shape the builds use, where the input does not say; by default what was recorded"
    " for their versions, else nobody knows.",
)
@click.option("--survives", metavar="REVISION", help="Newest revision whose contract they survive; --shape by default.")
@click.option(
    "--status",
    type=click.Choice(["started", "succeeded", "failed", "rolled_back"]),
    default="succeeded",
    show_default=True,
    help="Of the job, with --from ci.",
)
@with_database
def import_(
    file: str,
    source: str,
    application: str | None,
    environment: str | None,
    region: str,
    shape: str | None,
    survives: str | None,
    status: str,
    database_url: str | None,
    config: Path | None,
    form: str,
) -> None:
    from migrator import api

    settings = settings_from(database_url, config)
    given = api.Given(application, environment, region, shape, survives)
    if source == "ci":
        done = api.import_job(settings, os.environ, given, status)
    else:
        name = "standard input" if file == "-" else file
        done = api.deploy_import(settings, name, content(file), given, None if source == "auto" else source)
    show(done, form)
    if done.refused:
        raise click.exceptions.Exit(3)


def content(file: str) -> str:
    if file == "-" and sys.stdin.isatty():
        raise UsageError("name a file, or send something to standard input", next_step="migrator deploy import --help")
    try:
        return sys.stdin.read() if file == "-" else Path(file).read_text()
    except OSError as problem:
        raise UsageError(f"{file}: {problem.strerror}") from None
    except UnicodeDecodeError as problem:
        raise UsageError(f"{file}: it is no UTF-8 at byte {problem.start}") from None


def show(done: Imported, form: str) -> None:
    from migrator.cli.deploy import line

    if form == "json":
        print_json({"recorded": done.recorded, "finished": done.finished, "known": done.known, "refused": done.refused})
        return
    for record in (*done.recorded, *done.finished):
        say(line(record))
    say(f"{len(done.recorded)} recorded, {len(done.finished)} ended, {done.known} known already")
    for reason in done.refused:
        say(reason, fg="yellow")
