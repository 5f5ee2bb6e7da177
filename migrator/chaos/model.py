"""What an experiment is, what it asks for and what it is told: frozen values."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from migrator.chaos.faults.base import Fault

STAGES = ("baseline", "fault", "after")


@dataclass(frozen=True, slots=True)
class Probe:
    """A part of the hypothesis: something that is asked again and again, and when its answer is good.

    Args:
        kind: `url`, `command` or `sql`; `what` is what is asked.
        every: seconds between two questions.
        timeout: seconds that an answer may take; one that takes longer is a failed one.
        tolerated: share of the answers that may be bad while the fault lasts, of one.
        stages: when it is asked.
        status: status that a URL answers with; None: any of 200 to 399.
        equals, at_least, at_most: what the one value of a question in SQL is held against.
    """

    name: str
    kind: str
    what: str
    every: float = 0.2
    timeout: float = 5.0
    tolerated: float = 0.0
    stages: tuple[str, ...] = STAGES
    status: int | None = None
    equals: str | None = None
    at_least: float | None = None
    at_most: float | None = None


@dataclass(frozen=True, slots=True)
class Instance:
    """A process of this machine, with whatever it has started.

    Args:
        pid_file: file that holds its process id.
        start: command that starts it again; empty where `supervised`.
        supervised: somebody else starts it again.
        ready: URL that answers once it is back; empty: it is back when it runs.
        timeout: seconds that coming back may take.
    """

    name: str
    pid_file: Path
    start: str = ""
    supervised: bool = False
    ready: str = ""
    timeout: float = 30.0


@dataclass(frozen=True, slots=True)
class Experiment:
    """All of it. Durations are in seconds.

    Args:
        command: what runs meanwhile; empty: nothing of ours.
        exits: codes that the command may end with.
        afterwards: command that has to succeed once everything is restored.
        begin_after: when the fault begins, from the start of the command.
        begin_when: SQL that says by a true value when it begins, instead.
        duration: how long it lasts at most; it ends with the command.
        recovery: how long the hypothesis may take to hold again.
        most: share of the instances that may be touched, of one.
        database: the one that is meant, as host/name; has to be said where it is not on this machine.
        listen: host and port where the proxy in front of the database listens.
    """

    title: str
    faults: tuple[Fault, ...]
    probes: tuple[Probe, ...]
    instances: Mapping[str, Instance]
    folder: Path
    command: str = ""
    exits: tuple[int, ...] = (0,)
    timeout: float = 600.0
    afterwards: str = ""
    baseline: float = 1.0
    begin_after: float = 1.0
    begin_when: str = ""
    duration: float = 10.0
    recovery: float = 30.0
    most: float = 0.5
    seed: int = 0
    database: str = ""
    listen: tuple[str, int] = ("127.0.0.1", 0)


@dataclass(frozen=True, slots=True)
class Look:
    """Ask the probes of a stage."""

    stage: str


@dataclass(frozen=True, slots=True)
class Launch:
    """Start the command."""


@dataclass(frozen=True, slots=True)
class Await:
    """Wait for the moment at which the fault begins."""


@dataclass(frozen=True, slots=True)
class Inject:
    """Begin with a fault, by its place."""

    number: int


@dataclass(frozen=True, slots=True)
class Restore:
    """Take a fault away, and put back what it changed."""

    number: int


@dataclass(frozen=True, slots=True)
class Finish:
    """Wait for the end of the command."""


@dataclass(frozen=True, slots=True)
class Again:
    """Run the command that comes afterwards, to its end."""


Action = Look | Launch | Await | Inject | Restore | Finish | Again


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an action went. `facts`: measured values; `touched` of a fault: connections, processes or files."""

    ok: bool
    reason: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the experiment says.

    `status`: `held`; `broken`; `inconclusive`: nothing felt the fault, or it never began; `refused`: the hypothesis
    did not hold beforehand, and nothing was done; `failed`: a fault could not begin; `not_restored`: something is
    still as the fault left it; `interrupted`.
    """

    status: str
    reason: str


Machine = Generator[Action, Outcome, Verdict]


@dataclass(frozen=True, slots=True)
class Happened:
    """Something that was done, and when: seconds since the experiment began."""

    at: float
    what: str


Told = Callable[[Happened], None]
"""Told of everything that happens, when it does."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What a probe answered in one stage: how often, how often badly, the slowest in seconds, the last bad one."""

    asked: int
    failed: int
    slowest: float
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """What an experiment was, did and found. `seen`: answers by stage and probe."""

    title: str
    verdict: Verdict
    database: str
    seed: int
    began_at: str
    ended_at: str
    command: str
    hypothesis: tuple[str, ...]
    faults: tuple[str, ...]
    timeline: tuple[Happened, ...]
    seen: Mapping[str, Mapping[str, Answers]]
    commands: tuple[Mapping[str, Any], ...]
    restored: tuple[Mapping[str, Any], ...]
