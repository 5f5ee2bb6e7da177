"""The page of an operation: what the code says, then every example as it ran."""

from __future__ import annotations

from collections.abc import Sequence

from migrator.cli.plan import kept, lock_text, statements, undo_text
from migrator.planning import PlannedStep, RevisionPlan
from phases.model import Phase

from .running import Moment, Run, examples_of, run_example
from .schemas import changed, difference
from .signatures import page_of, signature_part

EXAMPLE = "## Example"
"""Where the part of a page begins that takes a server."""

IN_BATCHES = "  -- in batches"


def operation_page(name: str, scratch_url: str) -> str:
    """Write a page anew, by running the examples of the operation."""
    return page_of_runs(name, [run_example(example, scratch_url) for example in examples_of(name)])


def page_of_runs(name: str, runs: Sequence[Run]) -> str:
    """The page of an operation whose examples have been run."""
    parts = [example_part(run, len(runs) > 1) for run in runs]
    return "\n".join([signature_part(name), *parts])


def resigned_page(name: str) -> str:
    """A page with its signature written anew, and its examples as they are.

    Raises:
        FileNotFoundError: there is no page yet, so it takes a server.
    """
    page = page_of(name)
    if not page.exists():
        raise FileNotFoundError(f"{page} is not there: write it with a server, python docs/generate.py")
    _, mark, examples = page.read_text().partition(f"\n{EXAMPLE}")
    return f"{signature_part(name)}{mark}{examples}"


def example_part(run: Run, one_of_many: bool) -> str:
    heading = f"{EXAMPLE}: {run.example.title}" if one_of_many else EXAMPLE
    parts = [heading + "\n", fenced("sql", run.example.before), fenced("python", run.example.migration)]
    if run.plan is None:
        parts += ["It is refused:\n", fenced("text", run.refusal)]
        return "\n".join(parts)
    parts.append(f"In short: {kept(run.plan)}.\n")
    parts += [phase_part(run.plan, phase) for phase in Phase if run.plan.of(phase)]
    parts.append(versions_part(run))
    if shown := schema_part(run.moments):
        parts.append(shown)
    return "\n".join(parts)


def fenced(language: str, text: str) -> str:
    return f"```{language}\n{text}\n```\n"


def phase_part(plan: RevisionPlan, phase: Phase) -> str:
    parts = [f"### {phase.value.capitalize()}\n"]
    parts += [step_part(number, step) for number, step in enumerate(plan.of(phase), 1)]
    return "\n".join(parts)


def step_part(number: int, step: PlannedStep) -> str:
    """One step: its name, its lock, what it sends, and what undoes it."""
    return "\n".join(
        [
            f"**{number}. {plain(step.step.name)}**\n",
            f"- lock: {plain(lock_text(step))}",
            f"- undo: {plain(undo_text(step))}\n",
            fenced("sql", "\n\n".join(map(ended, statements(step)))),
        ]
    )


def ended(statement: str) -> str:
    """A statement with its semicolon, before the remark that may follow it."""
    text, remark = statement.strip(), ""
    if text.endswith(IN_BATCHES):
        text, remark = text.removesuffix(IN_BATCHES), IN_BATCHES
    return text if text.startswith("--") else f"{text};{remark}"


def plain(text: str) -> str:
    """Text in which Markdown sees no mark-up."""
    for mark in "\\`*_~<>[]":
        text = text.replace(mark, f"\\{mark}")
    return text


def versions_part(run: Run) -> str:
    """A table of what came of every statement, before the revision and after each phase."""
    names = [moment.name if moment.name == "before" else f"after {moment.name}" for moment in run.moments]
    rows = [["version", "statement", *names], ["---"] * (len(names) + 2)]
    for number, (version, statement) in enumerate(run.example.statements):
        given = [moment.answers[number] for moment in run.moments]
        rows.append([version, f"`{statement}`", *map(plain, given)])
    lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(["### Both versions\n", *lines]) + "\n"


def schema_part(moments: tuple[Moment, ...]) -> str:
    """The schemas to be shown, each against the one before the revision."""
    schemas = {moment.name: moment.schema for moment in moments if moment.schema is not None}
    before = schemas.pop("before")
    names = changed([before, *schemas.values()])
    parts = [
        f"After {name}:\n\n{fenced('diff', difference(before, schema, names))}"
        for name, schema in schemas.items()
        if schema != before
    ]
    return "\n".join(["### Schema\n", *parts]) if parts else ""
