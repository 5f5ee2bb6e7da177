"""What a catalog of MySQL and MariaDB says otherwise than it was written is read as it was written."""

from __future__ import annotations

from migrator.database import connect
from migrator.introspection import read_catalog
from phases.catalog import ConstraintKind

WORDS = "concat('it''s \\\\ \"x\" ) `', upper(`größe`), '€ж\n')"
TABLE = f"""CREATE TABLE words (id int PRIMARY KEY, `größe` varchar(20) NOT NULL, word varchar(99), longer text,
  given int DEFAULT 5 COMMENT 'DEFAULT (1)', twice varchar(99) GENERATED ALWAYS AS ({WORDS}) STORED,
  CONSTRAINT `мал` CHECK (`größe` <> {WORDS}))"""


def read(database):
    with connect(database.url, "test") as session, session.transaction() as connection:
        (table,) = read_catalog(connection).tables.values()
    return table


def test_words_of_other_alphabets_are_read_as_they_were_written(mysql_database):
    mysql_database.run(TABLE, f"ALTER TABLE words ALTER COLUMN word SET DEFAULT ({WORDS})")
    if mysql_database.family == "mysql":
        mysql_database.run(f"CREATE INDEX built ON words (({WORDS}))")
    table = read(mysql_database)
    written = table.column("twice").generated
    assert "größe" in written
    assert "€ж" in written
    assert table.column("word").default == written
    (check,) = (each for each in table.constraints if each.kind is ConstraintKind.CHECK)
    assert (check.name, check.columns) == ("мал", ("größe",))
    assert written in check.definition
    built = [index for index in table.indexes if index.name == "built"]
    assert all(index.columns == ("größe",) and written in index.definition for index in built)


def test_the_default_of_a_text_is_known_before_the_next_alter_table(mysql_database):
    mysql_database.run(TABLE, f"ALTER TABLE words ALTER COLUMN longer SET DEFAULT ({WORDS})")
    before = read(mysql_database)
    mysql_database.run("ALTER TABLE words ADD COLUMN later int")
    assert before.column("longer").default == before.column("twice").generated
    assert read(mysql_database).columns[: len(before.columns)] == before.columns


ILLEGIBLE = {
    'RenameColumn("moods", "mood", "feeling")': ("letters of four bytes", "RunSQL"),
    'SetNotNull("moods", "mood", fill="\'calm\'")': ("letters of four bytes", "RunSQL"),
    'RenameColumn("moods", "sign", "symbol")': ("letters of four bytes", "RunSQL"),
    'SetDefault("moods", "sign", "\'x\'")': ("letters of four bytes", "RunSQL"),
    'DropDefault("moods", "sign")': ("letters of four bytes", "RunSQL"),
}


def test_what_the_server_cannot_show_is_not_written_again(mysql_database, project):
    mysql_database.run(
        "CREATE TABLE moods (id int PRIMARY KEY, mood enum('calm', '😀'), other int,"
        " sign varchar(9) NOT NULL DEFAULT '😀')",
        "INSERT INTO moods (id, mood) VALUES (1, '😀')",
    )
    project.url = mysql_database.url
    assert project.refused_otherwise(ILLEGIBLE) == []
    project.revision(
        "change", 'RenameColumn("moods", "other", "another"), AddColumn("moods", "face", "varchar(9)")', down=None
    )
    project.apply()
    assert mysql_database.rows("SELECT mood, sign, face FROM moods") == [("😀", "😀", None)]
