"""Readings of Prometheus: a query for each metric, by its HTTP API.

Queries name what is judged with `$pool`, `$version`, `$servers` (names with | between
them, for =~) and `$window` (as 30s). Values are quoted for the strings of PromQL. A
query that gives nothing is missing data, and no zero: `… or vector(0)` says that it is.
"""

from __future__ import annotations

import http.client
import json
import math
import os
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from typing import Any

from migrator.rollouts.analysis.model import Arm, Reading
from migrator.rollouts.analysis.sources.base import Around, Kind
from migrator.rollouts.configuration import fields_of, table, text
from migrator.setting_values import duration

NAMES = ("pool", "version", "servers", "window")
READERS = {"url": text, "queries": table, "timeout": duration, "token_env": text}


class NoAnswer(Exception):
    """A query has no value, with the reason."""


class Prometheus(Kind):
    """A Prometheus server, or what speaks its API. `requests` and `errors` are queries for counts."""

    def __init__(self, data: Mapping[str, Any], around: Around) -> None:
        given = fields_of("prometheus of the analysis", data, READERS)
        self.url = given["url"].rstrip("/")
        self.queries: Mapping[str, str] = given["queries"]
        self.timeout = float(given.get("timeout", 10.0))
        self.headers = {}
        if name := given.get("token_env"):
            try:
                self.headers = bearer(name)
            except ValueError as problem:
                raise ValueError(f"source prometheus: {problem}") from None

    @staticmethod
    def check(data: Mapping[str, Any]) -> None:
        given = fields_of("prometheus of the analysis", data, READERS)
        if not str(given.get("url", "")).startswith(("http://", "https://")):
            raise ValueError('prometheus: url: must be as "http://127.0.0.1:9090"')
        queries = given.get("queries", {})
        for name, query in queries.items():
            text(query)
            for word in re.findall(r"\$([a-z]\w*)", query):
                if word not in NAMES:
                    known = ", ".join(f"${each}" for each in NAMES)
                    raise ValueError(f"prometheus: queries.{name}: ${word} stands for nothing; known are: {known}")
        if "errors" in queries and "requests" not in queries:
            raise ValueError(
                "prometheus: queries.errors counts failed requests, and queries.requests all of them: add it"
            )

    @staticmethod
    def offers(data: Mapping[str, Any], /) -> frozenset[str]:
        queries = set(data.get("queries", {}))
        offered = queries - {"requests", "errors"}
        if "requests" in queries:
            offered |= {"traffic"}
        if "errors" in queries:
            offered |= {"errors", "burn"}
        return frozenset(offered)

    def read(self, arm: Arm, seconds: float) -> Reading:
        values: dict[str, float] = {}
        counted: dict[str, float] = {}
        try:
            for name, query in self.queries.items():
                kept = counted if name in ("requests", "errors") else values
                kept[name] = self._value(name, filled(query, arm, seconds))
        except NoAnswer as problem:
            return Reading(problem=str(problem))
        return Reading(
            requests=round(counted["requests"]) if "requests" in counted else None,
            errors=math.ceil(counted["errors"]) if "errors" in counted else None,
            values=values,
        )

    def _value(self, name: str, query: str) -> float:
        return asked(self.url, name, query, self.headers, self.timeout, self.until)


def bearer(variable: str) -> dict[str, str]:
    """Headers with the token that a variable has.

    Raises:
        ValueError: it is not set.
    """
    if not os.environ.get(variable):
        raise ValueError(f"{variable} is not set, and has the token")
    return {"Authorization": f"Bearer {os.environ[variable]}"}


def asked(
    server: str, name: str, query: str, headers: Mapping[str, str], timeout: float, until: float | None = None
) -> float:
    """The one value of a query.

    Args:
        name: of the query, for people.
        until: seconds since 1970 at which it is asked; None: now.

    Raises:
        NoAnswer: the server does not answer, refuses the query, or has no value for it.
    """
    at = {} if until is None else {"time": f"{until:.3f}"}
    url = f"{server}/api/v1/query?{urllib.parse.urlencode({'query': query, **at})}"
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=dict(headers)), timeout=timeout) as said:
            return value_of(name, said.read())
    except urllib.error.HTTPError as refused:
        raise NoAnswer(f"query {name}: {refused.code}: {complaint(refused.read())}") from None
    except (OSError, http.client.HTTPException) as problem:
        raise NoAnswer(f"Prometheus does not answer at {server}: {problem}") from None


def filled(query: str, arm: Arm, seconds: float) -> str:
    """A query of an arm. Prometheus knows no window of less than a second here."""
    given = {
        "pool": quoted(arm.name),
        "version": quoted(arm.version),
        "servers": quoted("|".join(re.escape(server) for server in arm.servers)),
        "window": f"{max(1, round(seconds))}s",
    }
    return re.sub(r"\$(pool|version|servers|window)\b", lambda found: given[found[1]], query)


def quoted(value: str) -> str:
    """A value within a string of PromQL."""
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def value_of(name: str, answer: bytes) -> float:
    """The one value of an answer.

    Raises:
        NoAnswer: it has none, several, or one that is no number.
    """
    try:
        data = json.loads(answer)["data"]
        found = data["result"] if data["resultType"] == "scalar" else [each["value"] for each in data["result"]]
        if data["resultType"] != "scalar":
            if not found:
                raise NoAnswer(f"query {name} gives nothing; where that means none, add: or vector(0)")
            if len(found) > 1:
                raise NoAnswer(f"query {name} gives {len(found)} series, and one is needed: sum(…)")
            found = found[0]
        value = float(found[1])
    except (ValueError, KeyError, TypeError, IndexError):
        raise NoAnswer(f"query {name}: the answer is none of Prometheus: {answer[:80]!r}") from None
    if not math.isfinite(value):
        raise NoAnswer(f"query {name} gives {found[1]}, which is no number")
    return value


def complaint(answer: bytes) -> str:
    try:
        return str(json.loads(answer)["error"])
    except (ValueError, KeyError, TypeError):
        return answer[:80].decode(errors="replace")
