"""Clients of the shop, which read, add and rename users without pause, and count every request."""

from __future__ import annotations

import http.client
import random
import threading
import time
from dataclasses import dataclass
from urllib.parse import urlencode

CLIENTS = 4
THINKING_SECONDS = 0.02
NAMES = ("Ann Smith", "Bob Jones", "Cleo Brown", "Dan Green", "Eve White", "Madonna", "Pele", "Plato")
HEADERS = {"Content-Type": "application/x-www-form-urlencoded"}


@dataclass(frozen=True)
class Answer:
    """What came of a request. `version`: of the build that answered; empty: nobody did.

    at: when it was sent, in seconds of a clock that only runs forward.
    seconds: until the whole answer was there.
    """

    at: float
    seconds: float
    version: str
    failed: bool
    said: str


class Clients:
    """A few of them, each with a connection that it keeps, as browsers do.

    Args:
        address: host and port of what divides the traffic.
        users: that are there, with the ids from 1 on.
    """

    def __init__(self, address: str, users: int) -> None:
        self.address, self.users = address, users
        self.answers: list[Answer] = []
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(number,)) for number in range(CLIENTS)]

    def __enter__(self) -> Clients:
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        for thread in self.threads:
            thread.join()

    def run(self, number: int) -> None:
        chance = random.Random(number)
        connection = http.client.HTTPConnection(self.address, timeout=10)
        while not self.over.wait(THINKING_SECONDS):
            self.answers.append(ask(connection, *self.something(chance)))
        connection.close()

    def something(self, chance: random.Random) -> tuple[str, str, str]:
        """Method, path and content of a request."""
        user, name = f"/users/{chance.randint(1, self.users)}", urlencode({"name": chance.choice(NAMES)})
        reading = [("GET", user, "")] * 6 + [("GET", "/", "")]
        return chance.choice([*reading, ("POST", user, name), ("POST", "/users", name)])

    def by(self, version: str) -> list[Answer]:
        return [answer for answer in list(self.answers) if answer.version == version]

    def failures(self) -> list[Answer]:
        return [answer for answer in list(self.answers) if answer.failed]

    def while_live(self, version: str) -> list[Answer]:
        """All answers from the first of a version to its last one."""
        moments = [answer.at for answer in self.by(version)]
        if not moments:
            return []
        return [answer for answer in list(self.answers) if min(moments) <= answer.at <= max(moments)]


def ask(connection: http.client.HTTPConnection, method: str, path: str, content: str) -> Answer:
    begun, version, failed = time.monotonic(), "", True
    try:
        connection.request(method, path, content or None, HEADERS)
        response = connection.getresponse()
        response.read()
        version, failed = response.headers.get("X-Version", ""), response.status >= 400
        said = f"{response.status} for {method} {path}"
    except (OSError, http.client.HTTPException) as problem:
        connection.close()
        said = f"no answer to {method} {path}: {problem!r}"
    return Answer(begun, time.monotonic() - begun, version, failed, said)
