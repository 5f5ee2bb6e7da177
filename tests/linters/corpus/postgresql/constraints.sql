-- schema: shop
CREATE TABLE orgs (id bigint PRIMARY KEY, name text NOT NULL);
CREATE TABLE users (id bigint PRIMARY KEY, org_id bigint, email text NOT NULL, name text, age int);
CREATE TABLE orders (id bigint PRIMARY KEY, user_id bigint REFERENCES users, total int CHECK (total > 0), code text);

-- case: check-not-valid
-- truth: safe
ALTER TABLE users ADD CONSTRAINT users_age CHECK (age > 0) NOT VALID;
-- case: check-not-valid-then-validate
-- truth: safe
ALTER TABLE users ADD CONSTRAINT users_age CHECK (age > 0) NOT VALID;
ALTER TABLE users VALIDATE CONSTRAINT users_age;
-- case: check-not-valid-then-validate-two-transactions
-- truth: safe
BEGIN;
ALTER TABLE users ADD CONSTRAINT users_age CHECK (age > 0) NOT VALID;
COMMIT;
BEGIN;
ALTER TABLE users VALIDATE CONSTRAINT users_age;
COMMIT;
-- case: validate-check
-- truth: safe
-- given: ALTER TABLE users ADD CONSTRAINT users_age CHECK (age > 0) NOT VALID;
ALTER TABLE users VALIDATE CONSTRAINT users_age;
-- case: validate-check-in-transaction
-- truth: safe
-- given: ALTER TABLE users ADD CONSTRAINT users_age CHECK (age > 0) NOT VALID;
BEGIN;
ALTER TABLE users VALIDATE CONSTRAINT users_age;
COMMIT;
-- case: check-not-enforced
-- truth: safe
-- versions: 18-
ALTER TABLE users ADD CONSTRAINT users_age CHECK (age > 0) NOT ENFORCED;
-- case: foreign-key-not-valid
-- truth: safe
ALTER TABLE users ADD CONSTRAINT users_org FOREIGN KEY (org_id) REFERENCES orgs NOT VALID;
-- case: foreign-key-not-valid-then-validate
-- truth: safe
ALTER TABLE users ADD CONSTRAINT users_org FOREIGN KEY (org_id) REFERENCES orgs (id) NOT VALID;
ALTER TABLE users VALIDATE CONSTRAINT users_org;
-- case: foreign-key-not-valid-cascade
-- truth: safe
SET lock_timeout = '1s';
ALTER TABLE users ADD FOREIGN KEY (org_id) REFERENCES orgs ON DELETE CASCADE NOT VALID;
-- case: foreign-key-not-enforced
-- truth: safe
-- versions: 18-
ALTER TABLE users ADD CONSTRAINT users_org FOREIGN KEY (org_id) REFERENCES orgs NOT ENFORCED;
-- case: set-not-null-proven
-- truth: safe
-- given: ALTER TABLE users ADD CONSTRAINT users_name_given CHECK (name IS NOT NULL);
ALTER TABLE users ALTER COLUMN name SET NOT NULL;
-- case: set-not-null-proven-in-script
-- truth: safe
ALTER TABLE users ADD CONSTRAINT users_name_given CHECK (name IS NOT NULL) NOT VALID;
ALTER TABLE users VALIDATE CONSTRAINT users_name_given;
ALTER TABLE users ALTER COLUMN name SET NOT NULL;
ALTER TABLE users DROP CONSTRAINT users_name_given;
-- case: set-not-null-proven-with-timeouts
-- truth: safe
SET lock_timeout = '2s';
ALTER TABLE users ADD CONSTRAINT users_name_given CHECK (name IS NOT NULL) NOT VALID;
ALTER TABLE users VALIDATE CONSTRAINT users_name_given;
BEGIN;
ALTER TABLE users ALTER COLUMN name SET NOT NULL;
ALTER TABLE users DROP CONSTRAINT users_name_given;
COMMIT;
-- case: set-not-null-proven-by-and
-- truth: safe
-- given: ALTER TABLE users ADD CONSTRAINT users_ok CHECK (name IS NOT NULL AND age > 0);
ALTER TABLE users ALTER COLUMN name SET NOT NULL;
-- case: set-not-null-proven-unnamed
-- truth: safe
-- given: ALTER TABLE users ADD CHECK (name IS NOT NULL);
ALTER TABLE public.users ALTER name SET NOT NULL;
-- case: set-not-null-already
-- truth: safe
ALTER TABLE users ALTER COLUMN email SET NOT NULL;
-- case: set-not-null-of-primary-key
-- truth: safe
ALTER TABLE users ALTER COLUMN id SET NOT NULL;
-- case: not-null-not-valid
-- truth: safe
-- versions: 18-
ALTER TABLE users ADD CONSTRAINT users_name_given NOT NULL name NOT VALID;
-- case: not-null-not-valid-then-validate
-- truth: safe
-- versions: 18-
ALTER TABLE users ADD CONSTRAINT users_name_given NOT NULL name NOT VALID;
ALTER TABLE users VALIDATE CONSTRAINT users_name_given;
-- case: not-null-validate-then-set
-- truth: safe
-- versions: 18-
ALTER TABLE users ADD CONSTRAINT users_name_given NOT NULL name NOT VALID;
ALTER TABLE users VALIDATE CONSTRAINT users_name_given;
ALTER TABLE users ALTER COLUMN name SET NOT NULL;
-- case: unique-using-index
-- truth: safe
-- given: CREATE UNIQUE INDEX users_email ON users (email);
ALTER TABLE users ADD CONSTRAINT users_email UNIQUE USING INDEX users_email;
-- case: unique-using-index-in-script
-- truth: safe
CREATE UNIQUE INDEX CONCURRENTLY users_email_key ON users (email);
ALTER TABLE users ADD CONSTRAINT users_email_key UNIQUE USING INDEX users_email_key;
-- case: primary-key-using-index
-- truth: safe
-- given: CREATE TABLE logs (id bigint NOT NULL, line text); CREATE UNIQUE INDEX logs_id ON logs (id);
ALTER TABLE logs ADD CONSTRAINT logs_pkey PRIMARY KEY USING INDEX logs_id;
-- case: primary-key-using-index-in-script
-- truth: safe
-- given: CREATE TABLE logs (id bigint NOT NULL, line text);
CREATE UNIQUE INDEX CONCURRENTLY logs_id ON logs (id);
ALTER TABLE logs ADD PRIMARY KEY USING INDEX logs_id;
-- case: primary-key-using-index-proven
-- truth: safe
-- given: CREATE TABLE logs (id bigint CHECK (id IS NOT NULL), line text); CREATE UNIQUE INDEX logs_id ON logs (id);
ALTER TABLE logs ADD PRIMARY KEY USING INDEX logs_id;
-- case: rename-constraint
-- truth: safe
ALTER TABLE orders RENAME CONSTRAINT orders_total_check TO orders_total_positive;
-- case: drop-check
-- truth: safe
ALTER TABLE orders DROP CONSTRAINT orders_total_check;
-- case: drop-check-if-exists
-- truth: safe
ALTER TABLE orders DROP CONSTRAINT IF EXISTS orders_total_check;
-- case: drop-foreign-key-with-timeout
-- truth: safe
SET lock_timeout = '1s';
ALTER TABLE orders DROP CONSTRAINT orders_user_id_fkey;
-- case: check-replaced-not-valid
-- truth: safe
BEGIN;
ALTER TABLE orders DROP CONSTRAINT orders_total_check;
ALTER TABLE orders ADD CONSTRAINT orders_total_check CHECK (total >= 0) NOT VALID;
COMMIT;
ALTER TABLE orders VALIDATE CONSTRAINT orders_total_check;
-- case: domain-check-not-valid
-- truth: safe
-- given: CREATE DOMAIN posint AS int; CREATE TABLE scores (id int PRIMARY KEY, points posint);
ALTER DOMAIN posint ADD CONSTRAINT positive CHECK (VALUE > 0) NOT VALID;
-- case: domain-check-unused
-- truth: safe
-- given: CREATE DOMAIN posint AS int;
ALTER DOMAIN posint ADD CONSTRAINT positive CHECK (VALUE > 0);
-- case: domain-default
-- truth: safe
-- given: CREATE DOMAIN posint AS int; CREATE TABLE scores (id int PRIMARY KEY, points posint);
ALTER DOMAIN posint SET DEFAULT 1;
-- case: domain-drop-constraint
-- truth: safe
-- given: CREATE DOMAIN posint AS int CONSTRAINT positive CHECK (VALUE > 0); CREATE TABLE scores (id int PRIMARY KEY, points posint);
ALTER DOMAIN posint DROP CONSTRAINT positive;
-- case: foreign-key-on-partitioned-not-valid
-- truth: safe
-- versions: 18-
-- given: CREATE TABLE parts (id int, org_id bigint) PARTITION BY RANGE (id); CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (9);
ALTER TABLE parts ADD CONSTRAINT parts_org FOREIGN KEY (org_id) REFERENCES orgs NOT VALID;

-- case: check-scans
-- truth: scan
ALTER TABLE users ADD CONSTRAINT users_age CHECK (age > 0);
-- case: check-scans-unnamed
-- truth: scan
ALTER TABLE users ADD CHECK (age > 0);
-- case: check-scans-schema-qualified
-- truth: scan
ALTER TABLE public.users ADD CHECK (length(name) < 100);
-- case: check-scans-quoted
-- truth: scan
-- given: CREATE TABLE "Users Old" (id int, "Age" int);
ALTER TABLE "Users Old" ADD CONSTRAINT "Age ok" CHECK ("Age" > 0);
-- case: check-scans-with-timeout
-- truth: scan
SET lock_timeout = '2s';
ALTER TABLE users ADD CHECK (age > 0);
-- case: check-scans-in-transaction
-- truth: scan
BEGIN;
ALTER TABLE users ADD CHECK (age > 0);
COMMIT;
-- case: check-scans-in-do
-- truth: scan
DO $$ BEGIN ALTER TABLE users ADD CHECK (age > 0); END $$;
-- case: check-scans-no-inherit
-- truth: scan
ALTER TABLE users ADD CONSTRAINT users_age CHECK (age > 0) NO INHERIT;
-- case: check-violated
-- truth: error
-- given: INSERT INTO users VALUES (1, 1, 'a', 'b', -1);
ALTER TABLE users ADD CHECK (age > 0);
-- case: foreign-key-scans
-- truth: scan
ALTER TABLE users ADD CONSTRAINT users_org FOREIGN KEY (org_id) REFERENCES orgs;
-- case: foreign-key-scans-cascade
-- truth: scan
ALTER TABLE users ADD FOREIGN KEY (org_id) REFERENCES orgs (id) ON DELETE SET NULL ON UPDATE CASCADE;
-- case: foreign-key-scans-deferrable
-- truth: scan
ALTER TABLE users ADD FOREIGN KEY (org_id) REFERENCES orgs DEFERRABLE INITIALLY DEFERRED;
-- case: foreign-key-scans-with-timeout
-- truth: scan
SET lock_timeout = '2s';
ALTER TABLE users ADD FOREIGN KEY (org_id) REFERENCES orgs;
-- case: foreign-key-of-partitioned-not-valid-old
-- truth: error
-- versions: -17
-- given: CREATE TABLE parts (id int, org_id bigint) PARTITION BY RANGE (id); CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (9);
ALTER TABLE parts ADD CONSTRAINT parts_org FOREIGN KEY (org_id) REFERENCES orgs NOT VALID;
-- case: set-not-null-scans
-- truth: scan
ALTER TABLE users ALTER COLUMN name SET NOT NULL;
-- case: set-not-null-scans-with-timeout
-- truth: scan
SET lock_timeout = '2s';
ALTER TABLE users ALTER COLUMN name SET NOT NULL;
-- case: set-not-null-writers-of-null
-- truth: scan compatibility
-- given: ALTER TABLE users ADD CHECK (age IS NOT NULL OR name IS NOT NULL);
-- old: INSERT INTO users (id, email, age) VALUES (90, 'a', 3)
ALTER TABLE users ALTER COLUMN name SET NOT NULL;
-- case: set-not-null-not-proven-by-comparison
-- truth: scan
-- given: ALTER TABLE users ADD CHECK (age > 0);
ALTER TABLE users ALTER COLUMN age SET NOT NULL;
-- case: set-not-null-not-proven-by-or
-- truth: scan
-- given: ALTER TABLE users ADD CHECK (age IS NOT NULL OR name IS NOT NULL);
ALTER TABLE users ALTER COLUMN age SET NOT NULL;
-- case: set-not-null-not-proven-by-not-valid
-- truth: scan
-- given: ALTER TABLE users ADD CONSTRAINT users_age_given CHECK (age IS NOT NULL) NOT VALID;
ALTER TABLE users ALTER COLUMN age SET NOT NULL;
-- case: set-not-null-not-proven-in-script
-- truth: scan
ALTER TABLE users ADD CONSTRAINT users_age_given CHECK (age IS NOT NULL) NOT VALID;
ALTER TABLE users ALTER COLUMN age SET NOT NULL;
-- case: set-not-null-other-column-proven
-- truth: scan
-- given: ALTER TABLE users ADD CHECK (name IS NOT NULL);
ALTER TABLE users ALTER COLUMN age SET NOT NULL;
-- case: set-not-null-proof-of-other-table
-- truth: scan
-- given: ALTER TABLE orders ADD CHECK (code IS NOT NULL); ALTER TABLE users ADD COLUMN code text;
ALTER TABLE users ALTER COLUMN code SET NOT NULL;
-- case: set-not-null-proof-dropped-in-same-statement
-- truth: scan
-- given: ALTER TABLE users ADD CONSTRAINT users_age_given CHECK (age IS NOT NULL);
ALTER TABLE users ALTER COLUMN age SET NOT NULL, DROP CONSTRAINT users_age_given;
-- case: set-not-null-proof-dropped-before
-- truth: scan
-- given: ALTER TABLE users ADD CONSTRAINT users_age_given CHECK (age IS NOT NULL);
ALTER TABLE users DROP CONSTRAINT users_age_given;
ALTER TABLE users ALTER COLUMN age SET NOT NULL;
-- case: set-not-null-over-unvalidated-not-null
-- truth: scan
-- versions: 18-
-- given: ALTER TABLE users ADD CONSTRAINT users_age_given NOT NULL age NOT VALID;
ALTER TABLE users ALTER COLUMN age SET NOT NULL;
-- case: set-not-null-proof-not-enforced
-- truth: scan
-- versions: 18-
-- given: ALTER TABLE users ADD CONSTRAINT users_age_given CHECK (age IS NOT NULL) NOT ENFORCED;
ALTER TABLE users ALTER COLUMN age SET NOT NULL;
-- case: not-null-constraint-scans
-- truth: scan
-- versions: 18-
ALTER TABLE users ADD CONSTRAINT users_age_given NOT NULL age;
-- case: set-not-null-several
-- truth: scan
ALTER TABLE users ALTER COLUMN age SET NOT NULL, ALTER COLUMN name SET NOT NULL;
-- case: set-not-null-dirty
-- truth: error
-- given: INSERT INTO users VALUES (1, 1, 'a', NULL, NULL);
ALTER TABLE users ALTER COLUMN age SET NOT NULL;
-- case: validate-check-under-own-lock
-- truth: scan
BEGIN;
ALTER TABLE users ADD CONSTRAINT users_age CHECK (age > 0) NOT VALID;
ALTER TABLE users VALIDATE CONSTRAINT users_age;
COMMIT;
-- case: validate-foreign-key-under-own-lock
-- truth: scan
BEGIN;
ALTER TABLE users ADD CONSTRAINT users_org FOREIGN KEY (org_id) REFERENCES orgs NOT VALID;
ALTER TABLE users VALIDATE CONSTRAINT users_org;
COMMIT;
-- case: validate-in-same-statement
-- truth: scan
ALTER TABLE users ADD CONSTRAINT users_age CHECK (age > 0) NOT VALID, VALIDATE CONSTRAINT users_age;
-- case: validate-with-set-not-null
-- truth: scan
-- given: ALTER TABLE users ADD CONSTRAINT users_age_given CHECK (age IS NOT NULL) NOT VALID;
ALTER TABLE users VALIDATE CONSTRAINT users_age_given, ALTER COLUMN age SET NOT NULL;
-- case: validate-with-add-column
-- truth: scan
-- given: ALTER TABLE users ADD CONSTRAINT users_age_given CHECK (age IS NOT NULL) NOT VALID;
ALTER TABLE users VALIDATE CONSTRAINT users_age_given, ADD COLUMN nickname text;
-- case: validate-after-savepoint
-- truth: scan
BEGIN;
ALTER TABLE users ADD CONSTRAINT users_age CHECK (age > 0) NOT VALID;
SAVEPOINT one;
ALTER TABLE users VALIDATE CONSTRAINT users_age;
RELEASE SAVEPOINT one;
COMMIT;
-- case: validate-under-statement-timeout
-- truth: timeout
-- given: ALTER TABLE users ADD CONSTRAINT users_age_given CHECK (age IS NOT NULL) NOT VALID;
SET statement_timeout = '5s';
ALTER TABLE users VALIDATE CONSTRAINT users_age_given;
-- case: unique-builds
-- truth: build
ALTER TABLE users ADD CONSTRAINT users_email UNIQUE (email);
-- case: unique-builds-several-columns
-- truth: build
ALTER TABLE users ADD UNIQUE (org_id, email);
-- case: unique-nulls-not-distinct
-- truth: build
-- versions: 15-
ALTER TABLE users ADD CONSTRAINT users_name UNIQUE NULLS NOT DISTINCT (name);
-- case: unique-builds-with-timeout
-- truth: build
SET lock_timeout = '2s';
ALTER TABLE users ADD CONSTRAINT users_email UNIQUE (email);
-- case: unique-builds-with-include
-- truth: build
ALTER TABLE users ADD CONSTRAINT users_email UNIQUE (email) INCLUDE (name);
-- case: unique-dirty
-- truth: error
-- given: INSERT INTO users VALUES (1, 1, 'same', NULL, 1), (2, 1, 'same', NULL, 1);
ALTER TABLE users ADD CONSTRAINT users_email UNIQUE (email);
-- case: primary-key-builds
-- truth: build
-- given: CREATE TABLE logs (id bigint NOT NULL, line text);
ALTER TABLE logs ADD PRIMARY KEY (id);
-- case: primary-key-builds-nullable
-- truth: build
-- given: CREATE TABLE logs (id bigint, line text);
ALTER TABLE logs ADD CONSTRAINT logs_pkey PRIMARY KEY (id);
-- case: primary-key-using-index-nullable
-- truth: scan
-- given: CREATE TABLE logs (id bigint, line text); CREATE UNIQUE INDEX logs_id ON logs (id);
ALTER TABLE logs ADD PRIMARY KEY USING INDEX logs_id;
-- case: primary-key-using-index-not-valid-proof
-- truth: scan
-- given: CREATE TABLE logs (id bigint, line text); CREATE UNIQUE INDEX logs_id ON logs (id);
-- given: ALTER TABLE logs ADD CONSTRAINT logs_id_given CHECK (id IS NOT NULL) NOT VALID;
ALTER TABLE logs ADD PRIMARY KEY USING INDEX logs_id;
-- case: unique-using-partial-index
-- truth: error
-- given: CREATE UNIQUE INDEX users_email ON users (email) WHERE age > 0;
ALTER TABLE users ADD CONSTRAINT users_email UNIQUE USING INDEX users_email;
-- case: unique-using-plain-index
-- truth: error
-- given: CREATE INDEX users_email ON users (email);
ALTER TABLE users ADD CONSTRAINT users_email UNIQUE USING INDEX users_email;
-- case: unique-using-expression-index
-- truth: error
-- given: CREATE UNIQUE INDEX users_email ON users (lower(email));
ALTER TABLE users ADD CONSTRAINT users_email UNIQUE USING INDEX users_email;
-- case: exclude
-- truth: build
-- given: CREATE TABLE stays (id int PRIMARY KEY, during tsrange);
ALTER TABLE stays ADD CONSTRAINT stays_once EXCLUDE USING gist (during WITH &&);
-- case: exclude-with-timeout
-- truth: build
-- given: CREATE TABLE stays (id int PRIMARY KEY, during daterange);
SET lock_timeout = '2s';
ALTER TABLE stays ADD EXCLUDE USING gist (during WITH &&) WHERE (id > 0);
-- case: domain-check
-- truth: scan
-- given: CREATE DOMAIN posint AS int; CREATE TABLE scores (id int PRIMARY KEY, points posint);
ALTER DOMAIN posint ADD CONSTRAINT positive CHECK (VALUE > 0);
-- case: domain-check-unnamed
-- truth: scan
-- given: CREATE DOMAIN posint AS int; CREATE TABLE scores (id int PRIMARY KEY, points posint);
ALTER DOMAIN posint ADD CHECK (VALUE > 0);
-- case: domain-set-not-null
-- truth: scan
-- given: CREATE DOMAIN posint AS int; CREATE TABLE scores (id int PRIMARY KEY, points posint);
ALTER DOMAIN posint SET NOT NULL;
-- case: domain-validate
-- truth: scan
-- given: CREATE DOMAIN posint AS int; CREATE TABLE scores (id int PRIMARY KEY, points posint);
-- given: ALTER DOMAIN posint ADD CONSTRAINT positive CHECK (VALUE > 0) NOT VALID;
ALTER DOMAIN posint VALIDATE CONSTRAINT positive;
-- case: drop-foreign-key
-- truth: queue
ALTER TABLE orders DROP CONSTRAINT orders_user_id_fkey;
-- case: drop-foreign-key-in-transaction
-- truth: queue
BEGIN;
ALTER TABLE orders DROP CONSTRAINT orders_user_id_fkey;
COMMIT;
-- case: foreign-key-from-new-table
-- truth: queue
CREATE TABLE notes (id bigint PRIMARY KEY, user_id bigint REFERENCES users);
-- case: foreign-key-from-new-table-table-level
-- truth: queue
CREATE TABLE notes (id bigint PRIMARY KEY, user_id bigint, FOREIGN KEY (user_id) REFERENCES users (id));
-- case: foreign-key-from-new-table-with-timeout
-- truth: safe
SET lock_timeout = '2s';
CREATE TABLE notes (id bigint PRIMARY KEY, user_id bigint REFERENCES users);
-- case: foreign-key-from-new-table-later
-- truth: safe
-- given: SELECT 1;
SET lock_timeout = '2s';
BEGIN;
CREATE TABLE notes (id bigint PRIMARY KEY, user_id bigint);
ALTER TABLE notes ADD FOREIGN KEY (user_id) REFERENCES users;
COMMIT;
-- case: foreign-key-between-new-tables
-- truth: safe
BEGIN;
CREATE TABLE authors (id bigint PRIMARY KEY);
CREATE TABLE books (id bigint PRIMARY KEY, author_id bigint NOT NULL REFERENCES authors);
COMMIT;
-- case: foreign-key-to-itself
-- truth: safe
CREATE TABLE nodes (id bigint PRIMARY KEY, parent_id bigint REFERENCES nodes);
-- case: check-duplicate-name
-- truth: error
ALTER TABLE orders ADD CONSTRAINT orders_total_check CHECK (total > 1) NOT VALID;
-- case: validate-unknown-constraint
-- truth: error
ALTER TABLE orders VALIDATE CONSTRAINT orders_none;
-- case: drop-key-that-is-referenced
-- truth: error
ALTER TABLE users DROP CONSTRAINT users_pkey;
-- case: drop-key-and-what-references-it
-- truth: safe
SET lock_timeout = '2s';
BEGIN;
ALTER TABLE users DROP CONSTRAINT users_pkey CASCADE;
ALTER TABLE orders ADD CONSTRAINT orders_user_id_fkey CHECK (user_id > 0) NOT VALID;
COMMIT;
