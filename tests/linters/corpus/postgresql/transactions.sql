-- schema: shop
CREATE TABLE orgs (id bigint PRIMARY KEY, name text NOT NULL);
CREATE TABLE users (id bigint PRIMARY KEY, org_id bigint REFERENCES orgs, email text NOT NULL, name text, age int);
CREATE TABLE items (id bigint PRIMARY KEY, label text, price int);
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER touched BEFORE UPDATE ON items FOR EACH ROW EXECUTE FUNCTION touch();

-- case: new-table
-- truth: safe
CREATE TABLE notes (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body text NOT NULL, made timestamptz DEFAULT now());
-- case: new-table-if-not-exists
-- truth: safe
CREATE TABLE IF NOT EXISTS notes (id bigint PRIMARY KEY, body text);
-- case: new-table-with-everything
-- truth: safe
BEGIN;
CREATE TABLE notes (id bigserial PRIMARY KEY, body text CHECK (body <> ''), kind text UNIQUE);
ALTER TABLE notes ADD COLUMN lucky float8 DEFAULT random();
ALTER TABLE notes ADD CHECK (length(body) < 1000);
ALTER TABLE notes ALTER COLUMN kind SET NOT NULL;
ALTER TABLE notes ALTER COLUMN body TYPE varchar(100);
CREATE INDEX notes_kind ON notes (kind);
CREATE TRIGGER touched BEFORE UPDATE ON notes FOR EACH ROW EXECUTE FUNCTION touch();
COMMIT;
-- case: new-table-renamed-column
-- truth: safe
BEGIN;
CREATE TABLE notes (id bigint PRIMARY KEY, body text);
ALTER TABLE notes RENAME COLUMN body TO content;
ALTER TABLE notes DROP COLUMN content;
COMMIT;
-- case: new-table-filled
-- truth: safe
BEGIN;
CREATE TABLE colours (id int PRIMARY KEY, name text);
INSERT INTO colours VALUES (1, 'red'), (2, 'green'), (3, 'blue');
UPDATE colours SET name = upper(name);
COMMIT;
-- case: new-table-qualified-and-not
-- truth: safe
BEGIN;
CREATE TABLE public.notes (id bigint PRIMARY KEY, body text);
CREATE INDEX ON notes (body);
COMMIT;
-- case: temporary-table
-- truth: safe
CREATE TEMP TABLE work (id int, v text);
CREATE INDEX ON work (v);
ALTER TABLE work ALTER COLUMN v SET NOT NULL;
UPDATE work SET v = 'x';
DROP TABLE work;
-- case: insert-some-rows
-- truth: safe
INSERT INTO items VALUES (90, 'a', 1), (91, 'b', 2), (92, 'c', 3);
-- case: update-one-row
-- truth: safe
UPDATE items SET price = 2 WHERE id = 1;
-- case: update-two-keys
-- truth: safe
UPDATE items SET price = 2 WHERE id IN (1, 2);
-- case: update-batch-by-key
-- truth: safe
UPDATE items SET price = 2 WHERE id BETWEEN 1 AND 2;
-- case: update-batch-by-bounds
-- truth: safe
UPDATE items SET price = 2 WHERE id >= 1 AND id < 3;
-- case: update-batch-by-limit
-- truth: safe
UPDATE items SET price = 2 WHERE id IN (SELECT id FROM items WHERE price <> 2 ORDER BY id LIMIT 1);
-- case: delete-one-row
-- truth: safe
DELETE FROM items WHERE id = 2;
-- case: delete-batch-by-limit
-- truth: safe
DELETE FROM items WHERE ctid = ANY (ARRAY(SELECT ctid FROM items WHERE price > 0 LIMIT 1));
-- case: select
-- truth: safe
SELECT count(*) FROM items;
-- case: alter-one-table-in-transaction
-- truth: safe
BEGIN;
SET LOCAL lock_timeout = '2s';
ALTER TABLE items ADD COLUMN note text;
ALTER TABLE items ALTER COLUMN note SET DEFAULT '';
COMMIT;
-- case: alter-two-tables-apart
-- truth: safe
BEGIN; ALTER TABLE items ADD COLUMN note text; COMMIT;
BEGIN; ALTER TABLE users ADD COLUMN note text; COMMIT;
-- case: alter-then-backfill-one-row
-- truth: safe
BEGIN;
ALTER TABLE items ADD COLUMN note text;
UPDATE items SET note = 'x' WHERE id = 1;
COMMIT;
-- case: rolled-back-index
-- truth: safe
BEGIN;
CREATE TABLE notes (id int);
ROLLBACK;
CREATE TABLE notes (id int);
-- case: savepoint-released
-- truth: safe
BEGIN;
SAVEPOINT one;
ALTER TABLE items ADD COLUMN note text;
RELEASE one;
COMMIT;
-- case: lock-weak
-- truth: safe
BEGIN;
LOCK TABLE items IN SHARE UPDATE EXCLUSIVE MODE;
COMMIT;
-- case: lock-row-share
-- truth: safe
BEGIN;
LOCK TABLE items IN ROW SHARE MODE;
SELECT id FROM items WHERE id = 1 FOR UPDATE;
COMMIT;
-- case: trigger-with-timeout
-- truth: safe
SET lock_timeout = '2s';
CREATE TRIGGER noted AFTER INSERT ON users FOR EACH ROW EXECUTE FUNCTION touch();
-- case: drop-trigger-with-timeout
-- truth: safe
SET lock_timeout = '2s';
DROP TRIGGER touched ON items;
-- case: disable-trigger-with-timeout
-- truth: safe
BEGIN;
SET LOCAL lock_timeout = '500ms';
ALTER TABLE items DISABLE TRIGGER touched;
COMMIT;
-- case: policy-with-timeout
-- truth: safe
SET lock_timeout = '2s';
CREATE POLICY own ON items USING (id > 0);
-- case: new-sequence
-- truth: safe
CREATE SEQUENCE tickets;
-- case: new-schema
-- truth: safe
CREATE SCHEMA audit;
CREATE TABLE audit.log (id bigint PRIMARY KEY, line text);
-- case: set-search-path
-- truth: safe
SET search_path = public;
ALTER TABLE items ADD COLUMN note text;
-- case: empty
-- truth: safe
-- nothing to do
-- case: comment-only-block
-- truth: safe
/* one day */
SELECT 1;
-- case: do-select
-- truth: safe
DO $$ DECLARE n int; BEGIN SELECT count(*) INTO n FROM items; RAISE NOTICE '%', n; END $$;
-- case: refresh-statistics
-- truth: safe
ALTER TABLE items ALTER COLUMN price SET STATISTICS 1000;
ANALYZE items (price);
-- case: create-table-like
-- truth: safe
CREATE TABLE items_2 (LIKE items INCLUDING ALL);
-- case: explain
-- truth: safe
EXPLAIN SELECT * FROM items;
-- case: rename-trigger
-- truth: safe
ALTER TRIGGER touched ON items RENAME TO touched_2;
-- case: lock-timeout-in-transaction
-- truth: safe
BEGIN;
SET LOCAL lock_timeout TO 3000;
ALTER TABLE items ADD COLUMN note text;
COMMIT;
-- case: drop-not-null-with-timeout
-- truth: safe
SET lock_timeout = '2s';
ALTER TABLE users ALTER COLUMN email DROP NOT NULL;
-- case: alter-owner
-- truth: safe
ALTER TABLE items OWNER TO CURRENT_USER;
-- case: empty-transaction
-- truth: safe
BEGIN;
COMMIT;

-- case: update-all
-- truth: rows
UPDATE items SET price = 1;
-- case: update-all-where-true
-- truth: rows
UPDATE items SET price = 1 WHERE true;
-- case: update-by-null
-- truth: rows
-- given: INSERT INTO items (id) SELECT generate_series(1, 9);
UPDATE items SET price = 0 WHERE price IS NULL;
-- case: update-by-comparison
-- truth: rows
UPDATE items SET price = price + 1 WHERE price > 0;
-- case: update-from-join
-- truth: rows
UPDATE users SET name = orgs.name FROM orgs WHERE orgs.id = users.org_id;
-- case: update-all-in-do
-- truth: rows
DO $$ BEGIN UPDATE items SET price = 1; END $$;
-- case: delete-all
-- truth: rows
DELETE FROM items;
-- case: delete-by-comparison
-- truth: rows
DELETE FROM items WHERE price < 100;
-- case: delete-with
-- truth: rows
WITH old AS (SELECT id FROM items) DELETE FROM items USING old WHERE old.id = items.id;
-- case: insert-select
-- truth: rows
INSERT INTO items (id, label) SELECT id + 100, email FROM users;
-- case: create-table-as
-- truth: rows
CREATE TABLE items_copy AS SELECT * FROM items;
-- case: merge
-- truth: rows
-- versions: 15-
MERGE INTO items i USING users u ON i.id = u.id WHEN MATCHED THEN UPDATE SET label = u.email;
-- case: alter-then-backfill
-- truth: scan rows
BEGIN;
ALTER TABLE items ADD COLUMN note text;
UPDATE items SET note = label;
COMMIT;
-- case: alter-then-backfill-other-table
-- truth: rows
BEGIN;
ALTER TABLE items ADD COLUMN note text;
UPDATE users SET name = 'x';
COMMIT;
-- case: alter-two-tables
-- truth: several
BEGIN;
ALTER TABLE items ADD COLUMN note text;
ALTER TABLE users ADD COLUMN note text;
COMMIT;
-- case: alter-then-index-other-table
-- truth: build several
BEGIN;
ALTER TABLE items ADD COLUMN note text;
CREATE INDEX users_name ON users (name);
COMMIT;
-- case: lock-table
-- truth: queue
BEGIN;
LOCK TABLE items;
COMMIT;
-- case: lock-exclusive
-- truth: queue scan
BEGIN;
LOCK TABLE items IN EXCLUSIVE MODE;
SELECT count(*) FROM items;
COMMIT;
-- case: lock-share
-- truth: queue
BEGIN;
LOCK TABLE items IN SHARE MODE NOWAIT;
COMMIT;
-- case: lock-outside-transaction
-- truth: error
LOCK TABLE items;
-- case: truncate
-- truth: queue
TRUNCATE items;
-- case: truncate-cascade
-- truth: queue
TRUNCATE orgs CASCADE;
-- case: truncate-referenced
-- truth: error queue
TRUNCATE orgs;
-- case: truncate-with-timeout
-- truth: queue
SET lock_timeout = '2s';
TRUNCATE TABLE items RESTART IDENTITY;
-- case: create-trigger
-- truth: queue
CREATE TRIGGER noted AFTER INSERT ON users FOR EACH ROW EXECUTE FUNCTION touch();
-- case: create-trigger-statement-level
-- truth: queue
CREATE TRIGGER noted AFTER UPDATE ON users FOR EACH STATEMENT EXECUTE FUNCTION touch();
-- case: replace-trigger
-- truth: queue
-- versions: 14-
CREATE OR REPLACE TRIGGER touched BEFORE UPDATE ON items FOR EACH ROW EXECUTE FUNCTION touch();
-- case: drop-trigger
-- truth: queue
DROP TRIGGER touched ON items;
-- case: drop-trigger-if-exists
-- truth: queue
DROP TRIGGER IF EXISTS touched ON items;
-- case: disable-trigger
-- truth: queue
ALTER TABLE items DISABLE TRIGGER touched;
-- case: enable-all-triggers
-- truth: queue
ALTER TABLE items ENABLE TRIGGER ALL;
-- case: create-policy
-- truth: queue
CREATE POLICY own ON items USING (id > 0);
-- case: force-row-security
-- truth: queue
ALTER TABLE items ENABLE ROW LEVEL SECURITY;
-- case: lock-timeout-zero
-- truth: timeout
SET lock_timeout = 0;
ALTER TABLE items ADD COLUMN note text;
-- case: lock-timeout-huge
-- truth: timeout
SET lock_timeout = '1h';
ALTER TABLE items ADD COLUMN note text;
-- case: lock-timeout-local-outside
-- truth: timeout
SET LOCAL lock_timeout = '2s';
ALTER TABLE items ADD COLUMN note text;
-- case: unclosed
-- truth: unclosed
BEGIN;
ALTER TABLE items ADD COLUMN note text;
-- case: nested-begin
-- truth: unclosed
BEGIN;
BEGIN;
ALTER TABLE items ADD COLUMN note text;
COMMIT;
-- case: syntax-error
-- truth: error
ALTER TABEL items ADD COLUMN note text;
-- case: dynamic
-- truth: build
DO $$ BEGIN EXECUTE 'CREATE INDEX items_price ON ' || quote_ident('items') || ' (price)'; END $$;
-- case: dynamic-constant
-- truth: build
DO $$ BEGIN EXECUTE 'CREATE INDEX items_price ON items (price)'; END $$;
-- case: function-called
-- truth: rewrite
CREATE FUNCTION widen() RETURNS void LANGUAGE plpgsql AS $$ BEGIN ALTER TABLE items ALTER COLUMN price TYPE bigint; END $$;
SELECT widen();
-- case: procedure-called
-- truth: rewrite
CREATE PROCEDURE widen() LANGUAGE plpgsql AS $$ BEGIN ALTER TABLE items ALTER COLUMN price TYPE bigint; END $$;
CALL widen();
-- case: procedure-of-schema-called
-- truth: rewrite
-- given: CREATE PROCEDURE widen() LANGUAGE plpgsql AS $$ BEGIN ALTER TABLE items ALTER COLUMN price TYPE bigint; END $$;
CALL widen();
-- case: function-not-called
-- truth: safe
CREATE FUNCTION widen() RETURNS void LANGUAGE plpgsql AS $$ BEGIN ALTER TABLE items ALTER COLUMN price TYPE bigint; END $$;
-- case: rollback-to-savepoint-then-index
-- truth: build
BEGIN;
SAVEPOINT one;
CREATE TABLE fresh (id int);
ROLLBACK TO one;
CREATE INDEX items_price ON items (price);
COMMIT;
-- case: slow-work-after-brief-lock
-- truth: scan
BEGIN;
ALTER TABLE items ADD COLUMN note text;
SELECT count(*) FROM items;
COMMIT;
-- case: insert-select-in-alter-transaction
-- truth: rows
BEGIN;
ALTER TABLE items ADD COLUMN note text;
INSERT INTO items (id, label) SELECT id + 100, email FROM users;
COMMIT;
-- case: drop-column-of-referencing-table
-- truth: queue compatibility
-- old: SELECT org_id FROM users
ALTER TABLE users DROP COLUMN org_id;
-- case: drop-referencing-table
-- truth: queue compatibility
-- old: SELECT id FROM users
DROP TABLE users;
