"""The judge of classical statements: what it lets pass, what it refuses, and what it advises."""

from __future__ import annotations

import ast

import pytest

from linters.classical import judge
from linters.statements import Name, Surroundings

AROUND = Surroundings("public", lambda expression: "random" in expression, frozenset({"positive"}))
NEW = "CREATE TABLE orders (id int PRIMARY KEY, user_id int)"

SAFE = (
    "CREATE TABLE users (id serial PRIMARY KEY, boss int REFERENCES users (id), CHECK (id > 0))",
    "ALTER TABLE users ADD COLUMN age int",
    "ALTER TABLE users ADD COLUMN age int DEFAULT 3 NOT NULL, ADD COLUMN size int",
    "ALTER TABLE users ADD COLUMN at timestamptz DEFAULT now()",
    "CREATE INDEX CONCURRENTLY i ON users (age)",
    "CREATE TYPE mood AS (a int)",
    "COMMENT ON TABLE users IS 'people'",
    "COMMENT ON SCHEMA public IS 'all'",
)

REFUSED = {
    "ALTER TABLE users ADD COLUMN age int NOT NULL": "AddColumn(",
    "ALTER TABLE users ADD COLUMN age int NOT NULL DEFAULT NULL": "AddColumn(",
    "ALTER TABLE users ADD COLUMN age int UNIQUE": "AddUnique(",
    "ALTER TABLE users ADD COLUMN age int CHECK (age > 0)": "AddCheck(",
    "ALTER TABLE users ADD COLUMN IF NOT EXISTS age int": "IF NOT EXISTS",
    "ALTER TABLE users ADD COLUMN age positive": "RunSQL(",
    "ALTER TABLE users ADD COLUMN id int GENERATED ALWAYS AS IDENTITY": "RunSQL(",
    "ALTER TABLE users ADD COLUMN age int, DROP COLUMN size": "DropColumn(",
    "ALTER TABLE users ALTER COLUMN age DROP DEFAULT": "DropDefault(",
    "CREATE UNIQUE INDEX CONCURRENTLY i ON users (age)": "CreateIndex(",
    "CREATE INDEX CONCURRENTLY ON users (age)": "CreateIndex(",
    "CREATE INDEX i ON users USING gin (tags) WHERE tags IS NOT NULL": "CreateIndex(",
    "CREATE TABLE part PARTITION OF users FOR VALUES IN (1)": "RunSQL(",
    "CREATE TEMP TABLE t (id int)": "ordinary table",
    "CREATE TABLE copy AS SELECT * FROM users": "RunSQL(",
    "CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'": "another name",
    "INSERT INTO users VALUES (1)": "RunSQL(",
    "UPDATE users SET age = size + 1": "Backfill(",
    "DELETE FROM users": "RunSQL(",
    "TRUNCATE users": "RunSQL(",
    "SELECT pg_sleep(1)": "RunSQL(",
    "ROLLBACK": "RunSQL(",
    'ALTER TABLE "Shop"."Users" RENAME COLUMN "Full Name" TO name': 'RenameColumn("Users", "Full Name", "name"',
}


@pytest.mark.parametrize("statement", SAFE)
def test_additive_statements_are_safe(statement):
    (verdict,) = judge([statement], AROUND)
    assert verdict.safe, verdict.reason


@pytest.mark.parametrize("statement", REFUSED)
def test_anything_else_is_refused_with_what_to_write(statement):
    (verdict,) = judge([statement], AROUND)
    assert not verdict.safe
    assert verdict.reason
    assert REFUSED[statement] in verdict.remedy
    if verdict.remedy.endswith(")") and "…" not in verdict.remedy:
        ast.parse(verdict.remedy)


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE UNIQUE INDEX i ON orders (user_id)",
        "ALTER TABLE orders ALTER COLUMN user_id SET NOT NULL",
        "ALTER TABLE orders ADD FOREIGN KEY (user_id) REFERENCES users (id)",
        "INSERT INTO orders SELECT i, i FROM generate_series(1, 9) i",
        "WITH made AS (SELECT 1 AS a) INSERT INTO orders SELECT a, a FROM made",
    ],
)
def test_a_table_of_the_same_revision_may_be_changed(statement):
    assert all(verdict.safe for verdict in judge([NEW, statement], AROUND))
    assert not judge([statement], AROUND)[0].safe


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO orders SELECT id, id FROM users",
        "WITH gone AS (DELETE FROM users RETURNING id) INSERT INTO orders SELECT id, id FROM gone",
        "ALTER TABLE orders INHERIT users",
    ],
)
def test_it_may_not_draw_in_a_table_in_use(statement):
    assert not judge([NEW, statement], AROUND)[1].safe


def test_a_table_that_may_have_been_there_is_not_one_of_the_revision():
    made = NEW.replace("CREATE TABLE", "CREATE TABLE IF NOT EXISTS")
    table, index = judge([made, "CREATE INDEX i ON orders (user_id)"], AROUND)
    assert table.safe
    assert table.effect.undo == ""
    assert not index.safe


def test_references_lock_the_other_table_and_rely_on_its_column():
    (verdict,) = judge(["CREATE TABLE orders (id int, user_id int REFERENCES shop.users (id))"], AROUND)
    users = Name("shop", "users")
    assert verdict.effect.locks == ((users, "SHARE ROW EXCLUSIVE"),)
    assert verdict.effect.reads == ((users, "id"),)
    assert verdict.effect.undo == 'DROP TABLE "public"."orders"'


def test_a_function_is_dropped_by_its_signature():
    (verdict,) = judge(["CREATE FUNCTION f(a int, OUT b text, c text[]) LANGUAGE sql AS 'SELECT 1'"], AROUND)
    assert verdict.effect.undo == 'DROP FUNCTION "public"."f"(int, text[])'


def test_borders_of_transactions_are_ours_to_draw():
    assert judge(["COMMIT", "BEGIN"], AROUND) == ()
