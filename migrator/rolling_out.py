"""The verbs about rollouts: begin one, look at it, promote, pause, go on, take back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from migrator.database import Session, connect, refuse_shared_backend, require_writable
from migrator.errors import NotYet, RunnerBusy, UsageError
from migrator.events import Observer, ignore
from migrator.ledger import audit, rollouts, schema
from migrator.ledger.deployed import all_deployments
from migrator.rollouts import configuration as configuring
from migrator.rollouts.plan import plan_from
from migrator.runs import install_ledger, load_graph, looking
from phases.exposure import SHADOW

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from migrator.ledger.rollouts import ActionRecord, RolloutRecord
    from migrator.rollouts.configuration import Configuration
    from migrator.rollouts.plan import RolloutPlan, Server
    from migrator.settings import Settings


@dataclass(frozen=True, slots=True)
class Rollout:
    """A rollout and its actions; `controlled`: somebody drives it at this moment."""

    record: RolloutRecord
    actions: tuple[ActionRecord, ...]
    controlled: bool


def configured(config: Path | None, strategy: str | None = None) -> Configuration:
    found = configuring.load(config)
    return replace(found, strategy=strategy) if strategy else found


def rollout_files(config: Path | None = None) -> Mapping[str, str]:
    """What the target has to be configured with, by path; the configuration comes first. Reads no database.

    Raises:
        UsageError: the target is configured wrongly.
        TargetFailed: it is of a kind that nothing is written for.
    """
    from migrator.rollouts import driving

    return driving.made(configured(config)).files()


def rollout_run(
    settings: Settings,
    version: str,
    *,
    config: Path | None = None,
    strategy: str | None = None,
    previous: str | None = None,
    shape: str | None = None,
    flag: str | None = None,
    variant: str | None = None,
    hold: float | None = None,
    observer: Observer = ignore,
) -> Rollout:
    """Roll a version out, to its end.

    Args:
        previous: the version that is live; the newest one that was deployed with success by default.
        shape: newest revision whose new shape the version uses; the head of this checkout by default.
        flag: the flag that a toggle moves; the only one that is configured by default.
        variant: where to; to the new shape by default.
        hold: seconds for which requests may be held while all traffic moves; None: as configured.

    Raises:
        UsageError: it cannot be done as it is configured, or one is under way.
        RevisionError: a flag belongs to a revision that this checkout has not.
        NotYet: the version may not run now.
    """
    found = configured(config, strategy)
    if hold is not None:
        if found.strategy != "blue-green":
            raise UsageError(f"requests are held while all traffic moves, and {found.strategy} never moves all at once")
        found = replace(found, rules=replace(found.rules, hold=hold))
    with controlling(settings, found) as session:
        with session.transaction() as connection:
            plan = resolved(settings, planned(connection, found, version, previous, flag, variant))
        kept = rollouts.plain(
            {"plan": asdict(plan), "configuration": found.data, "folder": str(found.folder), "shape": shape}
        )
        with session.transaction() as connection:
            audit.hold(connection)  # two that begin at the same moment see each other
            refuse_shared(connection, plan.fleet)
            rollout = rollouts.begin(connection, found.application, found.environment, version, kept)
        return driven(settings, session, rollout, observer)


def resolved(settings: Settings, plan: RolloutPlan) -> RolloutPlan:
    """A plan whose flag names its revision in full."""
    if plan.toggle is None:
        return plan
    revision = load_graph(settings).resolve(plan.toggle.revision)
    return replace(plan, toggle=replace(plan.toggle, revision=revision))


def planned(
    connection: Connection,
    found: Configuration,
    version: str,
    previous: str | None,
    flag: str | None = None,
    variant: str | None = None,
) -> RolloutPlan:
    """What a rollout that begins at this moment would do.

    Raises:
        UsageError: it cannot be done as it is configured, or one is under way.
    """
    from migrator.rollouts import driving

    under_way = rollouts.running(connection, found.application, found.environment)
    if under_way is not None:
        raise UsageError(
            f"a rollout of {found.application} to {under_way.version} is under way in {found.environment}",
            next_step="migrator rollout status; then resume or abort it",
        )
    refuse_shared(connection, found.fleet)
    live = previous or live_version(all_deployments(connection), found)
    return driving.planned(found, version, live, flag, variant)


def refuse_shared(connection: Connection, fleet: Sequence[Server]) -> None:
    """Refuse a rollout at servers at which another one is under way: an A/B test would count the other's users.

    Raises:
        UsageError: naming that one.
    """
    ours = {server.address for server in fleet}
    for record in rollouts.under_way(connection):
        theirs = plan_from(record.plan["plan"])
        shared = sorted(ours & {server.address for server in theirs.fleet})
        if shared:
            raise UsageError(
                f"{shared[0]} takes part in another rollout that is under way: {theirs.strategy} of"
                f" {record.application} {record.version} in {record.environment}",
                next_step="wait for its end, or end it: migrator rollout abort",
            )


def live_version(records: Any, found: Configuration) -> str:
    """The version that was deployed last with success.

    Raises:
        UsageError: none was.
    """
    same = [r for r in records if (r.application, r.environment) == (found.application, found.environment)]
    done = [record for record in same if record.status == "succeeded" and record.strategy != SHADOW]
    if not done:
        raise UsageError(
            f"no deployment of {found.application} in {found.environment} is recorded, so nothing says what is live",
            next_step="migrator rollout run … --from VERSION, or record it: migrator deploy record",
        )
    version: str = max(done, key=lambda record: record.finished_at).version
    return version


@contextmanager
def controlling(settings: Settings, found: Configuration) -> Iterator[Session]:
    """A session that holds the lock of the controller of an application in an environment.

    Raises:
        RunnerBusy: somebody drives a rollout of it.
    """
    with connect(settings.require_url(), "rollout") as session:
        require_writable(session)
        refuse_shared_backend(settings.require_url(), session)
        install_ledger(session)
        if not taken(session, found):
            raise RunnerBusy(
                f"another controller drives the rollout of {found.application} in {found.environment}",
                next_step="migrator rollout status",
            )
        yield session


def taken(session: Session, found: Configuration) -> bool:
    """Whether this session has the lock of the controller by now."""
    name = f"rollout {rollouts.key(found.application, found.environment)}"
    return bool(session.query(session.family.named_lock(name))[0][0])


def driven(settings: Settings, session: Session, rollout: int, observer: Observer) -> Rollout:
    """A rollout after it was driven to its end.

    Raises:
        NotYet: it did not begin, because the version may not run.
    """
    from migrator.rollouts import driving

    ending = driving.drive(session, load_graph(settings), rollout, observer)
    done = looked_at(session, rollout, controlled=False)
    if ending.status == "refused":
        first = done.actions[0].outcome or {}
        raise NotYet(ending.reason, next_step=first.get("facts", {}).get("next", "migrator rollout status"))
    return done


def rollout_go_on(
    settings: Settings,
    *,
    config: Path | None = None,
    abort: bool = False,
    reason: str = "",
    observer: Observer = ignore,
) -> Rollout:
    """Go on with a rollout that is paused or whose controller was killed; or take it back.

    Where somebody drives it, they are asked to; else this one does.

    Raises:
        UsageError: none is under way.
    """
    found = configured(config)
    with connect(settings.require_url(), "rollout") as session:
        require_writable(session)
        install_ledger(session)
        record = under_way(session, found)
        with session.transaction() as connection:
            rollouts.wish(connection, record.id, "abort" if abort else "", reason)
        if taken(session, found):
            return driven(settings, session, record.id, observer)
        return looked_at(session, record.id, controlled=True)


def rollout_ask(settings: Settings, what: str, *, config: Path | None = None, reason: str = "") -> Rollout:
    """Ask the controller of the rollout under way to `pause`, `promote` or `promote all`.

    Raises:
        UsageError: none is under way.
    """
    found = configured(config)
    with connect(settings.require_url(), "rollout") as session:
        require_writable(session)
        install_ledger(session)
        record = under_way(session, found)
        with session.transaction() as connection:
            rollouts.wish(connection, record.id, what, reason)
        return looked_at(session, record.id, controlled=not taken(session, found))


def under_way(session: Session, found: Configuration) -> RolloutRecord:
    with session.transaction() as connection:
        record = rollouts.running(connection, found.application, found.environment)
    if record is None:
        raise UsageError(
            f"no rollout of {found.application} is under way in {found.environment}",
            next_step="migrator rollout run --version VERSION",
        )
    return record


def looked_at(session: Session, rollout: int, *, controlled: bool) -> Rollout:
    with session.transaction() as connection:
        return Rollout(rollouts.get(connection, rollout), tuple(rollouts.taken(connection, rollout)), controlled)


def rollout_status(settings: Settings, *, config: Path | None = None) -> Rollout | None:
    """The newest rollout; None where there was none. Writes nothing."""
    found = configured(config)
    with looking(settings, "rollout") as session:
        with session.transaction() as connection:
            if (schema.installed(connection) or 0) < rollouts.SINCE:
                return None
            record = rollouts.newest(connection, found.application, found.environment)
        if record is None:
            return None
        controlled = record.status == "running" and not taken(session, found)
        return looked_at(session, record.id, controlled=controlled)
