"""Revisions of Alembic as scripts: what they send, from which line, in which order, and what is not known."""

from __future__ import annotations

import sys

import pytest

from linters.engine import Choice, Engine
from linters.session import Given, Session
from migrator.revision_sources import revision_sources
from tests.migrator.revision_styles import DEPENDENT, STYLES, revision_text


def write(folder, body, id="r1", down=None):
    path = folder / f"{id}.py"
    path.write_text(revision_text(body, id, down))
    return path


def findings(path, session=None):
    session = session or Session(Given())
    for script in revision_sources(path, session=session):
        engine = Engine(session, Choice(phase=script.phase))
        if script.asked:
            found = engine.judge(script.source, script.in_transaction)
            yield from (finding for finding in found if not script.accepts(finding))
        else:
            engine.seed(script.source)


def found(path, *rules):
    lines = path.read_text().splitlines() if path.is_file() else []
    return [(f.rule, lines[f.line - 1].strip() if lines else "") for f in findings(path) if f.rule in rules]


@pytest.mark.parametrize("style", STYLES)
def test_a_revision_as_projects_write_them_is_rendered(style, tmp_path):
    body, expected = STYLES[style]
    (script,) = revision_sources(write(tmp_path, body))
    text = " ".join(script.source.data.decode().split())
    assert [problem.problem for problem in script.problems] == []
    assert [part for part in expected if part not in text] == []


@pytest.mark.parametrize("style", DEPENDENT)
def test_what_only_the_database_knows_is_said_and_hides_nothing(style, tmp_path):
    body, expected = DEPENDENT[style]
    (script,) = revision_sources(write(tmp_path, body))
    text = " ".join(script.source.data.decode().split())
    assert script.problems
    assert [part for part in expected if part not in text] == []


def test_a_finding_stands_at_the_call_that_sent_the_statement(tmp_path):
    path = write(
        tmp_path,
        """
with op.batch_alter_table("t") as batch:
    batch.add_column(sa.Column("a", sa.Integer()))
    batch.drop_column(
        "b",
    )
op.create_index(
    "i", "t", ["a"])
""",
    )
    assert found(path, "drop-column", "index-blocks-writes") == [
        ("drop-column", "batch.drop_column("),
        ("index-blocks-writes", "op.create_index("),
    ]


def test_an_autocommit_block_is_outside_the_transaction_of_its_revision(tmp_path):
    index = 'op.create_index("i", "t", ["a"], postgresql_concurrently=True)'
    inside = write(tmp_path, index)
    assert found(inside, "concurrently-in-transaction") == [("concurrently-in-transaction", index)]
    outside = write(tmp_path, f"with op.get_context().autocommit_block():\n    {index}")
    assert found(outside, "concurrently-in-transaction") == []


def test_locks_add_up_in_a_revision_and_end_with_it(tmp_path):
    column = 'op.add_column("{}", sa.Column("a", sa.Integer()))'
    both = write(tmp_path, column.format("t") + "\n" + column.format("u"))
    assert found(both, "locks-of-several-tables") == [("locks-of-several-tables", column.format("u"))]
    write(tmp_path, column.format("t"))
    write(tmp_path, column.format("u"), "r2", "r1")
    assert found(tmp_path, "locks-of-several-tables") == []


def test_earlier_revisions_tell_what_is_there(tmp_path):
    versions = tmp_path / "alembic" / "versions"
    versions.mkdir(parents=True)
    (tmp_path / "alembic" / "env.py").write_text("raise SystemExit('nobody runs this')")
    last = write(versions, 'op.alter_column("t", "v", type_=sa.String(20))', "a_last", "z_first")
    write(versions, 'op.create_table("t", sa.Column("v", sa.String(10)), sa.Column("w", sa.Integer()))', "z_first")
    assert [script.revision for script in revision_sources(tmp_path / "alembic")] == ["z_first", "a_last"]
    assert [f.rule for f in findings(last)] == []
    asks = 'if "w" in [c["name"] for c in sa.inspect(op.get_bind()).get_columns("t")]:\n    op.drop_column("t", "w")'
    path = write(versions, asks, "m", "a_last")
    assert [f.rule for f in findings(path)] == ["drop-column"]


def test_what_is_no_python_hides_no_other_revision(tmp_path):
    (tmp_path / "broken.py").write_text('revision = "x"\ndown_revision = None\ndef upgrade(:\n')
    write(tmp_path, 'op.drop_table("t")')
    assert [(f.file.rpartition("/")[2], f.line, f.rule) for f in findings(tmp_path)] == [
        ("broken.py", 3, "unanalysed"),
        ("r1.py", *drop_table_at(tmp_path / "r1.py")),
    ]


def drop_table_at(path):
    return next((n, "drop-table") for n, line in enumerate(path.read_text().splitlines(), 1) if "drop_table(" in line)


def test_a_comment_silences_a_rule_with_a_reason(tmp_path):
    path = write(tmp_path, '# migrator: disable=drop-table nobody reads it\nop.drop_table("t")\nop.drop_table("u")')
    assert [f.statement for f in findings(path) if f.rule == "drop-table"] == ["DROP TABLE u"]


def test_the_sql_of_our_own_revisions_is_judged_in_its_phase(tmp_path):
    path = tmp_path / "own.py"
    path.write_text(
        """
from migrator import AddColumn, Migration, RenameColumn, RunSQL

revision = "own"
down_revision = None
migration = Migration(
    AddColumn("users", "age", "int"),
    RenameColumn("users", "age", "years"),
    RunSQL(expand="DROP TABLE a", undo=""),
    RunSQL(contract="DROP TABLE b", restore=""),
    RunSQL(migrate="DROP TABLE c", undo="", accept="drop-table", reason="nobody has it"),
)
upgrade, downgrade = migration.upgrade, migration.downgrade
"""
    )
    assert [(f.rule, f.line) for f in findings(path)] == [("drop-table", 9)]


def test_a_change_of_a_batch_that_cannot_be_written_hides_no_other(tmp_path):
    changes = 'batch.alter_column("a", type_=sa.String(), nullable=True)\n    batch.drop_column("b")'
    path = write(tmp_path, f'with op.batch_alter_table("t") as batch:\n    {changes}')
    (script,) = revision_sources(path, "mysql", (8, 0, 36))
    assert [path.read_text().splitlines()[item.line - 1].strip() for item in script.problems] == [
        'batch.alter_column("a", type_=sa.String(), nullable=True)'
    ]
    assert "ALTER TABLE t DROP COLUMN b" in script.source.data.decode()


def test_each_database_of_the_template_for_several_is_run(tmp_path):
    path = write(tmp_path, "pass")
    both = 'def upgrade_a():\n    op.drop_table("a")\n\n\ndef upgrade_b():\n    op.drop_table("b")\n'
    path.write_text(path.read_text().replace("def upgrade():", f"{both}\n\ndef upgrade(engine_name):"))
    assert [f.statement for f in findings(path) if f.rule == "drop-table"] == ["DROP TABLE a", "DROP TABLE b"]


def test_rendering_leaves_nothing_behind(tmp_path):
    from alembic import op

    path, modules = list(sys.path), set(sys.modules)
    list(revision_sources(write(tmp_path, 'print("x")\nop.drop_table("t")')))
    assert sys.path == path
    assert {name for name in set(sys.modules) - modules if name.split(".")[0] in ("shop", "sqlmodel")} == set()
    with pytest.raises((NameError, AttributeError)):
        op.get_bind()
