-- schema: shop
CREATE TABLE orgs (id bigint PRIMARY KEY, name text NOT NULL);
CREATE TABLE users (id bigint PRIMARY KEY, org_id bigint REFERENCES orgs, email text NOT NULL UNIQUE, name text, status text DEFAULT 'new', score int);
CREATE TABLE base (id int, note text);
CREATE TABLE derived (more int) INHERITS (base);
CREATE VIEW names AS SELECT id, name FROM users;
CREATE SEQUENCE tickets AS int;
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';

-- case: table-as-without-data
-- truth: safe
CREATE TABLE users_2 AS SELECT * FROM users WITH NO DATA;
-- case: insert-select-limit
-- truth: safe
INSERT INTO orgs SELECT id + 100, email FROM users ORDER BY id LIMIT 2;
-- case: insert-select-generated
-- truth: safe
INSERT INTO orgs SELECT 200 + n, 'x' FROM generate_series(1, 2) AS given (n);
-- case: insert-on-conflict
-- truth: safe
INSERT INTO orgs VALUES (1, 'a'), (2, 'b') ON CONFLICT (id) DO UPDATE SET name = excluded.name;
-- case: insert-where-not-exists
-- truth: safe
INSERT INTO orgs SELECT 300, 'c' WHERE NOT EXISTS (SELECT FROM orgs WHERE id = 300);
-- case: update-by-unique
-- truth: safe
UPDATE users SET name = 'x' WHERE email = 'x1';
-- case: update-by-common-value
-- truth: rows
-- given: INSERT INTO users (id, email) SELECT n, n FROM generate_series(1, 9) AS given (n);
UPDATE users SET status = 'open' WHERE status = 'new';
-- case: delete-by-common-value
-- truth: rows
-- given: INSERT INTO users (id, email) SELECT n, n FROM generate_series(1, 9) AS given (n);
DELETE FROM users WHERE status = 'new';
-- case: update-by-many-keys-in-query
-- truth: rows
UPDATE users SET score = 0 WHERE id IN (SELECT id FROM users WHERE score > 0);
-- case: add-column-to-inheritance-parent
-- truth: safe
ALTER TABLE base ADD COLUMN kind text DEFAULT 'x';
-- case: volatile-column-of-inheritance-parent
-- truth: rewrite
ALTER TABLE base ADD COLUMN lucky float8 DEFAULT random();
-- case: check-of-inheritance-parent
-- truth: scan
ALTER TABLE base ADD CONSTRAINT base_id CHECK (id > 0);
-- case: check-of-inheritance-parent-not-valid
-- truth: safe
ALTER TABLE base ADD CONSTRAINT base_id CHECK (id > 0) NOT VALID;
-- case: alter-only-parent
-- truth: safe
ALTER TABLE ONLY base ALTER COLUMN note SET DEFAULT 'x';
-- case: alter-sequence
-- truth: safe
ALTER SEQUENCE tickets RESTART WITH 1000;
-- case: alter-sequence-type
-- truth: safe
ALTER SEQUENCE tickets AS bigint;
-- case: setval
-- truth: safe
SELECT setval('tickets', 100);
-- case: quoted-table-is-another
-- truth: build
BEGIN;
CREATE TABLE "Users" (id bigint, name text);
CREATE INDEX users_by_name ON users (name);
COMMIT;
-- case: quoted-new-table
-- truth: safe
BEGIN;
CREATE TABLE "Users" (id bigint, name text);
CREATE INDEX ON "Users" (name);
COMMIT;
-- case: view-is-replaced-in-transaction
-- truth: safe
-- old: SELECT id FROM names
BEGIN;
DROP VIEW names;
ALTER TABLE users ALTER COLUMN name TYPE varchar;
CREATE VIEW names AS SELECT id, name FROM users;
COMMIT;
-- case: swap-tables
-- truth: safe
-- old: SELECT id FROM base
BEGIN;
CREATE TABLE base_2 (id int, note text);
ALTER TABLE base RENAME TO base_1;
ALTER TABLE base_2 RENAME TO base;
COMMIT;
-- case: table-committed-before
-- truth: build
BEGIN;
CREATE TABLE notes (id bigint PRIMARY KEY, body text);
COMMIT;
CREATE INDEX notes_body ON notes (body);
-- case: foreign-key-not-valid-and-validated-at-once
-- truth: scan
ALTER TABLE base ADD COLUMN org_id bigint;
ALTER TABLE base ADD CONSTRAINT base_org FOREIGN KEY (org_id) REFERENCES orgs NOT VALID, VALIDATE CONSTRAINT base_org;
-- case: proof-then-set-then-drop-in-one-transaction
-- truth: scan
-- given: UPDATE users SET score = 1;
BEGIN;
ALTER TABLE users ADD CONSTRAINT score_given CHECK (score IS NOT NULL) NOT VALID;
ALTER TABLE users VALIDATE CONSTRAINT score_given;
ALTER TABLE users ALTER COLUMN score SET NOT NULL;
COMMIT;
-- case: create-rule
-- truth: queue
CREATE RULE quiet AS ON DELETE TO base DO INSTEAD NOTHING;
-- case: drop-policy-with-timeout
-- truth: safe
-- given: CREATE POLICY own ON base USING (true);
SET lock_timeout = '2s';
DROP POLICY own ON base;
-- case: drop-policy
-- truth: queue
-- given: CREATE POLICY own ON base USING (true);
DROP POLICY own ON base;
-- case: no-inherit
-- truth: safe
ALTER TABLE derived NO INHERIT base;
-- case: replica-identity-default
-- truth: safe
ALTER TABLE users REPLICA IDENTITY DEFAULT;
-- case: drop-statistics
-- truth: safe
-- given: CREATE STATISTICS s (dependencies) ON org_id, score FROM users;
DROP STATISTICS s;
-- case: drop-materialized-view
-- truth: compatibility
-- given: CREATE MATERIALIZED VIEW m AS SELECT 1 AS a;
-- old: SELECT a FROM m
DROP MATERIALIZED VIEW m;
-- case: rename-sequence
-- truth: compatibility
-- old: SELECT nextval('tickets')
ALTER SEQUENCE tickets RENAME TO numbers;
-- case: reset-all
-- truth: safe
SET lock_timeout = '2s';
RESET ALL;
SELECT 1;
-- case: lock-timeout-default
-- truth: safe
SET lock_timeout TO DEFAULT;
ALTER TABLE users ADD COLUMN note text;
-- case: drop-constraint-not-there
-- truth: error
ALTER TABLE users DROP CONSTRAINT users_none;
-- case: drop-constraint-if-exists-not-there
-- truth: safe
ALTER TABLE users DROP CONSTRAINT IF EXISTS users_none;
-- case: alter-table-not-there
-- truth: safe
ALTER TABLE IF EXISTS nobody ADD COLUMN a int;
-- case: rename-constraint-index
-- truth: safe
ALTER TABLE users RENAME CONSTRAINT users_email_key TO users_email;
-- case: drop-check-in-use
-- truth: safe
-- given: ALTER TABLE users ADD CONSTRAINT users_score CHECK (score > 0);
ALTER TABLE users DROP CONSTRAINT users_score;
-- case: two-adds-one-statement-two-tables
-- truth: safe
ALTER TABLE users ADD COLUMN a int; ALTER TABLE orgs ADD COLUMN a int;
-- case: savepoint-keeps-lock
-- truth: build several
BEGIN;
SAVEPOINT s;
ALTER TABLE users ADD COLUMN a int;
RELEASE s;
CREATE INDEX ON orgs (name);
COMMIT;
-- case: rollback-to-frees-lock
-- truth: safe
BEGIN;
SAVEPOINT s;
ALTER TABLE users ADD COLUMN a int;
ROLLBACK TO s;
ALTER TABLE orgs ADD COLUMN a int;
COMMIT;
-- case: do-with-exception
-- truth: safe
DO $$ BEGIN
  CREATE TYPE tint AS ENUM ('red');
EXCEPTION WHEN duplicate_object THEN NULL;
END $$;
-- case: do-not-null
-- truth: scan
DO $$ BEGIN
  IF true THEN
    ALTER TABLE users ALTER COLUMN score SET NOT NULL;
  END IF;
END $$;
-- case: do-loop-batches
-- truth: safe
DO $$ BEGIN
  FOR i IN 1..2 LOOP
    UPDATE users SET score = 1 WHERE id = i;
  END LOOP;
END $$;
-- case: perform-function
-- truth: rows
CREATE FUNCTION fix() RETURNS void LANGUAGE plpgsql AS 'BEGIN DELETE FROM users; END';
DO $$ BEGIN PERFORM fix(); END $$;
-- case: sql-function-called
-- truth: rows
CREATE FUNCTION fix() RETURNS void LANGUAGE sql AS 'UPDATE users SET score = 0';
SELECT fix();
