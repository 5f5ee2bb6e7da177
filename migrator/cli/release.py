"""`migrator release`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from migrator.cli.commands import COMMANDS
from migrator.cli.options import example, settings_from, with_database
from migrator.cli.render import note, print_json, say

if TYPE_CHECKING:
    from migrator.events import Event, Observer

EXAMPLES = example("""
migrator release head --to "$SHA"               as [tool.migrator.rollout] says; run it again to go on after a kill
migrator release 4f2a9c --to 2.0 --strategy blue-green
""")


@click.command("release", help=COMMANDS["release"], epilog=EXAMPLES)
@click.argument("revision")
@click.option("--to", "version", required=True, help="Version that uses the revision, best the commit or digest.")
@click.option("--strategy", help="Another strategy than [tool.migrator.rollout] names.")
@click.option("--from", "previous", metavar="VERSION", help="What is live; the newest deployment by default.")
@with_database
def command(
    revision: str,
    version: str,
    strategy: str | None,
    previous: str | None,
    database_url: str | None,
    config: Path | None,
    form: str,
) -> None:
    from migrator import api
    from migrator.cli.apply import print_applied
    from migrator.cli.gate import print_verdict
    from migrator.cli.rollout import leave, show

    settings = settings_from(database_url, config)
    done = api.release(
        settings,
        revision,
        version,
        config=config,
        strategy=strategy,
        previous=previous,
        observer=both(form),
    )
    if form == "json":
        print_json({"released": done})
    else:
        if done.applied.outcomes:
            print_applied(done.applied)
        if done.held_seconds:
            say(f"requests held for {done.held_seconds} s at most while tables were shut")
        show(done.rollout, form)
        if done.gate is not None:
            print_verdict(done.revision, done.gate)
            note("next:  migrator apply --phase contract, once the gate is open")
        elif done.rollout.record.status == "succeeded":
            say(f"{done.revision} has nothing to contract.")
    leave(done.rollout)


def both(form: str) -> Observer:
    """What shows the steps of a run shows those of the rollout, too."""
    from migrator.cli.progress import observer_for
    from migrator.cli.rollout_progress import line
    from migrator.events import RolloutJudged, RolloutStep

    steps = observer_for(form)

    def observer(event: Event) -> None:
        if isinstance(event, RolloutStep | RolloutJudged):
            if form != "json":
                line(event)
        else:
            steps(event)

    return observer
