"""Rows that somebody wrote past the triggers are brought back in line, from the side that is named."""

from __future__ import annotations

import re

import pytest

from migrator.errors import VerificationFailed
from tests.plugins.families import MYSQL, POSTGRESQL, kind_of, named, servers
from tests.plugins.servers import WANTED

SERVERS = [
    pytest.param((kind, server), id=named(kind, server)) for kind in (POSTGRESQL, MYSQL) for server in servers(kind)[:1]
]
ROWS = {
    POSTGRESQL: "SELECT i, 'user ' || i, i FROM generate_series(1, 300) i",
    MYSQL: "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300)"
    " SELECT i, CONCAT('user ', i), i FROM n",
}
WROTE = "UPDATE users SET name = 'new ' || id, half = 1000 WHERE id IN (7, 290)"
OPERATIONS = (
    'RenameColumn("users", "full_name", "name"), TransformColumns("users", "amount",'
    ' Column("half", "int"), up={"half": "amount * 2"}, down={"amount": "half / 2"})'
)
ANSWERS = {"old": [("user 7", "user 7", 7, 14)], "new": [("new 7", "new 7", 500, 1000)]}


def past_the_triggers(database, *statements):
    """Write as somebody does who sees to it that no trigger fires."""
    if kind_of(database) == POSTGRESQL:
        database.run("SET session_replication_role = replica", *statements, "RESET session_replication_role")
        return
    triggers = database.rows(
        "SELECT trigger_name, action_timing, event_manipulation, event_object_table, action_statement"
        " FROM information_schema.triggers WHERE trigger_schema = DATABASE() ORDER BY action_order"
    )
    mode = "SET SESSION sql_mode = 'ANSI_QUOTES,PIPES_AS_CONCAT,STRICT_ALL_TABLES', foreign_key_checks = 0"
    database.run(
        mode,
        *(f'DROP TRIGGER "{name}"' for name, *_ in triggers),
        *statements,
        *(
            f'CREATE TRIGGER "{name}" {when} {event} ON "{table}" FOR EACH ROW {body}'
            for name, when, event, table, body in triggers
        ),
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
    past_the_triggers(database, WROTE)
    failed = project.cli("verify", "change")
    assert failed.returncode == 1
    assert "--repair old" in failed.stderr
    repaired = project.json("verify", "change", "--repair", side)["verified"]
    assert [(each["revision"], each["rows"], each["repaired"]) for each in repaired] == [("change", 600, 4)]
    assert database.rows("SELECT full_name, name, amount, half FROM users WHERE id = 7") == ANSWERS[side]
    project.apply("contract", "change")
    events = project.json("status", "--events", "30")["events"]
    assert [event["detail"]["side"] for event in events if event["kind"] == "repaired"] == [side, side]


def test_16_a_row_that_differs_in_two_ways_is_repaired_in_both(database, project):
    database.run(
        "CREATE TABLE users (id int PRIMARY KEY, a text, b text)", "INSERT INTO users VALUES (1, 'old a', 'old b')"
    )
    project.url = database.url
    project.revision("change", 'RenameColumn("users", "a", "c"), RenameColumn("users", "b", "d")')
    project.apply()
    past_the_triggers(database, "UPDATE users SET c = 'new c', d = 'new d'")
    assert project.cli("verify", "change", "--repair", "new").returncode == 0
    assert database.rows("SELECT a, c, b, d FROM users") == [("new c", "new c", "new d", "new d")]


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


EVERYWHERE = [
    pytest.param((kind, server), side, id=f"{named(kind, server)}-{side}")
    for kind in (POSTGRESQL, MYSQL)
    for number, server in enumerate(servers(kind)[: 1 if kind == POSTGRESQL else None])
    for side in (["old", "new"] if kind == POSTGRESQL or WANTED else [["old", "new"][number % 2]])
]
"""Both sides on PostgreSQL; MariaDB and MySQL have one each."""
SPLIT = 'SplitTable("users", ["street", "city"], to="places", key="user_id")'
APART = (
    "UPDATE places SET street = 'elsewhere' WHERE user_id = 7",
    "DELETE FROM places WHERE user_id = 8",
    "INSERT INTO places VALUES (300, 'a street', 'a city')",
    "UPDATE users SET street = 'new street' WHERE id = 290",
)
"""300 has no values in the first table, and no row in the second."""
BELIEVED = {
    "old": [(7, "street 7", "street 7"), (8, "street 8", "street 8"), (290, "new street", "new street")],
    "new": [(7, "elsewhere", "elsewhere"), (8, None, None), (290, "street 290", "street 290")],
}
LAST = {"old": (300, None, None), "new": (300, "a street", "a street")}


def in_two_tables(database, project, operations=SPLIT):
    database.run(
        "CREATE TABLE users (id int PRIMARY KEY, street varchar(60), city varchar(60))",
        f"INSERT INTO users {ROWS[kind_of(database)]}",
        "UPDATE users SET street = REPLACE(street, 'user', 'street')",
        "UPDATE users SET street = NULL, city = NULL WHERE id = 300",
    )
    project.url = database.url
    project.revision("change", operations)
    project.apply()


@pytest.mark.parametrize(("server_database", "side"), EVERYWHERE, indirect=["server_database"])
def test_16_rows_that_live_in_two_tables_are_repaired_from_the_side_that_is_named(side, server_database, project):
    database = server_database
    in_two_tables(database, project)
    past_the_triggers(database, *APART)
    (repaired,) = project.json("verify", "change", "--repair", side)["verified"]
    assert repaired["repaired"] == 4
    both = "SELECT u.id, u.street, p.street FROM users u LEFT JOIN places p ON p.user_id = u.id WHERE u.id"
    assert database.rows(f"{both} IN (7, 8, 290, 300) ORDER BY 1") == [*BELIEVED[side], LAST[side]]
    database.run("UPDATE users SET city = 'x' WHERE id = 7")
    assert database.rows("SELECT city FROM places WHERE user_id = 7") == [("x",)]


@pytest.mark.parametrize("server_database", SERVERS, indirect=True)
def test_a_row_that_only_the_second_table_has_is_for_somebody_to_delete_who_has_looked(server_database, project):
    database, side = server_database, "old"
    in_two_tables(database, project)
    past_the_triggers(database, APART[0], "INSERT INTO places VALUES (999, 'nowhere', 'x')")
    refused = project.cli("verify", "change", "--repair", side)
    assert refused.returncode == 2
    assert "999" in refused.stderr
    assert database.rows("SELECT street FROM places WHERE user_id = 7") == [("elsewhere",)], "it began to repair"
    (statement,) = re.findall("(DELETE FROM .*?); then: migrator verify change", " ".join(refused.stderr.split()))
    database.run(*(["SET SESSION sql_mode = 'ANSI_QUOTES'"] if kind_of(database) == MYSQL else []), statement)
    assert project.cli("verify", "change", "--repair", side).returncode == 0
    assert database.rows("SELECT COUNT(*) FROM places WHERE user_id = 999") == [(0,)]


COPIES = {
    POSTGRESQL: (
        'PartitionTable("users", "hash", "id", {f"users_{i}": f"FOR VALUES WITH (MODULUS 2, REMAINDER {i})"'
        " for i in range(2)})",
    ),
    MYSQL: ('RebuildTable("users", types={"city": "varchar(99)"})',),
}


@pytest.mark.parametrize("server_database", SERVERS, indirect=True)
def test_16_a_copy_is_made_anew_where_it_differs_from_its_table(server_database, project):
    database = server_database
    in_two_tables(database, project, COPIES[kind_of(database)][0])
    wrote = ("UPDATE users SET city = 'unseen' WHERE id = 7", "DELETE FROM users WHERE id = 8")
    past_the_triggers(database, *wrote, "INSERT INTO users VALUES (500, 'unseen', 'x')")
    refused = project.cli("verify", "change", "--repair", "new")
    assert (refused.returncode, "migrator verify change --repair old" in refused.stderr) == (2, True)
    assert project.cli("verify", "change", "--repair", "old").returncode == 0
    project.apply("contract", "change")
    assert database.rows("SELECT id, city FROM users WHERE id IN (7, 8, 500) ORDER BY 1") == [(7, "unseen"), (500, "x")]


@pytest.mark.parametrize(("side", "size"), [("old", "big"), ("new", "small")])
def test_16_rows_of_tables_that_become_one_are_repaired_from_the_side_that_is_named(side, size, database, project):
    database.run(
        "CREATE TABLE users (id int PRIMARY KEY)",
        "INSERT INTO users VALUES (1), (2)",
        "CREATE TABLE cards (user_id int PRIMARY KEY REFERENCES users ON DELETE CASCADE, size text NOT NULL)",
        "INSERT INTO cards VALUES (1, 'small'), (2, 'small')",
    )
    project.url = database.url
    project.revision("change", 'MergeTables("users", "cards", ["size"], key="user_id")')
    project.apply()
    past_the_triggers(database, "UPDATE cards SET size = 'big' WHERE user_id = 2")
    assert project.cli("verify", "change", "--repair", side).returncode == 0
    both = "SELECT u.size, c.size FROM users u JOIN cards c ON user_id = id WHERE id = 2"
    assert database.rows(both) == [(size, size)]
