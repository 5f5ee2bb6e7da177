"""What a statement that a server has counted uses of a column that goes."""

from __future__ import annotations

import pytest

from linters.departing import departing
from linters.mentions import Manner, mentioned
from linters.values import Name

USERS = Name("public", "users")
WRITES, READS, ALL = Manner.WRITES, Manner.READS, Manner.READS_ALL
POSTGRESQL = {
    "SELECT u.full_name FROM users u": READS,
    "SELECT id FROM public.users WHERE full_name = $1": READS,
    "SELECT * FROM users": ALL,
    "TABLE users": ALL,
    "SELECT u FROM users u": ALL,
    "SELECT u.* FROM users u JOIN orders USING (id)": ALL,
    "SELECT o.* FROM users u JOIN orders o USING (id)": None,
    "SELECT id FROM users NATURAL JOIN orders": ALL,
    "SELECT id FROM users JOIN people USING (full_name)": READS,
    "SELECT count(*) FROM users": None,
    "SELECT id AS full_name FROM users": None,
    "SELECT o.full_name FROM users u, orders o": None,
    "SELECT full_name FROM other.users": None,
    "SELECT * FROM (SELECT id FROM users) x": None,
    "SELECT x.full_name FROM (SELECT * FROM users) x": READS,
    "INSERT INTO users VALUES ($1)": WRITES,
    "INSERT INTO users DEFAULT VALUES": None,
    "INSERT INTO users (id) VALUES ($1)": None,
    "INSERT INTO users (id, full_name) VALUES ($1, $2)": WRITES,
    "INSERT INTO users (id) VALUES ($1) ON CONFLICT (id) DO UPDATE SET full_name = excluded.id": WRITES,
    "INSERT INTO orders (full_name) VALUES ($1)": None,
    "UPDATE users SET full_name = $1": WRITES,
    "UPDATE users SET id = $1 WHERE full_name = $2": READS,
    "UPDATE users SET id = $1 RETURNING *": ALL,
    "WITH u AS (INSERT INTO users (full_name) VALUES ($1) RETURNING id) SELECT * FROM u": WRITES,
    "MERGE INTO users u USING t ON u.id = t.id WHEN MATCHED THEN UPDATE SET full_name = t.n": WRITES,
    "DELETE FROM users WHERE full_name IS NULL": READS,
    "COPY users TO STDOUT": ALL,
    "COPY public.users (id, full_name) TO STDOUT": ALL,
    "COPY (SELECT full_name FROM users) TO STDOUT": READS,
    "COPY users FROM STDIN": WRITES,
    "DECLARE c CURSOR FOR SELECT full_name FROM users": READS,
    "ALTER TABLE users ALTER full_name SET NOT NULL": None,
}
MYSQL = {
    "SELECT `u` . `full_name` FROM `users` `u` WHERE ID IN (...)": READS,
    "SELECT FULL_NAME FROM `users` LIMIT ?, ...": READS,
    "SELECT * FROM `users` `u` WHERE `u` . `id` = ? FOR UPDATE": ALL,
    "SELECT `users` . * FROM `users`": ALL,
    "SELECT COUNT ( * ) FROM `users`": None,
    "SELECT `o` . `full_name` FROM `users` `u` , `orders` `o`": None,
    "( SELECT `full_name` FROM `users` ) UNION ( SELECT ? )": READS,
    "INSERT INTO `users` VALUES (...) /* , ... */": WRITES,
    "INSERT INTO `users` ( ID ) VALUES (...)": None,
    "INSERT IGNORE INTO `users` ( ID ) VALUES (...) ON DUPLICATE KEY UPDATE `full_name` = ?": WRITES,
    "REPLACE INTO `users` ( ID , `full_name` ) VALUES (...)": WRITES,
    "UPDATE `users` SET `full_name` = ? WHERE `id` = ?": WRITES,
    "UPDATE `users` `u` JOIN `o` ON `u` . `id` = `o` . `id` SET `u` . `full_name` = `o` . `x`": WRITES,
    "DELETE `u` FROM `users` `u` WHERE `u` . `full_name` = ?": READS,
    "EXECUTE SELECT `full_name` FROM `users` WHERE `id` = ?": READS,
    "SHOW CREATE TABLE `users`": None,
    "SELECT SQL_NO_CACHE * FROM `users`": ALL,
}


@pytest.mark.parametrize(
    ("dialect", "statement", "manner"),
    [
        *[("postgresql", statement, manner) for statement, manner in POSTGRESQL.items()],
        *[("mysql", statement, manner) for statement, manner in MYSQL.items()],
    ],
)
def test_how_a_statement_uses_a_column(dialect, statement, manner):
    assert mentioned(statement, dialect).manner(USERS, "full_name") is manner


def test_a_table_that_goes_is_used_by_whoever_names_it():
    assert mentioned("SELECT id FROM users", "postgresql").manner(USERS) is READS
    assert mentioned("TRUNCATE users", "postgresql").manner(USERS) is READS
    assert mentioned("DELETE FROM `users`", "mysql").manner(USERS) is WRITES
    assert mentioned("SELECT id FROM orders", "postgresql").manner(USERS) is None


def test_a_backup_is_no_use_of_what_it_copies():
    for statement, dialect in (
        ("COPY public.users (id, full_name) TO stdout", "postgresql"),
        ("SELECT SQL_NO_CACHE * FROM `users`", "mysql"),
        ("SELECT /*!40001 SQL_NO_CACHE */ `id` , `full_name` FROM `users`", "mariadb"),
    ):
        assert mentioned(statement, dialect).manner(USERS) is ALL
        assert mentioned(statement, dialect).manner(USERS, "full_name") is ALL
    assert mentioned("LOCK TABLE public.users IN ACCESS SHARE MODE", "postgresql").manner(USERS) is None


@pytest.mark.parametrize("text", ["SELECT `id` , `full_na...", "CALL `all_users` ( ? )", "EXECUTE `s` USING @?"])
def test_what_cannot_be_read_is_not_taken_for_harmless(text):
    with pytest.raises(ValueError, match=r"cut off|is not read"):
        mentioned(text, "mysql")


def test_names_that_are_gone_after_a_contract():
    users, folk = Name("shop", "users"), Name("shop", "folk")
    postgresql = [
        'ALTER TABLE "shop"."users" RENAME COLUMN "full_name" TO "_q"',
        'ALTER TABLE "shop"."users" RENAME COLUMN "code" TO "_c"',
        'ALTER TABLE "shop"."users" RENAME COLUMN "_hidden" TO "code"',
        'DROP VIEW "shop"."people"',
        'ALTER TABLE "shop"."folk" RENAME TO "people"',
    ]
    assert departing(postgresql, "postgresql") == ((users, "full_name"), (users, "_hidden"), (folk, None))
    mysql = [
        "ALTER TABLE `shop`.`users` RENAME COLUMN `full_name` TO `_q`, ALGORITHM=INSTANT",
        "RENAME TABLE `shop`.`people` TO `shop`.`_p`, `shop`.`folk` TO `shop`.`people`",
    ]
    assert departing(mysql, "mysql") == ((users, "full_name"), (folk, None))
