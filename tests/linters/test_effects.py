"""What a statement changes, and what takes it back; which operation does the same."""

from __future__ import annotations

import ast

import pytest

from linters.applying import apply
from linters.effects import NoWayBack, effect_of
from linters.instead import operation_for
from linters.parsing import parse
from linters.postgresql.reading import read
from linters.session import Given, Session
from linters.values import Mode, Name

USERS = "CREATE TABLE shop.users (id int PRIMARY KEY); CREATE TABLE users (id int PRIMARY KEY, age int);"
UNDONE = {
    "CREATE TABLE orders (id int)": 'DROP TABLE "public"."orders"',
    "CREATE TABLE IF NOT EXISTS orders (id int)": "",
    "ALTER TABLE users ADD COLUMN a int, ADD COLUMN b int": (
        'ALTER TABLE "public"."users" DROP COLUMN "b", DROP COLUMN "a"'
    ),
    "ALTER TABLE users ADD CONSTRAINT k CHECK (age > 0) NOT VALID": 'ALTER TABLE "public"."users" DROP CONSTRAINT "k"',
    "CREATE INDEX i ON users (age)": 'DROP INDEX "public"."i"',
    "CREATE FUNCTION f(a int, OUT b text, c text[]) LANGUAGE sql AS 'SELECT 1'": (
        'DROP FUNCTION "public"."f"(int, text[])'
    ),
    "CREATE VIEW shop.v AS SELECT id FROM users": 'DROP VIEW "shop"."v"',
    "CREATE TYPE mood AS ENUM ('sad')": 'DROP TYPE "public"."mood"',
    "COMMENT ON SCHEMA public IS 'all'": "",
}
FOR_GOOD = (
    "ALTER TABLE users ADD COLUMN IF NOT EXISTS age int",
    "ALTER TABLE users ADD CONSTRAINT k PRIMARY KEY USING INDEX i",
    "ALTER TABLE users ALTER age DROP NOT NULL",
    "CREATE INDEX CONCURRENTLY ON users (age)",
    "CREATE TABLE part PARTITION OF users FOR VALUES IN (1)",
    "CREATE TEMP TABLE t (id int)",
    "CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "INSERT INTO users VALUES (1)",
    "DELETE FROM users",
    "GRANT SELECT ON users TO PUBLIC",
    "SELECT setval('numbers', 9)",
    "ROLLBACK",
)
DONE_BY = {
    "ALTER TABLE users ADD COLUMN age int, DROP COLUMN size": (
        'AddColumn("users", "age", "int"), DropColumn("users", "size")'
    ),
    "ALTER TABLE users ADD COLUMN age int NOT NULL CHECK (age > 0)": (
        'AddColumn("users", "age", "int", nullable=False, fill="…"), AddCheck("users", "age > 0")'
    ),
    "ALTER TABLE users ADD COLUMN n serial": "",
    "ALTER TABLE users ALTER age DROP DEFAULT": 'DropDefault("users", "age")',
    'ALTER TABLE "Shop"."Users" RENAME "Full Name" TO name': (
        'RenameColumn("Users", "Full Name", "name", schema="Shop")'
    ),
    "CREATE INDEX i ON users USING gin (tags) WHERE tags IS NOT NULL": (
        'CreateIndex("users", ["tags"], name="i", where="tags IS NOT NULL", using="gin")'
    ),
    "DROP INDEX a, shop.b": 'DropIndex("a"), DropIndex("b", schema="shop")',
    "UPDATE users SET age = size + 1": (
        'Backfill("users", {"age": "size + 1"}, where="\\"age\\" IS DISTINCT FROM (size + 1)")'
    ),
    "DELETE FROM users": "",
}


@pytest.fixture
def session():
    made = Session(Given(complete=True))
    for item in parse(USERS).stmts:
        for action in read(item.stmt):
            apply(action, made)
    made.start_script()
    return made


def node(statement):
    return parse(statement).stmts[0].stmt


@pytest.mark.parametrize("statement", UNDONE)
def test_what_a_statement_creates_says_what_takes_it_back(statement, session):
    assert effect_of(node(statement), session).undo == UNDONE[statement]


@pytest.mark.parametrize("statement", FOR_GOOD)
def test_what_nobody_could_take_back_says_so(statement, session):
    with pytest.raises(NoWayBack):
        effect_of(node(statement), session)


def test_references_lock_the_other_table_and_rely_on_its_column(session):
    found = effect_of(node("CREATE TABLE orders (id int, user_id int REFERENCES shop.users (id))"), session)
    users = Name("shop", "users")
    assert found.locks == ((users, Mode.SHARE_ROW_EXCLUSIVE),)
    assert found.reads == ((users, "id"),)
    assert (users, Mode.ACCESS_EXCLUSIVE) in found.undo_locks


def test_a_change_leaves_with_the_table_that_the_same_script_creates(session):
    for action in read(node("CREATE TABLE orders (id int)")):
        apply(action, session)
    for statement in ("CREATE UNIQUE INDEX ON orders (id)", "ALTER TABLE orders ALTER id SET NOT NULL"):
        assert effect_of(node(statement), session).undo == ""
    with pytest.raises(NoWayBack):
        effect_of(node("ALTER TABLE orders INHERIT users"), session)


@pytest.mark.parametrize("statement", DONE_BY)
def test_a_statement_knows_the_operation_that_does_it(statement):
    found = operation_for(node(statement))
    assert found == DONE_BY[statement]
    ast.parse(found or "None")
