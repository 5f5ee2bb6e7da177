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
)

from migrator.ledger.types import NOW, Moment

SCHEMA = "migrator"
VERSION = 5

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
    CheckConstraint("status IN ('started', 'succeeded', 'failed', 'rolled_back')", name="deployments_status"),
    CheckConstraint("(status = 'started') = (finished_at IS NULL)", name="deployments_finished"),
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
    CheckConstraint("length(reason) > 0", name="overrides_reason"),
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
)


def legal() -> list[dict[str, str]]:
    """Rows of `transitions`."""
    return [{"from_state": a, "to_state": b} for a, b in TRANSITIONS]


ADDED = {2: (set_aside,), 3: (parts,), 4: (progress, controls), 5: (rollouts, rollout_actions)}
"""Tables that a version of the ledger has and the one before had not."""
