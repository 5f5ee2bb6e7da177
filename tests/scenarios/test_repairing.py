"""Rows that somebody wrote past the triggers are brought back in line, from the side that is named."""

from __future__ import annotations

import pytest

from migrator.errors import VerificationFailed
from tests.plugins.families import MYSQL, POSTGRESQL, kind_of, named, servers

SERVERS = [
    pytest.param((kind, server), id=named(kind, server)) for kind in (POSTGRESQL, MYSQL) for server in servers(kind)[:1]
]
ROWS = {
    POSTGRESQL: "SELECT i, 'user ' || i, i FROM generate_series(1, 300) i",
    MYSQL: "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300)"
    " SELECT i, CONCAT('user ', i), i FROM n",
}
WROTE = "UPDATE users SET name = 'new ' || id, half = 1000 WHERE id IN (7, 290)"
PAST = ("SET session_replication_role = replica", WROTE, "RESET session_replication_role")
OPERATIONS = (
    'RenameColumn("users", "full_name", "name"), TransformColumns("users", "amount",'
    ' Column("half", "int"), up={"half": "amount * 2"}, down={"amount": "half / 2"})'
)
ANSWERS = {"old": [("user 7", "user 7", 7, 14)], "new": [("new 7", "new 7", 500, 1000)]}


def past_the_triggers(database):
    """Write as somebody does who sees to it that no trigger fires."""
    if kind_of(database) == POSTGRESQL:
        database.run(*PAST)
        return
    triggers = database.rows(
        "SELECT trigger_name, action_statement FROM information_schema.triggers"
        " WHERE trigger_schema = DATABASE() AND event_manipulation = 'UPDATE' AND event_object_table = 'users'"
    )
    mode = "SET SESSION sql_mode = 'ANSI_QUOTES,PIPES_AS_CONCAT,STRICT_ALL_TABLES'"
    database.run(
        mode,
        *(f'DROP TRIGGER "{name}"' for name, _ in triggers),
        WROTE,
        *(f'CREATE TRIGGER "{name}" BEFORE UPDATE ON users FOR EACH ROW {body}' for name, body in triggers),
    )


@pytest.mark.parametrize("side", ["old", "new"])
@pytest.mark.parametrize("server_database", SERVERS, indirect=True)
def test_16_rows_written_past_the_triggers_are_repaired_from_the_side_that_is_named(side, server_database, project):
    database = server_database
    database.run(
        "CREATE TABLE users (id int PRIMARY KEY, full_name varchar(60), amount int)",
        f"INSERT INTO users {ROWS[kind_of(database)]}",
    )
    project.url = database.url
    project.revision("change", OPERATIONS)
    project.apply()
    past_the_triggers(database)
    failed = project.cli("verify", "change")
    assert failed.returncode == 1
    assert "--repair old" in failed.stderr
    repaired = project.json("verify", "change", "--repair", side)["verified"]
    assert [(each["revision"], each["rows"], each["repaired"]) for each in repaired] == [("change", 600, 4)]
    assert database.rows("SELECT full_name, name, amount, half FROM users WHERE id = 7") == ANSWERS[side]
    project.apply("contract", "change")
    events = project.json("status", "--events", "30")["events"]
    assert [event["detail"]["side"] for event in events if event["kind"] == "repaired"] == [side, side]


def test_a_repair_names_one_revision_and_a_side_that_can_be_written(database, project):
    database.run("CREATE TABLE users (id int PRIMARY KEY, size int)", "INSERT INTO users VALUES (1, 5)")
    project.url = database.url
    project.revision("change", 'ChangeType("users", "size", "bigint")')
    project.apply()
    whole = project.cli("verify", "--repair", "old")
    assert (whole.returncode, "migrator verify REVISION" in whole.stderr) == (2, True)
    hidden = database.rows("SELECT attname FROM pg_attribute WHERE attrelid = 'users'::regclass AND attnum = 3")[0][0]
    database.run(
        "SET session_replication_role = replica", f'UPDATE users SET "{hidden}" = 9', "RESET session_replication_role"
    )
    with pytest.raises(VerificationFailed):
        project.apply("contract", "change")
    other = project.cli("verify", "change", "--repair", "new")
    assert (other.returncode, "--repair old" in other.stderr) == (2, True)
    assert project.cli("verify", "change", "--repair", "old").returncode == 0
    project.apply("contract", "change")
    assert database.rows("SELECT size FROM users") == [(5,)]
