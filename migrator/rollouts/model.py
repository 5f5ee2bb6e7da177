"""What strategies ask for and are told: frozen values, and the generators that yield them.

A strategy is a generator of actions that is sent the outcome of each. It keeps no
other state, so a controller that was killed makes the strategy again and sends it the
outcomes that are on record: it is where it was.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from migrator.rollouts.plan import Segment


@dataclass(frozen=True, slots=True)
class Begin:
    """Record that a version goes live, if floor and ceiling let it. `strategy`: empty: the plan's."""

    version: str
    strategy: str = ""


@dataclass(frozen=True, slots=True)
class Finish:
    """Record how the deployment that `Begin` recorded ended: `succeeded`, `failed` or `rolled_back`."""

    version: str
    status: str
    strategy: str = ""


@dataclass(frozen=True, slots=True)
class MayRun:
    """Ask whether a version may run at this moment; asked before any traffic goes back to it."""

    version: str


@dataclass(frozen=True, slots=True)
class Start:
    """Start a version on a server in place of what runs there, and wait until it says that it is ready.

    `role`: `shadow`: by the command that gives it a role of the database that only reads.
    """

    server: str
    version: str
    role: str = ""


@dataclass(frozen=True, slots=True)
class Smoke:
    """Run the checks of a server that is ready and has no traffic."""

    server: str
    version: str


@dataclass(frozen=True, slots=True)
class Admit:
    """Let a server have traffic."""

    server: str


@dataclass(frozen=True, slots=True)
class Drain:
    """Give a server no further work, and wait until what it works on is done."""

    server: str


@dataclass(frozen=True, slots=True)
class Stop:
    """Stop what runs on a server."""

    server: str


@dataclass(frozen=True, slots=True)
class Split:
    """Divide the traffic among pools. `shares`: percent by pool, 100 together."""

    shares: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Mirror:
    """Send copies of a share of the requests to a pool, and nobody its answers."""

    pool: str
    percent: float


@dataclass(frozen=True, slots=True)
class Flag:
    """Let shares of the users have variants of a flag.

    Args:
        shares: percent by variant.
        segments: users whom the rollout lets go first.
        ahead: the variant that they get whatever the shares; empty: they are as everybody else.
    """

    name: str
    shares: Mapping[str, float]
    segments: tuple[Segment, ...] = ()
    ahead: str = ""


@dataclass(frozen=True, slots=True)
class Watch:
    """Wait, looking at what users and servers feel.

    Args:
        seconds: how long; None: until somebody promotes.
        arm: pool or variant that is judged; empty: nothing is.
        against: what it is compared with; empty: only limits of its own hold.
        why: what is waited for.
        servers: those of the pool that are the arm, and its other ones what it is compared with; none: the pool.
        until_judged: ends with the first verdict that there is enough data for.
    """

    seconds: float | None
    arm: str = ""
    against: str = ""
    why: str = ""
    servers: tuple[str, ...] = ()
    until_judged: bool = False


@dataclass(frozen=True, slots=True)
class Confine:
    """Make sure that what a shadow writes to the database reaches no row of users."""

    version: str


@dataclass(frozen=True, slots=True)
class Gauge:
    """Time the answers that users get, to have something to hold later ones against."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Compare:
    """Compare the answers of a shadow with those of the live pool.

    Args:
        seconds: how long; None: until somebody promotes.
        p95: seconds that 95 % of users' answers took at most before anything was copied.
        until_judged: ends with the first verdict that there is enough data for.
    """

    arm: str
    against: str
    seconds: float | None
    p95: float
    why: str = ""
    until_judged: bool = False


@dataclass(frozen=True, slots=True)
class Mark:
    """Take the time, by the clock of the database."""

    why: str


@dataclass(frozen=True, slots=True)
class Look:
    """Wait until the sample of a look of an A/B test is complete, and test. `since`: when it began, by `Mark`."""

    arm: str
    against: str
    number: int
    looks: int
    since: float


@dataclass(frozen=True, slots=True)
class Settle:
    """Say that from here on nothing is taken back any more, so that nobody's abort is heard."""

    why: str


Trial = Confine | Gauge | Compare | Mark | Look
Action = Settle | Begin | Finish | MayRun | Start | Smoke | Admit | Drain | Stop | Split | Mirror | Flag | Watch | Trial


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an action went. `facts`: measured values, and `verdict` of a `Watch`."""

    ok: bool
    reason: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ending:
    """How a rollout ended.

    `status`: `succeeded`; `rolled_back`: everything is as before; `held`: the version before may not
    run, so nothing was taken back; `failed`: taking back did not work everywhere; `refused`: nothing was begun;
    `shadowed`: a shadow did well and is stopped, and the version has served nobody.
    """

    status: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody asks of a rollout under way: nothing, `pause`, `promote`, `promote all` or `abort`; and why."""

    what: str = ""
    said: str = ""

    def __str__(self) -> str:
        return f"{self.what}: {self.said}" if self.said else self.what


Machine = Generator[Action, Outcome, Ending]
Part = Generator[Action, Outcome, Outcome]


class Failed(Exception):
    """An action did not go well. Thrown inside strategies only."""

    def __init__(self, action: Action, outcome: Outcome) -> None:
        super().__init__(outcome.reason)
        self.action = action
        self.outcome = outcome


def do(action: Action) -> Part:
    """Ask for an action.

    Raises:
        Failed: it did not go well.
    """
    outcome = yield action
    if not outcome.ok:
        raise Failed(action, outcome)
    return outcome


def as_data(action: Action) -> dict[str, Any]:
    """An action as the ledger keeps it."""
    return {"kind": type(action).__name__, **asdict(action)}


def words(action: Action) -> str:
    """An action for people."""
    match action:
        case Settle(why):
            return why
        case Begin(version):
            return f"record that {version} goes live"
        case Finish(version, status):
            return f"record that the deployment of {version} {status.replace('_', ' ')}"
        case Confine() | Gauge() | Compare() | Mark() | Look():
            return trial_words(action)
        case MayRun(version):
            return f"ask whether {version} may run"
        case Start(server, version):
            return f"start {version} on {server}"
        case Smoke(server, version):
            return f"check {version} on {server}"
        case Admit(server) | Drain(server) | Stop(server):
            return f"{type(action).__name__.lower()} {server}"
        case Split(shares):
            return f"split the traffic: {percents(shares)}"
        case Mirror(pool, percent):
            return f"mirror {percent:g} % of the requests to {pool}"
        case Flag(name, shares, segments, ahead):
            first = ", ".join(segment.attribute for segment in segments)
            return f"set flag {name}: {percents(shares)}" + (f", and {ahead} by {first}" if ahead else "")
        case Watch(seconds, arm, _, why):
            undated = "until it can be judged" if action.until_judged else "until promoted"
            long = undated if seconds is None else f"for {seconds:g} s"
            return f"watch {arm or 'everything'} {long}" + (f" ({why})" if why else "")


def trial_words(action: Trial) -> str:
    match action:
        case Confine(version):
            return f"ask the database what {version} could write as a shadow"
        case Gauge(seconds):
            return f"time what users get for {seconds:g} s"
        case Compare(arm, against, seconds, _, why):
            undated = "until it can be judged" if action.until_judged else "until promoted"
            long = undated if seconds is None else f"for {seconds:g} s"
            return f"compare {arm} with {against} {long}" + (f" ({why})" if why else "")
        case Mark(why):
            return why
        case Look(arm, against, number, looks):
            return f"look {number} of {looks} at {arm} and {against}"


def percents(shares: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {share:g} %" for name, share in shares.items())
