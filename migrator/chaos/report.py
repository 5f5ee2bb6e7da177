"""What an experiment found, as JSON for programs and as Markdown for people."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from migrator.chaos.model import STAGES, Answers, Report
from migrator.setting_values import mask

MEANING = {
    "held": "The hypothesis held.",
    "broken": "The hypothesis did not hold.",
    "inconclusive": "The experiment says nothing.",
    "refused": "Nothing was done.",
    "failed": "The fault could not begin.",
    "not_restored": "Something is still as the fault left it: `migrator chaos restore`.",
    "interrupted": "The experiment was interrupted.",
}


def write(report: Report, folder: Path) -> tuple[Path, Path]:
    """Write both forms; where they are."""
    moment = re.sub(r"[^0-9]", "", report.began_at.partition("+")[0])[:17]
    name = f"{moment}-{re.sub(r'[^a-z0-9]+', '-', report.title.lower()).strip('-')[:40]}"
    folder.mkdir(parents=True, exist_ok=True)
    data, page = folder / f"{name}.json", folder / f"{name}.md"
    data.write_text(json.dumps(masked({"schema_version": 1, **asdict(report)}), indent=2, ensure_ascii=False) + "\n")
    page.write_text(mask("\n".join(markdown(report))) + "\n")
    return data, page


def masked(value: Any) -> Any:
    """A value without the passwords of the URLs in it."""
    if isinstance(value, dict):
        return {key: masked(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [masked(item) for item in value]
    return mask(value) if isinstance(value, str) else value


def markdown(report: Report) -> Iterator[str]:
    yield from (f"# {report.title}", "")
    yield from (f"**{report.verdict.status.replace('_', ' ')}.** {MEANING[report.verdict.status]}", "")
    if report.verdict.status != "held":
        yield from (f"{report.verdict.reason}.", "")
    yield f"- from {report.began_at} to {report.ended_at}"
    yield f"- database: {report.database or 'none'}; seed {report.seed}"
    yield from (f"- fault: {fault}" for fault in report.faults)
    yield from ("", "## Hypothesis", "")
    yield from ("| probe | when | answers | bad | slowest | last bad one |", "| --- | --- | --- | --- | --- | --- |")
    for stage in STAGES:
        for name, found in report.seen.get(stage, {}).items():
            yield row(name, stage, found)
    yield from ("", "## What happened", "")
    yield from (f"- {event.at:.3f} s: {event.what}" for event in report.timeline)
    for ran in report.commands:
        yield from ("", f"## `{ran['command']}`", "")
        yield from (f"Ended with {ran['exit_code']} after {ran['seconds']} s.", "")
        yield from (f"    {line}" for line in ran["output"])
    yield from ("", "## Put back", "")
    yield from (f"- {one['fault']}: {one['reason'] or 'yes'}, {one['seconds']} s" for one in report.restored)
    if not report.restored:
        yield "- nothing was changed"


def row(name: str, stage: str, found: Answers) -> str:
    return (
        f"| {cell(name)} | {stage} | {found.asked} | {found.failed} | {found.slowest:.3f} s | {cell(found.problem)} |"
    )


def cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
