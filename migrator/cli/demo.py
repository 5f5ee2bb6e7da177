"""`migrator demo`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from migrator.cli.commands import COMMANDS
from migrator.cli.options import example
from migrator.cli.progress import observer_for
from migrator.cli.render import print_json, say

if TYPE_CHECKING:
    from migrator.demo.story import Report
    from phases.gate_facts import Verdict

EXAMPLES = example("""
migrator demo                          a rename, from the first plan to the purge
migrator demo --format json            what was measured, as one document
migrator demo --rows 20000             a smaller table
migrator demo --database mariadb       on a MariaDB of this machine; mysql likewise
""")


@click.command("demo", help=COMMANDS["demo"], epilog=EXAMPLES)
@click.option(
    "--database", type=click.Choice(["postgresql", "mariadb", "mysql"]), default="postgresql", help="Kind of server."
)
@click.option("--rows", type=click.IntRange(100, 10_000_000), default=200_000, show_default=True, help="Of the table.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", help="How to print.")
def command(database: str, rows: int, form: str) -> None:
    from migrator.demo import story

    tell, show_gate = silence() if form == "json" else narration()
    report = story.run(database, rows, tell, show_gate, observer_for(form))
    if form == "json":
        print_json(report_data(report))
    else:
        print_report(report)
    if report.failed_statements or report.differences:
        raise click.exceptions.Exit(1)


def silence() -> Any:
    def nothing(*_: object) -> None:
        pass

    return nothing, nothing


def narration() -> Any:
    from migrator.cli.gate import print_verdict

    def tell(typed: str, came_of_it: str) -> None:
        if typed:
            say(f"\n$ {typed}", bold=True)
        if came_of_it:
            say(came_of_it)

    def show_gate(revision: str, verdict: Verdict) -> None:
        say(f"\n$ migrator gate {revision}", bold=True)
        print_verdict(revision, verdict)

    return tell, show_gate


def print_report(report: Report) -> None:
    say(f"\nMeasured on {report.server}, in {report.seconds:.0f} s", bold=True)
    bounds = any(step.lock_at_most_ms for step in report.steps)
    say("lock held by each step, at most:" if bounds else "lock held by each step:")
    for step in report.steps:
        if held := step.lock_held_ms or step.lock_at_most_ms:
            undone = "restore: " if step.undoing else ""
            say(f"  {held:7.1f} ms  {step.phase}: {undone}{step.name}")
    for load in report.versions:
        say(
            f"shop {load.version}: {load.statements} statements, {load.failed} failed,"
            f" longest wait {load.max_wait_ms:.0f} ms"
        )
        for error in load.errors:
            say(f"  {error}", fg="red")
    say(f"statements failed:  {report.failed_statements} of {report.statements}")
    say(f"longest wait:       {report.max_wait_ms:.0f} ms (the lock timeout is {report.lock_timeout_ms} ms)")
    say(f"rows compared:      {report.rows}")
    say(f"rows different:     {report.differences}")


def report_data(report: Report) -> dict[str, Any]:
    from migrator.cli.render import plain

    data: dict[str, Any] = plain(report)
    return data
