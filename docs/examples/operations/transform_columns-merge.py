"""Merge."""

from migrator import Column, Migration, TransformColumns

revision, down_revision = "transform_columns_merge", None
migration = Migration(
    TransformColumns(
        "parcels",
        old=["width", "height"],
        new=Column("size", "text", nullable=False),
        up={"size": "width || 'x' || height"},
        down={"width": "split_part(size, 'x', 1)::integer", "height": "split_part(size, 'x', 2)::integer"},
    ),
)
upgrade, downgrade = migration.upgrade, migration.downgrade

BEFORE = """
CREATE TABLE parcels (
  id bigint PRIMARY KEY,
  width integer NOT NULL,
  height integer NOT NULL
);
INSERT INTO parcels VALUES (1, 20, 30), (2, 5, 8);
"""
STATEMENTS = (
    ("old", "UPDATE parcels SET height = 40 WHERE id = 1"),
    ("new", "SELECT size FROM parcels WHERE id = 1"),
    ("new", "UPDATE parcels SET size = '6x9' WHERE id = 2"),
    ("old", "SELECT width, height FROM parcels WHERE id = 2"),
)
