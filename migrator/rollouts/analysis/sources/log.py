"""Readings of an access log with a JSON object a line, as HAProxy and nginx can write it.

It is read on from where it was; a log that is rotated is read to its end, and then the
file that took its name from the beginning.
"""

from __future__ import annotations

import json
import os
import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from migrator.rollouts.analysis.metrics import TIMED
from migrator.rollouts.analysis.model import Arm, Reading
from migrator.rollouts.analysis.sources.base import Around, Kind
from migrator.rollouts.configuration import fields_of, table, text
from migrator.setting_values import nearest

READERS = {"path": text, "fields": table}
HAS = frozenset({"errors", "burn", "traffic"})
FIELDS = ("status", "seconds", "milliseconds", "version", "server", "address", "pool")
TELLING = ("version", "server", "address", "pool")
"""Fields that tell arms apart, the most exact one first."""
RECENT = 200_000
ERROR = 500


@dataclass(frozen=True, slots=True)
class Line:
    """A request. `status`: not above zero where the client went away; `who`: by field, who answered it."""

    at: float
    status: int
    seconds: float | None
    who: Mapping[str, str] = field(default_factory=dict)


class AccessLog(Kind):
    """Lines of a log since the beginning of a watch, at most the newest 200,000."""

    def __init__(self, data: Mapping[str, Any], around: Around) -> None:
        given = fields_of("log of the analysis", data, READERS)
        self.fields: Mapping[str, str] = given["fields"]
        self.tail = Tail(around.folder / given["path"])
        self.addresses = {server.name: server.address for server in around.plan.fleet}
        self.lines: deque[Line] = deque(maxlen=RECENT)
        self.unread = 0

    @staticmethod
    def check(data: Mapping[str, Any]) -> None:
        given = fields_of("log of the analysis", data, READERS)
        named = given.get("fields", {})
        for key, name in named.items():
            if key not in FIELDS:
                near = nearest(key, FIELDS)
                hint = f'did you mean "{near}"?' if near else f"known are: {', '.join(FIELDS)}"
                raise ValueError(f'log: unknown field "{key}"; {hint}')
            text(name)
        if "path" not in given or "status" not in named or not set(TELLING) & set(named):
            raise ValueError(
                'log: write path = "access.json" and fields = { status = "status", server = "server" }: the names that'
                f" its lines have for the status, and for one of {', '.join(TELLING)}"
            )

    @staticmethod
    def offers(data: Mapping[str, Any], /) -> frozenset[str]:
        timed = TIMED if {"seconds", "milliseconds"} & set(data.get("fields", {})) else frozenset()
        return HAS | timed

    def begin(self) -> None:
        self.lines.clear()
        self.unread = 0
        self.tail.begin()

    def end(self) -> None:
        self.tail.close()

    def read(self, arm: Arm, seconds: float) -> Reading:
        moment = time.monotonic()
        try:
            said = self.tail.read()
        except OSError as problem:
            return Reading(problem=f"{self.tail.path} cannot be read: {problem.strerror}")
        for raw in said:
            found = line_of(raw, self.fields, moment)
            if found is None:
                self.unread += 1
            else:
                self.lines.append(found)
        if self.unread and not self.lines:
            return Reading(
                problem=f"none of {self.unread} lines of {self.tail.path.name} has the fields that are named"
            )
        ours = [line for line in self.lines if line.at >= moment - seconds and line.status > 0 and self.of(line, arm)]
        return Reading(
            requests=len(ours),
            errors=sum(line.status >= ERROR for line in ours),
            latencies=tuple(line.seconds for line in ours if line.seconds is not None and line.status < ERROR),
        )

    def of(self, line: Line, arm: Arm) -> bool:
        """Whether an arm answered a request, by the most exact field that is there."""
        for name in TELLING:
            if said := line.who.get(name):
                known = {
                    "version": {arm.version},
                    "server": set(arm.servers),
                    "address": {self.addresses.get(server, "") for server in arm.servers},
                    "pool": {arm.name},
                }
                return said in known[name]
        return False


def line_of(raw: bytes, fields: Mapping[str, str], at: float) -> Line | None:
    """A line of the log; None where it is not one that can be read."""
    try:
        data = json.loads(raw[raw.index(b"{") :])  # syslog writes a time and a name before it
        # What several servers were asked is said with commas between them; the last one is what was answered.
        last = {key: str(data[name]).split(",")[-1].strip() for key, name in fields.items() if name in data}
        seconds = None
        if "seconds" in last:
            seconds = float(last["seconds"])
        elif "milliseconds" in last:
            seconds = float(last["milliseconds"]) / 1000
        who = {name: last[name] for name in TELLING if last.get(name)}
        return Line(at, int(last["status"]), seconds, who) if who else None
    except (ValueError, KeyError, TypeError):
        return None


class Tail:
    """What is added to a file, whatever takes its name meanwhile."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.file: IO[bytes] | None = None
        self.rest = b""

    def begin(self) -> None:
        """Go to the end, where there is a file."""
        self.close()
        with suppress(FileNotFoundError):
            self.file = self.path.open("rb")
            self.file.seek(0, os.SEEK_END)

    def read(self) -> list[bytes]:
        """The whole lines that were added.

        Raises:
            OSError: there is no such file, or it may not be read.
        """
        added = self._added() if self.file is not None else b""
        if self.file is None or self._replaced():
            self.close()
            self.file = self.path.open("rb")
            added += b"\n" + self._added()
        *lines, self.rest = added.split(b"\n")
        return [line for line in lines if line.strip()]

    def _added(self) -> bytes:
        """What is read from here on, after the beginning of a line that was read before."""
        assert self.file is not None
        if os.fstat(self.file.fileno()).st_size < self.file.tell():  # emptied in its place
            self.file.seek(0)
            self.rest = b""
        return self.rest + self.file.read()

    def _replaced(self) -> bool:
        assert self.file is not None
        try:
            there, ours = self.path.stat(), os.fstat(self.file.fileno())
        except FileNotFoundError:
            return False  # between two names: what was open is still written to
        return (there.st_dev, there.st_ino) != (ours.st_dev, ours.st_ino)

    def close(self) -> None:
        if self.file is not None:
            self.file.close()
        self.file, self.rest = None, b""
