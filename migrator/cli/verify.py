"""`migrator verify`."""

from __future__ import annotations

from pathlib import Path

import click

from migrator.cli.commands import COMMANDS
from migrator.cli.options import example, settings_from, with_database
from migrator.cli.progress import observer_for
from migrator.cli.render import print_json, say

EXAMPLES = example("""
migrator verify             every revision between migrate and contract
migrator verify 4f2a9c      one of them; exit 1 when rows differ
migrator verify 4f2a9c --repair old   write the new side of rows that differ anew, from the old one
migrator verify --replica postgresql://reader@replica/shop   read the rows there
""")


@click.command("verify", help=COMMANDS["verify"], epilog=EXAMPLES)
@click.argument("revision", required=False)
@click.option("--repair", "side", type=click.Choice(["old", "new"]), help="The side that is right where rows differ.")
@click.option("--replica", metavar="URL", help="Compare there, once it has replayed what is written by now.")
@with_database
def command(
    revision: str | None,
    side: str | None,
    replica: str | None,
    database_url: str | None,
    config: Path | None,
    form: str,
) -> None:
    from migrator import api

    settings = settings_from(database_url, config, verify_replica=replica)
    found = api.verify(settings, revision, side=side, observer=observer_for(form))
    if form == "json":
        print_json({"verified": found, "differences": 0})
        return
    for item in found:
        mended = f"{item.repaired} rows repaired, " if side else ""
        where = f" on replica {item.replica} at {item.position}" if item.replica else ""
        say(f"{item.revision}: {mended}{item.rows} rows compared{where}, 0 differ")
        if item.leaves_open:
            say(f"  not proven by it: {item.leaves_open}")
        for read in item.shadow_reads:
            said = f"{read.compared} compared, {read.mismatched} differed, {read.failed} failed"
            say(f"  shadow reads of {read.name}: {said}{', ' + ', '.join(read.keys) if read.keys else ''}")
    if not found:
        say("No revision is between migrate and contract.")
