"""Compute what SQL cannot express."""

import hashlib

from migrator import Backfill, Migration

revision, down_revision = "backfill_function", None


def fingerprints(rows):
    return [hashlib.blake2b(row["email"].encode(), digest_size=8).hexdigest() for row in rows]


migration = Migration(
    Backfill("users", function=fingerprints, reads="email", writes="fingerprint", where="fingerprint IS NULL"),
)
upgrade, downgrade = migration.upgrade, migration.downgrade

BEFORE = """
CREATE TABLE users (
  id bigint PRIMARY KEY,
  email text NOT NULL,
  fingerprint text
);
INSERT INTO users VALUES (1, 'ann@example.org'), (2, 'bob@example.org');
"""
STATEMENTS = (
    ("old", "SELECT id, email FROM users ORDER BY id"),
    ("new", "INSERT INTO users VALUES (5, 'eve@example.org', 'a1') RETURNING fingerprint"),
)
