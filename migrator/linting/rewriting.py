"""`migrator lint --fix`: scripts with their mechanical hazards rewritten."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from linters.fixing import Edit, edits_of, spliced
from linters.reports import Report
from linters.source import Source
from migrator.errors import UsageError
from migrator.linting import conventions
from migrator.linting.files import STANDARD_INPUT
from migrator.linting.judging import Judged
from migrator.linting.options import Options

BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Rewritten:
    """A script before and after; `path` is None for standard input.

    Args:
        statements: how many of it were rewritten or have come.
    """

    name: str
    path: Path | None
    before: bytes
    after: bytes
    statements: int

    def diff(self) -> str:
        """The difference as `patch` takes it."""
        old, new = (text.decode().splitlines(keepends=True) for text in (self.before, self.after))
        lines = difflib.unified_diff(old, new, f"a/{self.name}", f"b/{self.name}")
        return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)

    def save(self) -> None:
        """Write it to its file.

        Raises:
            UsageError: it cannot be written.
        """
        if self.path is None:
            return
        try:
            self.path.write_bytes(self.after)
        except OSError as problem:
            raise UsageError(f"{self.name} cannot be written: {problem.strerror}", next_step="--dry-run") from None


def check(options: Options) -> None:
    """Refuse what cannot be rewritten.

    Raises:
        UsageError: scripts of another server, or standard input beside files.
    """
    if options.dialect in ("mysql", "mariadb"):
        raise UsageError(
            f"--fix rewrites scripts of PostgreSQL; for {options.dialect}, findings say what to write",
            next_step="lint without --fix",
        )
    if STANDARD_INPUT in options.paths and len(options.paths) > 1:
        raise UsageError("--fix takes files, or standard input by itself", next_step="migrator lint --fix - < FILE")


def rewritten(report: Report, judged: Iterable[Judged]) -> Iterator[Rewritten]:
    """The scripts of a report that change. What no finding of the report is about stays as it is."""
    for each in judged:
        script = each.script
        own = [finding for finding in report.findings if finding.file == script.name]
        edits = edits_of(Source(script.name, script.data), own, each.in_transaction) if own else []
        # Prisma sends several statements in one transaction, where the safe form of one is none.
        if edits and (script.tool != "prisma" or not any(b";\n" in text for _, _, text in edits)):
            placed = [beginning(script.whole, script.tool, edit) for edit in edits]
            after = spliced(script.whole, placed)
            yield Rewritten(script.name, script.path, script.whole, after, len(edits))


def said(report: Report, changes: Iterable[Rewritten], dry_run: bool) -> Iterator[str]:
    """Which files change, and which cannot."""
    none = True
    for each in changes:
        none = False
        number = f"{each.statements} statement{'' if each.statements == 1 else 's'}"
        yield f"{each.name}: {number} {'would be' if dry_run else ''} rewritten".replace("  ", " ")
    if none:
        yield "nothing has a safe form that is a mechanical matter"
    revisions = dict.fromkeys(finding.file for finding in report.findings if finding.file.endswith(".py"))
    if revisions:
        yield f"not rewritten, because they are Python: {', '.join(revisions)}"
        yield "next: write operations there; migrator convert FILE.sql writes them from SQL"


def beginning(data: bytes, tool: str, edit: Edit) -> Edit:
    """What comes at the beginning of a script stands where its way forward begins."""
    if edit[:2] != (0, 0):
        return edit
    mark = conventions.SECTIONS.get(tool)
    ups = [found for found in mark.finditer(data) if found[1].lower() == b"up"] if mark else []
    at = min(ups[0].end() + 1, len(data)) if ups else len(BYTE_ORDER_MARK) * data.startswith(BYTE_ORDER_MARK)
    return at, at, edit[2]
