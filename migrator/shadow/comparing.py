"""Where what the linter said of a script differs from what a server did with it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from linters.findings import Category, Finding
from linters.mysql.ways import Algorithm, AlterCost, Lock
from migrator.shadow.mysql import Seen
from migrator.shadow.observation import Observation

CONFIRMED, MISMATCH, OBSERVED_ONLY, STATIC_ONLY = "confirmed", "mismatch", "observed-only", "static-only"
REFUSALS = frozenset({"statement-fails", "concurrently-in-transaction", "enum-value-used-at-once", "required-column"})
"""Rules by which the server refuses the statement."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One statement, said and seen.

    Args:
        label: `confirmed`, `mismatch`, `observed-only` or `static-only`.
        said: what the linter found; empty for nothing.
        seen: what the server did; empty for nothing that anybody would notice.
    """

    label: str
    line: int
    statement: str
    said: str
    seen: str


def compare(findings: Iterable[Finding], observations: Sequence[Observation]) -> list[Difference]:
    """Set the findings of a script against what was observed of it, statement by statement.

    Only hazards are compared: whether an old version fails is not to be seen from
    its migration. What a finding says of locks and work has to be what was seen; of a
    statement without a finding, no work may be seen under a lock that others wait for.
    """
    by_line: dict[int, list[Finding]] = {}
    for finding in findings:
        if finding.category is Category.HAZARD or finding.rule in REFUSALS:
            by_line.setdefault(finding.line, []).append(finding)
    last = {seen.line: seen for seen in observations}
    return [found for line, seen in last.items() for found in one(by_line.get(line, []), seen)]


def one(findings: list[Finding], seen: Observation) -> list[Difference]:
    what = in_words(seen)
    if not findings:
        noticed = bool(seen.work or seen.error)
        return [Difference(OBSERVED_ONLY, seen.line, seen.statement, "", what)] if noticed else []
    if seen.error:  # what else it would have done was not to be seen
        findings = [finding for finding in findings if finding.rule in REFUSALS] or findings
    return [
        Difference(verdict(finding, seen), finding.line, seen.statement, f"{finding.rule}: {finding.message}", what)
        for finding in findings
    ]


def verdict(finding: Finding, seen: Observation) -> str:
    """Whether a finding is borne out by what was seen."""
    if seen.error:
        return CONFIRMED if finding.rule in REFUSALS else MISMATCH
    if finding.rule in REFUSALS:
        return STATIC_ONLY
    worked = {*seen.rewrites, *seen.scans, *seen.builds}
    if finding.rewrites or finding.scans:
        if not worked & {*finding.rewrites, *finding.scans}:
            return STATIC_ONLY
        exact = set(finding.rewrites) == set(seen.rewrites) and set(finding.scans) <= worked
        return CONFIRMED if exact and lock_agrees(finding, seen) else MISMATCH
    if finding.lock:
        return CONFIRMED if lock_agrees(finding, seen) else MISMATCH
    return CONFIRMED if seen.rows or seen.locks else STATIC_ONLY


def lock_agrees(finding: Finding, seen: Observation) -> bool:
    strongest = max((mode for mode in seen.locks.values()), default=None)
    return not finding.lock or (strongest is not None and str(strongest) == finding.lock)


def in_words(seen: Observation) -> str:
    """What a server did, in a few words."""
    if seen.error:
        return f"refused: {seen.error}"
    parts = [f"{mode} on {table}" for table, mode in seen.locks.items() if mode.blocks_writes]
    parts += [f"{table} written again" for table in seen.rewrites]
    parts += [f"{table} read" for table in seen.scans if table not in seen.rewrites]
    parts += [f"index of {table} built" for table in seen.builds if table not in seen.rewrites]
    return ", ".join(parts)


def compare_ways(said: AlterCost | None, refused: bool, seen: Seen) -> Difference | None:
    """Set the algorithm and lock that the linter says against those that MySQL or MariaDB accepted.

    Args:
        said: what it says of the ALTER, None for another statement or one that it cannot read.
        refused: whether it says that the server refuses the statement.

    Returns:
        None where the server cannot be asked about the statement, and ran it.
    """
    found = seen.accepted
    if found.code:
        label = CONFIRMED if refused or (said and said.error) else MISMATCH if said else OBSERVED_ONLY
    elif found.algorithm is None:
        return None
    elif said is None:
        label = OBSERVED_ONLY if found.algorithm >= Algorithm.INPLACE or found.lock >= Lock.SHARED else CONFIRMED
    elif said.error:
        label = STATIC_ONLY
    else:
        instant = found.algorithm is Algorithm.INSTANT
        same = said.way.algorithm is found.algorithm and (instant or said.way.lock is found.lock)
        dearer = found.algorithm > said.way.algorithm or found.lock > said.way.lock
        label = CONFIRMED if same else MISMATCH if dearer else STATIC_ONLY
    return Difference(label, seen.line, seen.statement, said_in_words(said, seen.family), way_in_words(seen))


def said_in_words(said: AlterCost | None, family: str) -> str:
    if said is None:
        return ""
    return f"refused: {said.error}" if said.error else way_words(said.way.algorithm, said.way.lock, family)


def way_in_words(seen: Seen) -> str:
    """How a server did an ALTER, or its error, in a few words; empty for other statements."""
    found = seen.accepted
    if found.code:
        return f"refused: {found.error}"
    return "" if found.algorithm is None else f"{seen.table}: {way_words(found.algorithm, found.lock, seen.family)}"


def way_words(algorithm: Algorithm, lock: Lock, family: str) -> str:
    if algorithm is Algorithm.INSTANT:
        return algorithm.name
    unnamed = algorithm is Algorithm.NOCOPY and family == "mysql"
    return f"{'INPLACE without a rebuild' if unnamed else algorithm.name}, LOCK={lock.name}"
