"""Whether readiness and liveness of an application are what they should be, as far as their answers tell.

Readiness says whether a server may have requests: it may depend on the database. Liveness says whether a process has to
be restarted: where it depends on the database, every server is restarted when the database is away for a moment.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

DATABASE = frozenset(
    "db database databases datasource postgres postgresql psql mysql mariadb sql sqlalchemy migrations".split()
)
"""Words by which an answer says that it looked at a database."""
LONGEST = 20_000
"""Characters of an answer that are looked at."""
PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Answer:
    """What a URL answered. `status` is 0 where nobody did: `problem` says why."""

    url: str
    status: int
    seconds: float
    body: str = ""
    problem: str = ""

    @property
    def good(self) -> bool:
        return 200 <= self.status < 300

    def __str__(self) -> str:
        if not self.status:
            return f"{self.url} does not answer: {self.problem}"
        return f"{self.url} answers {self.status} in {self.seconds * 1000:.0f} ms"


def judge_readiness(answer: Answer) -> tuple[bool, str]:
    """Whether the URL of readiness answered as it should, and how."""
    return answer.good, str(answer)


def judge_liveness(answer: Answer, ready: str) -> tuple[bool, str]:
    """Whether the URL of liveness answered as it should, and how.

    Args:
        ready: URL of readiness; empty: not known.
    """
    if not answer.good:
        return False, str(answer)
    if ready and same(ready, answer.url):
        return False, f"{answer.url} is asked for readiness, too: a server that is not ready would be restarted"
    if words := list(dict.fromkeys(speaks_of_database(answer.body))):
        said = f"the answer of {answer.url} speaks of the database ({', '.join(words)})"
        return False, f"{said}: where that is away for a moment, every server would be restarted"
    return True, f"{answer}, and does not speak of the database"


def same(one: str, other: str) -> bool:
    """Whether two URLs ask the same of the same server."""
    return place(one) == place(other)


def place(url: str) -> tuple[str, int | None, str, str]:
    parts = urlsplit(url)
    port = parts.port or PORTS.get(parts.scheme)
    return parts.hostname or "", port, parts.path.rstrip("/"), parts.query


def speaks_of_database(body: str) -> Iterator[str]:
    """Words of an answer that name a database; of JSON its keys and short texts."""
    try:
        texts = list(texts_of(json.loads(body[:LONGEST])))
    except ValueError:
        texts = [body[:LONGEST]]
    for text in texts:
        yield from (word for word in re.findall(r"[a-z]+", text.lower()) if word in DATABASE)


def texts_of(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield str(key)
            yield from texts_of(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts_of(inner)
    elif isinstance(value, str):
        yield value
