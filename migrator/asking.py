"""Applications, Prometheus and commands, asked what the checklist wants to know."""

from __future__ import annotations

import http.client
import os
import re
import shlex
import time
import urllib.error
import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from migrator.ledger.checks import Given
from migrator.rollouts.running import CouldNotRun, run
from migrator.setting_values import mask
from phases.checklist_facts import BACKUP, BUDGET, LIVENESS, PROBES, READINESS, SMOKE
from phases.probes import LONGEST, Answer, judge_liveness, judge_readiness

if TYPE_CHECKING:
    from collections.abc import Mapping

    from migrator.checklist_settings import Asking
    from migrator.settings import Settings

SHARE = re.compile(r"(-?\d+(?:\.\d+)?)\s*(%?)")
EPOCH = re.compile(r"\d{9,11}(?:\.\d+)?")


class Unfollowed(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: a page to log in at answers 200, and says nothing of the application."""

    def redirect_request(self, *_: Any) -> None:
        return None


def answer(url: str, seconds: float) -> Answer:
    """What a URL answers."""
    begun = time.monotonic()
    try:
        with urllib.request.build_opener(Unfollowed).open(url, timeout=seconds) as said:
            body = said.read(LONGEST).decode(errors="replace")
            return Answer(mask(url), said.status, time.monotonic() - begun, body)
    except urllib.error.HTTPError as said:
        return Answer(mask(url), said.code, time.monotonic() - begun)
    except (OSError, http.client.HTTPException, ValueError) as problem:
        return Answer(mask(url), 0, time.monotonic() - begun, problem=str(problem))


def at_this_moment(settings: Settings) -> list[Given]:
    """Ask everything that the settings say how to ask; a smoke test is run when it is recorded, and not to look."""
    return [given for item in (PROBES, BUDGET, BACKUP) for given in ask(item, settings)]


def ask(item: str, settings: Settings) -> list[Given]:
    """Ask for one item as the settings say; nothing where they do not."""
    asking = settings.checklist.asking(item)
    if item == PROBES:
        return probes(asking, settings.checklist.app)
    if asking.command:
        return [commanded(item, asking.command, settings.directory, asking.timeout, settings.checklist.app)]
    return [queried(asking, settings.checklist.app)] if asking.query else []


def probes(asking: Asking, application: str) -> list[Given]:
    found = []
    if asking.ready:
        ok, said = judge_readiness(answer(asking.ready, asking.timeout))
        found.append(Given(READINESS, ok, said, application=application))
    if asking.live:
        ok, said = judge_liveness(answer(asking.live, asking.timeout), asking.ready)
        found.append(Given(LIVENESS, ok, said, application=application))
    return found


def queried(asking: Asking, application: str) -> Given:
    """The share of an error budget that is left, as a Prometheus says."""
    from migrator.rollouts.analysis.sources.prometheus import NoAnswer, asked, bearer

    try:
        headers = bearer(asking.token_env) if asking.token_env else {}
        left = asked(asking.prometheus.rstrip("/"), BUDGET, asking.query, headers, asking.timeout)
    except (NoAnswer, ValueError) as problem:
        return Given(BUDGET, None, mask(str(problem)), application=application)
    return Given(BUDGET, True, f"{left * 100:.3g} % left, as Prometheus says", application=application, share=left)


def commanded(
    item: str,
    command: str,
    folder: Path,
    seconds: float,
    application: str,
    *,
    version: str = "",
    at: datetime | None = None,
) -> Given:
    """Run a command, and read what it says of an item.

    Args:
        folder: where it is run.
        seconds: how long it may take.
        at: when a backup was made, where the command does not say so.
    """
    about: dict[str, Any] = {"application": application, "version": version, "command": mask(command), "at": at}
    begun = time.monotonic()
    try:
        done = run(shlex.split(command), folder, os.environ, seconds)
    except CouldNotRun as problem:
        return Given(item, False if item == SMOKE else None, mask(str(problem)), **about)
    about |= {"exit_code": done.code, "seconds": round(time.monotonic() - begun, 3)}
    said = mask(done.said)
    told = f"{mask(command)} ended with {done.code} after {about['seconds']:g} s" + (f": {said}" if said else "")
    if done.code:
        return Given(item, False, told, **about)
    if item == BUDGET:
        return read_budget(told, done.output, about)
    return read_backup(told, done.output, about) if item == BACKUP else Given(item, True, told, **about)


def read_budget(told: str, output: str, about: Mapping[str, Any]) -> Given:
    left = share_of(output)
    if left is None:
        return Given(BUDGET, None, f"{told}; its last line is no share, as 42% or 0.42", **about)
    return Given(BUDGET, True, told, share=left, **about)


def read_backup(told: str, output: str, about: Mapping[str, Any]) -> Given:
    made = about["at"] or moment_of(output)
    if made is None:
        return Given(BACKUP, None, f"{told}; its last line is no moment, as 2026-03-01T12:00:00Z", **about)
    return Given(BACKUP, True, told, **{**about, "at": made})


def last_line(output: str) -> str:
    lines = output.strip().splitlines()
    return lines[-1].strip() if lines else ""


def share_of(output: str) -> float | None:
    """The share that a last line says, `42%` or `0.42`; None where it says none."""
    found = SHARE.fullmatch(last_line(output))
    if found is None:
        return None
    value = float(found[1]) / (100 if found[2] else 1)
    return value if value <= 1 else None


def moment_of(output: str) -> datetime | None:
    """The moment that a last line says, with its time zone or as seconds since 1970; None where it says none."""
    said = last_line(output).strip('"')
    if EPOCH.fullmatch(said):
        return datetime.fromtimestamp(float(said), UTC)
    try:
        read = datetime.fromisoformat(said)
    except ValueError:
        return None
    return read.astimezone(UTC) if read.tzinfo is not None else None
