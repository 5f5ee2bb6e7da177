"""Detach the events of 2025."""

from migrator import DetachPartition, Migration

revision, down_revision = "detach_partition", None
migration = Migration(
    DetachPartition("events", "events_2025"),
)
upgrade, downgrade = migration.upgrade, migration.downgrade

BEFORE = """
CREATE TABLE events (
  id bigint NOT NULL,
  day date NOT NULL,
  what text
) PARTITION BY RANGE (day);
CREATE TABLE events_2025 PARTITION OF events FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE events_2026 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
INSERT INTO events VALUES (1, '2025-05-05', 'login'), (2, '2026-06-06', 'logout');
"""
STATEMENTS = (
    ("old", "SELECT what FROM events WHERE day = '2025-05-05'"),
    ("old", "INSERT INTO events VALUES (3, '2025-12-31', 'login')"),
    ("new", "INSERT INTO events VALUES (4, '2026-12-31', 'login')"),
    ("new", "SELECT what FROM events_2025 WHERE day = '2025-05-05'"),
)
