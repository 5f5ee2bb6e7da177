"""Bodies of `upgrade()` in the styles of real projects, each with SQL that has to come out of it.

None of them may leave anything unknown, but those of `DEPENDENT`, which ask the database.
"""

from __future__ import annotations

STYLES: dict[str, tuple[str, tuple[str, ...]]] = {
    "create table": (
        """
op.create_table(
    "account",
    sa.Column("id", sa.Integer(), nullable=False),
    sa.Column("name", sa.String(50), server_default="none", nullable=False),
    sa.Column("created", sa.DateTime(timezone=True), server_default=sa.func.now()),
    sa.PrimaryKeyConstraint("id", name=op.f("pk_account")),
    sa.UniqueConstraint("name"),
)
op.create_index(op.f("ix_account_name"), "account", ["name"], unique=True)
""",
        ("CREATE TABLE account", "DEFAULT now()", "CREATE UNIQUE INDEX ix_account_name"),
    ),
    "enum in a table": (
        'op.create_table("a", sa.Column("s", sa.Enum("x", "y", name="mood")))',
        ("CREATE TYPE mood AS ENUM ('x', 'y')", "CREATE TABLE a"),
    ),
    "enum of its own, created first": (
        """
mood = postgresql.ENUM("x", "y", name="mood", create_type=False)
mood.create(op.get_bind(), checkfirst=True)
op.add_column("a", sa.Column("s", mood, nullable=True))
""",
        ("CREATE TYPE mood", "ADD COLUMN s mood"),
    ),
    "enum dropped": ('sa.Enum(name="mood").drop(op.get_bind(), checkfirst=True)', ("DROP TYPE mood",)),
    "enum swapped by hand": (
        """
op.execute("ALTER TYPE mood RENAME TO mood_old")
sa.Enum("a", "b", name="mood").create(op.get_bind())
op.execute("ALTER TABLE t ALTER COLUMN m TYPE mood USING m::text::mood")
op.execute("DROP TYPE mood_old")
""",
        ("RENAME TO mood_old", "CREATE TYPE mood", "USING m::text::mood", "DROP TYPE mood_old"),
    ),
    "enum value outside the transaction": (
        """
with op.get_context().autocommit_block():
    op.execute("ALTER TYPE mood ADD VALUE IF NOT EXISTS 'z'")
""",
        ("COMMIT", "ADD VALUE IF NOT EXISTS 'z'"),
    ),
    "index concurrently": (
        """
with op.get_context().autocommit_block():
    op.create_index("i", "t", ["a"], postgresql_concurrently=True, if_not_exists=True)
""",
        ("COMMIT", "CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON t (a)"),
    ),
    "commit by hand": ('op.execute("COMMIT")\nop.execute("CREATE INDEX CONCURRENTLY i ON t (a)")', ("COMMIT",)),
    "index with everything": (
        'op.create_index("i", "t", [sa.text("lower(name)")], postgresql_using="gin", '
        'postgresql_where=sa.text("gone IS NULL"), postgresql_include=["x"])',
        ("USING gin (lower(name))", "WHERE gone IS NULL"),
    ),
    "batch": (
        """
with op.batch_alter_table("t", schema=None) as batch_op:
    batch_op.add_column(sa.Column("a", sa.Integer(), nullable=True))
    batch_op.alter_column("b", existing_type=sa.VARCHAR(), nullable=False)
    batch_op.create_foreign_key("fk", "u", ["u_id"], ["id"], ondelete="CASCADE")
    batch_op.drop_constraint("old", type_="unique")
    batch_op.create_index(batch_op.f("ix_t_a"), ["a"])
""",
        ("ADD COLUMN a", "ALTER COLUMN b SET NOT NULL", "FOREIGN KEY(u_id) REFERENCES u (id) ON DELETE CASCADE"),
    ),
    "alter everything": (
        """
op.alter_column("t", "a", existing_type=sa.String(5), type_=sa.String(9), existing_nullable=True)
op.alter_column("t", "b", type_=sa.Integer(), postgresql_using="b::integer")
op.alter_column("t", "c", new_column_name="d", existing_type=sa.Text())
op.alter_column("t", "e", server_default=sa.text("0"))
op.alter_column("t", "f", server_default=None, existing_server_default="x")
op.alter_column("t", "g", comment="words")
""",
        ("TYPE VARCHAR(9)", "USING b::integer", "RENAME c TO d", "SET DEFAULT 0", "DROP DEFAULT", "COMMENT ON COLUMN"),
    ),
    "rename and drop": (
        """
op.rename_table("a", "b")
op.drop_index("i", table_name="b")
op.drop_constraint("c", "b", type_="foreignkey")
op.drop_column("b", "x")
op.drop_table("d")
""",
        ("RENAME TO b", "DROP INDEX i", "DROP CONSTRAINT c", "DROP COLUMN x", "DROP TABLE d"),
    ),
    "constraints": (
        """
op.create_check_constraint("ck", "t", "a > 0")
op.create_unique_constraint(None, "t", ["a", "b"], deferrable=True, initially="DEFERRED")
op.create_primary_key("pk", "t", ["a"])
op.create_exclude_constraint("ex", "t", ("during", "&&"), using="gist")
""",
        ("CHECK (a > 0)", "UNIQUE (a, b)", "PRIMARY KEY (a)", "EXCLUDE USING gist"),
    ),
    "not valid": (
        'op.create_foreign_key("fk", "t", "u", ["a"], ["id"], postgresql_not_valid=True)\n'
        'op.execute("ALTER TABLE t VALIDATE CONSTRAINT fk")',
        ("NOT VALID", "VALIDATE CONSTRAINT fk"),
    ),
    "text with parameters": (
        'op.execute(sa.text("UPDATE t SET a = :a WHERE b = :b").bindparams(a="it\'s", b=2))',
        ("SET a = 'it''s' WHERE b = 2",),
    ),
    "percent signs": (
        "op.execute(\"UPDATE t SET a = 1 WHERE b LIKE '50%%' OR b LIKE 'x%'\")",
        ("LIKE '50%%' OR b LIKE 'x%'",),
    ),
    "several statements at once": (
        'op.execute("""\n    UPDATE a SET b = 1;\n    DROP TABLE c;\n""")',
        ("DROP TABLE c",),
    ),
    "a function with a body": (
        "op.execute('CREATE FUNCTION f() RETURNS trigger AS $$ BEGIN NEW.a := 1; RETURN NEW; END $$ LANGUAGE plpgsql')",
        ("CREATE FUNCTION f()",),
    ),
    "core update": (
        """
t = sa.table("t", sa.column("a", sa.Integer), sa.column("b", sa.String))
op.execute(t.update().where(t.c.a == op.inline_literal(1)).values({"b": op.inline_literal("x")}))
op.execute(sa.delete(t).where(t.c.b.in_(["p", "q"])))
op.execute(sa.insert(t).values(a=sa.func.now()))
""",
        ("UPDATE t SET b='x' WHERE t.a = 1", "IN ('p', 'q')", "INSERT INTO t (a) VALUES (now())"),
    ),
    "bulk insert": (
        """
t = sa.table("t", sa.column("id", sa.Integer), sa.column("at", sa.DateTime), sa.column("more", sa.JSON))
first = {"id": 1, "at": datetime.datetime(2020, 1, 1), "more": {"a": [1]}}
op.bulk_insert(t, [first, {"id": 2, "at": None, "more": {}}])
""",
        ("INSERT INTO t (id, at, more) VALUES (1, '2020-01-01 00:00:00'", "VALUES (2"),
    ),
    "loop over tables": (
        """
for table in ("a", "b", "c"):
    op.add_column(table, sa.Column("x", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.execute(f"UPDATE {table} SET x = true WHERE y IS NULL")
""",
        ("ALTER TABLE c ADD COLUMN x BOOLEAN DEFAULT false NOT NULL", "UPDATE b SET x = true"),
    ),
    "classes of the file": (
        'for pair in [Pair("t", "a"), Pair(table="u", column="b")]:\n    op.drop_column(pair.table, pair.column)',
        ("ALTER TABLE t DROP COLUMN a", "ALTER TABLE u DROP COLUMN b"),
    ),
    "by dialect": (
        """
bind = op.get_bind()
if bind.dialect.name == "postgresql":
    op.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
elif bind.engine.name == "mysql":
    op.execute("DROP TABLE never")
if op.get_context().dialect.name == "postgresql" and bind.dialect.server_version_info >= (12,):
    op.execute("SELECT 1")
""",
        ("CREATE EXTENSION", "SELECT 1"),
    ),
    "offline or not": (
        'if not context.is_offline_mode():\n    op.execute("DROP TABLE online")\nassert not op.get_context().as_sql',
        ("DROP TABLE online",),
    ),
    "schema": (
        'op.execute(sa.schema.CreateSchema("s"))\n'
        'op.create_table("t", sa.Column("id", postgresql.UUID(as_uuid=True), primary_key=True, '
        'server_default=sa.text("gen_random_uuid()")), schema="s")',
        ("CREATE SCHEMA s", "CREATE TABLE s.t"),
    ),
    "types of PostgreSQL": (
        """
op.create_table("t", sa.Column("a", postgresql.ARRAY(sa.String())),
    sa.Column("b", postgresql.JSONB(astext_type=sa.Text())),
    sa.Column("c", postgresql.TSVECTOR()), sa.Column("d", postgresql.INET()), sa.Column("e", sa.Numeric(10, 2)),
    sa.Column("f", postgresql.TIMESTAMP(precision=6)), sa.Column("g", sa.Interval()), sa.Column("h", sa.LargeBinary()),
    sa.Column("i", sa.BigInteger(), sa.Identity(always=True)), sa.Column("j", sa.Integer(), sa.Computed("1 + 1")))
""",
        ("JSONB", "VARCHAR[]", "GENERATED ALWAYS AS IDENTITY", "GENERATED ALWAYS AS (1 + 1)"),
    ),
    "sqlmodel": (
        'op.add_column("t", sa.Column("a", sqlmodel.sql.sqltypes.AutoString(length=20), nullable=True))',
        ("ADD COLUMN a VARCHAR(20)",),
    ),
    "sqlalchemy-utils": (
        'op.add_column("t", sa.Column("a", sqlalchemy_utils.types.uuid.UUIDType(binary=False), nullable=True))\n'
        'op.add_column("t", sa.Column("b", sqlalchemy_utils.EmailType(length=255)))',
        ("ADD COLUMN a UUID", "ADD COLUMN b VARCHAR(255)"),
    ),
    "geoalchemy2": (
        'op.add_column("t", sa.Column("g", geoalchemy2.types.Geometry(geometry_type="POINT", srid=4326)))',
        ("ADD COLUMN g GEOMETRY",),
    ),
    "pgvector": ('op.add_column("t", sa.Column("v", pgvector.sqlalchemy.Vector(768)))', ("ADD COLUMN v VECTOR(768)",)),
    "a type of the application": (
        'op.add_column("t", sa.Column("c", shop.models.types.Colour(length=3), nullable=True))',
        ("ADD COLUMN c colour",),
    ),
    "a helper of the file": (
        'add_timestamps("t")\nadd_timestamps("u")',
        ("ALTER TABLE u ADD COLUMN updated_at",),
    ),
    "variant types": (
        'op.add_column("t", sa.Column("j", sa.JSON().with_variant(postgresql.JSONB(), "postgresql")))',
        ("ADD COLUMN j JSONB",),
    ),
    "columns with keys": (
        'op.add_column("t", sa.Column("u_id", sa.Integer(), sa.ForeignKey("u.id", ondelete="SET NULL")))',
        ("ADD COLUMN u_id INTEGER", "FOREIGN KEY(u_id) REFERENCES u (id) ON DELETE SET NULL"),
    ),
    "a connection that only writes": (
        'op.get_bind().execute(sa.text("DELETE FROM t WHERE a = :a"), {"a": 5})\n'
        'op.get_bind().exec_driver_sql("VACUUM t")',
        ("DELETE FROM t WHERE a = 5", "VACUUM t"),
    ),
    "text for a statement, as before SQLAlchemy 2": (
        "op.get_bind().execute(\"UPDATE t SET a = %s WHERE b LIKE 'x%%'\", (3,))\n"
        'op.get_bind().execute("DROP TABLE u")',
        ("SET a = 3 WHERE b LIKE 'x%'", "DROP TABLE u"),
    ),
    "batches until nothing is left": (
        """
while True:
    if op.get_bind().execute(sa.text("UPDATE t SET a = 1 WHERE id IN (SELECT id FROM t LIMIT 9)")).rowcount == 0:
        break
""",
        ("LIMIT 9",),
    ),
    "a session that adds": (
        'session = orm.Session(bind=op.get_bind())\nsession.execute(sa.text("UPDATE t SET a = 2"))\nsession.commit()',
        ("UPDATE t SET a = 2",),
    ),
    "lock timeout": (
        "op.execute(\"SET LOCAL lock_timeout = '2s'\")\nop.add_column('t', sa.Column('a', sa.Integer()))",
        ("SET LOCAL lock_timeout = '2s'", "ADD COLUMN a"),
    ),
    "nothing": ("pass", ()),
}

DEPENDENT: dict[str, tuple[str, tuple[str, ...]]] = {
    "rows one by one": (
        """
bind = op.get_bind()
for row in bind.execute(sa.text("SELECT id, name FROM t")).fetchall():
    first, last = row.name, row[1]
    bind.execute(sa.text("UPDATE t SET first = :f WHERE id = :id"), {"f": first, "id": row.id})
""",
        ("UPDATE t SET first = 'x' WHERE id = 1",),
    ),
    "rows of a core select": (
        """
t = sa.table("t", sa.column("id", sa.Integer), sa.column("data", postgresql.JSONB))
for id, data in op.get_bind().execute(sa.select(t.c.id, t.c.data)):
    data["x"] = 1
    op.get_bind().execute(t.update().where(t.c.id == id).values(data=data))
""",
        ("UPDATE t SET data='{\"x\": 1}'::JSONB WHERE t.id = 1",),
    ),
    "rows of a session": (
        """
session = orm.Session(bind=op.get_bind())
for thing in session.query(Thing).all():
    thing.name = thing.name + "!"
session.commit()
""",
        ("UPDATE thing SET name='x!' WHERE thing.id = 1",),
    ),
    "only if the column is missing": (
        """
columns = {c["name"] for c in sa.inspect(op.get_bind()).get_columns("t")}
if "a" not in columns:
    op.add_column("t", sa.Column("a", sa.Integer()))
""",
        ("ADD COLUMN a",),
    ),
    "only if the table is there": (
        'if sa.inspect(op.get_bind()).has_table("t"):\n    op.drop_table("t")\nelse:\n    op.execute("SELECT 2")',
        ("DROP TABLE t", "SELECT 2"),
    ),
    "a constant of the application": (
        'op.execute(f"DROP TABLE {shop.models.OLD_TABLE}")\nop.drop_table("after")',
        ("DROP TABLE shop_models_OLD_TABLE", "DROP TABLE after"),
    ),
    "an operation of a plugin": (
        'op.create_entity(shop.FUNCTION)\nop.drop_table("after")',
        ("DROP TABLE after",),
    ),
    "a function of the application": ('shop.triggers.install("t")\nop.drop_table("after")', ("DROP TABLE after",)),
}

HEAD = '''"""A revision."""
from __future__ import annotations

import dataclasses
import datetime

import geoalchemy2
import pgvector.sqlalchemy
import shop.models.types
import shop.triggers
import sqlalchemy as sa
import sqlalchemy_utils
import sqlmodel
from alembic import context, op
from sqlalchemy import orm
from sqlalchemy.dialects import postgresql

revision = "{id}"
down_revision = {down!r}
branch_labels = None
depends_on = None

Base = orm.declarative_base()


class Thing(Base):
    __tablename__ = "thing"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    name = sa.Column(sa.String)


@dataclasses.dataclass
class Pair:
    table: str
    column: str


def add_timestamps(table):
    op.add_column(table, sa.Column("created_at", sa.DateTime()))
    op.add_column(table, sa.Column("updated_at", sa.DateTime()))


def upgrade():
{body}


def downgrade():
    raise NotImplementedError
'''


def revision_text(body: str, id: str = "r1", down: str | None = None) -> str:
    indented = "\n".join(f"    {line}" if line else "" for line in body.strip().splitlines())
    return HEAD.format(id=id, down=down, body=indented)
