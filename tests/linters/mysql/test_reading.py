"""Scripts of MySQL and MariaDB are read as their client and server read them; what is not known is said."""

from __future__ import annotations

import random
import subprocess
import sys

import pytest

from benchmarks.lint_corpus_mysql import recorded
from linters.engine import Engine, lint
from linters.session import Given, Session
from linters.source import Source

T = "CREATE TABLE t (id INT PRIMARY KEY, a INT, v VARCHAR(20));"


def rules(script, dialect="mysql", version=(8, 0), given=T, complete=True):
    session = Session(Given(version=version, dialect=dialect, complete=complete))
    engine = Engine(session)
    engine.seed(Source("schema", given.encode()))
    return [finding.rule for finding in engine.judge(Source("script", script.encode()))]


@pytest.mark.parametrize(
    ("script", "found"),
    [
        ("/*!80000 ALTER TABLE t MODIFY a BIGINT */;", ["change-type-copies"]),
        ("/*!90500 ALTER TABLE t MODIFY a BIGINT */;", []),
        ("/*M! ALTER TABLE t MODIFY a BIGINT */;", []),
        ("# ALTER TABLE t DROP COLUMN a;\n-- DROP TABLE t;\n/* DROP TABLE t; */", []),
        ("ALTER TABLE t ADD COLUMN b INT COMMENT 'it''s; # no comment';", []),
        ("ALTER TABLE `t` DROP `a`;\\G", ["drop-column"]),
        ("DELIMITER $$\nDROP TABLE t$$\nDELIMITER ;\nSELECT 1;", ["drop-table"]),
        ("DELIMITER //\nCREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW BEGIN SET NEW.a = 1; END//", []),
        ("CREATE PROCEDURE p() BEGIN IF 1 THEN ALTER TABLE t MODIFY a BIGINT; END IF; END; SELECT 1;",
         ["change-type-copies"]),
        ("CREATE PROCEDURE p() BEGIN PREPARE s FROM @q; EXECUTE s; END", ["unanalysed", "unanalysed"]),
        ("SOURCE other.sql", ["unanalysed"]),
        ("ALTER TABLE {{ table }} DROP COLUMN a;", ["unanalysed"]),
        ("ALTER TABLE t FROBNICATE; DROP TABLE t", ["unanalysed", "drop-table"]),
        ("ALTER TABLE t ADD COLUMN b INT 'unfinished", ["unanalysed"]),
        ("RENAME TABLE t TO old, u TO t", []),
        ("CREATE TABLE n (id INT PRIMARY KEY); ALTER TABLE n MODIFY id BIGINT; DROP TABLE n", []),
        ("DELETE FROM t ORDER BY id LIMIT 100; UPDATE t SET a = 1 WHERE id BETWEEN 1 AND 9", []),
        ("DELETE t FROM t JOIN u ON u.id = t.id", ["unbatched-write"]),
    ],
)  # fmt: skip
def test_a_script_is_read_as_its_client_reads_it(script, found):
    given = T + ("CREATE TABLE u (id INT PRIMARY KEY);" if "u" in script else "")
    assert rules(script, given=given) == found


def test_comments_of_the_other_server_are_no_statements():
    script = "/*M!100500 ALTER TABLE t MODIFY a BIGINT */; /*!50701 DROP TABLE t */;"
    assert rules(script, "mariadb", (10, 11)) == ["change-type-copies"]


def test_a_block_is_what_stands_in_it():
    script = "BEGIN NOT ATOMIC IF 1 THEN ALTER TABLE t MODIFY a BIGINT; END IF; END; SELECT 1"
    assert rules(script, "mariadb", (10, 11)) == ["change-type-copies"]


def test_what_is_not_known_of_a_column_is_taken_for_the_worse():
    (finding,) = lint("ALTER TABLE t MODIFY v VARCHAR(40)", Session(Given(version=(8, 4), dialect="mysql")))
    assert finding.lock == "SHARED"
    assert "not known" in finding.assumed


def test_the_queries_parser_is_loaded_for_queries_only():
    code = "import sys; from tests.linters.mysql.test_reading import rules; rules('ALTER TABLE t FORCE')"
    done = subprocess.run([sys.executable, "-c", code + "; print('sqlglot' in sys.modules)"], capture_output=True)
    assert done.stdout.strip() == b"False", done.stderr


def test_broken_scripts_never_crash_it():
    chance = random.Random(7)
    found = [case.statement for name in ("mysql", "mariadb") for case in recorded(name)]
    for _ in range(400):
        text = list("; ".join(chance.sample(found, 2)))
        for _ in range(chance.randint(1, 6)):
            text[chance.randrange(len(text))] = chance.choice("()'`\"\\;,/*!# é\n$@{}")
        rules("".join(text), chance.choice(("mysql", "mariadb")), (10, 11))
