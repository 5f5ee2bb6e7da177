"""What a run tells becomes metrics, spans and records of the log."""

from __future__ import annotations

import json
import logging
import re
import subprocess
import sys
import urllib.request
from dataclasses import fields
from typing import get_args

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import CollectorRegistry, generate_latest

from migrator import events
from migrator.app import Measured, OpenTelemetry, Prometheus, logged, observing, set_observer
from migrator.app.metrics import served
from migrator.app.observing import Metric
from migrator.errors import UsageError
from phases.effects import Failure as Blamed
from phases.effects import Progress, RowAside
from phases.model import Phase
from tests.plugins.projects import ROOT

M, STEP = Phase.MIGRATE, "backfill users.name"
RUN = (
    events.PhaseStarted("r1", M),
    events.StepStarted("r1", M, STEP),
    events.BatchDone(STEP, 100, 0.02),
    events.StepProgress("r1", STEP, Progress(1, 4, "pages", 100)),
    events.Paused(STEP, 1.5, "rows are held"),
    events.RowFailed(STEP, RowAside(("7",), Blamed("23514", "no"))),
    events.LockRetried(STEP, 1, 0.5, ("pid 7",)),
    events.StepFinished("r1", M, STEP, 2.0, 3.0, 4.0, 100),
    events.StepStarted("r1", M, "verify"),
    events.StepStopped("verify"),
    events.StateChanged("r1", "migrated"),
)
WANTED = """
migrator_backfill_rows_total{migration="r1"} 100.0
migrator_backfill_seconds_count{migration="r1"} 1.0
migrator_backfill_remaining_rows{migration="r1"} 300.0
migrator_backfill_set_aside_rows_total{migration="r1"} 1.0
migrator_paused_seconds_total{migration="r1"} 1.5
migrator_lock_timeouts_total{migration="r1"} 1.0
migrator_lock_wait_seconds_sum{migration="r1"} 0.004
migrator_lock_held_seconds_sum{migration="r1"} 0.003
migrator_step_seconds_sum{migration="r1",phase="migrate"} 2.0
migrator_steps_total{migration="r1",outcome="done",phase="migrate"} 1.0
migrator_steps_total{migration="r1",outcome="stopped",phase="migrate"} 1.0
migrator_phase_info{migration="r1",phase="migrated"} 1.0
migrator_phase_info{migration="r1",phase="absent"} 0.0
"""


class Broken:
    """An observer that always fails."""

    def __getattr__(self, name):
        raise RuntimeError(name)


@pytest.fixture
def collected():
    registry, exporter, provider = CollectorRegistry(), InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    set_observer(Broken(), Prometheus(registry), OpenTelemetry(provider))
    yield registry, exporter
    set_observer()


def test_a_run_is_metrics_and_spans_and_an_observer_that_fails_stops_nobody(collected):
    registry, exporter = collected
    measured = Measured()
    for event in RUN:
        measured(event)
    lines = set(generate_latest(registry).decode().splitlines())
    assert not set(WANTED.split("\n")) - {""} - lines
    done, stopped = exporter.get_finished_spans()
    assert (done.name, done.status.is_ok or done.status.is_unset) == ("migrator migrate", True)
    assert done.attributes["migration"] == "r1"
    assert done.attributes["step"] == STEP
    assert stopped.attributes["step"] == "verify"
    assert not stopped.status.is_ok
    assert not stopped.status.is_unset


def test_a_run_is_logged_with_every_fact_as_a_field(caplog):
    with caplog.at_level(logging.DEBUG, "migrator.work"):
        for event in RUN:
            logged(event)
    records = {record.event: record for record in caplog.records}
    assert records["step_finished"].rows == 100
    assert records["step_finished"].migration == "r1"
    assert records["lock_retried"].blockers == ["pid 7"]
    assert [records[kind].levelname for kind in ("batch_done", "step_finished", "lock_retried")] == [
        "DEBUG",
        "INFO",
        "WARNING",
    ]
    assert all(json.dumps(vars(record), default=None) for record in caplog.records)


def test_no_field_of_an_event_is_one_that_records_of_the_log_have_already():
    own = set(vars(logging.makeLogRecord({}))) | {"message", "asctime"}
    from migrator.app.work import KEYS

    for event in get_args(events.Event):
        names = {KEYS.get(field.name, field.name) for field in fields(event)}
        assert not names & own, event


def test_every_metric_is_on_the_page():
    page = (ROOT / "docs" / "app" / "measuring.md").read_text()
    named = set(re.findall(r"^\| `(\w+?)(?:_total)?` \|", page, re.M))
    assert {each.name for each in vars(observing).values() if isinstance(each, Metric)} == named


def test_metrics_are_served_while_something_runs():
    with served(0) as metrics:
        metrics.count(observing.HEARTBEATS, outcome="done")
        with pytest.raises(UsageError, match="cannot be had"), served(metrics.port):
            pass
        with urllib.request.urlopen(f"http://127.0.0.1:{metrics.port}/metrics", timeout=10) as answer:
            assert b'migrator_heartbeats_total{outcome="done"} 1.0' in answer.read()


def test_a_run_from_the_terminal_serves_its_metrics_or_does_not_begin(database, project):
    project.url = database.url
    project.revision("0001_users", 'CreateTable("users", Column("id", "int", primary_key=True))')
    with served(0) as metrics:
        refused = project.cli("apply", "--yes", "--metrics-port", str(metrics.port))
        assert refused.returncode == 2
        assert "cannot be had" in refused.stderr
        free = str(metrics.port)
    done = project.cli("apply", "--yes", "--metrics-port", free)
    assert done.returncode == 0, done.stderr
    assert database.rows("SELECT count(*) FROM users") == [(0,)]


@pytest.mark.parametrize("module", ["migrator.app", "migrator.app.registering, migrator.judging, migrator.observing"])
def test_applications_import_nothing_of_the_command_line(module):
    code = f"import sys; import {module}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert not {"click", "rich", "alembic"} & set(done.stdout.split())
