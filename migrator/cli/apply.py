"""`migrator apply`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from migrator.cli.commands import COMMANDS
from migrator.cli.options import example, settings_from, with_database
from migrator.cli.progress import measuring
from migrator.cli.render import note, print_json, say

if TYPE_CHECKING:
    from migrator.api import Applied
    from migrator.planning import Plan

EXAMPLES = example("""
migrator apply                                   expand and migrate what is pending
migrator apply --phase expand --yes              in a deploy script
migrator apply --workers auto                    backfills by several sessions, as long as that is faster
migrator apply --yes --metrics-port 9400         rates and waits for Prometheus, at :9400/metrics
migrator apply --phase contract                  every revision whose gate is open
migrator apply --phase contract --to 4f2a9c --override --reason "disk full, ticket 42"
migrator apply --phase purge --to 4f2a9c         after the retention
""")


@click.command("apply", help=COMMANDS["apply"], epilog=EXAMPLES)
@click.option("--phase", type=click.Choice(["expand", "migrate", "contract", "purge"]), help="Run this phase only.")
@click.option("--to", metavar="REVISION", help="No further than this revision; contract, purge: this one alone.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--override", is_flag=True, help="Contract or purge before the time; needs --to and --reason.")
@click.option("--reason", help="Why; kept in the ledger. Without it: the override that was asked for before.")
@click.option(
    "--code",
    type=click.Choice(["security", "legal", "cost", "data-loss", "other"]),
    default="other",
    help="Kind of the reason.",
)
@click.option("--lock-timeout", metavar="DURATION", help="How long one try for a lock may wait, 500ms by default.")
@click.option("--lock-give-up", metavar="DURATION", help="How long to go on trying, 5m by default.")
@click.option(
    "--replica-lag", metavar="DURATION", help="Let replicas be so far behind, 10s by default; 0: look at none."
)
@click.option(
    "--workers", metavar="N", help="Sessions that walk a table at once, 1 by default; auto: while it is faster."
)
@click.option("--set-aside-limit", metavar="N", help="Rows that may fail before a backfill stops, 100 by default.")
@click.option("--precheck-timeout", metavar="DURATION", help="How long to look for rows in the way, 30s by default.")
@click.option("--free-disk", metavar="SIZE", help="Refuse what needs more than this, 20GB; see plan --estimate.")
@click.option("--metrics-port", type=click.IntRange(1, 65535), help="Serve metrics for Prometheus while it runs.")
@with_database
def command(
    phase: str | None,
    to: str | None,
    yes: bool,
    override: bool,
    reason: str | None,
    code: str,
    lock_timeout: str | None,
    lock_give_up: str | None,
    replica_lag: str | None,
    workers: str | None,
    set_aside_limit: str | None,
    precheck_timeout: str | None,
    free_disk: str | None,
    metrics_port: int | None,
    database_url: str | None,
    config: Path | None,
    form: str,
) -> None:
    from migrator import api
    from phases.model import Phase

    settings = settings_from(
        database_url,
        config,
        lock_timeout=lock_timeout,
        lock_give_up=lock_give_up,
        replica_lag=replica_lag,
        workers=workers,
        set_aside_limit=set_aside_limit,
        precheck_timeout=precheck_timeout,
        free_disk=free_disk,
    )
    chosen = Phase(phase) if phase else None
    letting = let_through(override, reason, to, phase, code)
    if (
        not yes
        and form == "text"
        and not confirm(api.plan(settings, to, strict=phase not in ("contract", "purge")), phase)
    ):
        return
    with measuring(form, metrics_port) as observer:
        applied = api.apply(settings, phase=chosen, to=to, override=letting, observer=observer)
    if form == "json":
        print_json(applied_data(applied))
    else:
        print_applied(applied)


def let_through(override: bool, reason: str | None, to: str | None, phase: str | None, code: str) -> Any:
    """The override a user asked for, completely; without a reason: the one that was asked for before."""
    from migrator.api import Override
    from migrator.errors import UsageError

    if not override:
        if reason:
            raise UsageError("--reason goes with --override")
        return None
    asked_before = phase == "contract" and reason is None
    if phase not in ("contract", "purge") or to is None or not (asked_before or (reason or "").strip()):
        raise UsageError(
            "--override lets one revision through, and is kept with its reason",
            next_step='migrator apply --phase contract --to REVISION --override --reason "…"',
        )
    return Override((reason or "").strip(), code)


def confirm(plan: Plan, phase: str | None) -> bool:
    """Show what is about to run and ask; False where there is nothing to run."""
    from migrator.cli.plan import print_step

    wanted = (phase,) if phase else ("expand", "migrate")
    found = [(item, [s for s in item.remaining if s.phase in wanted]) for item in plan.revisions]
    # A revision without steps, such as a merge, is still to be recorded and stamped.
    found = [(item, steps) for item, steps in found if steps or (not item.steps and item.state == "pending")]
    if not found and phase is None:
        say("Nothing to do.")
        return False
    for item, steps in found:
        say(f"{item.revision}  {item.message}  [{item.state}]", bold=True)
        for number, step in enumerate(steps, 1):
            print_step(number, step)
    click.confirm("Run these steps?", abort=True, err=True)
    return True


def applied_data(applied: Applied) -> dict[str, Any]:
    return {"steps": applied.outcomes, "revisions": applied.states, "not_checked": applied.not_checked}


def print_applied(applied: Applied) -> None:
    if not applied.outcomes:
        say("Nothing to do.")
    for revision, state in applied.states.items():
        if any(outcome.revision == revision for outcome in applied.outcomes):
            say(f"{revision} is {state}.")
            note(f"next:  {after(state, revision)}")


def after(state: str, revision: str) -> str:
    """What to do once a revision has reached a state."""
    return {
        "expanded": "migrator apply --phase migrate",
        "migrated": "release the new version, record it (migrator deploy record), then: migrator gate",
        "contracted": f"after the retention: migrator apply --phase purge; to go back: migrator restore {revision}",
        "purged": "nothing: this revision is finished",
    }.get(state, "migrator status")
