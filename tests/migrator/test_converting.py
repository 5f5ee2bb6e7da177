"""SQL as a revision of operations: what each statement becomes, and what is left to a person."""

from __future__ import annotations

import pytest

from linters.source import Source
from migrator.autogenerate.rendering import one_line
from migrator.converting import proposals

BECOMES = {
    "ALTER TABLE users ADD COLUMN age int DEFAULT 3 NOT NULL, DROP COLUMN size": [
        'AddColumn("users", "age", "int", nullable=False, default="3")',
        'DropColumn("users", "size")',
    ],
    "BEGIN; SET lock_timeout = '2s'; ALTER TABLE s.t RENAME a TO b; COMMIT": [
        'RenameColumn("t", "a", "b", schema="s")'
    ],
    "ALTER TABLE o ADD CONSTRAINT k FOREIGN KEY (u) REFERENCES r (id) NOT VALID; ALTER TABLE o VALIDATE CONSTRAINT k": [
        'AddForeignKey("o", "u", "r", "id", name="k")'
    ],
    "ALTER TABLE o ADD PRIMARY KEY (id)": ['AddPrimaryKey("o", "id")'],
    "CREATE UNIQUE INDEX CONCURRENTLY i ON o (a) WHERE a > 0": [
        'CreateIndex("o", "a", name="i", unique=True, where="a > 0")'
    ],
    "ALTER TYPE mood ADD VALUE 'meh' BEFORE 'sad'": ['AddEnumValue("mood", "meh", before="sad")'],
    "UPDATE o SET a = 1 WHERE a IS NULL": ['Backfill("o", set={"a": "1"}, where="a IS NULL")'],
    "CREATE TABLE n (a int); CREATE INDEX i ON n (a)": [
        r'RunSQL(expand="CREATE TABLE n (a int);\nCREATE INDEX i ON n (a)", undo='
        '\'DROP TABLE "public"."n"\')'
    ],
}
LEFT = {
    "DELETE FROM o": "DELETE FROM o",
    "SELEC 1": "cannot be read",
    "ALTER TABLE o ADD COLUMN a int NOT NULL": "INSERT gives none",
    "DO $$ BEGIN EXECUTE 'x'; END $$": "DO $$",
}


@pytest.mark.parametrize("script", BECOMES)
def test_a_statement_becomes_the_operation_that_does_it_safely(script):
    assert [proposal.code for proposal in proposals(Source("-", script.encode()))] == BECOMES[script]


@pytest.mark.parametrize("script", LEFT)
def test_what_only_a_person_knows_is_left_to_one(script):
    (proposal,) = proposals(Source("-", script.encode()))
    assert proposal.name == "Todo"
    assert LEFT[script] in proposal.code


def test_what_is_to_be_decided_stands_in_a_comment():
    (proposal,) = proposals(Source("-", b"ALTER TABLE o ADD COLUMN a int NOT NULL"))
    assert [one_line(call) for call in proposal.candidates] == ['AddColumn("o", "a", "int", nullable=False, fill="…")']


def test_a_file_of_sql_is_a_revision_that_can_be_planned(project, database):
    database.run("CREATE TABLE users (id int PRIMARY KEY, full_name text)")
    script = "ALTER TABLE users RENAME full_name TO name; CREATE TABLE notes (id int); CREATE INDEX i ON notes (id);"
    (project.folder / "make_it_so.sql").write_text(script)
    assert "RenameColumn" in project.cli("convert", "make_it_so.sql", "--format", "json").stdout
    planned = project.cli("plan", "--database-url", database.plain_url)
    assert planned.returncode == 0, planned.stderr
    assert "make it so" in planned.stdout
    (project.folder / "nothing.sql").write_text("-- nothing")
    assert "has no statements" in project.cli("convert", "nothing.sql").stderr
