"""`migrator chaos`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from migrator.cli.commands import COMMANDS
from migrator.cli.options import example, settings_from, with_database
from migrator.cli.render import note, print_json, say
from migrator.errors import Interrupted, MigratorError

if TYPE_CHECKING:
    from migrator.chaos.model import Experiment, Happened
    from migrator.chaos.verbs import Conducted

EXAMPLES = example("""
migrator chaos run cut.toml                  a hypothesis, a fault, a report; puts everything back
migrator chaos run cut.toml --dry-run        what it would do, and to whom
migrator chaos run cut.toml --database test-server/shop
migrator chaos restore                       after an experiment that was killed itself
""")
CODES = {"held": 0, "refused": 3, "interrupted": Interrupted.exit_code}
"""Exit codes by verdict; 1 for every other one."""


@click.group("chaos", help=COMMANDS["chaos"], epilog=EXAMPLES)
def command() -> None:
    pass


@command.command("run", help="Run an experiment; exit 0 where the hypothesis held, 3 where it did not hold beforehand.")
@click.argument("experiment", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--into", type=click.Path(file_okay=False, path_type=Path), help="Folder of reports; else chaos/ beside.")
@click.option("--seed", type=click.IntRange(min=0), help="Choose the instances that a run with this seed has chosen.")
@click.option("--database", default="", metavar="HOST/NAME", help="The database that may be disturbed, if not local.")
@click.option("--dry-run", is_flag=True, help="Say what would be done; disturb nothing.")
@with_database
def run(
    experiment: Path,
    into: Path | None,
    seed: int | None,
    database: str,
    dry_run: bool,
    database_url: str | None,
    config: Path | None,
    form: str,
) -> None:
    from migrator import api

    settings = settings_from(database_url, config)
    if dry_run:
        planned(api.chaos_experiment(settings, experiment, seed=seed, database=database), form)
        return
    told = quiet if form == "json" else line
    done = api.chaos_run(settings, experiment, into=into, seed=seed, database=database, told=told)
    show(done, form)
    code = CODES.get(done.report.verdict.status, 1)
    if code:
        raise click.exceptions.Exit(code)


@command.command("restore", help="Put back what an experiment has left that was killed.")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), default=Path("chaos"))
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", help="How to print.")
def restore(folder: Path, form: str) -> None:
    from migrator import api

    done = api.chaos_restore(folder)
    if form == "json":
        print_json({"restored": done})
    elif not done:
        say(f"Nothing is left to put back in {folder}.")
    for one in done if form == "text" else ():
        say(f"{one.what}: not put back: {one.problem}" if one.problem else f"{one.what}: put back")
    wrong = [one for one in done if one.problem]
    if wrong:
        raise MigratorError(
            f"{len(wrong)} of {len(done)} could not be put back", next_step="mend that, then: migrator chaos restore"
        )


def quiet(_: Happened) -> None:
    pass


def line(happened: Happened) -> None:
    note(f"{happened.at:8.3f} s  {happened.what}")


def planned(found: Experiment, form: str) -> None:
    faults = [fault.words() for fault in found.faults]
    if form == "json":
        print_json({"title": found.title, "seed": found.seed, "command": found.command, "faults": faults})
        return
    say(found.title, bold=True)
    for probe in found.probes:
        say(f"  holds: {probe.name} ({', '.join(probe.stages)}; {probe.tolerated:.0%} bad answers tolerated)")
    if found.command:
        say(f"  runs: {found.command}")
    moment = f"once {found.begin_when}" if found.begin_when else f"after {found.begin_after:g} s"
    for words in faults:
        say(f"  fault {moment}, for {found.duration:g} s at most: {words}")
    say(f"  seed {found.seed}")


def show(done: Conducted, form: str) -> None:
    report = done.report
    if form == "json":
        print_json({"report": report, "files": [done.data, done.page]})
        return
    status = report.verdict.status
    say(f"{report.title}: {status.replace('_', ' ')}", bold=True, fg="green" if status == "held" else "red")
    say(f"  {report.verdict.reason}")
    say(f"  {done.page}")
    if status == "not_restored":
        note(f"next:  migrator chaos restore {done.page.parent}")
