-- schema: shop
CREATE TABLE users (id bigint PRIMARY KEY, email text NOT NULL, name text, doc jsonb, age int);
CREATE INDEX users_name ON users (name);
CREATE UNIQUE INDEX users_email ON users (email);
CREATE TABLE events (id bigint NOT NULL, at int NOT NULL, note text) PARTITION BY RANGE (at);
CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM (0) TO (10);
CREATE TABLE events_2 PARTITION OF events FOR VALUES FROM (10) TO (20);
CREATE MATERIALIZED VIEW totals AS SELECT age, count(*) AS n FROM users GROUP BY age;
CREATE UNIQUE INDEX totals_age ON totals (age);

-- case: index-concurrently
-- truth: safe
CREATE INDEX CONCURRENTLY users_age ON users (age);
-- case: unique-index-concurrently
-- truth: safe
CREATE UNIQUE INDEX CONCURRENTLY users_name_key ON users (name);
-- case: index-concurrently-partial
-- truth: safe
CREATE INDEX CONCURRENTLY users_adult ON users (age) WHERE age > 17;
-- case: index-concurrently-gin
-- truth: safe
CREATE INDEX CONCURRENTLY users_doc ON users USING gin (doc);
-- case: index-concurrently-expression
-- truth: safe
CREATE INDEX CONCURRENTLY ON users (lower(email));
-- case: index-concurrently-after-commit
-- truth: safe
BEGIN;
ALTER TABLE users ADD COLUMN nickname text;
COMMIT;
CREATE INDEX CONCURRENTLY users_nickname ON users (nickname);
-- case: index-concurrently-with-lock-timeout
-- truth: safe
SET lock_timeout = '5s';
CREATE INDEX CONCURRENTLY users_age ON users (age);
-- case: index-concurrently-without-statement-timeout
-- truth: safe
SET statement_timeout = 0;
CREATE INDEX CONCURRENTLY users_age ON users (age);
-- case: drop-index-concurrently
-- truth: safe
DROP INDEX CONCURRENTLY users_name;
-- case: drop-index-concurrently-if-exists
-- truth: safe
DROP INDEX CONCURRENTLY IF EXISTS users_name;
-- case: drop-then-create-index-concurrently
-- truth: safe
DROP INDEX CONCURRENTLY IF EXISTS users_age;
CREATE INDEX CONCURRENTLY users_age ON users (age);
-- case: reindex-index-concurrently
-- truth: safe
REINDEX INDEX CONCURRENTLY users_name;
-- case: reindex-table-concurrently
-- truth: safe
REINDEX TABLE CONCURRENTLY users;
-- case: rename-index
-- truth: safe
ALTER INDEX users_name RENAME TO users_by_name;
-- case: alter-index-set
-- truth: safe
ALTER INDEX users_name SET (fillfactor = 80);
-- case: index-on-only-partitioned
-- truth: safe
CREATE INDEX events_id ON ONLY events (id);
-- case: unique-index-on-only-partitioned
-- truth: safe
CREATE UNIQUE INDEX events_id ON ONLY events (id, at);
-- case: index-of-partitioned-step-by-step
-- truth: safe
CREATE INDEX events_id ON ONLY events (id);
CREATE INDEX CONCURRENTLY events_1_id ON events_1 (id);
ALTER INDEX events_id ATTACH PARTITION events_1_id;
CREATE INDEX CONCURRENTLY events_2_id ON events_2 (id);
ALTER INDEX events_id ATTACH PARTITION events_2_id;
-- case: index-on-new-table
-- truth: safe
CREATE TABLE notes (id bigint PRIMARY KEY, body text);
CREATE INDEX notes_body ON notes (body);
-- case: index-on-new-table-in-transaction
-- truth: safe
BEGIN;
CREATE TABLE notes (id bigint PRIMARY KEY, body text);
CREATE INDEX notes_body ON notes (body);
COMMIT;
-- case: index-on-temporary-table
-- truth: safe
CREATE TEMP TABLE notes (id bigint PRIMARY KEY, body text);
CREATE INDEX notes_body ON notes (body);
-- case: index-on-temporary-table-as
-- truth: safe
CREATE TEMPORARY TABLE names AS SELECT name FROM users;
CREATE INDEX names_name ON names (name);
-- case: refresh-concurrently
-- truth: safe
REFRESH MATERIALIZED VIEW CONCURRENTLY totals;
-- case: refresh-new-view
-- truth: safe
BEGIN;
CREATE MATERIALIZED VIEW emails AS SELECT email FROM users;
REFRESH MATERIALIZED VIEW emails;
COMMIT;
-- case: cluster-on
-- truth: safe
ALTER TABLE users CLUSTER ON users_name;
-- case: analyze-all
-- truth: safe
ANALYZE;
-- case: vacuum
-- truth: safe
VACUUM (ANALYZE) users;
-- case: index-of-new-partitioned-table
-- truth: safe
BEGIN;
CREATE TABLE logs (id bigint, at date) PARTITION BY RANGE (at);
CREATE INDEX logs_id ON logs (id);
COMMIT;

-- case: index-blocks-writes
-- truth: build
CREATE INDEX users_age ON users (age);
-- case: index-blocks-writes-unique
-- truth: build
CREATE UNIQUE INDEX users_name_key ON users (name);
-- case: index-blocks-writes-unnamed
-- truth: build
CREATE INDEX ON users (age);
-- case: index-blocks-writes-expression
-- truth: build
CREATE INDEX users_lower ON users (lower(name));
-- case: index-blocks-writes-partial
-- truth: build
CREATE INDEX users_adult ON users (age) WHERE age > 17;
-- case: index-blocks-writes-gin
-- truth: build
CREATE INDEX users_doc ON users USING gin (doc);
-- case: index-blocks-writes-if-not-exists
-- truth: build
CREATE INDEX IF NOT EXISTS users_age ON users (age);
-- case: index-blocks-writes-with-timeout
-- truth: build
SET lock_timeout = '2s';
CREATE INDEX users_age ON users (age);
-- case: index-blocks-writes-in-transaction
-- truth: build
BEGIN;
CREATE INDEX users_age ON users (age);
COMMIT;
-- case: index-blocks-writes-qualified
-- truth: build
CREATE INDEX users_age ON public.users (age);
-- case: index-on-maybe-new-table
-- truth: build
CREATE TABLE IF NOT EXISTS users (id bigint PRIMARY KEY, name text);
CREATE INDEX users_age ON users (age);
-- case: index-after-rolled-back-table
-- truth: build
BEGIN;
ALTER TABLE users RENAME TO members;
CREATE TABLE users (id bigint PRIMARY KEY, age int);
ROLLBACK;
CREATE INDEX users_age ON users (age);
-- case: index-of-same-name-in-other-schema
-- truth: build
CREATE SCHEMA archive;
CREATE TABLE archive.users (id bigint PRIMARY KEY, age int);
CREATE INDEX users_age ON public.users (age);
-- case: index-of-new-table-in-other-schema
-- truth: safe
CREATE SCHEMA archive;
CREATE TABLE archive.users (id bigint PRIMARY KEY, age int);
CREATE INDEX users_age ON archive.users (age);
-- case: index-under-search-path
-- truth: safe
CREATE SCHEMA archive;
CREATE TABLE archive.users (id bigint PRIMARY KEY, age int);
SET search_path = archive, public;
CREATE INDEX users_age ON users (age);
-- case: index-in-do
-- truth: build
DO $$ BEGIN CREATE INDEX users_age ON users (age); END $$;
-- case: index-of-partitioned
-- truth: build
CREATE INDEX events_id ON events (id);
-- case: unique-index-of-partitioned
-- truth: build
CREATE UNIQUE INDEX events_id ON events (id, at);
-- case: index-of-partitioned-concurrently
-- truth: error
CREATE INDEX CONCURRENTLY events_id ON events (id);
-- case: index-of-partition
-- truth: build
CREATE INDEX events_1_note ON events_1 (note);
-- case: index-of-materialized-view
-- truth: safe
CREATE INDEX CONCURRENTLY totals_n ON totals (n);
-- case: index-concurrently-in-transaction
-- truth: error
BEGIN;
CREATE INDEX CONCURRENTLY users_age ON users (age);
COMMIT;
-- case: drop-index-concurrently-in-transaction
-- truth: error
BEGIN;
DROP INDEX CONCURRENTLY users_name;
COMMIT;
-- case: reindex-concurrently-in-transaction
-- truth: error
BEGIN;
REINDEX TABLE CONCURRENTLY users;
COMMIT;
-- case: vacuum-in-transaction
-- truth: error
BEGIN;
VACUUM users;
COMMIT;
-- case: index-concurrently-in-do
-- truth: error
DO $$ BEGIN CREATE INDEX CONCURRENTLY users_age ON users (age); END $$;
-- case: index-concurrently-if-not-exists
-- truth: again
CREATE INDEX CONCURRENTLY IF NOT EXISTS users_age ON users (age);
-- case: index-concurrently-under-statement-timeout
-- truth: timeout
SET statement_timeout = '10s';
CREATE INDEX CONCURRENTLY users_age ON users (age);
-- case: drop-index
-- truth: queue
DROP INDEX users_name;
-- case: drop-index-if-exists
-- truth: queue
DROP INDEX IF EXISTS users_name;
-- case: drop-index-qualified
-- truth: queue
DROP INDEX public.users_name;
-- case: drop-index-with-timeout-in-transaction
-- truth: queue
BEGIN;
SET LOCAL lock_timeout = '1s';
DROP INDEX users_name;
COMMIT;
-- case: drop-unique-index-used-by-upsert
-- truth: compatibility
-- old: INSERT INTO users (id, email) VALUES (91, 'x1') ON CONFLICT (email) DO NOTHING
DROP INDEX CONCURRENTLY users_email;
-- case: drop-index-of-constraint
-- truth: error
-- given: ALTER TABLE users ADD CONSTRAINT users_one UNIQUE (email, name);
DROP INDEX users_one;
-- case: reindex-table
-- truth: build
REINDEX TABLE users;
-- case: reindex-index
-- truth: build
REINDEX INDEX users_name;
-- case: reindex-schema
-- truth: build
REINDEX SCHEMA public;
-- case: refresh
-- truth: rewrite
REFRESH MATERIALIZED VIEW totals;
-- case: refresh-with-timeout
-- truth: rewrite
SET lock_timeout = '2s';
REFRESH MATERIALIZED VIEW totals;
-- case: refresh-concurrently-without-unique-index
-- truth: error
-- given: CREATE MATERIALIZED VIEW names AS SELECT name FROM users;
REFRESH MATERIALIZED VIEW CONCURRENTLY names;
-- case: vacuum-full
-- truth: rewrite
VACUUM FULL users;
-- case: vacuum-full-options
-- truth: rewrite
VACUUM (FULL, ANALYZE) users;
-- case: cluster
-- truth: rewrite
CLUSTER users USING users_name;
-- case: set-unlogged
-- truth: rewrite
ALTER TABLE users SET UNLOGGED;
-- case: set-logged
-- truth: rewrite
-- given: CREATE UNLOGGED TABLE cache (id int PRIMARY KEY, body text);
ALTER TABLE cache SET LOGGED;
-- case: set-logged-already
-- truth: safe
ALTER TABLE users SET LOGGED;
-- case: set-tablespace-same
-- truth: safe
ALTER TABLE users SET TABLESPACE pg_default;
-- case: set-access-method-same
-- truth: safe
-- versions: 15-
ALTER TABLE users SET ACCESS METHOD heap;
