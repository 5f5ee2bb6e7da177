-- schema: shop
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE TABLE orgs (id bigint PRIMARY KEY, name text NOT NULL);
CREATE TABLE users (id bigint PRIMARY KEY, org_id bigint REFERENCES orgs, email text NOT NULL UNIQUE, name text,
  age int DEFAULT 18, feels mood DEFAULT 'sad', body text NOT NULL DEFAULT '');
CREATE VIEW adults AS SELECT id, name FROM users WHERE age > 17;
CREATE FUNCTION greeting() RETURNS text LANGUAGE sql AS $$ SELECT 'hello'::text $$;
CREATE SEQUENCE tickets;
CREATE SCHEMA audit;
CREATE TABLE audit.log (id bigint PRIMARY KEY, line text);

-- case: drop-column
-- truth: compatibility
-- old: SELECT id, name FROM users
-- old: UPDATE users SET name = 'x' WHERE id = 1
-- given: DROP VIEW adults;
ALTER TABLE users DROP COLUMN name;
-- case: drop-column-if-exists
-- truth: compatibility
-- old: SELECT id, body FROM users
ALTER TABLE users DROP COLUMN IF EXISTS body;
-- case: drop-column-not-there
-- truth: safe
-- old: SELECT id, body FROM users
ALTER TABLE users DROP COLUMN IF EXISTS nickname;
-- case: drop-column-qualified
-- truth: compatibility
-- old: SELECT line FROM audit.log
ALTER TABLE audit.log DROP COLUMN line;
-- case: drop-column-with-timeout
-- truth: compatibility
-- old: SELECT id, body FROM users
SET lock_timeout = '2s';
ALTER TABLE users DROP COLUMN body;
-- case: drop-column-under-view
-- truth: error
-- old: SELECT id, name FROM users
ALTER TABLE users DROP COLUMN name;
-- case: drop-column-cascade
-- truth: compatibility
-- old: SELECT id, name FROM adults
ALTER TABLE users DROP COLUMN name CASCADE;
-- case: drop-column-of-composite-unique
-- truth: queue compatibility
-- given: ALTER TABLE users ADD UNIQUE (org_id, email);
-- old: SELECT org_id FROM users
ALTER TABLE users DROP COLUMN org_id;
-- case: drop-column-in-do
-- truth: compatibility
-- old: SELECT id, body FROM users
DO $$ BEGIN ALTER TABLE users DROP COLUMN body; END $$;
-- case: drop-and-add-column
-- truth: compatibility
-- old: SELECT id, body FROM users
-- old: SELECT body || name FROM users
ALTER TABLE users DROP COLUMN body, ADD COLUMN content text;
-- case: drop-table
-- truth: compatibility
-- old: SELECT line FROM audit.log
DROP TABLE audit.log;
-- case: drop-table-referenced
-- truth: error
-- old: SELECT name FROM orgs
DROP TABLE orgs;
-- case: drop-table-cascade
-- truth: queue compatibility
-- old: SELECT name FROM orgs
DROP TABLE orgs CASCADE;
-- case: drop-table-if-exists
-- truth: compatibility
-- old: SELECT line FROM audit.log
DROP TABLE IF EXISTS audit.log;
-- case: drop-table-not-there
-- truth: safe
DROP TABLE IF EXISTS leftovers;
-- case: drop-new-table
-- truth: safe
CREATE TABLE draft (id int);
DROP TABLE draft;
-- case: drop-temporary-table
-- truth: safe
CREATE TEMP TABLE draft (id int);
DROP TABLE draft;
-- case: drop-temporary-table-of-same-name
-- truth: safe
CREATE TEMP TABLE users AS SELECT 1 AS id;
DROP TABLE pg_temp.users;
-- case: rename-column
-- truth: compatibility
-- old: SELECT id, body FROM users
ALTER TABLE users RENAME COLUMN body TO content;
-- case: rename-column-short
-- truth: compatibility
-- old: SELECT id, age FROM users
ALTER TABLE users RENAME age TO years;
-- case: rename-column-under-view
-- truth: compatibility
-- old: SELECT id, name FROM users
-- old: SELECT id, name FROM adults
ALTER TABLE users RENAME name TO full_name;
-- case: rename-column-of-view
-- truth: compatibility
-- versions: 13-
-- old: SELECT name FROM adults
ALTER VIEW adults RENAME COLUMN name TO full_name;
-- case: rename-table
-- truth: compatibility
-- old: SELECT id FROM users
ALTER TABLE users RENAME TO members;
-- case: rename-table-quoted
-- truth: compatibility
-- given: CREATE TABLE "Invoices" (id int);
-- old: SELECT id FROM "Invoices"
ALTER TABLE "Invoices" RENAME TO invoices;
-- case: rename-table-with-view
-- truth: safe
-- old: SELECT id, line FROM audit.log
-- old: INSERT INTO audit.log VALUES (90, 'x')
BEGIN;
ALTER TABLE audit.log RENAME TO log_2;
CREATE VIEW audit.log AS SELECT id, line FROM audit.log_2;
COMMIT;
-- case: rename-view
-- truth: compatibility
-- old: SELECT id FROM adults
ALTER VIEW adults RENAME TO grown_ups;
-- case: rename-new-table
-- truth: safe
BEGIN;
CREATE TABLE draft (id int);
ALTER TABLE draft RENAME TO final;
COMMIT;
-- case: set-schema
-- truth: compatibility
-- old: SELECT id FROM users
ALTER TABLE users SET SCHEMA audit;
-- case: rename-schema
-- truth: compatibility
-- old: SELECT line FROM audit.log
ALTER SCHEMA audit RENAME TO journal;
-- case: drop-schema
-- truth: compatibility
-- old: SELECT line FROM audit.log
DROP SCHEMA audit CASCADE;
-- case: drop-default
-- truth: compatibility
-- given: ALTER TABLE users ALTER COLUMN age SET NOT NULL;
-- old: INSERT INTO users (id, email) VALUES (90, 'new')
ALTER TABLE users ALTER COLUMN age DROP DEFAULT;
-- case: drop-default-of-required-column
-- truth: compatibility
-- old: INSERT INTO users (id, email) VALUES (90, 'new')
ALTER TABLE users ALTER COLUMN body DROP DEFAULT;
-- case: drop-default-not-there
-- truth: safe
-- old: INSERT INTO users (id, email) VALUES (90, 'new')
ALTER TABLE users ALTER COLUMN name DROP DEFAULT;
-- case: drop-identity
-- truth: compatibility
-- given: CREATE TABLE notes (id bigint GENERATED BY DEFAULT AS IDENTITY (START WITH 100) PRIMARY KEY, body text);
-- old: INSERT INTO notes (body) VALUES ('x')
ALTER TABLE notes ALTER COLUMN id DROP IDENTITY;
-- case: rename-enum-value
-- truth: compatibility
-- old: INSERT INTO users (id, email, feels) VALUES (90, 'new', 'sad')
ALTER TYPE mood RENAME VALUE 'sad' TO 'blue';
-- case: add-enum-value
-- truth: safe
-- old: INSERT INTO users (id, email, feels) VALUES (90, 'new', 'sad')
ALTER TYPE mood ADD VALUE 'calm';
-- case: add-enum-value-before
-- truth: safe
ALTER TYPE mood ADD VALUE IF NOT EXISTS 'calm' BEFORE 'happy';
-- case: add-enum-value-in-transaction
-- truth: safe
BEGIN;
ALTER TYPE mood ADD VALUE 'calm';
COMMIT;
-- case: add-enum-value-then-use-it
-- truth: safe
ALTER TYPE mood ADD VALUE 'calm';
INSERT INTO users (id, email, feels) VALUES (90, 'new', 'calm');
-- case: use-enum-value-at-once
-- truth: error
BEGIN;
ALTER TYPE mood ADD VALUE 'calm';
INSERT INTO users (id, email, feels) VALUES (90, 'new', 'calm');
COMMIT;
-- case: use-enum-value-as-default-at-once
-- truth: error
BEGIN;
ALTER TYPE mood ADD VALUE 'calm';
ALTER TABLE users ALTER COLUMN feels SET DEFAULT 'calm';
COMMIT;
-- case: use-enum-value-in-update-at-once
-- truth: error
BEGIN;
ALTER TYPE mood ADD VALUE 'calm';
UPDATE users SET feels = 'calm' WHERE id = 1;
COMMIT;
-- case: use-enum-value-of-new-type
-- truth: safe
-- versions: 17-
BEGIN;
CREATE TYPE tint AS ENUM ('red');
ALTER TYPE tint ADD VALUE 'blue';
CREATE TABLE tints (t tint DEFAULT 'blue');
COMMIT;
-- case: rename-type
-- truth: compatibility
-- old: SELECT 'sad'::mood
ALTER TYPE mood RENAME TO feeling;
-- case: drop-type
-- truth: compatibility
-- old: SELECT 'sad'::mood
DROP TYPE mood CASCADE;
-- case: drop-view
-- truth: compatibility
-- old: SELECT id FROM adults
DROP VIEW adults;
-- case: drop-view-if-exists
-- truth: compatibility
-- old: SELECT id FROM adults
DROP VIEW IF EXISTS adults;
-- case: replace-view-with-more-columns
-- truth: safe
-- old: SELECT id, name FROM adults
CREATE OR REPLACE VIEW adults AS SELECT id, name, age FROM users WHERE age > 17;
-- case: replace-view-with-fewer-columns
-- truth: error
-- old: SELECT id, name FROM adults
CREATE OR REPLACE VIEW adults AS SELECT id FROM users WHERE age > 17;
-- case: drop-and-create-view
-- truth: safe
-- old: SELECT id, name FROM adults
BEGIN;
DROP VIEW adults;
CREATE VIEW adults AS SELECT id, name, age FROM users WHERE age > 17;
COMMIT;
-- case: create-view
-- truth: safe
CREATE VIEW names AS SELECT name FROM users;
-- case: drop-function
-- truth: compatibility
-- old: SELECT greeting()
DROP FUNCTION greeting();
-- case: rename-function
-- truth: compatibility
-- old: SELECT greeting()
ALTER FUNCTION greeting() RENAME TO welcome;
-- case: replace-function
-- truth: safe
-- old: SELECT greeting()
CREATE OR REPLACE FUNCTION greeting() RETURNS text LANGUAGE sql AS $$ SELECT 'good day'::text $$;
-- case: create-function
-- truth: safe
CREATE FUNCTION farewell(who text) RETURNS text LANGUAGE sql AS $$ SELECT 'bye ' || who $$;
-- case: drop-and-create-function
-- truth: safe
-- old: SELECT greeting()
BEGIN;
DROP FUNCTION greeting();
CREATE FUNCTION greeting() RETURNS text LANGUAGE sql AS $$ SELECT 'good day'::text $$;
COMMIT;
-- case: drop-sequence
-- truth: compatibility
-- old: SELECT nextval('tickets')
DROP SEQUENCE tickets;
-- case: drop-unique-used-by-upsert
-- truth: compatibility
-- old: INSERT INTO users (id, email) VALUES (90, 'x1') ON CONFLICT (email) DO NOTHING
ALTER TABLE users DROP CONSTRAINT users_email_key;
-- case: drop-primary-key-used-by-upsert
-- truth: compatibility
-- given: ALTER TABLE audit.log ADD UNIQUE (line);
-- old: INSERT INTO audit.log (id) VALUES (1) ON CONFLICT (id) DO NOTHING
ALTER TABLE audit.log DROP CONSTRAINT log_pkey;
-- case: revoke
-- truth: compatibility
-- old: SET LOCAL ROLE pg_monitor; SELECT name FROM orgs
-- given: GRANT SELECT ON orgs TO pg_monitor; GRANT USAGE ON SCHEMA public TO PUBLIC;
REVOKE SELECT ON orgs FROM pg_monitor;
-- case: enable-row-security
-- truth: compatibility
-- given: GRANT SELECT ON orgs TO pg_monitor; GRANT USAGE ON SCHEMA public TO PUBLIC;
-- old: SET LOCAL ROLE pg_monitor; SELECT 1 / count(*) FROM orgs
SET lock_timeout = '2s';
ALTER TABLE orgs ENABLE ROW LEVEL SECURITY;
-- case: enable-row-security-after-policy
-- truth: safe
-- given: GRANT SELECT ON orgs TO pg_monitor; GRANT USAGE ON SCHEMA public TO PUBLIC;
-- old: SET LOCAL ROLE pg_monitor; SELECT 1 / count(*) FROM orgs
SET lock_timeout = '2s';
CREATE POLICY everyone ON orgs USING (true);
ALTER TABLE orgs ENABLE ROW LEVEL SECURITY;
-- case: set-not-null-breaks-writers
-- truth: safe
-- given: ALTER TABLE users ADD CONSTRAINT name_given CHECK (name IS NOT NULL) NOT VALID;
ALTER TABLE users VALIDATE CONSTRAINT name_given;
-- case: rename-attribute
-- truth: compatibility
-- given: CREATE TYPE pair AS (a int, b int); CREATE TABLE pairs (id int, p pair); INSERT INTO pairs VALUES (1, '(1,2)');
-- old: SELECT (p).a FROM pairs
ALTER TYPE pair RENAME ATTRIBUTE a TO first;
-- case: replica-identity-nothing
-- truth: compatibility
-- given: CREATE PUBLICATION changes FOR TABLE audit.log;
-- old: UPDATE audit.log SET line = 'x' WHERE id = 1
ALTER TABLE audit.log REPLICA IDENTITY NOTHING;
-- case: replica-identity-full
-- truth: safe
-- given: CREATE PUBLICATION changes FOR TABLE audit.log;
-- old: UPDATE audit.log SET line = 'x' WHERE id = 1
ALTER TABLE audit.log REPLICA IDENTITY FULL;
-- case: drop-primary-key-of-published
-- truth: compatibility
-- given: CREATE PUBLICATION changes FOR TABLE audit.log;
-- old: UPDATE audit.log SET line = 'x' WHERE id = 1
ALTER TABLE audit.log DROP CONSTRAINT log_pkey;
-- case: publish-table
-- truth: safe
-- given: CREATE PUBLICATION changes;
ALTER PUBLICATION changes ADD TABLE users;
-- case: generated-always-breaks-writers
-- truth: compatibility
-- given: CREATE TABLE notes (id bigint NOT NULL, body text);
-- old: INSERT INTO notes (id, body) VALUES (9, 'x')
ALTER TABLE notes ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY;
