"""Of a partitioned table."""

from migrator import CreateIndex, Migration

revision, down_revision = "create_index_partitioned", None
migration = Migration(
    CreateIndex("events", "day"),
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
    ("old", "INSERT INTO events VALUES (3, '2026-07-07', 'login')"),
    ("new", "SELECT id FROM events WHERE day = '2026-07-07'"),
)
