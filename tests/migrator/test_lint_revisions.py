"""`migrator lint` on Alembic revisions: a folder, one file, what a branch adds, and comments in Python."""

from __future__ import annotations

import json
import subprocess

import pytest

from migrator.cli.main import main
from tests.migrator.revision_styles import revision_text

CREATE = 'op.create_table("users", sa.Column("id", sa.Integer(), primary_key=True), sa.Column("fax", sa.Text()))'
INDEX = 'op.create_index("users_fax", "users", ["fax"])'
DROP = 'op.drop_column("users", "fax")'


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A script location with three revisions, named against their order."""
    monkeypatch.chdir(tmp_path)
    versions = tmp_path / "alembic" / "versions"
    versions.mkdir(parents=True)
    (tmp_path / "alembic" / "env.py").write_text("raise SystemExit('never imported')\n")
    for id, down, body in (("c", None, CREATE), ("b", "c", INDEX), ("a", "b", DROP)):
        (versions / f"{id}.py").write_text(revision_text(body, id, down))
    return tmp_path


@pytest.fixture
def lint(capsys):
    def run(*words):
        with pytest.raises(SystemExit) as left:
            main(["lint", *words, "--format", "json"])
        out = json.loads(capsys.readouterr().out)
        found = [(each["file"].rpartition("/")[2], each["rule"], each["line"]) for each in out["findings"]]
        return left.value.code, found, out["summary"]

    return run


def line(project, name, text):
    lines = (project / "alembic" / "versions" / name).read_text().splitlines()
    return next(number for number, found in enumerate(lines, 1) if text in found)


def test_a_folder_is_judged_in_the_order_of_its_graph_at_the_lines_of_its_calls(project, lint):
    code, found, summary = lint("alembic")
    assert code == 1
    assert found == [
        ("b.py", "index-blocks-writes", line(project, "b.py", INDEX)),
        ("a.py", "drop-column", line(project, "a.py", DROP)),
    ]
    assert summary["files"] == 3
    assert summary["problems"] == []


def test_of_one_revision_those_it_builds_on_are_taken_as_done(project, lint):
    code, found, summary = lint("alembic/versions/a.py")
    assert (code, summary["files"]) == (1, 1)
    assert found == [("a.py", "drop-column", line(project, "a.py", DROP))]
    assert lint("alembic/versions/a.py", "--phase", "contract")[:2] == (0, [])


LOCATIONS = {
    "alembic.ini": "[alembic]\nscript_location = %(here)s/alembic\npath_separator = :\n"
    "version_locations = %(here)s/alembic/versions:%(here)s/billing/versions\n",
    "pyproject.toml": '[tool.alembic]\nscript_location = "%(here)s/alembic"\n'
    'version_locations = ["%(here)s/alembic/versions", "billing/versions"]\n',
}


@pytest.mark.parametrize("name", LOCATIONS)
def test_revisions_are_read_from_every_folder_that_the_configuration_names(name, project, lint):
    (project / name).write_text(LOCATIONS[name])
    (project / "billing" / "versions").mkdir(parents=True)
    (project / "alembic" / "versions" / "a.py").rename(project / "billing" / "versions" / "a.py")
    rules = [("b.py", "index-blocks-writes"), ("a.py", "drop-column")]
    assert [found[:2] for found in lint("alembic")[1]] == rules
    assert [found[:2] for found in lint("billing/versions/a.py")[1]] == rules[1:]


def test_only_revisions_that_have_come_since_a_commit_are_reported(project, lint):
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "first"]):
        subprocess.run(["git", *identity, *words], check=True, capture_output=True)
    assert lint("alembic", "--diff", "HEAD")[:2] == (0, [])
    (project / "alembic" / "versions" / "z.py").write_text(revision_text('op.drop_table("users")', "z", "a"))
    code, found, _ = lint("alembic", "--diff", "HEAD")
    assert (code, [(file, rule) for file, rule, _ in found]) == (1, [("z.py", "drop-table")])


GUARDED = """
    if "users_fax_key" not in [each["name"] for each in sa.inspect(op.get_bind()).get_unique_constraints("users")]:
        op.execute("ALTER TABLE users ADD CONSTRAINT users_fax_key CHECK (fax <> '') NOT VALID")
    op.execute("ALTER TABLE users ADD CONSTRAINT users_fax_key CHECK (fax <> '') NOT VALID")
    while True:
        if not op.get_bind().execute(sa.text("DELETE FROM users WHERE fax IS NULL AND id < 100")).rowcount:
            break
"""


def test_what_is_run_only_where_the_database_says_so_is_not_said_to_be_refused(project, lint):
    """And a loop that waits for what the database answers ends."""
    (project / "alembic" / "versions" / "a.py").write_text(revision_text(GUARDED.strip(), "a", "b"))
    _, found, summary = lint("alembic")
    assert "statement-fails" not in {rule for _, rule, _ in found}
    assert ("a.py", "unanalysed") in {(file, rule) for file, rule, _ in found}
    assert summary["statements"] < 300


def test_a_comment_in_python_silences_a_rule_and_only_that(project, lint):
    path = project / "alembic" / "versions" / "a.py"
    text = path.read_text()
    path.write_text(text.replace(DROP, f"{DROP}  # migrator: disable=drop-column nothing has read it since 2.3"))
    assert [rule for _, rule, _ in lint("alembic")[1]] == ["index-blocks-writes"]
    path.write_text(text.replace(DROP, f"{DROP}  # migrator: disable=drop-column"))  # without a reason
    assert "drop-column" in {rule for _, rule, _ in lint("alembic")[1]}
