"""Text for people: where, what, the lines themselves, who waits, and what to do instead."""

from __future__ import annotations

from collections.abc import Iterator

from linters.findings import Finding, Severity
from linters.reports.base import Report

SHOWN_LINES = 6
COLOURS = {Severity.ERROR: "31", Severity.WARNING: "33", Severity.NOTICE: "36"}
NO_NUMBER = "      |"
BOLD, FAINT, GREEN = "1", "2", "32"


def write(report: Report) -> str:
    parts = [f"{problem.file}: not judged: {problem.message}\n" for problem in report.problems]
    parts += [block(finding, report) for finding in report.findings]
    return "\n".join((*parts, *observed(report), *closing(report)))


def observed(report: Report) -> Iterator[str]:
    """What the statements did on a scratch database, where anybody would notice."""
    noticed = [seen for seen in report.observed or () if seen.words]
    if noticed:
        yield f"observed on {noticed[0].server}:"
        yield from (f"  {seen.file}:{seen.line}: {plain(seen.words)}" for seen in noticed)
        yield ""


def block(finding: Finding, report: Report) -> str:
    severity = painted(finding.severity.value, COLOURS[finding.severity], report)
    place = painted(f"{finding.file}:{finding.line}:{finding.column}", BOLD, report)
    lines = [f"{place}: {severity}: {finding.message} [{finding.rule}]", *frame(finding, report)]
    for label, text in facts(finding):
        first, *rest = text.splitlines() or [""]
        lines.append(f"  {painted(f'{label}:'.ljust(9), FAINT, report)}{first}")
        lines += [f"{'':11}{line}" for line in rest]
    return "\n".join((*lines, ""))


def frame(finding: Finding, report: Report) -> Iterator[str]:
    """The lines of the statement, the first few of a long one."""
    all_lines = report.texts.get(finding.file, b"").decode(errors="replace").split("\n")
    last = min(max(finding.last_line, finding.line), finding.line + SHOWN_LINES - 1, len(all_lines))
    for number in range(finding.line, last + 1):
        yield f"  {painted(f'{number:5} |', FAINT, report)} {plain(all_lines[number - 1].rstrip())}"
        if number == finding.line:
            yield f"  {painted(NO_NUMBER, FAINT, report)} {' ' * (finding.column - 1)}{painted('^', BOLD, report)}"
    if max(finding.last_line, finding.line) > last:
        yield f"  {painted(NO_NUMBER, FAINT, report)} …"


def plain(text: str) -> str:
    """A line without characters that a terminal obeys; a tab is one column, as positions count it."""
    return "".join(c if c.isprintable() else " " if c == "\t" else "�" for c in text)


def facts(finding: Finding) -> Iterator[tuple[str, str]]:
    yield "effect", finding.effect
    if finding.lock:
        work = [f"{finding.lock} on {', '.join(finding.tables)}" if finding.tables else finding.lock]
        work += [f"rewrites {', '.join(finding.rewrites)}"] if finding.rewrites else []
        work += [f"reads all of {', '.join(finding.scans)}"] if finding.scans else []
        yield "lock", "; ".join(work)
    yield "safer", finding.safer
    if finding.operation:
        yield "write", finding.operation
    if finding.assumed:
        yield "assumed", finding.assumed


def closing(report: Report) -> Iterator[str]:
    """What it comes to, what was assumed, and what to type next."""
    figures = report.summary()
    counts = [counted(figures[f"{s.value}s"], s.value) for s in Severity if figures[f"{s.value}s"]]
    said = ", ".join(counts) if counts else painted("nothing found", GREEN, report)
    said += f" in {counted(report.statements, 'statement')} of {counted(len(report.files), 'file')}"
    said += f"; {figures['unanalysed']} not analysed" if figures["unanalysed"] else ""
    said += f"; {report.accepted} in the baseline" if report.accepted else ""
    said += f"; {counted(len(report.problems), 'file')} not judged" if report.problems else ""
    yield said
    if report.findings:
        yield from (f"assumed: {assumption}" for assumption in report.assumptions)
        yield f"next: migrator lint --explain {report.findings[0].rule}"


def counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def painted(text: str, colour: str, report: Report) -> str:
    return f"\x1b[{colour}m{text}\x1b[0m" if report.colour else text
