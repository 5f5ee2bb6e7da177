"""Attach the events of 2026."""

from migrator import AttachPartition, Migration

revision, down_revision = "attach_partition", None
migration = Migration(
    AttachPartition("events", "events_2026", start="'2026-01-01'", end="'2027-01-01'"),
)
upgrade, downgrade = migration.upgrade, migration.downgrade

BEFORE = """
CREATE TABLE events (
  id bigint NOT NULL,
  day date NOT NULL,
  what text
) PARTITION BY RANGE (day);
CREATE INDEX events_what_idx ON events (what);
CREATE TABLE events_2025 PARTITION OF events FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE events_2026 (
  id bigint NOT NULL,
  day date NOT NULL,
  what text
);
INSERT INTO events_2026 VALUES (1, '2026-06-06', 'login');
"""
STATEMENTS = (
    ("old", "INSERT INTO events_2026 VALUES (2, '2026-12-31', 'logout')"),
    ("new", "SELECT count(*) FROM events"),
    ("new", "INSERT INTO events VALUES (3, '2026-05-05', 'login')"),
    ("old", "SELECT count(*) FROM events_2026"),
)
