"""Which flags could go: everybody has one variant for long, the old path is gone, or nobody names them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from migrator.errors import RevisionError, UsageError
from migrator.flagging import Moved, moved
from migrator.ledger import schema, store
from migrator.rollouts import configuration as configuring
from migrator.rollouts import flag_rules, toggling
from migrator.rollouts.flags import flags_of
from migrator.runs import load_graph, looking
from phases.flags import WITHOUT_OLD

if TYPE_CHECKING:
    from migrator.rollouts.plan import Toggle
    from migrator.settings import Settings


@dataclass(frozen=True, slots=True)
class FlagReport:
    """One flag.

    Args:
        shares: percent of the users by variant, as its file says; empty where the file does not have it.
        segments: variants that segments get.
        since: when a rollout has set it so; None where none did.
        revision: that it belongs to; empty where no configuration names it.
        state: of the revision.
        findings: what is wrong with it, or why it could go.
    """

    name: str
    shares: Mapping[str, float]
    segments: tuple[str, ...] = ()
    since: datetime | None = None
    revision: str = ""
    state: str = ""
    findings: tuple[str, ...] = ()


def rollout_flags(settings: Settings, *, config: Path | None = None) -> tuple[FlagReport, ...]:
    """Every flag of the file and of the configuration, and which of them could go. Writes nothing.

    Raises:
        UsageError: no flags are configured, or a setting of them is wrong.
        TargetFailed: the file cannot be read.
    """
    found = configuring.load(config)
    try:
        flags, known = flags_of(found), toggling.known(found)
        stale = toggling.stale_after(found)
    except ValueError as problem:
        raise UsageError(f"[{configuring.SECTION}.flags]: {problem}") from None
    if flags is None:
        raise UsageError("no flags are configured", next_step=f"write [{configuring.SECTION}.flags]")
    with looking(settings, "rollout") as session, session.transaction() as connection:
        now = store.clock(connection)
        there = schema.installed(connection) is not None
        states = {name: r.state for name, r in store.revisions(connection).items()} if there else {}
        same = (found.application, found.environment)
        history = {m.flag: m for m in moved(connection) if (m.application, m.environment) == same}
    data, graph = flags.all(), load_graph(settings)
    for name, toggle in known.items():
        with suppress(RevisionError):  # it is said with its state, which is not known
            known[name] = replace(toggle, revision=graph.resolve(toggle.revision))
    names = [*known, *(name for name in data if name not in known)]
    after = timedelta(seconds=stale)
    return tuple(report(name, data.get(name), known.get(name), history.get(name), states, now, after) for name in names)


def report(
    name: str,
    flag: Mapping[str, Any] | None,
    known: Toggle | None,
    last: Moved | None,
    states: Mapping[str, str],
    now: datetime,
    stale: timedelta,
) -> FlagReport:
    """What is said of one flag.

    Args:
        flag: as its file has it; None where it does not.
        known: as it is configured; None where it is not.
        last: how a rollout has set it last; None where none did.
        states: of the revisions that were begun.
        stale: how long everybody may have one variant.
    """
    usable = flag is not None and {"variants", "defaultVariant"} <= flag.keys()
    shares = flag_rules.shares_of(flag) if flag is not None and usable else {}
    segments = tuple(flag_rules.segmented((flag or {}).get("targeting") or {}))
    set_so = last is not None and {k: v for k, v in last.shares.items() if v} == {k: v for k, v in shares.items() if v}
    since = last.since if last is not None and set_so else None
    state = states.get(known.revision, "not begun") if known is not None else ""
    findings = []
    if known is None:
        findings.append("it is in the file, and no configuration names it: take it out, or say what it belongs to")
    if flag is None:
        findings.append("it is configured, and the file does not have it: take it out of the configuration")
    elif last is not None and last.shares and not set_so:
        findings.append(f"the last rollout set it {percents(last.shares)}, and somebody else has changed it since")
    if known is not None and state in WITHOUT_OLD:
        findings.append(f"{known.revision} is {state}: {known.legacy} would fail; take the flag out of code and file")
    whole = next((variant for variant, share in shares.items() if share == 100), None)
    if whole and since is not None and now - since > stale and not segments:
        findings.append(f"everybody has had {whole} for {(now - since).days} days: take the flag out of the code")
    revision = known.revision if known is not None else ""
    return FlagReport(name, shares, segments, since, revision, state, tuple(findings))


def percents(shares: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {share:g} %" for name, share in shares.items() if share)
