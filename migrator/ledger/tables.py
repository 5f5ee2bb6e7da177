"""The ledger's tables. Rules about history are constraints, not code."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    false,
)

from migrator.ledger.types import NOW, Moment

SCHEMA = "migrator"
VERSION = 6

metadata = MetaData(schema=SCHEMA)

STATES = (
    "expanding",
    "expanded",
    "migrating",
    "migrated",
    "contracting",
    "contracted",
    "purging",
    "purged",
    "aborting",
    "restoring",
)

TRANSITIONS = (
    ("none", "expanding"),
    ("expanding", "expanded"),
    ("expanded", "migrating"),
    ("migrating", "migrated"),
    ("migrated", "contracting"),
    ("contracting", "contracted"),
    ("contracted", "purging"),
    ("purging", "purged"),
    ("expanding", "aborting"),
    ("expanded", "aborting"),
    ("migrating", "aborting"),
    ("migrated", "aborting"),
    ("contracting", "restoring"),
    ("contracted", "restoring"),
    ("restoring", "migrated"),
)

ledger_version = Table("ledger_version", metadata, Column("version", Integer, primary_key=True))

transitions = Table(
    "transitions",
    metadata,
    Column("from_state", String(20), primary_key=True),
    Column("to_state", String(20), primary_key=True),
)

revisions = Table(
    "revisions",
    metadata,
    Column("id", String(255), primary_key=True),
    Column("down_revisions", JSON, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("message", Text, nullable=False),
    Column("additive", Boolean, nullable=False),
    Column("previous_state", String(20), nullable=False),
    Column("state", String(20), nullable=False),
    Column("released_at", Moment()),
    Column("created_at", Moment(), nullable=False, server_default=NOW),
    Column("updated_at", Moment(), nullable=False, server_default=NOW),
    ForeignKeyConstraint(
        ["previous_state", "state"],
        [transitions.c.from_state, transitions.c.to_state],
        name="revisions_legal_transition",
    ),
)

steps = Table(
    "steps",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("revision", ForeignKey(revisions.c.id, ondelete="CASCADE"), nullable=False, index=True),
    Column("position", Integer, nullable=False),
    Column("phase", String(20), nullable=False),
    Column("name", Text, nullable=False),
    Column("step", JSON, nullable=False),
    Column("undoes", ForeignKey("migrator.steps.id", ondelete="CASCADE")),
    Column("state", String(20), nullable=False, server_default="pending"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("started_at", Moment()),
    Column("finished_at", Moment()),
    Column("seconds", Float),
    Column("lock_held_ms", Float),
    Column("lock_waited_ms", Float),
    CheckConstraint("state IN ('pending', 'running', 'done')", name="steps_state"),
    CheckConstraint("phase IN ('expand', 'migrate', 'contract', 'purge')", name="steps_phase"),
)

backfills = Table(
    "backfills",
    metadata,
    Column("step_id", ForeignKey(steps.c.id, ondelete="CASCADE"), primary_key=True),
    Column("worker", Integer, primary_key=True),
    Column("cursor", JSON, nullable=False),
    Column("rows_done", BigInteger, nullable=False),
    Column("updated_at", Moment(), nullable=False, server_default=NOW),
)

progress = Table(
    "progress",
    metadata,
    Column("step_id", ForeignKey(steps.c.id, ondelete="CASCADE"), primary_key=True),
    Column("done", BigInteger, nullable=False),
    Column("total", BigInteger, nullable=False),
    Column("unit", String(20), nullable=False),
    Column("rows_per_second", Float, nullable=False),
    Column("seconds_left", Float),
    Column("seconds_left_least", Float),
    Column("seconds_left_most", Float),
    Column("limits", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("updated_at", Moment(), nullable=False, server_default=NOW),
)

controls = Table(
    "controls",
    metadata,
    Column("scope", String(255), primary_key=True),
    Column("paused", Boolean, nullable=False),
    Column("rows_per_second", Float),
    Column("max_latency", Float),
    Column("said", Text, nullable=False),
    Column("updated_at", Moment(), nullable=False, server_default=NOW),
)

verifications = Table(
    "verifications",
    metadata,
    Column("step_id", ForeignKey(steps.c.id, ondelete="CASCADE"), primary_key=True),
    Column("purpose", String(20), primary_key=True),
    Column("cursor", JSON, nullable=False),
    Column("updated_at", Moment(), nullable=False, server_default=NOW),
)

set_aside = Table(
    "set_aside",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("step_id", ForeignKey(steps.c.id, ondelete="CASCADE"), nullable=False, index=True),
    Column("table_name", Text, nullable=False),
    Column("row_key", Text, nullable=False),
    Column("sqlstate", String(5), nullable=False),
    Column("message", Text, nullable=False),
    Column("at", Moment(), nullable=False, server_default=NOW),
)

parts = Table(
    "parts",
    metadata,
    Column("revision", ForeignKey(revisions.c.id, ondelete="CASCADE"), primary_key=True),
    Column("server", Integer, nullable=False),
    Column("parts", JSON, nullable=False),
)

deployments = Table(
    "deployments",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("idempotency_key", String(255), unique=True),
    Column("application", String(255), nullable=False),
    Column("version", String(255), nullable=False),
    Column("environment", String(255), nullable=False),
    Column("strategy", String(40), nullable=False),
    Column("status", String(20), nullable=False),
    Column("uses", String(255)),
    Column("survives", String(255)),
    Column("started_at", Moment(), nullable=False, server_default=NOW),
    Column("finished_at", Moment()),
    Column("actor", Text, nullable=False),
    Column("commit_sha", String(80)),
    Column("region", String(255), nullable=False, server_default=""),
    Column("artifact_digest", String(255)),
    Column("ci_run", Text),
    Column("weight", Float),
    Column("keeps", Boolean, nullable=False, server_default=false()),
    Column("stopped_at", Moment()),
    Column("shape_source", String(20), nullable=False, server_default="declared"),
    Column("claimed_started_at", Moment()),
    Column("claimed_finished_at", Moment()),
    Column("late", Integer, nullable=False, server_default="0"),
    Column("place", String(120)),
    Column("timeline", Integer),
    CheckConstraint("status IN ('started', 'succeeded', 'failed', 'rolled_back')", name="deployments_status"),
    CheckConstraint("(status = 'started') = (finished_at IS NULL)", name="deployments_finished"),
)

consumers = Table(
    "consumers",
    metadata,
    Column("application", String(255), primary_key=True),
    Column("environment", String(255), primary_key=True),
    Column("region", String(255), primary_key=True),
    Column("kind", String(20), nullable=False),
    Column("owner", String(255), nullable=False),
    Column("registered_at", Moment(), nullable=False, server_default=NOW),
    Column("registered_by", Text, nullable=False),
    Column("retired_at", Moment()),
    Column("retired_by", Text),
    Column("retired_because", Text),
    CheckConstraint("kind IN ('application', 'worker', 'cron', 'reader', 'tool')", name="consumers_kind"),
)

rollouts = Table(
    "rollouts",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    # One at a time of an application and environment: named while it runs, empty after that.
    Column("running", String(255), unique=True),
    Column("application", String(255), nullable=False),
    Column("environment", String(255), nullable=False),
    Column("version", String(255), nullable=False),
    Column("status", String(20), nullable=False),
    Column("plan", JSON, nullable=False),
    Column("wish", String(20), nullable=False),
    Column("said", Text, nullable=False),
    Column("facts", JSON, nullable=False),
    Column("started_at", Moment(), nullable=False, server_default=NOW),
    Column("finished_at", Moment()),
    Column("actor", Text, nullable=False),
    CheckConstraint("(status = 'running') = (running IS NOT NULL)", name="rollouts_running"),
)

rollout_actions = Table(
    "rollout_actions",
    metadata,
    Column("rollout_id", ForeignKey(rollouts.c.id, ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("action", JSON, nullable=False),
    Column("before", JSON, nullable=False),
    Column("outcome", JSON),
    Column("started_at", Moment(), nullable=False, server_default=NOW),
    Column("finished_at", Moment()),
)

overrides = Table(
    "overrides",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("revision", String(255), nullable=False),
    Column("reason", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("created_at", Moment(), nullable=False, server_default=NOW),
    Column("code", String(20), nullable=False, server_default="other"),
    Column("blockers", JSON),
    Column("needed", Integer, nullable=False, server_default="0"),
    Column("expires_at", Moment()),
    Column("used_at", Moment()),
    CheckConstraint("length(reason) > 0", name="overrides_reason"),
)

approvals = Table(
    "approvals",
    metadata,
    Column("override_id", ForeignKey(overrides.c.id, ondelete="CASCADE"), primary_key=True),
    Column("actor", String(255), primary_key=True),
    Column("at", Moment(), nullable=False, server_default=NOW),
)

events = Table(
    "events",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("at", Moment(), nullable=False, server_default=NOW),
    Column("kind", String(60), nullable=False),
    Column("revision", String(255)),
    Column("step", Text),
    Column("actor", Text, nullable=False),
    Column("detail", JSON),
    Column("hash", String(64)),
)

chain = Table(
    "chain",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("events", BigInteger, nullable=False),
    Column("hash", String(64), nullable=False),
)
"""The end of the chain that the events make: how many, and the hash of the last."""

looks = Table(
    "looks",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("source", String(120), nullable=False),
    Column("thing", String(255), nullable=False, index=True),
    Column("since", Moment(), nullable=False),
    Column("until", Moment(), nullable=False),
    Column("looks", BigInteger, nullable=False),
    Column("reset_at", Moment()),
    Column("lost", BigInteger, nullable=False, server_default="0"),
)

sightings = Table(
    "sightings",
    metadata,
    Column("source", String(120), primary_key=True),
    Column("name", String(200), primary_key=True),
    Column("role", String(120), primary_key=True),
    Column("first_seen", Moment(), nullable=False),
    Column("last_seen", Moment(), nullable=False),
    Column("looks", BigInteger, nullable=False),
)

uses = Table(
    "uses",
    metadata,
    Column("source", String(120), primary_key=True),
    Column("thing", String(255), primary_key=True),
    Column("statement", String(120), primary_key=True),
    Column("text", Text, nullable=False),
    Column("role", String(120), nullable=False),
    Column("manner", String(40), nullable=False),
    Column("calls", BigInteger, nullable=False),
    Column("used_after", Moment()),
    Column("used_at", Moment()),
)


shadow_reads = Table(
    "shadow_reads",
    metadata,
    Column("name", String(255), primary_key=True),
    Column("revision", String(120), primary_key=True),
    Column("compared", BigInteger, nullable=False),
    Column("mismatched", BigInteger, nullable=False),
    Column("failed", BigInteger, nullable=False),
    Column("samples", JSON, nullable=False),
    Column("recorded_at", Moment(), nullable=False, server_default=NOW),
)
"""What applications have found when they read both shapes: how many reads, and what the last that differed asked."""


def legal() -> list[dict[str, str]]:
    """Rows of `transitions`."""
    return [{"from_state": a, "to_state": b} for a, b in TRANSITIONS]


ADDED: dict[int, tuple[Table, ...]] = {
    2: (set_aside,),
    3: (parts,),
    4: (progress, controls),
    5: (consumers, approvals, chain, rollouts, rollout_actions, looks, sightings, uses, verifications),
    6: (shadow_reads,),
}
"""Tables that a version of the ledger has and the one before had not."""
DEPLOYED = (
    "region artifact_digest ci_run weight keeps stopped_at shape_source claimed_started_at claimed_finished_at late"
    " place timeline"
)
WIDENED: dict[int, dict[Table, str]] = {
    5: {
        deployments: DEPLOYED,
        overrides: "code blockers needed expires_at used_at",
        events: "hash",
    },
}
"""Columns that a version of the ledger has added to tables of earlier ones."""
