-- schema: shop
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE DOMAIN posint AS int CHECK (VALUE > 0);
CREATE DOMAIN label AS text;
CREATE DOMAIN given AS text NOT NULL;
CREATE FUNCTION steady() RETURNS int LANGUAGE sql STABLE AS 'SELECT 1 + length(current_user)';
CREATE FUNCTION shaky() RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN 1; END';
CREATE FUNCTION fixed() RETURNS int LANGUAGE sql AS 'SELECT 7';
CREATE TABLE orgs (id bigint PRIMARY KEY, name text NOT NULL);
CREATE TABLE users (id bigint PRIMARY KEY, org_id bigint REFERENCES orgs, email varchar(255) NOT NULL UNIQUE,
  name varchar(50), age int, active boolean DEFAULT true);
CREATE INDEX users_name ON users (name);

-- case: add-nullable-column
-- truth: safe
ALTER TABLE users ADD COLUMN nickname text;
-- case: add-nullable-column-explicit-null
-- truth: safe
ALTER TABLE users ADD COLUMN nickname text NULL DEFAULT NULL;
-- case: add-column-constant-default
-- truth: safe
ALTER TABLE users ADD COLUMN level int DEFAULT 3;
-- case: add-column-constant-default-not-null
-- truth: safe
ALTER TABLE users ADD COLUMN level int NOT NULL DEFAULT 3;
-- case: add-column-array-default
-- truth: safe
ALTER TABLE users ADD COLUMN tags text[] NOT NULL DEFAULT '{}';
-- case: add-column-constant-expression
-- truth: safe
ALTER TABLE users ADD COLUMN seconds int DEFAULT 60 * 60 * 24;
-- case: add-column-cast-default
-- truth: safe
ALTER TABLE users ADD COLUMN settings jsonb NOT NULL DEFAULT '{}'::jsonb;
-- case: add-column-now
-- truth: safe
ALTER TABLE users ADD COLUMN created_at timestamptz NOT NULL DEFAULT now();
-- case: add-column-current-timestamp
-- truth: safe
ALTER TABLE users ADD COLUMN created_at timestamptz DEFAULT CURRENT_TIMESTAMP;
-- case: add-column-current-date
-- truth: safe
ALTER TABLE users ADD COLUMN day date DEFAULT current_date;
-- case: add-column-current-user
-- truth: safe
ALTER TABLE users ADD COLUMN made_by text DEFAULT current_user;
-- case: add-column-now-arithmetic
-- truth: safe
ALTER TABLE users ADD COLUMN expires timestamptz DEFAULT now() + interval '30 days';
-- case: add-column-transaction-timestamp
-- truth: safe
ALTER TABLE users ADD COLUMN made timestamptz DEFAULT transaction_timestamp();
-- case: add-column-statement-timestamp
-- truth: safe
ALTER TABLE users ADD COLUMN made timestamptz DEFAULT statement_timestamp();
-- case: add-column-lower
-- truth: safe
ALTER TABLE users ADD COLUMN kind text DEFAULT lower('PLAIN');
-- case: add-column-md5
-- truth: safe
ALTER TABLE users ADD COLUMN hash text DEFAULT md5('x');
-- case: add-column-stable-function
-- truth: safe
ALTER TABLE users ADD COLUMN width int DEFAULT steady();
-- case: add-column-inlined-constant-function
-- truth: safe
ALTER TABLE users ADD COLUMN width int DEFAULT fixed();
-- case: add-column-stable-function-in-script
-- truth: safe
CREATE FUNCTION region() RETURNS text LANGUAGE sql STABLE AS $$ SELECT current_setting('server_version') $$;
ALTER TABLE users ADD COLUMN region text DEFAULT region();
-- case: add-column-immutable-function-in-script
-- truth: safe
CREATE FUNCTION region() RETURNS text IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN RETURN 'eu'; END $$;
ALTER TABLE users ADD COLUMN region text DEFAULT region();
-- case: add-column-case-default
-- truth: safe
ALTER TABLE users ADD COLUMN grade text DEFAULT CASE WHEN true THEN 'a' ELSE 'b' END;
-- case: add-column-coalesce-default
-- truth: safe
ALTER TABLE users ADD COLUMN grade text DEFAULT coalesce(NULL, 'a');
-- case: add-column-schema-qualified
-- truth: safe
ALTER TABLE public.users ADD COLUMN nickname varchar(40) DEFAULT '';
-- case: add-column-quoted
-- truth: safe
-- given: CREATE TABLE "Order Items" (id bigint PRIMARY KEY, "Qty" int);
ALTER TABLE "Order Items" ADD COLUMN "Unit Price" numeric(10,2) DEFAULT 0;
-- case: add-column-if-not-exists
-- truth: safe
ALTER TABLE users ADD COLUMN IF NOT EXISTS nickname text;
-- case: add-column-if-table-exists
-- truth: safe
ALTER TABLE IF EXISTS users ADD COLUMN nickname text;
-- case: add-several-columns
-- truth: safe
ALTER TABLE users ADD COLUMN a int, ADD COLUMN b text DEFAULT 'x', ADD COLUMN c timestamptz DEFAULT now();
-- case: add-column-plain-domain
-- truth: safe
ALTER TABLE users ADD COLUMN title label;
-- case: add-column-plain-domain-default
-- truth: safe
ALTER TABLE users ADD COLUMN title label DEFAULT 'none';
-- case: add-column-plain-domain-in-script
-- truth: safe
CREATE DOMAIN short AS varchar(10);
ALTER TABLE users ADD COLUMN title short;
-- case: add-column-enum
-- truth: safe
ALTER TABLE users ADD COLUMN feels mood DEFAULT 'happy';
-- case: add-column-enum-in-script
-- truth: safe
CREATE TYPE tint AS ENUM ('red', 'blue');
ALTER TABLE users ADD COLUMN tint tint NOT NULL DEFAULT 'red';
-- case: add-column-virtual
-- truth: safe
-- versions: 18-
ALTER TABLE users ADD COLUMN doubled int GENERATED ALWAYS AS (age * 2) VIRTUAL;
-- case: add-column-virtual-by-default
-- truth: safe
-- versions: 18-
ALTER TABLE users ADD COLUMN doubled int GENERATED ALWAYS AS (age * 2);
-- case: add-column-references-no-default
-- truth: safe
ALTER TABLE users ADD COLUMN manager_id bigint REFERENCES orgs;
-- case: add-column-references-null-default
-- truth: scan
SET lock_timeout = '2s';
ALTER TABLE users ADD COLUMN manager_id bigint DEFAULT NULL REFERENCES orgs (id);
-- case: add-column-with-timeout
-- truth: safe
SET lock_timeout = '1s';
ALTER TABLE users ADD COLUMN nickname text;
-- case: add-column-collate
-- truth: safe
ALTER TABLE users ADD COLUMN sorted text COLLATE "C";
-- case: add-column-compression-later
-- truth: safe
ALTER TABLE users ADD COLUMN blob bytea;
ALTER TABLE users ALTER COLUMN blob SET STORAGE EXTERNAL;
-- case: add-column-then-default
-- truth: safe
-- versions: 13-
ALTER TABLE users ADD COLUMN token uuid;
ALTER TABLE users ALTER COLUMN token SET DEFAULT gen_random_uuid();
-- case: add-column-then-volatile-default
-- truth: safe
ALTER TABLE users ADD COLUMN lucky float8;
ALTER TABLE users ALTER COLUMN lucky SET DEFAULT random();
-- case: add-column-with-old-insert
-- truth: safe
-- old: INSERT INTO users (id, email) VALUES (90, 'new@example.org')
-- old: SELECT id, email, name FROM users
ALTER TABLE users ADD COLUMN level int NOT NULL DEFAULT 1;
-- case: add-column-smallint-default
-- truth: safe
ALTER TABLE users ADD COLUMN rank smallint NOT NULL DEFAULT '5';
-- case: add-column-timezone-call
-- truth: safe
ALTER TABLE users ADD COLUMN made timestamp DEFAULT timezone('utc', now());
-- case: add-column-at-time-zone
-- truth: safe
ALTER TABLE users ADD COLUMN made timestamp NOT NULL DEFAULT (now() AT TIME ZONE 'utc');
-- case: add-column-date-trunc
-- truth: safe
ALTER TABLE users ADD COLUMN month date DEFAULT date_trunc('month', now());

-- case: add-column-gen-random-uuid
-- truth: rewrite
-- versions: 13-
ALTER TABLE users ADD COLUMN token uuid DEFAULT gen_random_uuid();
-- case: add-column-gen-random-uuid-not-null
-- truth: rewrite
-- versions: 13-
ALTER TABLE users ADD COLUMN token uuid NOT NULL DEFAULT gen_random_uuid();
-- case: add-column-clock-timestamp
-- truth: rewrite
ALTER TABLE users ADD COLUMN made timestamptz DEFAULT clock_timestamp();
-- case: add-column-timeofday
-- truth: rewrite
ALTER TABLE users ADD COLUMN made text DEFAULT timeofday();
-- case: add-column-random
-- truth: rewrite
ALTER TABLE users ADD COLUMN lucky float8 DEFAULT random();
-- case: add-column-random-expression
-- truth: rewrite
ALTER TABLE users ADD COLUMN lucky int DEFAULT (1 + floor(random() * 6))::int;
-- case: add-column-md5-random
-- truth: rewrite
ALTER TABLE users ADD COLUMN token text DEFAULT md5(random()::text);
-- case: add-column-nextval
-- truth: rewrite
-- given: CREATE SEQUENCE numbers;
ALTER TABLE users ADD COLUMN number bigint DEFAULT nextval('numbers');
-- case: add-column-volatile-function
-- truth: rewrite
ALTER TABLE users ADD COLUMN width int DEFAULT shaky();
-- case: add-column-volatile-function-in-script
-- truth: rewrite
CREATE FUNCTION pick() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN 4; END $$;
ALTER TABLE users ADD COLUMN width int DEFAULT pick();
-- case: add-column-volatile-qualified
-- truth: rewrite
CREATE FUNCTION public.pick() RETURNS int VOLATILE LANGUAGE plpgsql AS $$ BEGIN RETURN 4; END $$;
ALTER TABLE users ADD COLUMN width int DEFAULT public.pick();
-- case: add-column-serial
-- truth: rewrite
ALTER TABLE users ADD COLUMN number serial;
-- case: add-column-bigserial
-- truth: rewrite
ALTER TABLE users ADD COLUMN number bigserial NOT NULL;
-- case: add-column-smallserial
-- truth: rewrite
ALTER TABLE users ADD COLUMN number smallserial;
-- case: add-column-identity
-- truth: rewrite
ALTER TABLE users ADD COLUMN number bigint GENERATED BY DEFAULT AS IDENTITY;
-- case: add-column-identity-always
-- truth: rewrite
ALTER TABLE users ADD COLUMN number int GENERATED ALWAYS AS IDENTITY (START WITH 100);
-- case: add-column-stored
-- truth: rewrite
ALTER TABLE users ADD COLUMN doubled int GENERATED ALWAYS AS (age * 2) STORED;
-- case: add-column-stored-text
-- truth: rewrite
ALTER TABLE users ADD COLUMN search tsvector GENERATED ALWAYS AS (to_tsvector('english', coalesce(name, ''))) STORED;
-- case: add-column-constrained-domain
-- truth: rewrite
ALTER TABLE users ADD COLUMN points posint;
-- case: add-column-constrained-domain-default
-- truth: rewrite
ALTER TABLE users ADD COLUMN points posint DEFAULT 1;
-- case: add-column-constrained-domain-in-script
-- truth: rewrite
CREATE DOMAIN percentage AS int CHECK (VALUE BETWEEN 0 AND 100);
ALTER TABLE users ADD COLUMN share percentage;
-- case: add-column-not-null-domain
-- truth: rewrite
ALTER TABLE users ADD COLUMN title given DEFAULT 'x';
-- case: add-one-volatile-of-several
-- truth: rewrite
ALTER TABLE users ADD COLUMN a int, ADD COLUMN lucky float8 DEFAULT random();
-- case: add-column-check
-- truth: scan
ALTER TABLE users ADD COLUMN level int CHECK (level > 0);
-- case: add-column-default-check
-- truth: scan
ALTER TABLE users ADD COLUMN level int DEFAULT 1 CHECK (level > 0);
-- case: add-column-named-check
-- truth: scan
ALTER TABLE users ADD COLUMN level int NOT NULL DEFAULT 1 CONSTRAINT level_range CHECK (level BETWEEN 0 AND 9);
-- case: add-column-and-check
-- truth: scan
ALTER TABLE users ADD COLUMN level int DEFAULT 1, ADD CONSTRAINT level_range CHECK (level BETWEEN 0 AND 9);
-- case: add-column-unique
-- truth: build
ALTER TABLE users ADD COLUMN handle text UNIQUE;
-- case: add-column-unique-named
-- truth: build
ALTER TABLE users ADD COLUMN handle text CONSTRAINT users_handle UNIQUE;
-- case: add-column-primary-key
-- truth: build
-- given: CREATE TABLE logs (line text); INSERT INTO logs SELECT 'a';
ALTER TABLE logs ADD COLUMN id int DEFAULT 1 PRIMARY KEY;
-- case: add-column-identity-primary-key
-- truth: rewrite
-- given: CREATE TABLE logs (line text);
ALTER TABLE logs ADD COLUMN id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY;
-- case: add-column-references-default
-- truth: scan
ALTER TABLE users ADD COLUMN main_org bigint DEFAULT 1 REFERENCES orgs;
-- case: add-column-references-default-timeout
-- truth: scan
SET lock_timeout = '2s';
ALTER TABLE users ADD COLUMN main_org bigint NOT NULL DEFAULT 1 REFERENCES orgs (id);
-- case: add-column-virtual-not-null
-- truth: scan
-- versions: 18-
ALTER TABLE users ADD COLUMN doubled int GENERATED ALWAYS AS (age * 2) VIRTUAL NOT NULL;
-- case: add-column-virtual-check
-- truth: scan
-- versions: 18-
ALTER TABLE users ADD COLUMN doubled int GENERATED ALWAYS AS (age * 2) VIRTUAL CHECK (doubled > 0);
-- case: add-required-column
-- truth: error
-- old: INSERT INTO users (id, email) VALUES (90, 'new@example.org')
ALTER TABLE users ADD COLUMN level int NOT NULL;
-- case: add-required-column-empty-table
-- truth: compatibility
-- given: CREATE TABLE fresh (id bigint PRIMARY KEY, body text, CHECK (id < 0));
-- old: INSERT INTO fresh (id, body) VALUES (-1, 'x')
ALTER TABLE fresh ADD COLUMN level int NOT NULL;
-- case: add-required-column-several
-- truth: error
ALTER TABLE users ADD COLUMN a int, ADD COLUMN b text NOT NULL;
-- case: add-default-then-drop-it
-- truth: compatibility
-- old: INSERT INTO users (id, email) VALUES (90, 'new@example.org')
ALTER TABLE users ADD COLUMN level int NOT NULL DEFAULT 1;
ALTER TABLE users ALTER COLUMN level DROP DEFAULT;
-- case: add-default-then-drop-it-in-transaction
-- truth: compatibility
-- old: INSERT INTO users (id, email) VALUES (90, 'new@example.org')
BEGIN;
ALTER TABLE users ADD COLUMN level int DEFAULT 1 NOT NULL;
ALTER TABLE users ALTER COLUMN level DROP DEFAULT;
COMMIT;
-- case: add-nullable-default-then-drop-it
-- truth: safe
-- old: INSERT INTO users (id, email) VALUES (90, 'new@example.org')
BEGIN;
ALTER TABLE users ADD COLUMN level int DEFAULT 1;
ALTER TABLE users ALTER COLUMN level DROP DEFAULT;
COMMIT;
-- case: add-column-if-not-exists-volatile
-- truth: rewrite
ALTER TABLE users ADD COLUMN IF NOT EXISTS lucky float8 DEFAULT random();
-- case: add-column-volatile-in-do
-- truth: rewrite
DO $$ BEGIN
  ALTER TABLE users ADD COLUMN lucky float8 DEFAULT random();
END $$;
-- case: add-column-in-do
-- truth: safe
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM information_schema.columns WHERE table_name = 'users' AND column_name = 'nickname') THEN
    ALTER TABLE users ADD COLUMN nickname text;
  END IF;
END $$;
-- case: add-column-to-parent-volatile
-- truth: rewrite
-- given: CREATE TABLE events (id int, at date) PARTITION BY RANGE (id);
-- given: CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM (0) TO (100);
ALTER TABLE events ADD COLUMN lucky float8 DEFAULT random();
-- case: add-column-to-parent
-- truth: safe
-- given: CREATE TABLE events (id int, at date) PARTITION BY RANGE (id);
-- given: CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM (0) TO (100);
ALTER TABLE events ADD COLUMN note text DEFAULT 'x';
-- case: drop-expression
-- truth: safe
-- versions: 13-
-- given: CREATE TABLE boxes (id int, size int, half int GENERATED ALWAYS AS (size / 2) STORED);
ALTER TABLE boxes ALTER COLUMN half DROP EXPRESSION;
-- case: set-expression
-- truth: rewrite
-- versions: 17-
-- given: CREATE TABLE boxes (id int, size int, half int GENERATED ALWAYS AS (size / 2) STORED);
ALTER TABLE boxes ALTER COLUMN half SET EXPRESSION AS (size / 3);
-- case: set-expression-virtual
-- truth: safe
-- versions: 18-
-- given: CREATE TABLE boxes (id int, size int, half int GENERATED ALWAYS AS (size / 2) VIRTUAL);
ALTER TABLE boxes ALTER COLUMN half SET EXPRESSION AS (size / 3);
-- case: set-default
-- truth: safe
ALTER TABLE users ALTER COLUMN age SET DEFAULT 18;
-- case: set-default-volatile
-- truth: safe
ALTER TABLE users ALTER COLUMN age SET DEFAULT (random() * 100)::int;
-- case: drop-not-null
-- truth: safe
ALTER TABLE users ALTER COLUMN email DROP NOT NULL;
-- case: set-statistics
-- truth: safe
ALTER TABLE users ALTER COLUMN name SET STATISTICS 500;
-- case: set-storage
-- truth: safe
ALTER TABLE users ALTER COLUMN name SET STORAGE EXTERNAL;
-- case: set-column-options
-- truth: safe
ALTER TABLE users ALTER COLUMN name SET (n_distinct = -0.5);
-- case: set-reloptions
-- truth: safe
ALTER TABLE users SET (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.01);
-- case: reset-reloptions
-- truth: safe
ALTER TABLE users RESET (fillfactor);
-- case: autovacuum-off
-- truth: bloat
ALTER TABLE users SET (autovacuum_enabled = false);
-- case: comment-on-table
-- truth: safe
COMMENT ON TABLE users IS 'who signs in';
COMMENT ON COLUMN users.name IS 'as they call themselves';
-- case: create-statistics
-- truth: safe
CREATE STATISTICS users_stats (dependencies) ON org_id, age FROM users;
-- case: analyze
-- truth: safe
ANALYZE users;
-- case: grant-select
-- truth: safe
GRANT SELECT ON users TO PUBLIC;
-- case: add-identity-to-column
-- truth: safe
-- given: CREATE TABLE logs (id bigint NOT NULL, line text);
ALTER TABLE logs ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (START WITH 1000);
-- case: set-default-nextval
-- truth: safe
-- given: CREATE TABLE logs (id bigint NOT NULL, line text);
CREATE SEQUENCE logs_id_seq;
ALTER TABLE logs ALTER COLUMN id SET DEFAULT nextval('logs_id_seq');
ALTER SEQUENCE logs_id_seq OWNED BY logs.id;
