"""The parser that is loaded from the files of its package says what the package itself says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from linters.library import Library, folder, from_files

SQL = (
    "ALTER TABLE t ADD COLUMN a numeric(10, 2) DEFAULT 0 CHECK (a > 0), ALTER b TYPE text",
    'CREATE TABLE "É" (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY); -- é\nSELECT \'é\' FROM "É"',
    "",
)


@pytest.fixture(scope="module")
def parser() -> Library:
    return from_files(folder())


@pytest.mark.parametrize("sql", SQL)
def test_trees_and_tokens_are_the_same(parser, sql):
    import postgast

    assert parser.parse(sql).SerializeToString() == postgast.parse(sql).SerializeToString()
    assert parser.scan(sql).SerializeToString() == postgast.scan(sql).SerializeToString()
    assert postgast.deparse(parser.parse(sql)) == postgast.deparse(postgast.parse(sql))


@pytest.mark.parametrize(("ask", "sql"), [("parse", "ALTER TABEL é"), ("parse", "SELECT ("), ("scan", "SELECT 'a")])
def test_what_is_no_sql_is_told_in_the_same_words(parser, ask, sql):
    import postgast

    with pytest.raises(postgast.PgQueryError) as theirs:
        getattr(postgast, ask)(sql)
    with pytest.raises(parser.Error) as ours:
        getattr(parser, ask)(sql)
    assert (str(ours.value), ours.value.cursorpos) == (str(theirs.value), theirs.value.cursorpos)


def test_without_the_files_the_package_is_asked(tmp_path):
    code = f"""if True:
        import sys
        from pathlib import Path
        from linters import library, parsing
        assert parsing.parse("SELECT 1").stmts and "postgast" not in sys.modules
        library.library.cache_clear()
        library.folder = lambda: Path({str(tmp_path)!r})
        assert parsing.parse("SELECT 1").stmts and "postgast" in sys.modules
        try:
            parsing.parse("SELECT FROM FROM")
        except ValueError as problem:
            assert "syntax error" in str(problem)
    """
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])
