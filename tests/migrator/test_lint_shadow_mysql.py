"""`migrator lint --shadow` on MariaDB: each ALTER with the algorithm and lock that the server accepts, and no other
database touched."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from linters.mysql.tokens import Splitter
from linters.source import Source
from migrator.shadow.confining import reason_against
from tests.linters.mysql.servers import connection_to

LINT = [sys.executable, "-m", "migrator", "lint", "--format", "json"]
DUMP = """
SET @@SESSION.SQL_LOG_BIN= 0;
CREATE DATABASE /*!32312 IF NOT EXISTS*/ `shop` /*!40100 DEFAULT CHARACTER SET utf8mb4 */;
USE `shop`;
CREATE TABLE `users` (`id` int NOT NULL, `n` int DEFAULT NULL, `v` varchar(20) DEFAULT NULL, PRIMARY KEY (`id`));
LOCK TABLES `users` WRITE;
INSERT INTO users VALUES (1, 2, 'x');
UNLOCK TABLES;
DELIMITER ;;
/*!50003 CREATE*/ /*!50017 DEFINER=`nobody`@`elsewhere`*/ /*!50003 TRIGGER counted BEFORE INSERT ON users
FOR EACH ROW BEGIN SET NEW.n = 1; END */;;
CREATE PROCEDURE sweep() BEGIN PREPARE s FROM 'DROP DATABASE shop'; EXECUTE s; END;;
DELIMITER ;
"""
HISTORY = {
    "V1__a.sql": "ALTER TABLE users ADD COLUMN c INT;\nALTER TABLE users MODIFY n INT, ALGORITHM=COPY, LOCK=SHARED;\n",
    "V2__b.sql": "CREATE INDEX by_v ON users (v);\nUPDATE users SET n = 2 WHERE id = 7;\nOPTIMIZE TABLE users;\n",
    "V3__c.sql": "ALTER TABLE users MODIFY n BIGINT, ALGORITHM=INSTANT;\n",
}
REFUSED = {
    "USE shop": "USE shop leaves",
    "ALTER TABLE shop.users ADD COLUMN c INT": "shop is another database",
    "INSERT INTO `Shop` . users VALUES (1)": "Shop is another database",
    "DELETE FROM shop.1st": "shop is another database",
    "CREATE VIEW v AS SELECT (SELECT max(id) FROM shop.users)": "shop is another database",
    "ALTER TABLE nowhere.users ADD COLUMN c INT": "nowhere.users is in a database",
    "CREATE TABLE nowhere.users (id INT)": "nowhere.users is in a database",
    "CREATE USER clerk": "CREATE USER may reach",
    "/*!50003 DROP DATABASE shop */": "DROP DATABASE may reach",
    "GRANT SELECT ON users TO clerk": "GRANT may reach",
    "SET @a = 1, GLOBAL max_connections = 9": "SET GLOBAL may reach",
    "SET @@global.max_connections = 9": "SET @@global may reach",
    "SET SESSION sql_log_bin = 0": "SET sql_log_bin may reach",
    "PURGE BINARY LOGS TO 'x'": "PURGE may reach",
    "START SLAVE": "START SLAVE may reach",
    "CHANGE MASTER TO MASTER_HOST = 'x'": "CHANGE may reach",
    "LOAD DATA INFILE '/x' INTO TABLE users": "LOAD may reach",
    "SELECT 1 INTO OUTFILE '/x'": "files of the server",
    "CREATE TABLE far (id INT) ENGINE=FEDERATED": "FEDERATED are elsewhere",
    "PREPARE s FROM 'DROP TABLE users'": "put together at run time",
    "CREATE PROCEDURE p() BEGIN SET @s = 'x'; PREPARE s FROM @s; END": "PREPARE in a body",
    "CREATE PROCEDURE p() BEGIN DECLARE EXIT HANDLER FOR SQLEXCEPTION DROP USER clerk; END": "DROP USER in a body",
    "BEGIN NOT ATOMIC SET GLOBAL max_connections = 9; END": "GLOBAL in a body",
}
RUN = (
    "ALTER TABLE users ADD COLUMN shop INT, ADD COLUMN role INT",
    "SELECT u.id FROM users u JOIN information_schema.tables t ON t.table_name = u.v",
    "CREATE TRIGGER t BEFORE UPDATE ON users FOR EACH ROW BEGIN SET NEW.change = NEW.reset; END",
    "CREATE PROCEDURE p() BEGIN ALTER TABLE users CHANGE n m INT; SELECT v FROM users USE INDEX (by_v); END",
    "SET NAMES utf8mb4, @x = 'GLOBAL'",
)


@pytest.fixture(scope="module")
def server():
    with connection_to("mariadb") as connection:
        yield connection


@pytest.fixture
def url(server):
    if server.unix_socket:
        return f"mariadb://root@localhost/shop?unix_socket={server.unix_socket}"
    return f"mariadb://{server.user.decode()}:{server.password.decode()}@{server.host}:{server.port}/shop"


@pytest.fixture
def lint(tmp_path):
    """Write files and run the command; its exit code and what it printed."""

    def run(files, *words):
        for name, text in files.items():
            (tmp_path / name).write_text(text)
        done = subprocess.run([*LINT, *words], cwd=tmp_path, capture_output=True, text=True, timeout=100)
        return done.returncode, json.loads(done.stdout)

    return run


def rows(server, query):
    with server.cursor() as cursor:
        cursor.execute(query)
        return list(cursor.fetchall())


def scratches(server):
    return {name for (name,) in rows(server, "SHOW DATABASES") if name.startswith("migrator_shadow_")}


def differences(out):
    found = [each for each in out["findings"] if each["rule"] == "shadow-difference"]
    return [(each["file"], each["line"], each["severity"], each["message"].partition(":")[0]) for each in found]


def test_the_accepted_algorithm_is_reported_beside_the_verdict(server, url, lint):
    before = rows(server, "SHOW DATABASES")
    code, out = lint(HISTORY | {"dump.out": DUMP}, "--schema", "dump.out", "--shadow", url, ".")
    assert (code, differences(out)) == (1, [])
    seen = [(e["file"][:2], e["line"], e["algorithm"], e["locks"], e["rewrites"], e["code"]) for e in out["observed"]]
    assert seen == [
        ("V1", 1, "INSTANT", {"users": "NONE"}, [], ""),
        ("V1", 2, "COPY", {"users": "SHARED"}, ["users"], ""),
        ("V2", 1, "NOCOPY", {"users": "NONE"}, [], ""),
        ("V2", 2, "", {}, [], ""),
        ("V2", 3, "INPLACE", {"users": "NONE"}, ["users"], ""),
        ("V3", 1, "", {}, [], "1846"),
    ]
    assert rows(server, "SHOW DATABASES") == before


def test_what_the_server_does_otherwise_than_was_said_is_a_finding(url, lint):
    # Which engine a table gets where none is named is a matter of the session.
    script = "SET default_storage_engine = MyISAM;\nCREATE TABLE notes (id INT);\nALTER TABLE notes ADD COLUMN n INT;\n"
    code, out = lint({"a.sql": script}, "--shadow", url, "a.sql")
    assert (code, differences(out)) == (1, [("a.sql", 3, "error", "mismatch")])
    assert "ALTER" in out["observed"][2]["statement"]
    assert out["observed"][2]["algorithm"] == "COPY"


def test_a_script_that_reaches_beyond_the_scratch_database_is_not_run(server, url, lint):
    rows(server, "CREATE DATABASE shop")
    rows(server, "CREATE TABLE shop.users (id INT)")
    try:
        code, out = lint({"a.sql": "CREATE TABLE t (id INT);\nDROP TABLE shop.users;\n"}, "--shadow", url, "a.sql")
        assert [(e["line"], e["error"]) for e in out["observed"]] == [
            (2, "not run: shop is another database of the server")
        ]
        assert rows(server, "SHOW TABLES FROM shop") == [("users",)]
        code, out = lint({"d.out": "CREATE VIEW v AS SELECT id FROM shop.users;"}, "--schema", "d.out", "--shadow", url)
        assert (code, "shop is another database" in json.dumps(out)) == (2, True)
    finally:
        rows(server, "DROP DATABASE shop")


@pytest.mark.parametrize("text", [*REFUSED, *RUN])
def test_what_may_reach_beyond_is_told_from_what_stays(text):
    (piece,) = Splitter(Source("a.sql", text.encode()), "mariadb", (10, 11)).pieces()
    reason = reason_against(piece.node, frozenset({"shop", "mysql", "information_schema"}))
    assert (REFUSED[text] in reason) if text in REFUSED else reason == ""


def test_a_server_that_is_not_theirs_is_refused(url, lint):
    for words, said in (
        (("--dialect", "mysql", "--shadow", url), "the server of --shadow is MariaDB, and the scripts are for MySQL"),
        (("--server-version", "10.6", "--shadow", url), "the scripts are for 10.6"),
    ):
        code, out = lint({"a.sql": "SELECT 1;\n"}, *words, "a.sql")
        assert code == 2
        assert said in json.dumps(out)


def begun(url, server, folder):
    """A run in the middle of its script, and its database."""
    before = scratches(server)
    (folder / "slow.sql").write_text("SELECT SLEEP(100);\n")
    run = subprocess.Popen([*LINT, "--shadow", url, "slow.sql"], cwd=folder, stdout=subprocess.DEVNULL)
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if any("SLEEP" in str(session[7]) for session in rows(server, "SHOW PROCESSLIST")):
            break
        time.sleep(0.05)
    (name,) = scratches(server) - before
    return run, name


def test_a_run_that_is_ended_leaves_nothing_behind_and_another_is_left_alone(server, url, lint, tmp_path):
    run, name = begun(url, server, tmp_path)
    lint({"a.sql": "SELECT 1;\n"}, "--shadow", url, "a.sql")
    assert scratches(server) == {name}
    run.kill()
    run.wait(60)
    lint({}, "--shadow", url, "a.sql")
    assert scratches(server) == set()
    run, name = begun(url, server, tmp_path)
    os.kill(run.pid, signal.SIGINT)
    assert (run.wait(60), scratches(server)) == (130, set())
