"""`migrator lint --fix`: which files are rewritten, what of them stays, and what is left to report."""

from __future__ import annotations

import subprocess
import sys

import pytest

from migrator.cli.main import main

BUILD = "CREATE INDEX i ON t (a);\n"
SAFE = "CREATE INDEX CONCURRENTLY i ON t (a);\n"
DROP = "ALTER TABLE t DROP COLUMN b;\n"


@pytest.fixture
def fix(tmp_path, monkeypatch, capsysbinary):
    """Write files, run the command with --fix; its exit code, what it printed, and the files afterwards."""
    monkeypatch.chdir(tmp_path)

    def run(files, *words):
        for name, text in files.items():
            (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        with pytest.raises(SystemExit) as left:
            main(["lint", "--fix", *words])
        printed = capsysbinary.readouterr()
        after = {name: (tmp_path / name).read_bytes().decode() for name in files}
        return left.value.code, printed.out.decode(), printed.err.decode(), after

    return run


def test_what_has_a_safe_form_is_rewritten_and_the_rest_reported(fix):
    code, out, err, after = fix({"a.sql": f"-- why\n{BUILD}", "b.sql": BUILD.replace("i ", "j ") + DROP}, ".")
    assert after == {"a.sql": f"-- why\n{SAFE}", "b.sql": SAFE.replace(" i ", " j ") + DROP}
    assert "a.sql: 1 statement rewritten\nb.sql: 1 statement rewritten\n" in err
    assert code == 1
    assert out.startswith("b.sql:2:1: error: statements that name t.b fail [drop-column]")
    assert "index-blocks-writes" not in out


def test_a_dry_run_prints_a_patch_and_writes_nothing(fix, tmp_path):
    code, out, _, after = fix({"a.sql": BUILD}, "--dry-run", "a.sql")
    assert (code, after) == (1, {"a.sql": BUILD})
    subprocess.run(["git", "apply", "-"], input=out, text=True, cwd=tmp_path, check=True)
    assert (tmp_path / "a.sql").read_text() == SAFE


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("V1__a.sql", BUILD + "SELECT 1;\n"),  # Flyway runs it in one transaction
        ("a.sql", f"BEGIN;\n{BUILD}COMMIT;\n"),
        ("a.sql", f"-- migrator: disable=index-blocks-writes there is one row\n{BUILD}"),
        ("a.sql", b"\0" + BUILD.encode()),
        ("a.py", "revision = 'a'\ndown_revision = None\nfrom alembic import op\n\n\ndef upgrade():\n"
         "    op.create_index('i', 't', ['a'])\n"),
    ],
    ids=["tool's transaction", "transaction", "accepted", "unreadable", "revision"],
)  # fmt: skip
def test_what_cannot_be_rewritten_stays_byte_for_byte(fix, name, text):
    _, _, err, after = fix({name: text}, name)
    assert after[name].encode() == (text if isinstance(text, bytes) else text.encode())
    assert "nothing has a safe form" in err
    assert ("migrator convert" in err) == name.endswith(".py")


def test_the_way_back_and_a_byte_order_mark_stay(fix):
    scripts = {
        "1.sql": "-- +goose NO TRANSACTION\n-- +goose Up\n{}-- +goose Down\nDROP INDEX i;\n",
        "2.sql": "\ufeff{}",
    }
    _, _, _, after = fix({name: text.format(BUILD) for name, text in scripts.items()}, ".")
    assert after == {name: text.format(SAFE) for name, text in scripts.items()}


def test_only_what_has_come_since_a_commit_is_rewritten(fix, tmp_path):
    (tmp_path / "a.sql").write_text(BUILD)
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "first"]):
        subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@example.org", *words], cwd=tmp_path, check=True)
    other = BUILD.replace(" i ", " j ")
    _, _, _, after = fix({"a.sql": BUILD + other}, "--diff", "HEAD", "a.sql")
    assert after["a.sql"] == BUILD + SAFE.replace(" i ", " j ")


def test_standard_input_is_answered_on_standard_output(tmp_path):
    words = [sys.executable, "-m", "migrator", "lint", "--fix", "-"]
    done = subprocess.run(words, input=BUILD + DROP, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (1, SAFE + DROP)
    assert "[drop-column]" in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--dialect", "mysql", "a.sql"), "rewrites scripts of PostgreSQL"),
        (("--write-baseline", "a.sql"), "--write-baseline"),
        (("-", "a.sql"), "by itself"),
    ],
)
def test_what_makes_no_sense_together_is_refused_and_nothing_written(fix, words, said):
    code, _, err, after = fix({"a.sql": BUILD}, *words)
    assert (code, after) == (2, {"a.sql": BUILD})
    assert said in err
