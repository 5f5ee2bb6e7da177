-- schema: shop
CREATE TABLE users (id bigint, email text, name text, age smallint, nickname text DEFAULT 'x');
CREATE TABLE leftovers (id int);
CREATE FUNCTION steady() RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN 1; END';
CREATE FUNCTION fixed() RETURNS int LANGUAGE plpgsql STABLE AS 'BEGIN RETURN 1; END';

-- case: twin-add-column-volatile-function
-- truth: rewrite
ALTER TABLE users ADD COLUMN width int DEFAULT steady();
-- case: twin-add-column-constant-function-not-inlined
-- truth: rewrite
CREATE OR REPLACE FUNCTION fixed() RETURNS int VOLATILE LANGUAGE plpgsql AS 'BEGIN RETURN 1; END';
ALTER TABLE users ADD COLUMN width int DEFAULT fixed();
-- case: twin-drop-column-there
-- truth: compatibility
-- given: ALTER TABLE users ADD COLUMN t_id int;
-- old: SELECT nickname FROM users
ALTER TABLE users DROP COLUMN IF EXISTS nickname;
-- case: twin-drop-table-there
-- truth: compatibility
-- old: SELECT id FROM leftovers
DROP TABLE IF EXISTS leftovers;
-- case: twin-drop-default-there
-- truth: compatibility
-- given: UPDATE users SET name = ''; ALTER TABLE users ALTER name SET NOT NULL, ALTER name SET DEFAULT 'x';
-- old: INSERT INTO users (id, email) VALUES (90, 'new')
ALTER TABLE users ALTER COLUMN name DROP DEFAULT;
-- case: twin-set-not-null-unproven
-- truth: scan
ALTER TABLE public.users ALTER name SET NOT NULL;
-- case: twin-set-not-null-nullable
-- truth: scan
ALTER TABLE users ALTER COLUMN email SET NOT NULL;
-- case: twin-set-not-null-no-primary-key
-- truth: scan
ALTER TABLE users ALTER COLUMN id SET NOT NULL;
-- case: twin-set-logged
-- truth: rewrite
-- given: ALTER TABLE users SET UNLOGGED;
ALTER TABLE users SET LOGGED;
-- case: twin-same-type-from-smaller
-- truth: rewrite
-- given: CREATE TABLE t (id int, i smallint);
ALTER TABLE t ALTER COLUMN i TYPE integer;
-- case: twin-attach-list-unproven
-- truth: scan
-- given: CREATE TABLE cities (name text, country text) PARTITION BY LIST (country); CREATE TABLE cities_fr (name text, country text);
-- given: INSERT INTO cities_fr VALUES ('Lyon', 'fr');
ALTER TABLE cities ATTACH PARTITION cities_fr FOR VALUES IN ('fr', 'be');
-- case: twin-attach-dates-unproven
-- truth: scan
-- given: CREATE TABLE days (d date NOT NULL) PARTITION BY RANGE (d); CREATE TABLE days_1 (d date NOT NULL);
-- given: INSERT INTO days_1 VALUES ('2026-01-02'); ALTER TABLE days_1 ADD CHECK (d >= '2025-01-01' AND d < '2026-02-01');
ALTER TABLE days ATTACH PARTITION days_1 FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
-- case: twin-attach-minvalue-unproven
-- truth: scan
-- given: CREATE TABLE events (id bigint NOT NULL, at int NOT NULL) PARTITION BY RANGE (at);
-- given: CREATE TABLE lows (id bigint NOT NULL, at int NOT NULL); INSERT INTO lows VALUES (1, -5); ALTER TABLE lows ADD CHECK (at < 10);
ALTER TABLE events ATTACH PARTITION lows FOR VALUES FROM (MINVALUE) TO (0);
-- case: twin-replace-view-with-as-many-columns
-- truth: safe
-- given: CREATE VIEW adults AS SELECT id FROM users WHERE age > 1;
-- old: SELECT id FROM adults
CREATE OR REPLACE VIEW adults AS SELECT id FROM users WHERE age > 17;
-- case: twin-check-name-is-free
-- truth: safe
-- given: CREATE TABLE orders (id int, total int);
ALTER TABLE orders ADD CONSTRAINT orders_total_check CHECK (total > 1) NOT VALID;
-- case: twin-validate-constraint-there
-- truth: safe
-- given: CREATE TABLE orders (id int, total int); ALTER TABLE orders ADD CONSTRAINT orders_none CHECK (id > 0) NOT VALID;
ALTER TABLE orders VALIDATE CONSTRAINT orders_none;
-- case: twin-index-concurrently-of-plain-table
-- truth: safe
-- given: CREATE TABLE events (id int, at int);
CREATE INDEX CONCURRENTLY events_id ON events (id);
-- case: twin-refresh-concurrently-with-unique-index
-- truth: safe
-- given: CREATE MATERIALIZED VIEW names AS SELECT id, name FROM users; CREATE UNIQUE INDEX names_id ON names (id);
REFRESH MATERIALIZED VIEW CONCURRENTLY names;
-- case: twin-lock-free-alter-of-missing-index
-- truth: safe
-- given: CREATE INDEX users_by_email ON users (email);
ALTER INDEX IF EXISTS users_by_email RENAME TO users_email_idx;
-- case: add-column-if-not-exists-is-added
-- truth: rewrite
-- given: CREATE TABLE t (id int PRIMARY KEY);
ALTER TABLE t ADD COLUMN IF NOT EXISTS x text NOT NULL DEFAULT clock_timestamp()::text;
-- case: create-index-if-not-exists-is-created
-- truth: build
-- given: CREATE TABLE t (id int PRIMARY KEY, x text);
CREATE INDEX IF NOT EXISTS t_x ON t (x);
-- case: drop-index-if-exists-drops
-- truth: queue
-- given: CREATE TABLE t (id int PRIMARY KEY, x text); CREATE INDEX nowhere ON t (x);
DROP INDEX IF EXISTS nowhere;
-- case: alter-table-if-exists-alters
-- truth: rewrite
-- given: CREATE TABLE nowhere (id int PRIMARY KEY);
ALTER TABLE IF EXISTS nowhere ADD COLUMN x serial;
