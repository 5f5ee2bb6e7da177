"""`migrator lint --shadow`: scripts run on a scratch database, and every difference is a finding."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from migrator.embedded import all_binaries
from tests.plugins.servers import versions

LINT = [sys.executable, "-m", "migrator", "lint", "--format", "json"]
HISTORY = {
    "V1__a.sql": "CREATE TABLE lines (id int PRIMARY KEY, n int);\n",
    "V2__b.sql": "ALTER TABLE lines ALTER n TYPE bigint;\nALTER TABLE users ALTER v TYPE varchar(40);\n",
    "V3__c.sql": "ALTER TABLE users ADD COLUMN sure boolean DEFAULT yes();\n",
}
SCHEMA = """
SET transaction_timeout = 0;
\\restrict x
CREATE TABLE public.users (id bigint PRIMARY KEY, v varchar(20));
CREATE FUNCTION public.yes() RETURNS boolean LANGUAGE plpgsql STABLE AS 'BEGIN RETURN true; END';
ALTER TABLE public.users OWNER TO nobody_here;
"""


@pytest.fixture
def lint(tmp_path):
    """Write files and run the command; its exit code and what it printed."""

    def run(files, *words):
        for name, text in files.items():
            (tmp_path / name).write_text(text)
        done = subprocess.run([*LINT, *words], cwd=tmp_path, capture_output=True, text=True, timeout=100)
        return done.returncode, json.loads(done.stdout)

    return run


def databases(database):
    return {name for (name,) in database.rows("SELECT datname FROM pg_database")}


def differences(out):
    found = [each for each in out["findings"] if each["rule"] == "shadow-difference"]
    return [(each["file"], each["line"], each["severity"], each["message"].partition(":")[0]) for each in found]


@pytest.mark.in_turn
def test_what_a_server_does_is_reported_beside_the_verdict(any_database, lint):
    before, there = any_database.dump(), databases(any_database)
    words = ("--schema", "dump.out", "--shadow", any_database.url)
    code, out = lint(HISTORY | {"dump.out": SCHEMA}, *words, ".")
    assert code == 1
    assert differences(out) == []
    seen = {(each["file"], each["line"]): each for each in out["observed"]}
    assert list(seen) == [("V1__a.sql", 1), ("V2__b.sql", 1), ("V2__b.sql", 2), ("V3__c.sql", 1)]
    assert seen["V2__b.sql", 1]["locks"] == {"lines": "ACCESS EXCLUSIVE"}
    assert seen["V2__b.sql", 1]["rewrites"] == ["lines"]
    assert seen["V2__b.sql", 2]["rewrites"] == seen["V3__c.sql", 1]["rewrites"] == []
    assert (any_database.dump(), databases(any_database)) == (before, there)


def test_what_the_linter_did_not_say_and_what_was_not_seen_are_findings(database, lint):
    dump = "CREATE TABLE users (id bigint PRIMARY KEY, v varchar(20) CHECK (v IS NOT NULL));"
    # An event trigger fires for what no statement names: no reading of the script tells.
    hidden = (
        "CREATE FUNCTION f() RETURNS event_trigger LANGUAGE plpgsql AS"
        " $$ BEGIN EXECUTE 'LOCK TABLE users'; PERFORM count(*) FROM users; END $$;\n"
        "CREATE EVENT TRIGGER e ON ddl_command_end WHEN TAG IN ('COMMENT') EXECUTE FUNCTION f();\n"
        "COMMENT ON COLUMN users.v IS 'x';\n"
    )
    code, out = lint({"dump.out": dump, "a.sql": hidden}, "--schema", "dump.out", "--shadow", database.url, "a.sql")
    assert code == 1
    assert ("a.sql", 3, "error", "observed-only") in differences(out)
    words = ("--shadow", database.url, "--ignore", "shadow-difference", "a.sql")
    assert differences(lint({}, "--schema", "dump.out", *words)[1]) == []


def test_what_only_sample_rows_or_missing_tables_refuse_is_no_difference(database, lint):
    files = {
        "1.sql": "CREATE TABLE t (id int PRIMARY KEY, n int);\n",
        "2.sql": "INSERT INTO t VALUES (1, 1);\n",  # the sample has a row with this key
        "3.sql": "CREATE INDEX CONCURRENTLY i ON elsewhere (a);\n",
    }
    code, out = lint(files, "--shadow", database.url, ".")
    assert (code, differences(out)) == (0, [])
    assert [each["code"] for each in out["observed"]] == ["", "23505", "42P01"]


def test_a_server_that_is_not_theirs_is_refused(database, lint):
    other = "14" if versions()[0] != 14 else "15"
    absent = str(next((major for major in range(12, 19) if major not in all_binaries()), 19))
    for words, said in (
        (("--server-version", other, "--shadow", database.url), f"the scripts are for {other}"),
        (("--dialect", "mariadb", "--shadow", database.url), "no MariaDB server"),
        (("--schema", "broken.out", "--shadow", database.url), 'type \\"mood\\" does not exist'),
        (("--dialect", "postgresql", "--shadow", "mysql://root@localhost/x"), "no PostgreSQL server"),
        (("--shadow", "embedded", "--server-version", absent), f"{absent} is not"),
    ):
        code, out = lint({"a.sql": "SELECT 1;\n", "broken.out": "CREATE TABLE t (m mood);"}, *words, "a.sql")
        assert code == 2
        assert said in json.dumps(out)
    assert not any(name.startswith("migrator_shadow_") for name in databases(database))


def test_an_interrupted_run_leaves_nothing_behind(database, tmp_path):
    (tmp_path / "a.sql").write_text("SELECT pg_sleep(60);\n")
    words = [*LINT, "--shadow", database.url, "a.sql"]
    run = subprocess.Popen(words, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    busy = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname ~ '^migrator_shadow' AND query ~ 'pg_sleep')"
    until = time.monotonic() + 60
    while database.rows(busy) != [(True,)] and time.monotonic() < until:
        time.sleep(0.05)
    os.kill(run.pid, signal.SIGINT)
    assert run.wait(60) == 130
    assert not any(name.startswith("migrator_shadow_") for name in databases(database))
