"""How long a backfill of any size would take on a server like this one, and what would hold it back.

    python -m benchmarks.simulate [--rows 10000000000] [--rates rates.json] [--set archive_bytes_per_second=40e6]
    python -m benchmarks.simulate --measure 1000000

`rates.json` is what `python -m benchmarks.scale --format json` printed on such a server; `--measure` does the same
here, with a table of so many rows. What neither knows (how busy the applications are, how fast log is archived) is
given with `--set`, and the answer says which rates were assumed. See `benchmarks.simulation` for the names.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from benchmarks import show
from benchmarks.simulation import Outcome, Rates, simulate, with_rates
from phases.pressure import Limits, amount

HOUR = 3600.0


def described(outcome: Outcome, rates: Rates) -> dict[str, object]:
    """An outcome in the units of people."""
    heap = outcome.rows * rates.heap_bytes_per_row
    whole = max(outcome.seconds, 1.0)
    return {
        "rows": outcome.rows,
        "duration": spell(outcome.seconds),
        "verification": spell(outcome.verify_seconds),
        "rows_per_second": round(outcome.rows / whole),
        "unhindered_rows_per_second": round(rates.rows_per_second),
        "wal": amount(outcome.wal),
        "table_before": amount(heap),
        "table_grows_by": amount(heap * rates.heap_growth),
        "transactions": round(outcome.transactions),
        "rows_of_a_transaction": round(outcome.rows_of_a_transaction),
        "vacuums": outcome.vacuums,
        "most_dead_rows": f"{outcome.most_dead:.1%}",
        "most_replica_lag": f"{outcome.most_lag:.1f} s",
        "most_log_to_archive": amount(outcome.most_archived_late),
        "longest_look": f"{outcome.longest_look * 1000:.1f} ms",
        "held": {what: f"{seconds / whole:.1%}" for what, seconds in outcome.held.most_common()},
        "rests": {f"{rest:g} x": f"{seconds / whole:.1%}" for rest, seconds in sorted(outcome.rests.items())},
        "reasons": outcome.reasons,
    }


def from_scale(text: str) -> dict[str, float]:
    """The rates that `benchmarks.scale --format json` has printed.

    Raises:
        ValueError: it has not.
    """
    try:
        found = json.loads(text)["rates"]
        return {str(name): float(value) for name, value in found.items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ValueError("no rates in that file; make it with: python -m benchmarks.scale --format json") from None


def measured_here(rows: int) -> dict[str, float]:
    """The same, measured on this machine."""
    from benchmarks.scale import measure

    found: dict[str, float] = measure([rows])["rates"]  # type: ignore[assignment]
    return found


def sources(rates: Rates, measured: Mapping[str, float], named: Mapping[str, str]) -> dict[str, object]:
    """Which rates were measured, said, and only assumed."""
    known = asdict(rates)
    given = {name: known[name] for name in named}
    found = {name: value for name, value in measured.items() if name not in named}
    rest = {name: value for name, value in known.items() if name not in named and name not in measured}
    return {"rates_measured": found, "rates_given": given, "rates_assumed": rest}


def spell(seconds: float) -> str:
    if seconds < HOUR:
        return f"{seconds:.0f} s"
    return f"{seconds / HOUR:.1f} h" if seconds < 48 * HOUR else f"{seconds / HOUR / 24:.1f} days"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000_000_000)
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--rates", type=Path, help="what benchmarks.scale --format json has printed")
    source.add_argument("--measure", type=int, metavar="ROWS", help="measure here, with a table of so many rows")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a rate, in place of another")
    parser.add_argument("--replica-lag", type=float, default=10.0, help="seconds that replicas may be behind")
    parser.add_argument("--archive-backlog", type=float, default=2 * 1024**3, help="bytes that may wait to be archived")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--format", choices=["text", "json"], default="text")
    given = parser.parse_args()
    try:
        measured = from_scale(given.rates.read_text()) if given.rates else {}
        measured = measured_here(given.measure) if given.measure else measured
        named = dict(pair.split("=", 1) for pair in given.set)
        rates = with_rates(Rates(), {**measured, **{name: float(value) for name, value in named.items()}})
    except (OSError, ValueError) as problem:
        parser.error(str(problem))
    limits = Limits(archive=int(given.archive_backlog), dead=1.0)
    found = described(simulate(given.rows, rates, limits, given.replica_lag, seed=given.seed), rates)
    show({**found, **sources(rates, measured, named)}, given.format)


if __name__ == "__main__":
    main()
