"""`migrator lint`: which scripts, in which order and transactions, and with which exit code."""

from __future__ import annotations

import io
import json
import subprocess
import sys

import pytest

from migrator.cli.main import main
from migrator.linting import conventions

UNSAFE = "ALTER TABLE users DROP COLUMN fax;\n"
SAFE = "CREATE INDEX CONCURRENTLY users_email ON users (email);\n"


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(**files):
    for name, text in files.items():
        (path(name)).write_text(text)


def path(name):
    from pathlib import Path

    found = Path(name)
    found.parent.mkdir(parents=True, exist_ok=True)
    return found


def script(name, text):
    path(name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return name


@pytest.fixture
def lint(capsys):
    """Run the command; its exit code, and what it printed: read where it is JSON."""

    def run(*words, form="json"):
        with pytest.raises(SystemExit) as left:
            main(["lint", *map(str, words), "--format", form])
        printed = capsys.readouterr()
        out = json.loads(printed.out) if form in ("json", "sarif", "gitlab") and printed.out else printed.out
        return left.value.code, out, printed.err

    return run


def rules(out, file=None):
    return [finding["rule"] for finding in out["findings"] if file in (None, finding["file"])]


def test_a_finding_says_what_where_who_waits_and_what_to_do(lint):
    code, out, _ = lint(script("a.sql", "-- first\n\n  ALTER TABLE users DROP COLUMN fax;"))
    (finding,) = out["findings"]
    assert code == 1
    assert (finding["rule"], finding["category"], finding["severity"]) == ("drop-column", "compatibility", "error")
    assert (finding["file"], finding["line"], finding["column"]) == ("a.sql", 3, 3)
    assert (finding["lock"], finding["tables"]) == ("ACCESS EXCLUSIVE", ["users"])
    assert finding["operation"] == 'DropColumn("users", "fax")'
    assert out["summary"]["errors"] == 1
    assert out["summary"]["statements"] == 1


@pytest.mark.parametrize(
    ("text", "options", "code"),
    [
        (SAFE, (), 0),
        ("", (), 0),
        (UNSAFE, (), 1),
        (UNSAFE, ("--phase", "contract"), 0),
        (UNSAFE, ("--ignore", "drop-column"), 0),
        (UNSAFE, ("--select", "hazard"), 0),
        ("DO $$ BEGIN EXECUTE format('x %I', 1); END $$", (), 1),
        ("DO $$ BEGIN EXECUTE format('x %I', 1); END $$", ("--fail-on", "error"), 0),
        ("ALTER TABLE t ADD COLUMN", (), 1),
        (b"SELECT 1;\0DROP TABLE users;", (), 2),
        (b"SELECT '\xff';", (), 2),
    ],
)
def test_the_exit_code_says_clean_found_or_not_judged(lint, text, options, code):
    assert lint(script("a.sql", text), *options)[0] == code


def test_a_script_that_cannot_be_judged_hides_no_other(lint):
    code, out, err = lint(script("a.sql", b"\0"), script("b.sql", UNSAFE))
    assert code == 2
    assert rules(out) == ["drop-column"]
    assert out["summary"]["problems"][0]["file"] == "a.sql"
    assert "NUL" in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["missing.sql"], "missing.sql is not there"),
        (["--select", "drop-colunm"], 'did you mean "drop-column"?'),
        (["--explain", "drop-colum"], 'did you mean "drop-column"?'),
        (["--server-version", "9.6"], "--server-version 12 to 18"),
        (["--dialect", "mysql", "--server-version", "5.7"], "--server-version 8.0 to 9"),
        (["--dialect", "mariadb", "--server-version", "10.5"], "--server-version 10.6 to 11.8"),
        (["--server-version", "new"], "must be a version"),
        (["--dialect", "oracle"], "oracle"),
        (["--baseline", "none.json"], "--write-baseline"),
        (["--schema", "none.sql"], "pg_dump"),
        (["--diff", "HEAD"], "git"),
        (["--output", "no/such/folder/x"], "cannot be written"),
    ],
)
def test_wrong_usage_names_the_remedy_and_exits_with_2(lint, words, said):
    script("a.sql", SAFE)
    code, out, _ = lint(*words)
    assert code == 2
    assert said in json.dumps(out, ensure_ascii=False).replace('\\"', '"')


def test_text_has_the_lines_the_figures_and_the_next_command(lint):
    code, out, _ = lint(script("a.sql", "SELECT 1;\nALTER TABLE users\n  DROP COLUMN fax;"), form="text")
    assert code == 1
    assert out.startswith("a.sql:2:1: error: statements that name users.fax fail [drop-column]\n")
    assert "    3 |   DROP COLUMN fax;" in out
    assert "1 error in 2 statements of 1 file" in out
    assert "next: migrator lint --explain drop-column" in out
    assert "\x1b" not in out


def test_no_password_of_a_script_is_printed(lint):
    text = "-- postgresql://shop:secret@db/shop\nALTER TABLE users DROP COLUMN url; -- postgresql://shop:secret@db\n"
    for form in ("text", "json", "sarif", "junit", "github", "gitlab"):
        assert "secret" not in str(lint(script("a.sql", text), form=form)[1])


def test_standard_input_is_a_script(lint, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(UNSAFE.encode())))
    code, out, _ = lint("-")
    assert code == 1
    assert out["findings"][0]["file"] == "-"


HISTORIES = {
    "flyway": ["V1__a.sql", "V1.1__b.sql", "V1_2__c.sql", "sub/V2__d.sql", "V10__e.sql", "R__views.sql"],
    "diesel": ["2024-01-01-000000_a/up.sql", "2024-01-02-000000_b/up.sql", "2024-11-01-000000_c/up.sql"],
    "prisma": ["migrations/20240101000000_a/migration.sql", "migrations/20240201000000_b/migration.sql"],
    "golang-migrate": ["2_a.up.sql", "10_b.up.sql"],
    "plain": ["9-a.sql", "10-b.sql", "b.sql"],
}


@pytest.mark.parametrize("tool", HISTORIES)
def test_scripts_are_judged_in_the_order_in_which_their_tool_runs_them(lint, tool):
    names = HISTORIES[tool]
    for name in sorted(names):
        script(name, UNSAFE)
    assert [finding["file"] for finding in lint(".")[1]["findings"]] == names
    if tool in ("diesel", "prisma", "golang-migrate"):  # files that are named come in the same order
        assert [finding["file"] for finding in lint(*sorted(names))[1]["findings"]] == names


@pytest.mark.parametrize(
    "name", ["000001_a.down.sql", "2024-01-01-000000_a/down.sql", "U1__a.sql"], ids=["migrate", "diesel", "flyway"]
)
def test_the_way_back_is_not_judged(lint, name):
    code, out, err = lint(script(name, UNSAFE))
    assert (code, out["findings"]) == (0, [])
    assert name in err


BOTH = {
    "dbmate": "-- migrate:up\n{}\n-- migrate:down\nDROP TABLE users;\n",
    "goose": "-- +goose Up\n-- +goose StatementBegin\n{}\n-- +goose StatementEnd\n-- +goose Down\nDROP TABLE users;\n",
    "sql-migrate": "-- +migrate Up\n{}\n-- +migrate Down\nDROP TABLE users;\n",
}


@pytest.mark.parametrize("tool", BOTH)
def test_the_way_back_in_the_same_file_is_not_judged_and_lines_stay(lint, tool):
    text = BOTH[tool].format(UNSAFE)
    found = lint(script("20240101_a.sql", text))[1]["findings"]
    assert [(each["rule"], each["line"]) for each in found] == [
        ("drop-column", text[: text.index("ALTER")].count("\n") + 1)
    ]


TRANSACTIONS = {
    "V1__a.sql": ("SELECT 1;" + SAFE, True),
    "V2__only_what_flyway_runs_alone.sql": (SAFE, False),
    "V3__a.autocommit.sql": ("SELECT 1;" + SAFE, False),
    "2024-01-01-000000_a/up.sql": (SAFE, True),
    "goose.sql": ("-- +goose Up\n" + SAFE, True),
    "goose_alone.sql": ("-- +goose NO TRANSACTION\n-- +goose Up\n" + SAFE, False),
    "dbmate.sql": ("-- migrate:up\n" + SAFE, True),
    "dbmate_alone.sql": ("-- migrate:up transaction:false\n" + SAFE, False),
    "1_a.up.sql": (SAFE, False),
    "plain.sql": (SAFE, False),
    "20240101000000_one/migration.sql": (SAFE, False),
    "20240102000000_two/migration.sql": ("SELECT 1;" + SAFE, True),
}


@pytest.mark.parametrize("name", TRANSACTIONS)
def test_a_script_runs_in_the_transaction_its_tool_puts_it_in(lint, name):
    text, inside = TRANSACTIONS[name]
    script(name, text)
    assert ("concurrently-in-transaction" in rules(lint(name)[1])) is inside
    assert "concurrently-in-transaction" in rules(lint(name, "--assume-transaction")[1])
    assert rules(lint(name, "--assume-no-transaction")[1]) == []


@pytest.mark.parametrize(
    ("name", "beside", "said"),
    [
        ("2024-01-01-000000_a/up.sql", "2024-01-01-000000_a/metadata.toml", "run_in_transaction = false"),
        ("V1__a.sql", "V1__a.sql.conf", "executeInTransaction=false"),
        ("sql/V1__a.sql", "flyway.conf", "flyway.executeInTransaction = false"),
        ("sql/V1__a.sql", "flyway.toml", "[flyway]\nexecuteInTransaction = false"),
    ],
)
def test_a_file_beside_a_script_takes_its_transaction_away(lint, name, beside, said):
    script(name, "SELECT 1;" + SAFE)
    assert lint(name)[0] == 1
    script(beside, said)
    assert lint(name)[0] == 0


def test_atlas_runs_a_script_in_one_transaction_unless_it_says_not(lint):
    script("atlas.sum", "h1:")
    assert lint(script("1_a.sql", SAFE))[0] == 1
    assert lint(script("1_a.sql", "-- atlas:txmode none\n" + SAFE))[0] == 0


def test_earlier_scripts_are_the_schema_of_later_ones(lint):
    script("V1__a.sql", "CREATE TABLE users (v varchar(10) CHECK (v IS NOT NULL));")
    script("V2__a.sql", "ALTER TABLE users ALTER v SET NOT NULL;")
    assert rules(lint(".")[1], "V2__a.sql") == ["set-not-null-breaks-writers"] or not any(
        "scan" in rule for rule in rules(lint(".")[1])
    )


def test_a_dump_makes_the_verdict_exact(lint):
    change = script("a.sql", "ALTER TABLE users ALTER v TYPE varchar(20);")
    assert lint(change)[0] == 1
    dump = script("dump.sql", "CREATE TABLE public.users (id integer NOT NULL, v character varying(10));")
    assert lint(change, "--schema", dump)[0] == 0


@pytest.mark.parametrize(("dialect", "told"), [("mysql", True), ("mariadb", True), ("postgresql", False)])
def test_what_is_taken_for_granted_of_unknown_tables_is_said(lint, dialect, told):
    change = script("a.sql", "ALTER TABLE users ADD COLUMN n int;")
    code, out, _ = lint(change, "--dialect", dialect)
    assert (code, any("say ALGORITHM=INSTANT" in said for said in out["summary"]["assumptions"])) == (0, told)
    dump = script("dump.sql", "CREATE TABLE users (id int PRIMARY KEY);")
    known = lint(change, "--dialect", dialect, "--schema", dump)[1]["summary"]["assumptions"]
    assert not any("ALGORITHM" in said for said in known)


def test_the_version_of_the_server_decides(lint):
    change = script("a.sql", "ALTER TABLE users ADD CONSTRAINT n NOT NULL email NOT VALID;")
    assert lint(change, "--server-version", "18")[1] != lint(change, "--server-version", "17.2")[1]


@pytest.mark.parametrize(
    ("dialect", "version", "lock"),
    [
        ("mysql", "8.4", "SHARED"), ("mysql", "9", "SHARED"), ("mariadb", "10.11", "SHARED"),
        ("mariadb", "11.8.2", "NONE"), ("mariadb", "", "SHARED"),
    ],
)  # fmt: skip
def test_mysql_and_mariadb_say_the_algorithm_and_the_lock_of_their_version(lint, dialect, version, lock):
    dump = script("dump.sql", "CREATE TABLE `users` (`id` int PRIMARY KEY, `n` int, `v` varchar(20));")
    change = script("a.sql", "ALTER TABLE users MODIFY n bigint;\nALTER TABLE users MODIFY v varchar(30);\n")
    options = ("--server-version", version) if version else ()
    _, out, _ = lint(change, "--schema", dump, "--dialect", dialect, *options)
    (found,) = out["findings"]
    assert (found["rule"], found["line"], found["lock"]) == ("change-type-copies", 1, lock)
    assert f"(ALGORITHM=COPY, LOCK={lock})" in found["message"]
    assert found["rewrites"] == ["users"]


def test_scripts_are_run_in_the_database_that_a_dump_uses(lint):
    table = "CREATE TABLE users (id INT PRIMARY KEY, v VARCHAR(20));\n"
    dump = f"CREATE DATABASE `shop`;\nUSE `shop`;\n{table}"
    change = script("a.sql", "ALTER TABLE users MODIFY v VARCHAR(40);\n")
    code, out, _ = lint(change, "--dialect", "mysql", "--schema", script("dump.out", dump))
    assert (code, rules(out)) == (0, [])


def test_rules_of_each_server_are_listed_explained_and_chosen(lint):
    listed = lint("--list-rules", "--dialect", "mariadb")[1]["rules"]
    assert "change-type-copies" in {rule["id"] for rule in listed}
    assert all("mariadb" in rule["dialects"] for rule in listed)
    explained = lint("--explain", "drop-column")[1]["rules"]
    assert [rule["dialects"] for rule in explained] == [["postgresql"], ["mysql", "mariadb"]]
    change = script("a.sql", "ALTER TABLE t MODIFY n bigint;")
    assert lint(change, "--dialect", "mysql", "--ignore", "change-type-copies")[0] == 0


def test_the_time_zone_decides(lint):
    dump = script("dump.sql", "CREATE TABLE users (at timestamp);")
    change = script("a.sql", "ALTER TABLE users ALTER at TYPE timestamptz;")
    assert lint(change, "--schema", dump, "--timezone", "UTC")[0] == 0
    assert lint(change, "--schema", dump, "--timezone", "Europe/Berlin")[0] == 1


def test_a_baseline_accepts_what_is_there_and_nothing_that_comes(lint):
    script("a.sql", UNSAFE)
    assert lint("--write-baseline", "--baseline", "b.json")[0] == 0
    assert lint("--baseline", "b.json")[0] == 0
    script("a.sql", "SELECT 1;\n" + UNSAFE + UNSAFE)
    code, out, _ = lint("--baseline", "b.json")
    assert (code, len(out["findings"]), out["summary"]["baseline"]) == (1, 1, 1)


def git(*words):
    name = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    subprocess.run(["git", *name, *words], check=True, capture_output=True)


def test_only_statements_that_have_come_since_a_commit_are_reported(lint):
    script("V1__a.sql", "CREATE TABLE users (id bigint, fax text);\nCREATE INDEX i ON orders (id);\n")
    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "first")
    with path("V1__a.sql").open("a") as file:
        file.write("CREATE INDEX j ON orders\n  (total);\n")
    script("V2__b.sql", UNSAFE)
    found = lint("--diff", "HEAD")[1]["findings"]
    assert [(each["file"], each["line"]) for each in found] == [("V1__a.sql", 3), ("V2__b.sql", 1)]
    assert lint("--diff", "nothing")[0] == 2


CONFIGURED = """
[tool.migrator]
lock_timeout = "1s"

[tool.migrator.lint]
paths = ["sql"]
exclude = ["sql/old_*.sql"]
severities = { drop-column = "notice" }
style = false
"""


def test_the_project_says_what_is_linted_and_how(lint, project, monkeypatch):
    script("pyproject.toml", CONFIGURED)
    script("sql/a.sql", UNSAFE)
    script("sql/old_a.sql", "DROP TABLE users;")
    script("elsewhere.sql", "DROP TABLE users;")
    code, out, _ = lint()
    assert (code, [each["severity"] for each in out["findings"]]) == (0, ["notice"])
    monkeypatch.chdir(project / "sql")
    assert lint()[1]["summary"]["findings"] == 1


def test_on_a_cluster_everybody_waits_for_what_is_not_instant(lint):
    for said, found in (("", []), ("galera = true\n", ["cluster-waits"])):
        script("pyproject.toml", f'[tool.migrator.lint]\ndialect = "mariadb"\nserver_version = "10.11"\n{said}')
        assert rules(lint(script("a.sql", "ALTER TABLE t ADD INDEX t_a (a);"))[1]) == found
        assert lint(script("a.sql", "ALTER TABLE t ADD COLUMN c int;"))[0] == 0


def test_a_lock_timeout_can_be_required(lint):
    script("pyproject.toml", '[tool.migrator.lint]\nlock_timeout = "require"\n')
    assert rules(lint(script("a.sql", "ALTER TABLE t ADD COLUMN a int;"))[1]) == ["lock-timeout-missing"]
    assert lint(script("a.sql", "SET lock_timeout = '1s'; ALTER TABLE t ADD COLUMN a int;"))[0] == 0


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('selct = ["drop-column"]', 'did you mean "select"?'),
        ('select = ["drop-colum"]', 'did you mean "drop-column"?'),
        ('ignore = "drop-column"', "must be a list"),
        ('severities = { drop-column = "fatal" }', '"error", "warning" and "notice"'),
        ('lock_timeout = "2s"', '"require"'),
        ('dialect = "oracle"', "must be one of"),
        ("style = 1", "true or false"),
    ],
)
def test_a_wrong_setting_names_file_line_and_near_miss(lint, line, said):
    script("pyproject.toml", f"[tool.migrator]\n\n[tool.migrator.lint]\n{line}\n")
    code, out, _ = lint(script("a.sql", SAFE))
    message = json.dumps(out, ensure_ascii=False).replace('\\"', '"')
    assert code == 2
    assert "pyproject.toml:4" in message
    assert said in message


def test_natural_order_counts_as_people_do():
    assert sorted(["10", "9", "9a", "a10", "a9"], key=conventions.natural) == ["9", "9a", "10", "a9", "a10"]


def test_linting_sql_imports_no_database_library():
    script("a.sql", UNSAFE)
    code = "import sys; from migrator.cli.main import main\ntry: main(['lint', 'a.sql'])\nexcept SystemExit: pass\n"
    done = subprocess.run(
        [sys.executable, "-c", code + "print(*sys.modules)"], capture_output=True, text=True, check=True
    )
    assert not {"sqlalchemy", "alembic", "psycopg", "rich"} & set(done.stdout.split())
