"""A statement on a table that is not there is found, where the schema is known; what may be there is not."""

from __future__ import annotations

import pytest

from linters.engine import Engine
from linters.findings import Category, Severity
from linters.session import Given, Session
from linters.source import Source

SCHEMA = """
CREATE EXTENSION pgcrypto;
CREATE TABLE users (id serial PRIMARY KEY, name text);
CREATE TABLE shop.orders (id bigint PRIMARY KEY);
CREATE VIEW names AS SELECT name FROM users;
CREATE SEQUENCE numbers;
SELECT pg_catalog.set_config('search_path', '', false);
"""
REFUSED = (
    "ALTER TABLE customers ADD COLUMN age int",
    "ALTER TABLE shop.users ADD COLUMN age int",
    "CREATE INDEX CONCURRENTLY i ON customers (id)",
    "DROP TABLE customers",
    "ALTER TABLE customers RENAME TO clients",
    "UPDATE customers SET name = '' WHERE id = 1",
    "INSERT INTO users SELECT id FROM customers WHERE id = 1",
    "SELECT count(*) FROM customers",
    "CREATE TABLE notes (id int, user_id int REFERENCES customers (id))",
    "BEGIN; ALTER TABLE users RENAME TO people; CREATE VIEW v AS SELECT 1; ALTER TABLE users ADD COLUMN a int; COMMIT",
    "BEGIN; CREATE TABLE customers (id int); ROLLBACK; ALTER TABLE customers ADD COLUMN a int",
)
ACCEPTED = (
    "ALTER TABLE IF EXISTS customers ADD COLUMN age int",
    "DROP TABLE IF EXISTS customers",
    "DROP TRIGGER IF EXISTS t ON customers",
    "CREATE TABLE customers (id int); ALTER TABLE customers ADD COLUMN age int",
    "CREATE TEMP TABLE scratch (id int); INSERT INTO scratch VALUES (1); SELECT * FROM scratch",
    "WITH found AS (SELECT id FROM users WHERE id = 1) SELECT * FROM found",
    "WITH gone AS (SELECT 1 AS id) UPDATE users SET name = '' FROM gone WHERE users.id = 1",
    "SET search_path = shop; SELECT id FROM orders WHERE id = 1",
    "SELECT id FROM orders WHERE id = 1",
    "SELECT relname FROM pg_class; SELECT table_name FROM information_schema.tables",
    "SELECT name FROM names WHERE name = ''; SELECT last_value FROM numbers; SELECT last_value FROM users_id_seq",
    "SELECT * FROM generate_series(1, 3)",
    "DO $$ BEGIN IF to_regclass('customers') IS NOT NULL THEN ALTER TABLE customers ADD COLUMN a int; END IF; END $$",
    "DO $$ BEGIN EXECUTE 'CREATE TABLE ' || 'customers (id int)'; END $$; ALTER TABLE customers ADD COLUMN a int",
    "SELECT make_partitions('customers'); ALTER TABLE customers ADD COLUMN a int",
    "CREATE EXTENSION postgis; SELECT * FROM spatial_ref_sys WHERE srid = 1",
    "ALTER TABLE elsewhere.customers ADD COLUMN age int",
    "ALTER TABLE :table ADD COLUMN age int",
    "ALTER INDEX users_pkey RENAME TO users_key",
    "COMMENT ON TABLE users IS ''; COPY users (name) FROM stdin",
)


def findings(script, *, complete=True):
    engine = Engine(Session(Given(complete=complete, lock_timeout=1000)))
    engine.seed(Source("schema", SCHEMA.encode()))
    return [finding for finding in engine.judge(Source("-", script.encode())) if "there is no" in finding.message]


@pytest.mark.parametrize("script", REFUSED)
def test_a_statement_on_a_table_that_is_not_there_is_found(script):
    (finding,) = findings(script)
    assert (finding.category, finding.severity) == (Category.HAZARD, Severity.ERROR)
    assert findings(script, complete=False) == []


@pytest.mark.parametrize("script", ACCEPTED)
def test_what_is_there_or_may_be_there_is_not(script):
    assert findings(script) == []
