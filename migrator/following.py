"""A replica to read from: of the same server, and as far as that was."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from migrator.database import Session, connect
from migrator.dialects.positions import POSITIONS, Ask
from migrator.errors import DatabaseError, NotSupportedHere, NotYet, UsageError
from migrator.events import Observer, Resumed, Waiting
from migrator.replicas_mysql import named

FIRST_WAIT, LONGEST_WAIT = 0.05, 1.0


@dataclass(frozen=True, slots=True)
class Follower:
    """A replica that rows are compared on.

    Args:
        name: of the replica, without a password.
        session: of the replica.
        primary: the session of the server that it follows.
    """

    name: str
    session: Session
    primary: Session

    @property
    def leaves_open(self) -> str:
        """What a comparison on it does not prove, for people."""
        return POSITIONS[self.primary.server.family].proves

    def reach(
        self, about: str, give_up_after: float, observer: Observer, pause: Callable[[float], None] = time.sleep
    ) -> str:
        """Wait until the replica has replayed all that the primary has written by now; returns that position.

        Args:
            about: the revision whose rows are compared.
            give_up_after: seconds.

        Raises:
            NotYet: it has not.
        """
        positions = POSITIONS[self.primary.server.family]
        position = positions.written(asking(self.primary))
        if not position:
            raise UsageError("the server keeps no log that a replica could follow", next_step="turn on log_bin")
        begun, wait = time.monotonic(), FIRST_WAIT
        while not positions.replayed(asking(self.session), position):
            spent = time.monotonic() - begun
            if spent >= give_up_after:
                raise NotYet(
                    f"replica {self.name} has not replayed {position} in {spent:.0f} s",
                    next_step="look why it is behind; or compare on the primary: leave --replica out",
                    conditions=[f"replica {self.name} has replayed {position}"],
                )
            observer(Waiting(about, f"replica {self.name} has not replayed {position} yet", spent))
            pause(wait)
            wait = min(LONGEST_WAIT, 2 * wait)
        if wait > FIRST_WAIT:
            observer(Resumed(about, time.monotonic() - begun))
        return position


@contextmanager
def following(url: str, primary: Session) -> Iterator[Follower]:
    """A session on a replica.

    Raises:
        UsageError: it is no replica of that server.
        NotSupportedHere: the role may not ask how far it is.
        ConnectionFailed: it cannot be reached.
    """
    name = named(url)
    with connect(url, "verify") as session:
        if session.server.family != primary.server.family:
            raise UsageError(f"{name} is no replica: it is of another kind of server")
        positions = POSITIONS[primary.server.family]
        try:
            why = positions.stranger(asking(primary), asking(session))
        except DatabaseError as problem:
            raise NotSupportedHere(
                f"it cannot be known how far replica {name} is: {problem.message}", next_step=positions.remedy
            ) from None
        if why:
            raise UsageError(
                f"{name} is no replica of this server: {why}",
                next_step="give the URL of a replica of the server in --database-url",
            )
        if session.facts.database != primary.facts.database:
            raise UsageError(
                f"the URL of replica {name} names database {session.facts.database!r}",
                next_step=f"name {primary.facts.database!r}, as on the primary",
            )
        yield Follower(name, session, primary)


def asking(session: Session) -> Ask:
    """Questions to a server, answered by name of column."""

    def ask(sql: str) -> Sequence[Mapping[str, Any]]:
        with session.transaction() as connection:
            result = connection.execution_options(no_parameters=True).exec_driver_sql(sql)
            return [dict(row) for row in result.mappings()]

    return ask
