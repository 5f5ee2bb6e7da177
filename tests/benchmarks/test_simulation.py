"""A backfill on a model of a server, with the controllers of the real one: what holds it back is what is short."""

from __future__ import annotations

import json

import pytest

from benchmarks import simulate as command
from benchmarks.simulation import Rates, simulate, with_rates
from phases.pressure import Limits

QUIET = Rates(busy=0.0, peak=0.0, foreground_wal=0.0)


def test_the_cost_of_a_backfill_grows_with_its_rows_and_no_faster():
    small, large = (simulate(rows, QUIET) for rows in (3_000_000, 90_000_000))
    assert large.seconds / small.seconds == pytest.approx(30, rel=0.05)
    assert large.wal == 30 * small.wal
    assert not large.held


SHORT = {
    "replica": {"replay_bytes_per_second": 20e6},
    "archive": {"archive_bytes_per_second": 15e6},
    "dead rows": {"dead_per_row": 1.0, "vacuum_rows_per_second": 20_000.0},
}


@pytest.mark.parametrize("what", SHORT)
def test_a_backfill_is_no_faster_than_what_is_short_and_says_so(what):
    rates = with_rates(QUIET, SHORT[what])
    limits = {"limits": Limits(archive=2 * 1024**3, dead=0.3)}
    found = simulate(30_000_000, rates, **limits)
    assert set(found.held) == {what}
    assert found.seconds > 1.2 * simulate(30_000_000, QUIET, **limits).seconds
    assert found.reasons[what]
    assert found.most_lag < 12
    assert found.most_archived_late < 2.1 * 1024**3


def test_a_backfill_rests_while_the_applications_feel_it():
    found = simulate(20_000_000, with_rates(QUIET, {"look_seconds": 0.03, "busy": 0.5, "peak": 0.5, "share": 0.48}))
    assert "a look at the table takes" in found.reasons["latency"]
    assert found.rests[0.0] > 0
    assert len(found.rests) > 2


def test_a_rate_that_is_not_known_is_refused_with_those_that_are():
    with pytest.raises(ValueError, match="no rate is called replay; there are: rows_per_second"):
        with_rates(Rates(), {"replay": 1.0})


def test_what_was_measured_is_what_is_simulated_and_the_answer_says_what_was_not(tmp_path, monkeypatch, capsys):
    rates = tmp_path / "rates.json"
    rates.write_text(json.dumps({"server": "PostgreSQL 18", "sizes": [], "rates": {"rows_per_second": 4321.0}}))
    words = ["simulate", "--rows", "100000", "--rates", str(rates), "--set", "busy=0.1", "--format", "json"]
    monkeypatch.setattr("sys.argv", words)
    command.main()
    found = json.loads(capsys.readouterr().out)
    assert found["unhindered_rows_per_second"] == 4321
    assert found["rates_measured"] == {"rows_per_second": 4321.0}
    assert found["rates_given"] == {"busy": 0.1}
    assert found["rates_assumed"].keys() | {"rows_per_second", "busy"} == Rates.__dataclass_fields__.keys()
    rates.write_text("rows/s 4321")
    with pytest.raises(SystemExit):
        command.main()
    assert "python -m benchmarks.scale --format json" in capsys.readouterr().err
