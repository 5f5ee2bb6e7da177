"""Some of several new columns are written in a row that the backfill has not reached: the others are filled."""

from __future__ import annotations

import pytest

from tests.plugins.families import MYSQL, POSTGRESQL, kind_of, servers

SPLIT = {
    POSTGRESQL: """TransformColumns("users", "name", [Column("first", "text", nullable=False), Column("last", "text")],
        up={"first": "split_part(name, ' ', 1)", "last": "nullif(split_part(name, ' ', 2), '')"},
        down={"name": "first || coalesce(' ' || last, '')"})""",
    MYSQL: """TransformColumns("users", "name",
        [Column("first", "varchar(40)", nullable=False), Column("last", "varchar(40)")],
        up={"first": "substring_index(name, ' ', 1)",
            "last": "nullif(substr(name, char_length(substring_index(name, ' ', 1)) + 2), '')"},
        down={"name": "first || coalesce(' ' || last, '')"})""",
}
SIGNAL = {POSTGRESQL: "SET migrator.writes = 'new'", MYSQL: "SET @migrator_writes = 'new'"}
EVERYWHERE = [(kind, server) for kind in SPLIT for server in servers(kind)]


@pytest.mark.parametrize("server_database", EVERYWHERE, ids=[f"{k}-{s}" for k, s in EVERYWHERE], indirect=True)
def test_new_columns_that_are_not_given_get_what_the_old_ones_say(server_database, project):
    database, kind = server_database, kind_of(server_database)
    database.run(
        "CREATE TABLE users (id int PRIMARY KEY, name varchar(80) NOT NULL)",
        "INSERT INTO users VALUES (1, 'Ada Lovelace'), (2, 'Ada Lovelace'), (3, 'Ada Lovelace'), (4, 'Ada Lovelace')",
    )
    project.url = database.url
    project.revision("change", SPLIT[kind])
    project.apply("expand")
    database.run(
        "UPDATE users SET last = 'King' WHERE id = 1",
        "UPDATE users SET first = 'Augusta' WHERE id = 2",
        "UPDATE users SET first = 'Ada' WHERE id = 3",
        SIGNAL[kind],
        "UPDATE users SET first = 'Ada', last = NULL WHERE id = 4",
    )
    project.apply("migrate")
    assert database.rows("SELECT id, name, first, last FROM users ORDER BY id") == [
        (1, "Ada King", "Ada", "King"),
        (2, "Augusta Lovelace", "Augusta", "Lovelace"),
        (3, "Ada Lovelace", "Ada", "Lovelace"),
        (4, "Ada", "Ada", None),
    ]


@pytest.mark.parametrize("server_database", EVERYWHERE, ids=[f"{k}-{s}" for k, s in EVERYWHERE], indirect=True)
def test_the_plan_says_where_a_required_column_can_fail_the_new_version(server_database, project):
    database, warning = server_database, 'warning: "name" is required: until the contract'
    database.run("CREATE TABLE users (id int PRIMARY KEY, name varchar(80) NOT NULL)")
    project.url = database.url
    revision = project.revision("change", SPLIT[kind_of(database)])
    assert warning in project.cli("plan").stdout
    project.apply()
    assert warning in project.cli("plan").stdout
    project.apply("contract", revision)
    assert warning not in project.cli("plan").stdout
