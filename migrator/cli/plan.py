"""`migrator plan`."""

from __future__ import annotations

from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from migrator.cli.commands import COMMANDS
from migrator.cli.options import example, settings_from, with_database
from migrator.cli.render import note, print_json, say

if TYPE_CHECKING:
    from migrator.estimating import PlanEstimate
    from migrator.planning import Plan, PlannedStep, RevisionPlan

EXAMPLES = example("""
migrator plan                          the tree of phases and steps
migrator plan --sql --to 4f2a9c        the statements, to read or to review
migrator plan --estimate               rows, bytes, duration, log and disk of every step
migrator plan --detailed-exitcode      exit 3 while changes are pending
""")


@click.command("plan", help=COMMANDS["plan"], epilog=EXAMPLES)
@click.option("--to", metavar="REVISION", help="Plan no further than this revision.")
@click.option("--sql", is_flag=True, help="Print the statements alone.")
@click.option("--estimate", is_flag=True, help="Say what each step costs here; refuse where the disk has no room.")
@click.option("--free-disk", metavar="SIZE", help="Free on the server's disk, 20GB; looked up where it runs here.")
@click.option("--detailed-exitcode", is_flag=True, help="Exit 3 while changes are pending, 0 when there are none.")
@with_database
def command(
    to: str | None,
    sql: bool,
    estimate: bool,
    free_disk: str | None,
    detailed_exitcode: bool,
    database_url: str | None,
    config: Path | None,
    form: str,
) -> None:
    from migrator import api

    settings = settings_from(database_url, config, free_disk=free_disk)
    if free_disk and not estimate:
        raise click.UsageError("--free-disk goes with --estimate")
    if sql and estimate:
        raise click.UsageError("--sql prints the statements alone: leave out --estimate")
    plan, cost = api.estimate(settings, to) if estimate else (api.plan(settings, to), None)
    if form == "json":
        refuse(cost)
        print_json(plan_data(plan, cost))
    elif sql:
        print_sql(plan)
    else:
        print_tree(plan, cost)
        refuse(cost)
    if detailed_exitcode and plan.pending:
        raise click.exceptions.Exit(3)


def refuse(cost: PlanEstimate | None) -> None:
    from migrator.estimating import refuse_shortage

    if cost is not None:
        refuse_shortage(cost)


def statements(step: PlannedStep) -> tuple[str, ...]:
    """What a step sends, as far as it can be known beforehand."""
    from phases.model import BuildIndex, Fill, RemoveIndex, Transaction, Verify

    match step.step:
        case Transaction():
            return step.step.statements
        case BuildIndex():
            return (step.step.create,)
        case RemoveIndex():
            return (step.step.drop,)
        case Fill():
            return (f"{step.step.single_statement}  -- in batches",)
        case Verify():
            return (f"-- every row of {step.step.table} where {step.step.mismatch}: there must be none",)
    return ()


def recreated(step: PlannedStep) -> tuple[str, ...]:
    """What a step drops and creates again, or replaces."""
    return getattr(step.step, "recreates", ())


def lock_text(step: PlannedStep) -> str:
    """Which locks a step takes, and who waits for them."""
    from phases.model import BuildIndex, Fill, RemoveIndex, Transaction

    match step.step:
        case Transaction(bounded=True):
            held = "; ".join(f"{k.mode} on {k.table}, blocks {k.mode.blocks}" for k in step.step.locks)
            return f"{held}, for no longer than the lock timeout: else it is undone"
        case Transaction() if step.step.locks and step.step.online:
            held = "; ".join(f"{k.mode} on {k.table}" for k in step.step.locks)
            return f"{held}, at the beginning and the end of a statement; rows are read and written while it works"
        case Transaction() if step.step.locks:
            first = [f"{k.mode} on {k.table}, blocks {k.mode.blocks}" for k in step.step.locks]
            last = [f"then {k.mode} on {k.table}, blocks {k.mode.blocks}, to commit" for k in step.step.closing]
            return "; ".join((*first, *last))
        case Transaction(unread=True):
            return "not known; read the statements in full: migrator plan --sql"
        case BuildIndex() | RemoveIndex():
            return f"SHARE UPDATE EXCLUSIVE on {step.step.table}, blocks other DDL"
        case Fill():
            return f"row locks on {step.step.table}, a batch at a time"
    return "no lock that blocks anyone"


def kept(item: RevisionPlan) -> str:
    """When the new version may be released, and what waits for the old one to be gone."""
    from phases.model import Phase

    release = "any time after expand" if item.additive else "after migrate"
    return f"release the new version {release}{', contract when the gate opens' if item.of(Phase.CONTRACT) else ''}"


def print_tree(plan: Plan, cost: PlanEstimate | None = None) -> None:
    from migrator.cli.costs import print_cost, print_total
    from phases.model import Phase

    if not plan.known:
        say("Nothing to do: no revision is written yet.")
        note('next:  migrator new "Rename users.full_name to users.name"')
    elif not plan.revisions:
        say("Nothing to do: every revision is finished.")
    for item in plan.revisions:
        say(f"{item.revision}  {item.message}  [{item.state}]", bold=True)
        for operation in item.operations:
            say(f"  {operation}")
        say(f"  {kept(item)}", dim=True)
        for warning in item.warnings:
            say(f"  warning: {warning}", fg="yellow")
        for check in item.prechecks:
            say(f"  refused if {check.problem}", dim=True)
        for phase in Phase:
            steps = item.of(phase)
            if steps:
                say(f"  {phase}", fg="cyan")
            for number, step in enumerate(steps, 1):
                print_step(number, step)
                if cost is not None:
                    print_cost(cost.steps.get((item.revision, phase, step.step.name)), cost.log)
        say()
    if cost is not None:
        print_total(cost)


def print_step(number: int, step: PlannedStep) -> None:
    mark = "done" if step.state == "done" else step.state
    say(f"    {number}. {step.step.name}" + ("" if mark == "pending" else f"  [{mark}]"))
    say(f"       lock: {lock_text(step)}", dim=True)
    if made := recreated(step):
        say(f"       recreates: {', '.join(made)}", dim=True)
    for statement, otherwise in zip_longest(statements(step), getattr(step.step, "otherwise", ()), fillvalue=""):
        first, *rest = statement.strip().splitlines()
        say(f"       sql:  {first}{' …' if rest else ''}", dim=True)
        if otherwise:
            say(f"       or:   {otherwise}", dim=True)
    say(f"       undo: {undo_text(step)}", dim=True)


def undo_text(step: PlannedStep) -> str:
    """What takes a step back."""
    from phases.model import Fill, Phase, Verify

    if step.step.undo:
        verb = "restore" if step.phase is Phase.CONTRACT else "abort"
        return f"{verb}: {', then '.join(undo.name for undo in step.step.undo)}"
    if step.step.stays:
        return "none: an abort leaves it, and nobody is harmed"
    if isinstance(step.step, Verify):
        return "nothing to undo: it only reads"
    if isinstance(step.step, Fill) and step.step.repeat:
        return "none: rows keep the values they were given"
    return "none" if step.phase is Phase.PURGE else "goes with what it belongs to"


def print_sql(plan: Plan) -> None:
    for item in plan.revisions:
        for step in item.steps:
            say(f"-- {item.revision}, {step.phase}: {step.step.name}")
            for statement in statements(step):
                say(f"{statement};")
            say()


def plan_data(plan: Plan, cost: PlanEstimate | None = None) -> dict[str, Any]:
    from migrator.cli.costs import total_data

    return {
        "server": str(plan.server),
        "pending": [item.revision for item in plan.pending],
        **({"estimate": total_data(cost)} if cost is not None else {}),
        "revisions": [revision_data(item, cost) for item in plan.revisions],
    }


def revision_data(item: RevisionPlan, cost: PlanEstimate | None = None) -> dict[str, Any]:
    def estimate(step: PlannedStep) -> dict[str, Any]:
        return {"estimate": cost.steps.get((item.revision, step.phase, step.step.name))} if cost is not None else {}

    return {
        "revision": item.revision,
        "message": item.message,
        "state": item.state,
        "additive": item.additive,
        "release": kept(item),
        "operations": item.operations,
        "problem": item.problem,
        "warnings": item.warnings,
        "prechecks": [{"problem": check.problem, "statement": check.sql} for check in item.prechecks],
        "steps": [
            {
                "phase": step.phase,
                "name": step.step.name,
                "state": step.state,
                "seconds": step.seconds,
                "lock": lock_text(step),
                "recreates": recreated(step),
                "statements": statements(step),
                "undo": [undo.name for undo in step.step.undo],
                **estimate(step),
            }
            for step in item.steps
        ],
    }
