"""What is wrong is said with file, line and remedy, and nothing is done."""

from __future__ import annotations

import json

import pytest

TABLES = (
    "CREATE TABLE users (id int PRIMARY KEY, full_name text NOT NULL, email text UNIQUE, age int, code text, note text,"
    " height int, doubled int GENERATED ALWAYS AS (height * 2) STORED, UNIQUE (code, note))",
    "CREATE TABLE orders (id int PRIMARY KEY, user_email text REFERENCES users (email))",
    "CREATE VIEW adults AS SELECT full_name FROM users WHERE height > 17",
    "CREATE TABLE events (id int, at date) PARTITION BY RANGE (at)",
    "CREATE TYPE mood AS ENUM ('sad', 'fine', 'happy')",
    "CREATE TYPE tag AS ENUM ('red', 'blue')",
    "CREATE TABLE tagged (id int PRIMARY KEY, tags tag[])",
    "CREATE TYPE state AS ENUM ('open', 'shut', 'gone')",
    "CREATE TABLE doors (id int PRIMARY KEY, state state DEFAULT 'open')",
    "INSERT INTO doors VALUES (1, 'shut')",
    "CREATE FUNCTION goes() RETURNS state LANGUAGE sql AS 'SELECT ''gone''::state'",
    "CREATE TYPE size AS ENUM ('small', 'big')",
    "CREATE TABLE sized (size size) PARTITION BY LIST (size)",
    "CREATE TYPE shade AS ENUM ('dark', 'light')",
    "CREATE FUNCTION shown(shade) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT $1::text'",
    "CREATE TABLE items (id serial PRIMARY KEY, order_id int REFERENCES orders)",
    "CREATE FUNCTION count_them() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM Items'",
    "CREATE TABLE notes (id int DEFAULT nextval('items_id_seq'), item items)",
    "CREATE TABLE pages (id int PRIMARY KEY)",
    "CREATE PUBLICATION pages FOR TABLE pages",
    "CREATE TABLE letters (id int PRIMARY KEY, body text NOT NULL, sent date DEFAULT now(),"
    " kind text CHECK (kind IS NOT NULL))",
    "CREATE TABLE visits (id int PRIMARY KEY, user_id int NOT NULL REFERENCES users, place text)",
    "CREATE TABLE cards (user_id int PRIMARY KEY REFERENCES users, colour text, email text, height int NOT NULL)",
    "CREATE TABLE days (at date) PARTITION BY RANGE (date_part('year', at))",
    "CREATE TABLE months (at int) PARTITION BY LIST (at)",
    "CREATE TABLE months_1 PARTITION OF months FOR VALUES IN (1)",
    "CREATE TABLE months_other PARTITION OF months DEFAULT",
    "CREATE TABLE hashed (at int) PARTITION BY HASH (at)",
    "CREATE TABLE hashed_0 PARTITION OF hashed FOR VALUES WITH (MODULUS 2, REMAINDER 0)",
    "CREATE TABLE events_new (id int, at date)",
    "INSERT INTO events_new VALUES (7, '2024-05-05')",
    "CREATE DOMAIN positive AS int CHECK (VALUE > 0)",
    "CREATE TABLE bare (a int, b int)",
    "INSERT INTO bare VALUES (1, 2), (1, NULL)",
    "CREATE TABLE stays (nights int4range, CONSTRAINT once EXCLUDE USING gist (nights WITH &&))"
    " WITH (autovacuum_enabled = false)",
    "INSERT INTO stays SELECT int4range(i, i + 1) FROM generate_series(1, 1001) i",
    "CREATE TABLE known AS SELECT i FROM generate_series(1, 1001) i",
    "ANALYZE known",
    "CREATE INDEX users_age_idx ON users (age)",
    "INSERT INTO users VALUES (1, 'Ann', 'a@example.org', NULL, 'x'), (2, 'Bob', 'b@example.org', 30, 'x')",
)

REFUSED = {
    "unknown table": ('RenameColumn("usres", "full_name", "name")', 'did you mean "users"?'),
    "unknown column": ('RenameColumn("users", "fullname", "name")', 'did you mean "full_name"?'),
    "unknown column to drop": ('DropColumn("users", "agee")', 'did you mean "age"?'),
    "unknown index": ('DropIndex("users_aeg_idx")', 'did you mean "users_age_idx"?'),
    "unknown schema": ('RenameColumn("users", "age", "years", schema="shop")', "shop.users"),
    "name is taken": ('RenameColumn("users", "age", "email")', 'already has a column "email"'),
    "column is there already": ('AddColumn("users", "age", "int")', 'already has a column "age"'),
    "table is there already": ('CreateTable("users", Column("id", "int", primary_key=True))', "already exists"),
    "constraint that is no SQL": (
        'CreateTable("teams", Column("id", "int"), constraints=["PRIMARY KEY id"])',
        "'PRIMARY KEY id' is no constraint of a table: syntax error",
    ),
    "missing fill": ('AddColumn("users", "size", "int", nullable=False)', 'fill="'),
    "fill that gives NULL": ('AddColumn("users", "size", "int", nullable=False, fill="age")', "coalesce(age"),
    "fill that is no expression": ('AddColumn("users", "size", "int", fill="1; DROP TABLE users")', "not an SQL expr"),
    "fill of an unknown column": ('AddColumn("users", "size", "int", fill="agee")', 'did you mean "age"?'),
    "default of a column": ('AddColumn("users", "size", "int", default="age")', "default reads the column"),
    "generated column to add": ('AddColumn("users", "x", "int GENERATED ALWAYS AS (age * 2) STORED")', "rewrites the"),
    "serial column to add": ('AddColumn("users", "number", "bigserial")', "default=\"nextval('sequence')\""),
    "column of a constrained domain": ('AddColumn("users", "x", "positive")', "use the type under it, and AddCheck"),
    "type with more than a type": ('AddColumn("users", "x", "int DEFAULT 1")', "is not a type"),
    "second primary key": ('AddPrimaryKey("users", "email")', "has a primary key: (id)"),
    "primary key over equal rows": ('AddPrimaryKey("bare", "a")', "(for example 1 in "),
    "primary key over missing values": ('AddPrimaryKey("bare", "b")', 'have no value in "b"'),
    "index under the name of one that leaves": (
        'DropIndex("users_age_idx"), CreateIndex("users", "height", name="users_age_idx")',
        "still there until its contract is done",
    ),
    "constraint under the name of one that leaves": (
        'DropConstraint("orders", "orders_user_email_fkey"),'
        ' AddForeignKey("orders", "id", "pages", "id", name="orders_user_email_fkey")',
        "still there until its contract is done",
    ),
    "unique key under the name of one that leaves": (
        'DropConstraint("users", "users_code_note_key"), AddUnique("users", "height", name="users_code_note_key")',
        "still there until its contract is done",
    ),
    "required column without fill": ('DropColumn("users", "full_name")', "view public.adults"),
    "column of the primary key": ('RenameColumn("users", "id", "key")', "primary key"),
    "generated column": ('RenameColumn("users", "doubled", "twice")', "generated column"),
    "referenced column": ('RenameColumn("users", "email", "mail")', "orders_user_email_fkey"),
    "partitioned table": ('RenameColumn("events", "at", "day")', "partitioned table"),
    "shared constraint": ('DropColumn("users", "note")', "also covers other columns"),
    "unique index over equal rows": ('CreateIndex("users", "code", unique=True)', "share a value"),
    "unique index over equal expressions": ('CreateIndex("users", "(lower(code))", unique=True)', "x in 1 and 2"),
    "unique key over equal rows": ('AddUnique("users", "code")', "(for example x in 1 and 2)"),
    "exclusion over rows that exclude each other": (
        'AddExclusion("bare", "apart", [("(int4range(a, b))", "&&")])',
        'rows of "public.bare" exclude each other (for example (0,1) and (0,2))',
    ),
    "exclusion without an operator class": (
        'AddExclusion("bare", "apart", [("a", "="), ("(int4range(a, b))", "&&")])',
        "(for example a is integer)",
    ),
    "exclusion of equal rows": ('AddExclusion("bare", "apart", [("a", "=")])', "write AddUnique"),
    "exclusion by no operator": ('AddExclusion("bare", "apart", [("a", "= b")])', '"= b" is not an operator'),
    "exclusion of many rows": ('AddExclusion("stays", "apart", [("nights", "&&")])', "(for example more than 1,000"),
    "exclusion of rows known to be many": (
        'AddExclusion("known", "apart", [("(int4range(i, i + 1))", "&&")])',
        '"public.known" has about 1,001 rows',
    ),
    "exclusion that could not come back": ('DropConstraint("stays", "once")', "RunSQL(contract="),
    "fill that fails": ('AddColumn("users", "size", "int", fill="code::int")', "fill cannot be computed for every row"),
    "check that fails": ('AddCheck("users", "1 / (age - 30) > 0")', "check cannot be computed for every row"),
    "partition with rows of another": (
        """AttachPartition("events", "events_new", start="'2025-01-01'", end="'2026-01-01'")""",
        "do not belong into this partition (for example (0,1))",
    ),
    "partition with other columns": (
        """AttachPartition("events", "users", start="'2025-01-01'", end="'2026-01-01'")""",
        'column "at" is date in "public.events", not there in "public.users"',
    ),
    "partition beside a default one": (
        'AttachPartition("months", "events_new", values=["7"])',
        "is the default partition",
    ),
    "partition without a bound": ('AttachPartition("events", "events_new")', "has a range or a list"),
    "partition bound that reads": ('AttachPartition("events", "events_new", start="at", end="at")', "reads a column"),
    "partition of another table": ('DetachPartition("events", "days")', "is no partition of"),
    "partition beside a default": ('DetachPartition("months", "months_1")', "is the default partition"),
    "partition by hash": ('DetachPartition("hashed", "hashed_0")', "partitioned by hash"),
    "unique index without the partition key": ('CreateIndex("events", "id", unique=True)', 'partitioned by "at"'),
    "unique index over a partition by expression": ('CreateIndex("days", "at", unique=True)', "an expression"),
    "concurrently in RunSQL": ('RunSQL(expand="CREATE INDEX CONCURRENTLY i ON users (age)", undo="")', "CreateIndex"),
    "RunSQL without a way back": ('RunSQL(expand="SELECT 1")', 'undo=""'),
    "RunSQL that keeps writers waiting": ('RunSQL(expand="CREATE INDEX i ON users (age)", undo="")', "CreateIndex("),
    "RunSQL that breaks old readers": ('RunSQL(migrate="DROP TABLE orders", undo="")', "DropTable("),
    "RunSQL that accepts without a reason": (
        'RunSQL(expand="CREATE INDEX i ON users (age)", undo="", accept=["index-blocks-writes"])',
        'add reason="…"',
    ),
    "RunSQL that accepts no rule": (
        'RunSQL(expand="SELECT 1", undo="", accept=["index-blocks-write"], reason="small")',
        'did you mean "index-blocks-writes"?',
    ),
    "RunSQL that is no SQL": ('RunSQL(expand="SELEC 1", undo="")', "not SQL"),
    "Backfill of nothing": ('Backfill("users", {}, where="true")', "names no column"),
    "NOT NULL over missing values": ('SetNotNull("users", "age")', 'add fill="'),
    "NOT NULL that is there": ('SetNotNull("users", "full_name")', "is NOT NULL already"),
    "check that rows break": ('AddCheck("users", "age > 40")', "rows of"),
    "foreign key to no key": ('AddForeignKey("orders", "id", "users", "age")', "no unique key"),
    "foreign key over missing rows": ('AddForeignKey("users", "age", "orders", "id")', "(for example 2 references 30)"),
    "unknown action": ('AddForeignKey("users", "age", "orders", "id", on_delete="cascad")', 'did you mean "CASCADE"?'),
    "unknown constraint": ('DropConstraint("users", "users_email_ky")', 'did you mean "users_email_key"?'),
    "constraint that is referenced": ('DropConstraint("users", "users_email_key")', "orders_user_email_fkey"),
    "default of an identity": ('DropDefault("users", "age")', "has no default"),
    "index of a constraint": (
        'RenameIndex("users_email_key", "mail")',
        'RenameConstraint("users", "users_email_key", ',
    ),
    "name of another index": ('RenameIndex("users_age_idx", "users_email_key")', "already exists"),
    "unknown constraint to rename": ('RenameConstraint("users", "users_pky", "k")', 'did you mean "users_pkey"?'),
    "name of another constraint": (
        'RenameConstraint("users", "users_pkey", "users_email_key")',
        "already has a constr",
    ),
    "index name for a constraint": ('RenameConstraint("users", "users_pkey", "users_age_idx")', "already exists"),
    "unknown enum type": ('AddEnumValue("moood", "glad")', 'did you mean "mood"?'),
    "table that is no enum type": ('AddEnumValue("users", "glad")', "there is no enum type"),
    "unknown neighbour": ('AddEnumValue("mood", "glad", after="sadd")', 'did you mean "sad"?'),
    "two neighbours": ('AddEnumValue("mood", "glad", before="fine", after="sad")', "not both"),
    "value in another place": ('AddEnumValue("mood", "fine", after="happy")', "sad, fine, happy"),
    "value that is its own neighbour": ('AddEnumValue("mood", "fine", after="fine")', "no other value"),
    "value the server would cut": ('AddEnumValue("mood", "x" * 64)', "64 bytes"),
    "unknown value to rename": (
        'RenameEnumValue("mood", "sadd", "blue", reads_both=True)',
        'did you mean "sad"?',
    ),
    "rename of a value that nobody reads both ways": ('RenameEnumValue("mood", "sad", "blue")', "reads_both=True"),
    "new name of another value": (
        'RenameEnumValue("mood", "sad", "happy", reads_both=True)',
        'write RemoveEnumValue("mood", "sad", replaced_by="happy")',
    ),
    "new name of a value that rows have": (
        'RenameEnumValue("state", "open", "shut", reads_both=True)',
        'rows of "public.doors" have \'shut\' in "state" already (for example 1)',
    ),
    "value in a partitioned table": ('RenameEnumValue("size", "big", "huge", reads_both=True)', "ordinary tables"),
    "value inside of another type": (
        'RenameEnumValue("tag", "red", "pink", reads_both=True)',
        "column tags of table public.tagged",
    ),
    "value that a function keeps as text": (
        'RenameEnumValue("shade", "dark", "black", reads_both=True)',
        "function public.shown(public.shade) takes",
    ),
    "value in the text of a function": (
        'RenameEnumValue("state", "gone", "away", reads_both=True)',
        "(for example public.goes)",
    ),
    "unknown value to remove": ('RemoveEnumValue("mood", "sadd")', 'did you mean "sad"?'),
    "value that rows have": (
        'RemoveEnumValue("state", "shut")',
        "nothing says which value they get (for example 1)",
    ),
    "value that is a default": ('RemoveEnumValue("state", "open", replaced_by="shut")', "has as its default 'open'"),
    "value replaced by itself": ('RemoveEnumValue("mood", "sad", replaced_by="sad")', "by itself"),
    "unknown table to rename": ('RenameTable("usres", "people")', 'did you mean "users"?'),
    "new name of another table": ('RenameTable("users", "orders")', "already exists"),
    "new name of a type": ('RenameTable("users", "mood")', "already exists"),
    "new name the server would cut": ('RenameTable("users", "x" * 64)', "64 bytes"),
    "view to rename": ('RenameTable("adults", "grown")', "is a view"),
    "partitioned table to rename": ('RenameTable("events", "happenings")', "partitioned table"),
    "table that a function names": ('RenameTable("items", "things")', "for example public.count_them"),
    "published table": ('RenameTable("pages", "sheets")', "is published"),
    "column of a renamed table": (
        'RenameTable("letters", "mails"), AddColumn("mails", "at", "date")',
        "view until its contract is done",
    ),
    "reference to a renamed table": (
        'RenameTable("letters", "mails"), CreateTable("stamps", Column("mail", "int", references=("mails", "id")))',
        "view until its contract is done",
    ),
    "changed and renamed": (
        'AddColumn("letters", "at", "date"), RenameTable("letters", "mails")',
        "in one revision",
    ),
    "foreign key to a renamed table": (
        'RenameTable("users", "people"), DropConstraint("orders", "orders_user_email_fkey")',
        "in one revision",
    ),
    "index that goes with a column": (
        'RenameColumn("users", "age", "years"), DropIndex("users_age_idx")',
        'covers "age", which another operation of this revision takes away',
    ),
    "constraint that goes with a column": (
        'RenameColumn("orders", "user_email", "email"), RenameConstraint("orders", "orders_user_email_fkey", "buyer")',
        "takes away",
    ),
    "dropped constraint that goes with a column": (
        'RenameColumn("orders", "user_email", "email"), DropConstraint("orders", "orders_user_email_fkey")',
        "takes away",
    ),
    "reference to a key of another type": (
        'AddForeignKey("letters", "id", "pages", "id"), ChangePrimaryKeyType("pages", "id")',
        "in one revision",
    ),
    "new table that references a key of another type": (
        'CreateTable("stamps", Column("page", "int", references=("pages", "id"))), ChangePrimaryKeyType("pages", "id")',
        "in one revision",
    ),
    "reference to a column that goes": (
        'AddForeignKey("letters", "id", "cards", "user_id"), DropTable("cards")',
        'DropConstraint("letters", "letters_id_fkey")',
    ),
    "table that a new one references": (
        'CreateTable("stamps", Column("page", "int", references=("pages", "id"))), DropTable("pages")',
        'DropConstraint("stamps", "stamps_page_fkey")',
    ),
    "table of a view to drop": ('DropTable("users")', "would break view public.adults"),
    "table that is referenced": ('DropTable("orders")', 'DropConstraint("items", "items_order_id_fkey")'),
    "table whose sequence and row type others use": (
        'DropTable("items")',
        "would break column item of table public.notes, default value for column id of table public.notes",
    ),
    "changed and dropped": ('AddColumn("pages", "at", "date"), DropTable("pages")', "in one revision"),
    "column of a view to move": ('SplitTable("users", "full_name", to="names")', "would break view public.adults"),
    "required column to move before its row": ('SplitTable("letters", "body", to="bodies")', "add optional=True"),
    "column with a default to move": ('SplitTable("letters", "sent", to="bodies")', "DropDefault"),
    "column with a foreign key to move": ('SplitTable("orders", "user_email", to="buyers")', "DropConstraint("),
    "CHECK that refuses rows without the column": ('SplitTable("letters", "kind", to="bodies")', "refuse rows without"),
    "changed and moved": (
        'SetDefault("letters", "body", "1"), SplitTable("letters", "body", to="bodies", optional=True)',
        "DropDefault",
    ),
    "rebuild a table of PostgreSQL": (
        'RebuildTable("pages", types={"id": "bigint"})',
        "ChangeType, ChangePrimaryKeyType",
    ),
    "partition by a column that is not in the key": (
        """PartitionTable("letters", "range", "sent", {"old": "FOR VALUES FROM ('2020-01-01') TO ('2021-01-01')"},
           default="rest")""",
        'PRIMARY KEY USING INDEX "letters_id_sent_key"',
    ),
    "partition without a default": (
        'PartitionTable("pages", "list", "id", {"one": "FOR VALUES IN (1)"})',
        'default="pages_rest"',
    ),
    "partitions that leave a remainder out": (
        'PartitionTable("bare", "hash", "a", {"zero": "FOR VALUES WITH (MODULUS 2, REMAINDER 0)"})',
        "every remainder from 0 to MODULUS - 1",
    ),
    "more than a bound": (
        'PartitionTable("pages", "list", "id", {"one": "FOR VALUES IN (1) PARTITION BY HASH (id)"}, default="rest")',
        "or more than a bound",
    ),
    "table to partition that is referenced": (
        'PartitionTable("orders", "list", "id", {"one": "FOR VALUES IN (1)"}, default="rest")',
        'DropConstraint("items", "items_order_id_fkey") in an earlier revision',
    ),
    "table to partition that is published": (
        'PartitionTable("pages", "list", "id", {"one": "FOR VALUES IN (1)"}, default="rest")',
        "take it out of the publication first",
    ),
    "table to partition whose row type others use": (
        'PartitionTable("items", "list", "id", {"one": "FOR VALUES IN (1)"}, default="rest")',
        "column item of table public.notes",
    ),
    "table to merge that references nothing": (
        'MergeTables("users", "letters", ["body", "sent", "kind"], key="id")',
        "AddForeignKey in an earlier revision",
    ),
    "table to merge whose key is not unique": (
        'MergeTables("users", "visits", ["place"], key="user_id")',
        "could have two",
    ),
    "table to merge whose rows cannot be deleted": (
        'MergeTables("users", "cards", ["colour"], key="user_id")',
        "cascade=True",
    ),
    "column that no argument names": (
        'MergeTables("users", "cards", ["colour"], key="user_id", cascade=True)',
        "name it in columns if it moves, in forget if not",
    ),
    "column to merge whose name is taken": (
        'MergeTables("users", "cards", ["colour", "email", "height"], key="user_id", cascade=True)',
        'already has a column "email"',
    ),
    "required column to forget": (
        'MergeTables("users", "cards", ["colour"], key="user_id", forget=["email", "height"], cascade=True)',
        "SetDefault or DropNotNull",
    ),
    "default that is no text": (
        'AddColumn("users", "size", "integer", default=0)',
        'write it as SQL does: default="0"',
    ),
    "renamed twice": ('RenameColumn("users", "age", "years"), RenameColumn("users", "years", "y")', "later revision"),
    "two renames under one constraint": (
        'RenameColumn("users", "code", "c"), RenameColumn("users", "note", "n")',
        "in two revisions",
    ),
}


@pytest.fixture
def shop(database, project):
    database.run(*TABLES)
    project.url = database.url
    return project


@pytest.fixture(scope="module")
def untouched(untouched_on):
    """One database for all that is refused."""
    return untouched_on(*TABLES)


@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_file_line_and_remedy_and_nothing_done(name, untouched, project):
    operation, said = REFUSED[name]
    project.url = untouched.database.url
    project.revision("change", operation)
    done = project.cli("apply", "--yes")
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert "versions/change.py:8: " in done.stderr
    assert "Traceback" not in done.stderr
    untouched.check()


def test_an_edited_revision_is_refused_after_expand(shop, database):
    shop.revision("change", 'RenameColumn("users", "age", "years")')
    shop.apply("expand")
    expanded = database.dump()
    shop.last = None
    shop.revision("change", 'RenameColumn("users", "age", "summers")')
    for words in (("plan",), ("apply", "--yes"), ("status",)):
        done = shop.cli(*words)
        assert done.returncode == 2
        assert "was edited after its expand phase began" in done.stderr
        assert "migrator abort change" in done.stderr
    assert database.dump() == expanded
    shop.abort("change")
    assert "years" not in database.dump()


def test_a_revision_waits_for_one_in_flight_that_it_overlaps_with(shop):
    shop.revision("first", 'RenameColumn("users", "age", "years")')
    shop.apply()
    shop.revision("apart", 'AddColumn("users", "size", "int")')
    shop.revision("second", 'AddColumn("users", "half", "int", fill="years / 2")')
    done = shop.cli("apply", "--yes")
    assert done.returncode == 2
    assert "still being changed by revision first" in done.stderr
    assert "migrator apply --phase contract --to first" in done.stderr
    assert shop.cli("apply", "--yes", "--to", "apart").returncode == 0
    assert shop.states() == {"first": "migrated", "second": "pending"}
    assert "cannot be planned" in shop.cli("status").stdout
    shop.apply("contract", "first")
    assert shop.cli("apply", "--yes").returncode == 0
    assert shop.states() == {"first": "contracted", "second": "migrated"}


def test_a_contract_waits_for_its_own_gate_only(shop):
    shop.revision("first", 'RenameColumn("users", "age", "years")')
    shop.revision("second", 'RenameColumn("users", "code", "reference")')
    shop.apply()
    shop.apply("contract", "second")
    assert shop.states() == {"first": "migrated", "second": "contracted"}
    shop.apply("contract", "first")
    shop.restore("second")
    assert shop.states() == {"first": "contracted", "second": "migrated"}


def test_a_role_that_is_not_the_owner_is_refused_before_anything_is_done(shop, database):
    role = f"guest_{database.name}"
    database.run(f"CREATE ROLE {role} LOGIN", f'GRANT CREATE ON DATABASE "{database.name}" TO {role}')
    shop.revision("change", 'RenameColumn("users", "age", "years")')
    before = database.dump()
    try:
        shop.url = database.url.replace("postgres@", f"{role}@")
        done = shop.cli("apply", "--yes")
        assert done.returncode == 1
        assert f"'{role}' cannot alter it" in done.stderr
        assert 'belongs to role "postgres"' in done.stderr
        assert database.dump() == before
        assert shop.cli("plan").returncode == 0
        assert "belong to roles this one is no member of" in shop.cli("doctor").stdout
    finally:
        database.run(f"DROP OWNED BY {role} CASCADE", f"DROP ROLE {role}")


def test_a_role_that_may_not_create_the_ledger_is_told_so(shop, database):
    role = f"guest_{database.name}"
    database.run(f"CREATE ROLE {role} LOGIN")
    shop.revision("change", 'RenameColumn("users", "age", "years")')
    try:
        shop.url = database.url.replace("postgres@", f"{role}@")
        done = shop.cli("apply", "--yes")
        assert done.returncode == 1
        assert "permission denied" in done.stderr
        assert "migrator doctor" in done.stderr
    finally:
        database.run(f"DROP ROLE {role}")


def test_a_read_only_role_is_refused(shop, database):
    database.run(f'ALTER DATABASE "{database.name}" SET default_transaction_read_only = on')
    shop.revision("change", 'RenameColumn("users", "age", "years")')
    done = shop.cli("apply", "--yes")
    assert done.returncode == 1
    assert "read-only" in done.stderr
    assert "default_transaction_read_only" in done.stderr


def test_a_replica_answers_questions_and_is_not_migrated(project, replica_url):
    project.url = replica_url
    project.revision("change", 'RenameColumn("users", "full_name", "name")')
    assert project.cli("plan").returncode == 0
    for words in (("apply", "--yes"), ("deploy", "record", "--app", "shop", "--version", "1")):
        done = project.cli(*words)
        assert done.returncode == 1
        assert "read-only replica" in done.stderr
        assert "the primary" in done.stderr


def test_backfill_34_a_pooler_in_transaction_mode_is_refused_with_the_remedy(shop, pooler, database):
    shop.revision("change", 'RenameColumn("users", "age", "years")')
    shop.url = pooler("transaction")
    before = database.dump()
    done = shop.cli("apply", "--yes")
    assert done.returncode == 1, done.stderr
    assert "pooler in transaction mode" in done.stderr
    assert "session mode" in done.stderr
    assert database.dump() == before
    doctor = shop.cli("doctor")
    assert doctor.returncode == 1
    assert "transaction mode" in doctor.stdout


def test_a_pooler_in_session_mode_is_as_good_as_the_server(shop, pooler):
    shop.revision("change", 'RenameColumn("users", "age", "years")')
    shop.url = pooler("session")
    assert shop.cli("apply", "--yes").returncode == 0


def test_a_server_that_is_away(project):
    project.revision("change", 'RenameColumn("users", "age", "years")')
    project.url = "postgresql://someone:very-secret@127.0.0.1:1/shop"
    for words in (("plan",), ("apply", "--yes"), ("status",), ("gate",), ("doctor",), ("deploy", "list")):
        done = project.cli(*words)
        assert done.returncode == 1
        assert "cannot connect to postgresql+psycopg://someone:***@127.0.0.1:1/shop" in done.stderr
        assert "very-secret" not in done.stdout + done.stderr


def test_a_wrong_password_is_never_shown(database, project):
    """Not in any output, not even in a debugging traceback."""
    project.url = database.url.replace("postgres@", "nobody-here:very%20secret%40word@")
    project.revision("change", 'RenameColumn("users", "age", "years")')
    for words in (("apply", "--yes"), ("plan", "--format", "json"), ("doctor",), ("status", "--format", "json")):
        done = project.cli(*words, MIGRATOR_DEBUG="1")
        assert done.returncode == 1
        for secret in ("very secret", "very%20secret", "secret@word"):
            assert secret not in done.stdout + done.stderr


def test_the_errors_of_a_run_are_one_json_document(shop):
    shop.revision("change", 'RenameColumn("usres", "full_name", "name")')
    done = shop.cli("apply", "--format", "json")
    error = json.loads(done.stdout)["error"]
    assert error["type"] == "PlanRefused"
    assert error["next"] == 'did you mean "users"?'
    assert error["facts"]["line"] == 8
    assert error["exit_code"] == done.returncode == 2
    assert done.stderr == ""


def test_sql_runs_that_is_accepted_with_a_reason_or_harmless_in_its_phase(shop, database):
    accepted = 'accept="index-blocks-writes", reason="it has few rows"'
    index = f'RunSQL(expand="CREATE INDEX i ON users (age)", undo="DROP INDEX i", {accepted})'
    shop.revision("change", f'{index}, RunSQL(contract="ALTER TABLE users DROP COLUMN age", restore="")')
    assert "accepted: it has few rows" in shop.cli("plan").stdout
    assert shop.cli("apply", "--yes").returncode == 0
    assert "i ON public.users" in database.dump()


def test_a_step_that_fails_says_how_to_go_on_and_back(shop, database):
    shop.revision("change", 'RunSQL(expand="SELECT 1 / (SELECT count(*) FROM orders)", undo="")')
    done = shop.cli("apply", "--yes")
    assert done.returncode == 1
    assert "division by zero" in done.stderr
    assert "migrator abort change" in done.stderr
    database.run("INSERT INTO orders VALUES (1)")
    assert shop.cli("apply", "--yes").returncode == 0


def test_the_verification_names_rows_that_differ(shop, database):
    shop.revision("change", 'RenameColumn("users", "age", "years")')
    shop.apply()
    database.run("ALTER TABLE users DISABLE TRIGGER USER", "UPDATE users SET age = 99 WHERE id = 2")
    done = shop.cli("verify")
    assert done.returncode == 1
    assert '1 of 2 rows of "public.users" differ (for example 2)' in done.stderr
    document = json.loads(shop.cli("verify", "--format", "json").stdout)
    assert document["error"]["facts"]["sample"] == ["2"]
