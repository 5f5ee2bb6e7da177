-- schema: parts
CREATE TABLE events (id bigint NOT NULL, at int NOT NULL, note text) PARTITION BY RANGE (at);
CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM (0) TO (10);
CREATE TABLE next (id bigint NOT NULL, at int NOT NULL, note text);
INSERT INTO next SELECT n, 10 + n, 'x' FROM generate_series(1, 3) AS given (n);
CREATE TABLE cities (name text, country text) PARTITION BY LIST (country);
CREATE TABLE cities_de PARTITION OF cities FOR VALUES IN ('de');
CREATE TABLE cities_fr (name text, country text);
INSERT INTO cities_fr SELECT 'Lyon', 'fr' FROM generate_series(1, 3);
CREATE TABLE kinds (id int NOT NULL, k int NOT NULL) PARTITION BY HASH (id);
CREATE TABLE kinds_0 PARTITION OF kinds FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE loose (id bigint NOT NULL, at int, note text);
INSERT INTO loose SELECT n, 10 + n, 'x' FROM generate_series(1, 3) AS given (n);
CREATE TABLE visits (id bigint NOT NULL, at int, note text) PARTITION BY RANGE (at);
CREATE TABLE visits_1 PARTITION OF visits FOR VALUES FROM (0) TO (10);

-- case: attach-proven
-- truth: safe
-- given: ALTER TABLE next ADD CHECK (at >= 10 AND at < 20);
ALTER TABLE events ATTACH PARTITION next FOR VALUES FROM (10) TO (20);
-- case: attach-proven-in-script
-- truth: safe
ALTER TABLE next ADD CONSTRAINT next_bound CHECK (at >= 10 AND at < 20) NOT VALID;
ALTER TABLE next VALIDATE CONSTRAINT next_bound;
ALTER TABLE events ATTACH PARTITION next FOR VALUES FROM (10) TO (20);
ALTER TABLE next DROP CONSTRAINT next_bound;
-- case: attach-proven-with-is-not-null
-- truth: safe
-- given: ALTER TABLE loose ADD CHECK (at IS NOT NULL AND at >= 10 AND at < 20);
ALTER TABLE visits ATTACH PARTITION loose FOR VALUES FROM (10) TO (20);
-- case: attach-proven-two-checks
-- truth: safe
-- given: ALTER TABLE loose ADD CHECK (at IS NOT NULL), ADD CHECK (at >= 10 AND at < 20);
ALTER TABLE visits ATTACH PARTITION loose FOR VALUES FROM (10) TO (20);
-- case: attach-proven-list
-- truth: safe
-- given: ALTER TABLE cities_fr ADD CHECK (country IS NOT NULL AND country = 'fr');
ALTER TABLE cities ATTACH PARTITION cities_fr FOR VALUES IN ('fr');
-- case: attach-proven-list-of-two
-- truth: safe
-- given: ALTER TABLE cities_fr ADD CHECK (country IS NOT NULL AND country IN ('fr', 'be'));
ALTER TABLE cities ATTACH PARTITION cities_fr FOR VALUES IN ('fr', 'be');
-- case: attach-new-table
-- truth: safe
CREATE TABLE events_3 (LIKE events INCLUDING ALL);
ALTER TABLE events ATTACH PARTITION events_3 FOR VALUES FROM (30) TO (40);
-- case: attach-new-table-in-transaction
-- truth: safe
BEGIN;
CREATE TABLE events_3 (LIKE events);
ALTER TABLE events ATTACH PARTITION events_3 FOR VALUES FROM (30) TO (40);
COMMIT;
-- case: attach-proven-default-excluded
-- truth: safe
-- given: CREATE TABLE events_rest PARTITION OF events DEFAULT; INSERT INTO events SELECT n, 100 + n FROM generate_series(1, 3) AS given (n);
-- given: ALTER TABLE next ADD CHECK (at >= 10 AND at < 20); ALTER TABLE events_rest ADD CHECK (NOT (at >= 10 AND at < 20));
ALTER TABLE events ATTACH PARTITION next FOR VALUES FROM (10) TO (20);
-- case: detach-concurrently
-- truth: safe
-- versions: 14-
ALTER TABLE events DETACH PARTITION events_1 CONCURRENTLY;
-- case: partition-of-new-table
-- truth: safe
BEGIN;
CREATE TABLE logs (id bigint, at date) PARTITION BY RANGE (at);
CREATE TABLE logs_2026 PARTITION OF logs FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
COMMIT;
-- case: new-partitioned-table
-- truth: safe
CREATE TABLE logs (id bigint, at date, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
-- case: inherit-from-new
-- truth: safe
BEGIN;
CREATE TABLE base (id int);
CREATE TABLE derived (more int) INHERITS (base);
COMMIT;
-- case: attach-proven-dates
-- truth: safe
-- given: CREATE TABLE days (d date NOT NULL) PARTITION BY RANGE (d); CREATE TABLE days_1 (d date NOT NULL);
-- given: INSERT INTO days_1 VALUES ('2026-01-02'); ALTER TABLE days_1 ADD CHECK (d >= '2026-01-01' AND d < '2026-02-01');
ALTER TABLE days ATTACH PARTITION days_1 FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
-- case: attach-proven-date-literals
-- truth: safe
-- given: CREATE TABLE days (d date NOT NULL) PARTITION BY RANGE (d); CREATE TABLE days_1 (d date NOT NULL);
-- given: INSERT INTO days_1 VALUES ('2026-01-02'); ALTER TABLE days_1 ADD CHECK (d >= DATE '2026-01-01' AND d < DATE '2026-02-01');
ALTER TABLE days ATTACH PARTITION days_1 FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
-- case: attach-proven-narrower
-- truth: safe
-- given: ALTER TABLE next ADD CHECK (at >= 11 AND at < 15);
ALTER TABLE events ATTACH PARTITION next FOR VALUES FROM (10) TO (20);
-- case: attach-proven-between
-- truth: safe
-- given: ALTER TABLE next ADD CHECK (at BETWEEN 10 AND 19);
ALTER TABLE events ATTACH PARTITION next FOR VALUES FROM (10) TO (20);
-- case: attach-proven-minvalue
-- truth: safe
-- given: CREATE TABLE lows (id bigint NOT NULL, at int NOT NULL, note text); INSERT INTO lows VALUES (1, -5); ALTER TABLE lows ADD CHECK (at < 0);
ALTER TABLE events ATTACH PARTITION lows FOR VALUES FROM (MINVALUE) TO (0);

-- case: attach-scans
-- truth: scan
ALTER TABLE events ATTACH PARTITION next FOR VALUES FROM (10) TO (20);
-- case: attach-scans-with-timeout
-- truth: scan
SET lock_timeout = '2s';
ALTER TABLE events ATTACH PARTITION next FOR VALUES FROM (10) TO (20);
-- case: attach-scans-list
-- truth: scan
ALTER TABLE cities ATTACH PARTITION cities_fr FOR VALUES IN ('fr');
-- case: attach-scans-unproven-null
-- truth: scan
-- given: ALTER TABLE loose ADD CHECK (at >= 10 AND at < 20);
ALTER TABLE visits ATTACH PARTITION loose FOR VALUES FROM (10) TO (20);
-- case: attach-nullable-to-not-null
-- truth: error
-- given: ALTER TABLE loose ADD CHECK (at IS NOT NULL AND at >= 10 AND at < 20);
ALTER TABLE events ATTACH PARTITION loose FOR VALUES FROM (10) TO (20);
-- case: attach-missing-column
-- truth: error
-- given: CREATE TABLE thin (id bigint NOT NULL, at int NOT NULL);
ALTER TABLE events ATTACH PARTITION thin FOR VALUES FROM (10) TO (20);
-- case: attach-scans-not-valid-check
-- truth: scan
-- given: ALTER TABLE next ADD CONSTRAINT next_bound CHECK (at >= 10 AND at < 20) NOT VALID;
ALTER TABLE events ATTACH PARTITION next FOR VALUES FROM (10) TO (20);
-- case: attach-scans-wider-check
-- truth: scan
-- given: ALTER TABLE next ADD CHECK (at >= 0 AND at < 100);
ALTER TABLE events ATTACH PARTITION next FOR VALUES FROM (10) TO (20);
-- case: attach-scans-half-check
-- truth: scan
-- given: ALTER TABLE next ADD CHECK (at >= 10);
ALTER TABLE events ATTACH PARTITION next FOR VALUES FROM (10) TO (20);
-- case: attach-scans-other-column
-- truth: scan
-- given: ALTER TABLE next ADD CHECK (id >= 10 AND id < 20) NOT VALID;
ALTER TABLE events ATTACH PARTITION next FOR VALUES FROM (10) TO (20);
-- case: attach-scans-or
-- truth: scan
-- given: ALTER TABLE next ADD CHECK (at >= 10 AND at < 20 OR id > 0);
ALTER TABLE events ATTACH PARTITION next FOR VALUES FROM (10) TO (20);
-- case: attach-scans-default
-- truth: scan
-- given: CREATE TABLE events_rest PARTITION OF events DEFAULT; INSERT INTO events SELECT n, 100 + n FROM generate_series(1, 3) AS given (n);
-- given: ALTER TABLE next ADD CHECK (at >= 10 AND at < 20);
ALTER TABLE events ATTACH PARTITION next FOR VALUES FROM (10) TO (20);
-- case: attach-as-default-scans
-- truth: scan
ALTER TABLE events ATTACH PARTITION next DEFAULT;
-- case: attach-hash-scans
-- truth: scan
-- given: CREATE TABLE kinds_1 (id int NOT NULL, k int NOT NULL); INSERT INTO kinds_1 SELECT 1, 1 WHERE satisfies_hash_partition('kinds'::regclass, 2, 1, 1);
-- given: INSERT INTO kinds_1 SELECT n, n FROM generate_series(2, 20) AS given (n) WHERE satisfies_hash_partition('kinds'::regclass, 2, 1, n);
ALTER TABLE kinds ATTACH PARTITION kinds_1 FOR VALUES WITH (MODULUS 2, REMAINDER 1);
-- case: create-partition
-- truth: queue
CREATE TABLE events_3 PARTITION OF events FOR VALUES FROM (30) TO (40);
-- case: create-partition-if-not-exists
-- truth: queue
CREATE TABLE IF NOT EXISTS events_3 PARTITION OF events FOR VALUES FROM (30) TO (40);
-- case: create-default-partition
-- truth: queue
CREATE TABLE events_rest PARTITION OF events DEFAULT;
-- case: create-partition-beside-default
-- truth: scan queue
-- given: CREATE TABLE events_rest PARTITION OF events DEFAULT; INSERT INTO events SELECT n, 100 + n FROM generate_series(1, 3) AS given (n);
CREATE TABLE events_3 PARTITION OF events FOR VALUES FROM (30) TO (40);
-- case: create-list-partition
-- truth: queue
CREATE TABLE cities_it PARTITION OF cities FOR VALUES IN ('it');
-- case: detach
-- truth: queue
ALTER TABLE events DETACH PARTITION events_1;
-- case: detach-in-transaction
-- truth: queue
BEGIN;
ALTER TABLE events DETACH PARTITION events_1;
COMMIT;
-- case: detach-concurrently-in-transaction
-- truth: error
-- versions: 14-
BEGIN;
ALTER TABLE events DETACH PARTITION events_1 CONCURRENTLY;
COMMIT;
-- case: detach-concurrently-with-default
-- truth: error
-- versions: 14-
-- given: CREATE TABLE events_rest PARTITION OF events DEFAULT;
ALTER TABLE events DETACH PARTITION events_1 CONCURRENTLY;
-- case: check-on-partitioned
-- truth: scan
ALTER TABLE events ADD CHECK (id > 0);
-- case: check-on-partitioned-not-valid
-- truth: safe
ALTER TABLE events ADD CONSTRAINT events_id CHECK (id > 0) NOT VALID;
-- case: unique-on-partitioned
-- truth: build
ALTER TABLE events ADD UNIQUE (id, at);
-- case: primary-key-on-partitioned
-- truth: build
ALTER TABLE events ADD PRIMARY KEY (id, at);
-- case: set-not-null-on-partitioned
-- truth: scan
ALTER TABLE events ALTER COLUMN note SET NOT NULL;
-- case: set-not-null-on-partitioned-proven
-- truth: safe
-- given: ALTER TABLE events ADD CHECK (note IS NOT NULL);
ALTER TABLE events ALTER COLUMN note SET NOT NULL;
-- case: foreign-key-from-partitioned
-- truth: scan
-- given: CREATE TABLE users (id bigint PRIMARY KEY);
ALTER TABLE events ADD FOREIGN KEY (id) REFERENCES users;
-- case: drop-partition
-- truth: queue compatibility
-- old: SELECT count(*) FROM events_1
DROP TABLE events_1;
-- case: truncate-partition
-- truth: queue
TRUNCATE events_1;
