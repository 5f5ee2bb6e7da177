"""Every error a user can see, each with its exit code and what to type next.

MigratorError                 1
├── UsageError                2  wrong usage or configuration
│   ├── SettingsError            a setting is unknown, missing or malformed
│   ├── RevisionError            a revision file or the revision graph is wrong
│   └── PlanRefused              an operation cannot be done safely as written
├── DatabaseError             1  the server refused, failed or went away
│   ├── ConnectionFailed         no connection, or it was lost
│   ├── Cancelled                a statement took too long, or somebody cancelled it
│   └── NotSupportedHere         server, role, replica or pooler cannot do it
├── StepFailed                1  a step of a revision failed
├── RowsSetAside              1  a backfill could not change some rows
├── VerificationFailed        1  old and new shape differ
├── DriftFound                1  somebody changed by hand what a revision relies on
├── NotYet                    3  gate closed, or something pending
├── LockNotAvailable          4  a table lock could not be had
├── RunnerBusy                4  another runner holds the runner lock
└── Interrupted             130  Ctrl-C; the next run continues
"""

from __future__ import annotations

from typing import Any


class MigratorError(Exception):
    """Base of all errors.

    Args:
        message: what happened, in one sentence.
        next_step: the command to type or the change to make; shown below the message.
        facts: values a program may want, kept as given and printed by `--format json`.
    """

    exit_code = 1

    def __init__(self, message: str, *, next_step: str = "", **facts: Any) -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step
        self.facts = facts


class UsageError(MigratorError):
    """Wrong usage or configuration; nothing was done."""

    exit_code = 2


class SettingsError(UsageError):
    """A setting is unknown, missing or malformed. Names its source."""


class RevisionError(UsageError):
    """A revision file or the graph is wrong. Facts: `file`, `line` where known."""


class PlanRefused(UsageError):
    """An operation cannot be done safely as written. Facts: `revision`, `file`, `line`, `operation`."""


class DatabaseError(MigratorError):
    """The server refused, failed or went away. Facts: `sqlstate` where known."""


class ConnectionFailed(DatabaseError):
    """No connection could be made, or it was lost."""


class Cancelled(DatabaseError):
    """A statement was cancelled, by a timeout of ours or by somebody."""


class NotSupportedHere(DatabaseError):
    """This server, role, replica or pooler cannot do what is asked."""


class StepFailed(MigratorError):
    """A step failed. Facts: `revision`, `phase`, `step`, `sqlstate`."""


class RowsSetAside(MigratorError):
    """A backfill could not change some rows. Facts: `table`, `rows`, `sample` (key, sqlstate and message), `limit`."""


class VerificationFailed(MigratorError):
    """Rows differ. Facts: `table`, `mismatches`, `sample` (keys of some of them)."""


class DriftFound(MigratorError):
    """What a revision relies on was changed by hand. Facts: `revision`, `differences` (part, was, is)."""


class NotYet(MigratorError):
    """The gate is closed, or changes are pending. Facts: `conditions`, `opens_at`."""

    exit_code = 3


class LockNotAvailable(MigratorError):
    """A table lock could not be had in time. Facts: `table`, `mode`, `blockers`, `attempts`."""

    exit_code = 4


class RunnerBusy(MigratorError):
    """Another runner holds the runner lock. Facts: `owner`, `pid`."""

    exit_code = 4


class Interrupted(MigratorError):
    """Interrupted by the user; the next run continues."""

    exit_code = 130
