"""Give orders another primary key and wider amounts, with one copy."""

from migrator import Migration, RebuildTable

revision, down_revision = "rebuild_table", None
migration = Migration(
    RebuildTable(
        "orders",
        primary_key=["shop", "id"],
        types={"total": "decimal(20,4)"},
        checks={"orders_total_check": "total >= 0"},
    ),
)
upgrade, downgrade = migration.upgrade, migration.downgrade

BEFORE = """
CREATE TABLE orders (
  id bigint PRIMARY KEY,
  shop int NOT NULL,
  total numeric(10, 2)
);
INSERT INTO orders VALUES (1, 7, 19.90);
"""
STATEMENTS = ()
