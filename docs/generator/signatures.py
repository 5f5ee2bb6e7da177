"""What the code itself says of an operation: its docstring and its arguments. Needs no server."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

from phases import operations

FOLDER = Path(__file__).parents[1] / "reference" / "operations"

TASKS = {
    "Add something": ("CreateTable", "AddColumn", "CreateIndex", "AddEnumValue", "AttachPartition"),
    "Give something another name": (
        "RenameTable",
        "RenameColumn",
        "RenameIndex",
        "RenameConstraint",
        "RenameEnumValue",
    ),
    "Change what a column holds": (
        "ChangeType",
        "ChangePrimaryKeyType",
        "TransformColumns",
        "SplitTable",
        "PartitionTable",
        "RebuildTable",
        "MergeTables",
        "SetDefault",
        "DropDefault",
        "Backfill",
    ),
    "Demand something of every row": (
        "SetNotNull",
        "AddCheck",
        "AddUnique",
        "AddForeignKey",
        "AddPrimaryKey",
        "AddExclusion",
    ),
    "Let go of something": (
        "DropColumn",
        "DropTable",
        "DetachPartition",
        "DropNotNull",
        "DropConstraint",
        "DropIndex",
        "RemoveEnumValue",
    ),
    "Whatever no operation does": ("RunSQL", "Todo"),
}
"""Every operation, by what somebody wants who looks for one."""

NAMES = tuple(name for names in TASKS.values() for name in names)

PARTS = {"CreateTable": ("Column",), "TransformColumns": ("Column",)}
"""Values that are arguments of an operation, explained on its page."""

INDEX = """\
# Operations

A migration is made of these. Names are exact: never quoted, never folded. Expressions are SQL.
"""

READING = """\
## How to read a page

Every page shows its operation at work on a small table: the steps of each phase in the order they run, what each sends,
which lock it takes and who waits behind it, and what undoes it. The examples are run on PostgreSQL 18, by the code
behind `migrator apply`, whenever the pages are written: `python docs/generate.py`.

"Both versions" has statements of the old and the new version of an application, and what came of them before the
revision and after each of its phases: the values read, `done` for what was written, or the error. The statements of a
column are one transaction, from top to bottom, that is rolled back: each sees what those above it wrote, whichever
version they belong to. The old version is live until the contract, the new one from the release on; it may write from
expand on, but reads what is complete only after migrate.

"Schema" has what was added (`+`) and what is gone (`-`), against the schema before the revision.

What the phases are for is explained under [phases](../../explanation/phases.md), the locks under
[locks](../../explanation/locks.md), the triggers under [dual writes](../../explanation/dual-writes.md).
"""


def slug(name: str) -> str:
    """The name of an operation as files have it.

    >>> slug("RenameColumn"), slug("RunSQL")
    ('rename_column', 'run_sql')
    """
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


def page_of(name: str) -> Path:
    return FOLDER / f"{slug(name)}.md"


def index_page() -> str:
    parts = [INDEX]
    for task, names in TASKS.items():
        rows = "\n".join(f"| [`{name}`]({slug(name)}.md) | {summary(name)} |" for name in names)
        parts.append(f"## {task}\n\n| operation | what it does |\n| --- | --- |\n{rows}\n")
    return "\n".join([*parts, READING])


def summary(name: str) -> str:
    """The first paragraph of a docstring, on one line."""
    return " ".join((inspect.getdoc(getattr(operations, name)) or "").partition("\n\n")[0].split())


def signature_part(name: str) -> str:
    """The page of an operation down to its arguments."""
    parts = [f"# {name}\n", signature_of(name)]
    for part in PARTS.get(name, ()):
        parts += [f"## {part}\n", signature_of(part)]
    return "\n".join(parts)


def signature_of(name: str) -> str:
    kind = getattr(operations, name)
    text, _, arguments = (inspect.getdoc(kind) or "").partition("Args:")
    signature = re.sub(r" -> .*", "", str(inspect.signature(kind))).replace(" = ''", ' = ""').replace("'", "")
    parts = [f"```python\n{name}{signature}\n```\n", f"{text.strip()}\n"]
    return "\n".join([*parts, listed(arguments)] if arguments else parts)


def listed(arguments: str) -> str:
    """The `Args:` of a docstring as a list; a line that is indented further goes on with the one before."""
    found: list[str] = []
    for line in inspect.cleandoc(arguments).splitlines():
        if re.match(r"\w[\w, ]*: ", line):
            name, _, said = line.partition(": ")
            found.append(f"- `{name}`: {said}")
        elif found:
            found[-1] += f" {line.strip()}"
    return "\n".join(found) + "\n"
