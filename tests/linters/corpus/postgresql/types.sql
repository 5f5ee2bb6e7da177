-- schema: types
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE DOMAIN posint AS int CHECK (VALUE > 0);
CREATE DOMAIN label AS text;
CREATE DOMAIN number AS int;
CREATE TABLE t (id int PRIMARY KEY, v varchar(20), vv varchar, x text, c char(5), i int, s smallint, b bigint,
  n numeric(10,2), nn numeric, ts timestamp, tz timestamptz, ts3 timestamp(3), d date, tm time(2), gap interval(2),
  net cidr, addr inet, j json, jb jsonb, bits varbit(8), m mood, u uuid, flag boolean, f real, r text[], vs varchar(5)[]);
CREATE INDEX t_v ON t (v);
CREATE INDEX t_x ON t (x);

-- case: varchar-grows
-- truth: safe
ALTER TABLE t ALTER COLUMN v TYPE varchar(100);
-- case: varchar-grows-set-data-type
-- truth: safe
ALTER TABLE t ALTER COLUMN v SET DATA TYPE character varying(40);
-- case: varchar-loses-limit
-- truth: safe
ALTER TABLE t ALTER COLUMN v TYPE varchar;
-- case: varchar-to-text
-- truth: safe
ALTER TABLE t ALTER COLUMN v TYPE text;
-- case: varchar-to-text-schema-qualified
-- truth: safe
ALTER TABLE public.t ALTER COLUMN v TYPE text;
-- case: text-to-varchar
-- truth: safe
ALTER TABLE t ALTER COLUMN x TYPE varchar;
-- case: varchar-grows-using-itself
-- truth: safe
ALTER TABLE t ALTER COLUMN v TYPE varchar(100) USING v;
-- case: varchar-to-text-using-cast
-- truth: safe
ALTER TABLE t ALTER COLUMN v TYPE text USING v::text;
-- case: varchar-to-text-old-statements
-- truth: safe
-- old: SELECT v FROM t WHERE v = 'x1'
-- old: UPDATE t SET v = 'short' WHERE id = 1
ALTER TABLE t ALTER COLUMN v TYPE text;
-- case: numeric-grows
-- truth: safe
ALTER TABLE t ALTER COLUMN n TYPE numeric(14,2);
-- case: numeric-loses-limit
-- truth: safe
ALTER TABLE t ALTER COLUMN n TYPE numeric;
-- case: timestamp-to-timestamptz-utc
-- truth: safe
SET timezone = 'UTC';
ALTER TABLE t ALTER COLUMN ts TYPE timestamptz;
-- case: timestamp-to-timestamptz-utc-local
-- truth: safe
BEGIN;
SET LOCAL timezone TO 'UTC';
ALTER TABLE t ALTER COLUMN ts TYPE timestamp with time zone;
COMMIT;
-- case: timestamptz-to-timestamp-utc
-- truth: safe
SET TIME ZONE 'UTC';
ALTER TABLE t ALTER COLUMN tz TYPE timestamp;
-- case: timestamp-precision-grows
-- truth: safe
ALTER TABLE t ALTER COLUMN ts3 TYPE timestamp(6);
-- case: timestamp-loses-precision-limit
-- truth: safe
ALTER TABLE t ALTER COLUMN ts3 TYPE timestamp;
-- case: time-precision-grows
-- truth: safe
ALTER TABLE t ALTER COLUMN tm TYPE time(4);
-- case: interval-precision-grows
-- truth: safe
ALTER TABLE t ALTER COLUMN gap TYPE interval(4);
-- case: varbit-grows
-- truth: safe
ALTER TABLE t ALTER COLUMN bits TYPE varbit(16);
-- case: cidr-to-inet
-- truth: safe
ALTER TABLE t ALTER COLUMN net TYPE inet;
-- case: text-to-plain-domain
-- truth: safe
ALTER TABLE t ALTER COLUMN x TYPE label;
-- case: int-to-plain-domain
-- truth: safe
ALTER TABLE t ALTER COLUMN i TYPE number;
-- case: text-to-plain-domain-in-script
-- truth: safe
CREATE DOMAIN phrase AS text;
ALTER TABLE t ALTER COLUMN x TYPE phrase;
-- case: same-type
-- truth: safe
ALTER TABLE t ALTER COLUMN i TYPE integer;
-- case: varchar-grows-in-do
-- truth: safe
DO $$ BEGIN ALTER TABLE t ALTER COLUMN v TYPE varchar(80); END $$;
-- case: two-free-changes
-- truth: safe
ALTER TABLE t ALTER COLUMN v TYPE varchar(60), ALTER COLUMN n TYPE numeric(12,2);
-- case: varchar-array-grows
-- truth: rewrite
ALTER TABLE t ALTER COLUMN vs TYPE varchar(10)[];
-- case: varchar-grows-with-timeout
-- truth: safe
SET lock_timeout = '2s';
ALTER TABLE t ALTER COLUMN v TYPE varchar(64);
RESET lock_timeout;

-- case: int-to-bigint
-- truth: rewrite
ALTER TABLE t ALTER COLUMN i TYPE bigint;
-- case: smallint-to-int
-- truth: rewrite
ALTER TABLE t ALTER COLUMN s TYPE int;
-- case: bigint-to-int
-- truth: rewrite
ALTER TABLE t ALTER COLUMN b TYPE int;
-- case: varchar-shrinks
-- truth: rewrite
ALTER TABLE t ALTER COLUMN v TYPE varchar(10);
-- case: text-gets-limit
-- truth: rewrite
ALTER TABLE t ALTER COLUMN x TYPE varchar(100);
-- case: varchar-gets-limit
-- truth: rewrite
ALTER TABLE t ALTER COLUMN vv TYPE varchar(100);
-- case: char-grows
-- truth: rewrite
ALTER TABLE t ALTER COLUMN c TYPE char(10);
-- case: char-to-text
-- truth: rewrite
ALTER TABLE t ALTER COLUMN c TYPE text;
-- case: char-to-varchar
-- truth: rewrite
ALTER TABLE t ALTER COLUMN c TYPE varchar(10);
-- case: varchar-to-char
-- truth: rewrite
ALTER TABLE t ALTER COLUMN v TYPE char(20);
-- case: varchar-to-bpchar
-- truth: build
ALTER TABLE t ALTER COLUMN v TYPE bpchar;
-- case: int-to-text
-- truth: rewrite
ALTER TABLE t ALTER COLUMN i TYPE text;
-- case: int-to-text-using
-- truth: rewrite
ALTER TABLE t ALTER COLUMN i TYPE text USING i::text;
-- case: text-to-int-using
-- truth: rewrite
-- given: INSERT INTO t (id, x) VALUES (1, '1'), (2, '2');
ALTER TABLE t ALTER COLUMN x TYPE int USING x::int;
-- case: text-to-int
-- truth: error
ALTER TABLE t ALTER COLUMN x TYPE int;
-- case: enum-to-text
-- truth: rewrite
ALTER TABLE t ALTER COLUMN m TYPE text;
-- case: enum-to-text-using
-- truth: rewrite
ALTER TABLE t ALTER COLUMN m TYPE text USING m::text;
-- case: text-to-enum
-- truth: rewrite
-- given: INSERT INTO t (id, x) VALUES (1, 'sad'), (2, 'happy');
ALTER TABLE t ALTER COLUMN x TYPE mood USING x::mood;
-- case: json-to-jsonb
-- truth: rewrite
ALTER TABLE t ALTER COLUMN j TYPE jsonb;
-- case: jsonb-to-json
-- truth: rewrite
ALTER TABLE t ALTER COLUMN jb TYPE json;
-- case: jsonb-to-text
-- truth: rewrite
ALTER TABLE t ALTER COLUMN jb TYPE text;
-- case: date-to-timestamp
-- truth: rewrite
ALTER TABLE t ALTER COLUMN d TYPE timestamp;
-- case: date-to-timestamptz
-- truth: rewrite
SET timezone = 'UTC';
ALTER TABLE t ALTER COLUMN d TYPE timestamptz;
-- case: uuid-to-text
-- truth: rewrite
ALTER TABLE t ALTER COLUMN u TYPE text;
-- case: text-to-uuid-using
-- truth: rewrite
-- given: INSERT INTO t (id, x) VALUES (1, '00000000-0000-0000-0000-000000000001');
ALTER TABLE t ALTER COLUMN x TYPE uuid USING x::uuid;
-- case: bool-to-int-using
-- truth: rewrite
ALTER TABLE t ALTER COLUMN flag TYPE int USING flag::int;
-- case: real-to-double
-- truth: rewrite
ALTER TABLE t ALTER COLUMN f TYPE double precision;
-- case: int-to-numeric
-- truth: rewrite
ALTER TABLE t ALTER COLUMN i TYPE numeric;
-- case: numeric-to-int
-- truth: rewrite
ALTER TABLE t ALTER COLUMN n TYPE int;
-- case: numeric-scale-changes
-- truth: rewrite
ALTER TABLE t ALTER COLUMN n TYPE numeric(12,4);
-- case: numeric-shrinks
-- truth: rewrite
ALTER TABLE t ALTER COLUMN n TYPE numeric(8,2);
-- case: numeric-gets-limit
-- truth: rewrite
ALTER TABLE t ALTER COLUMN nn TYPE numeric(10,2);
-- case: timestamp-to-timestamptz-elsewhere
-- truth: rewrite
SET timezone = 'Europe/Berlin';
ALTER TABLE t ALTER COLUMN ts TYPE timestamptz;
-- case: timestamptz-to-timestamp-elsewhere
-- truth: rewrite
SET timezone = 'America/New_York';
ALTER TABLE t ALTER COLUMN tz TYPE timestamp;
-- case: timestamp-to-timestamptz-using
-- truth: rewrite
SET timezone = 'UTC';
ALTER TABLE t ALTER COLUMN ts TYPE timestamptz USING ts AT TIME ZONE 'UTC';
-- case: timestamp-precision-shrinks
-- truth: rewrite
ALTER TABLE t ALTER COLUMN ts TYPE timestamp(0);
-- case: timestamptz-to-date
-- truth: rewrite
ALTER TABLE t ALTER COLUMN tz TYPE date;
-- case: interval-precision-shrinks
-- truth: rewrite
ALTER TABLE t ALTER COLUMN gap TYPE interval(0);
-- case: varbit-shrinks
-- truth: rewrite
-- given: INSERT INTO t (id, bits) VALUES (1, B'1');
ALTER TABLE t ALTER COLUMN bits TYPE varbit(4);
-- case: inet-to-cidr
-- truth: rewrite
ALTER TABLE t ALTER COLUMN addr TYPE cidr;
-- case: int-to-constrained-domain
-- truth: rewrite
ALTER TABLE t ALTER COLUMN i TYPE posint;
-- case: text-to-constrained-domain-in-script
-- truth: rewrite
CREATE DOMAIN short AS text CHECK (length(VALUE) < 100);
ALTER TABLE t ALTER COLUMN x TYPE short;
-- case: using-expression
-- truth: rewrite
ALTER TABLE t ALTER COLUMN x TYPE text USING trim(x);
-- case: using-lower
-- truth: rewrite
ALTER TABLE t ALTER COLUMN v TYPE varchar(40) USING lower(v);
-- case: text-array-from-text
-- truth: rewrite
ALTER TABLE t ALTER COLUMN x TYPE text[] USING ARRAY[x];
-- case: collation-changes-indexed
-- truth: build
ALTER TABLE t ALTER COLUMN x TYPE text COLLATE "C";
-- case: collation-changes-free
-- truth: safe
ALTER TABLE t ALTER COLUMN vv TYPE varchar COLLATE "C";
-- case: varchar-grows-under-check
-- truth: scan
-- given: ALTER TABLE t ADD CHECK (v <> '');
ALTER TABLE t ALTER COLUMN v TYPE varchar(40);
-- case: varchar-grows-under-not-valid-check
-- truth: safe
-- given: ALTER TABLE t ADD CONSTRAINT t_v_given CHECK (v <> '') NOT VALID;
ALTER TABLE t ALTER COLUMN v TYPE varchar(40);
-- case: varchar-grows-other-check
-- truth: safe
-- given: ALTER TABLE t ADD CHECK (i > 0);
ALTER TABLE t ALTER COLUMN v TYPE varchar(40);
-- case: varchar-grows-under-expression-index
-- truth: build
-- given: CREATE INDEX t_lower ON t (lower(v));
ALTER TABLE t ALTER COLUMN v TYPE varchar(40);
-- case: varchar-grows-under-partial-index
-- truth: build
-- given: CREATE INDEX t_part ON t (i) WHERE v <> '';
ALTER TABLE t ALTER COLUMN v TYPE varchar(40);
-- case: varchar-grows-under-other-partial-index
-- truth: build
-- given: CREATE INDEX t_part ON t (v) WHERE i > 0;
ALTER TABLE t ALTER COLUMN v TYPE varchar(40);
-- case: varchar-grows-under-unique
-- truth: safe
-- given: ALTER TABLE t ADD UNIQUE (v);
ALTER TABLE t ALTER COLUMN v TYPE varchar(40);
-- case: varchar-grows-under-include
-- truth: safe
-- given: CREATE INDEX t_inc ON t (i) INCLUDE (v);
ALTER TABLE t ALTER COLUMN v TYPE varchar(40);
-- case: varchar-to-text-under-gin
-- truth: build
-- given: CREATE INDEX t_gin ON t USING gin (to_tsvector('simple', v));
ALTER TABLE t ALTER COLUMN v TYPE text;
-- case: varchar-grows-under-view
-- truth: error
-- given: CREATE VIEW w AS SELECT id, v FROM t;
ALTER TABLE t ALTER COLUMN v TYPE varchar(40);
-- case: varchar-grows-under-other-view
-- truth: safe
-- given: CREATE VIEW w AS SELECT id, i FROM t;
ALTER TABLE t ALTER COLUMN v TYPE varchar(40);
-- case: varchar-grows-under-star-view
-- truth: error
-- given: CREATE VIEW w AS SELECT * FROM t;
ALTER TABLE t ALTER COLUMN v TYPE varchar(40);
-- case: varchar-grows-under-policy
-- truth: error
-- given: CREATE POLICY own ON t USING (v = 'a');
ALTER TABLE t ALTER COLUMN v TYPE varchar(40);
-- case: varchar-grows-under-generated
-- truth: error
-- given: CREATE TABLE g (id int, v varchar(10), l int GENERATED ALWAYS AS (length(v)) STORED);
ALTER TABLE g ALTER COLUMN v TYPE varchar(40);
-- case: varchar-grows-under-update-of-trigger
-- truth: error
-- given: CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
-- given: CREATE TRIGGER g BEFORE UPDATE OF v ON t FOR EACH ROW EXECUTE FUNCTION f();
ALTER TABLE t ALTER COLUMN v TYPE varchar(40);
-- case: varchar-grows-under-trigger
-- truth: safe
-- given: CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
-- given: CREATE TRIGGER g BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION f();
ALTER TABLE t ALTER COLUMN v TYPE varchar(40);
-- case: referenced-key-to-bigint
-- truth: rewrite scan
-- given: CREATE TABLE child (id int PRIMARY KEY, t_id int REFERENCES t);
ALTER TABLE t ALTER COLUMN id TYPE bigint;
-- case: referenced-varchar-key-grows
-- truth: safe
-- given: CREATE TABLE codes (code varchar(5) PRIMARY KEY); CREATE TABLE uses (id int, code varchar(5) REFERENCES codes);
ALTER TABLE codes ALTER COLUMN code TYPE varchar(10);
-- case: referencing-varchar-grows
-- truth: safe
-- given: CREATE TABLE codes (code varchar(5) PRIMARY KEY); CREATE TABLE uses (id int, code varchar(5) REFERENCES codes);
ALTER TABLE uses ALTER COLUMN code TYPE varchar(10);
-- case: one-rewrite-of-two-changes
-- truth: rewrite
ALTER TABLE t ALTER COLUMN v TYPE varchar(60), ALTER COLUMN i TYPE bigint;
-- case: type-of-partitioned-parent
-- truth: rewrite
-- given: CREATE TABLE p (k int, i int) PARTITION BY RANGE (k); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (9);
ALTER TABLE p ALTER COLUMN i TYPE bigint;
-- case: varchar-of-partitioned-parent-grows
-- truth: safe
-- given: CREATE TABLE p (k int, v varchar(5)) PARTITION BY RANGE (k); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (9);
ALTER TABLE p ALTER COLUMN v TYPE varchar(9);
-- case: default-cannot-be-cast
-- truth: error
-- given: ALTER TABLE t ALTER COLUMN x SET DEFAULT 'none'; INSERT INTO t (id, x) VALUES (1, '1');
ALTER TABLE t ALTER COLUMN x TYPE int USING x::int;
-- case: type-change-after-dropping-the-check
-- truth: safe
-- given: ALTER TABLE t ADD CONSTRAINT t_v_given CHECK (v <> '');
ALTER TABLE t DROP CONSTRAINT t_v_given;
ALTER TABLE t ALTER COLUMN v TYPE varchar(40);
ALTER TABLE t ADD CONSTRAINT t_v_given CHECK (v <> '') NOT VALID;
ALTER TABLE t VALIDATE CONSTRAINT t_v_given;
-- case: composite-attribute
-- truth: queue
-- given: CREATE TYPE pair AS (a int, b int); CREATE TABLE pairs OF pair;
ALTER TYPE pair ADD ATTRIBUTE c int CASCADE;
-- case: composite-attribute-unused
-- truth: safe
CREATE TYPE pair AS (a int, b int);
ALTER TYPE pair ADD ATTRIBUTE c int;
-- case: array-elements-of-another-type
-- truth: rewrite
ALTER TABLE t ALTER COLUMN r TYPE varchar[];
-- case: array-elements-to-text
-- truth: rewrite
ALTER TABLE t ALTER COLUMN vs TYPE text[];
-- case: array-elements-lose-their-limit
-- truth: safe
ALTER TABLE t ALTER COLUMN vs TYPE varchar[];
-- case: array-elements-get-a-larger-limit
-- truth: rewrite
ALTER TABLE t ALTER COLUMN vs TYPE varchar(9)[];
-- case: identity-of-a-column-that-may-be-null
-- truth: error
ALTER TABLE t ALTER COLUMN i ADD GENERATED BY DEFAULT AS IDENTITY;
-- case: second-primary-key
-- truth: error
ALTER TABLE t ADD PRIMARY KEY (i);
-- case: drop-column-that-a-view-reads
-- truth: error
-- given: CREATE VIEW w AS SELECT v FROM t;
ALTER TABLE t DROP COLUMN v;
-- case: drop-column-that-another-is-computed-from
-- truth: error
-- given: ALTER TABLE t ADD COLUMN g int GENERATED ALWAYS AS (i + 1) STORED;
ALTER TABLE t DROP COLUMN i;
-- case: add-column-that-is-there
-- truth: safe
ALTER TABLE t ADD COLUMN IF NOT EXISTS x text NOT NULL DEFAULT clock_timestamp()::text;
-- case: create-index-that-is-there
-- truth: safe
CREATE INDEX IF NOT EXISTS t_x ON t (x);
-- case: drop-index-that-is-not-there
-- truth: safe
DROP INDEX IF EXISTS nowhere;
-- case: alter-table-that-is-not-there
-- truth: safe
ALTER TABLE IF EXISTS nowhere ADD COLUMN x serial;
