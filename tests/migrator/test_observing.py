"""What looks at real servers find: builds by their names, statements by what they use, clients behind a pooler."""

from __future__ import annotations

from contextlib import closing, contextmanager

import psycopg
import pytest
from sqlalchemy import make_url

from migrator import api
from migrator.database import connect
from migrator.embedded import EmbeddedServer, all_binaries
from migrator.embedded_mysql import EmbeddedMySQL
from migrator.embedded_mysql import found as mysql_program
from migrator.observing import sample
from migrator.old_names import OldName
from phases.model import TableName
from tests.linters.mysql.servers import QUICK
from tests.plugins.servers import missing, versions

RENAME = 'RenameColumn("users", "full_name", "name")'
TABLE = "CREATE TABLE users (id int PRIMARY KEY, full_name varchar(50))"
BUILD = api.Build("shop", "2.0")
NAMES, MAY = "no statement that names the old shape", "no statement that may use the old shape"


@contextmanager
def postgresql():
    """A server that counts statements, and a client of the old version on it."""
    if not versions() or 0 in versions():
        missing("no server of our own")
    for major in versions():
        try:
            with EmbeddedServer(all_binaries()[major], {"shared_preload_libraries": "pg_stat_statements"}) as server:
                url = server.url().replace("+psycopg", "")
                with psycopg.connect(url, autocommit=True, application_name="shop/1.0#i-7") as client:
                    client.execute("CREATE EXTENSION pg_stat_statements")
                    yield server.url(), client.execute
                return
        except (psycopg.errors.UndefinedFile, RuntimeError):
            continue
    pytest.skip("no server here has pg_stat_statements")


@contextmanager
def mysql(family):
    program = mysql_program(family)
    if program is None:
        missing(f"no {family} here")
    with EmbeddedMySQL(
        program, {**QUICK, "performance_schema": "ON", "performance_schema_digests_size": "5000"}
    ) as server:
        url = server.create("shop")
        with closing(server.connect(autocommit=True, program_name="shop/1.0#i-7", database="shop")) as client:

            def run(sql):
                with client.cursor() as cursor:
                    cursor.execute(sql)

            yield url, run


SERVERS = {"postgresql": postgresql, "mariadb": lambda: mysql("mariadb"), "mysql": lambda: mysql("mysql")}

PREPARE = {
    "postgresql": "PREPARE old AS SELECT full_name FROM users",
    "mariadb": "PREPARE old FROM 'SELECT full_name FROM users'",
    "mysql": "PREPARE old FROM 'SELECT full_name FROM users'",
}

WITHOUT_PRIVILEGES = {
    "postgresql": ["CREATE ROLE somebody LOGIN"],
    "mariadb": ["CREATE USER somebody@localhost", "GRANT ALL ON shop.* TO somebody@localhost"],
    "mysql": ["CREATE USER somebody@localhost", "GRANT ALL ON shop.* TO somebody@localhost"],
}


def unprivileged(url):
    """What a role that may look at nothing is told: why not, and what would let it."""
    name = OldName(TableName("public", "users"), "full_name")
    with connect(make_url(url).set(username="somebody").render_as_string(), "observe") as session:
        sampled = sample("server", session, [name])
    return [(item.missing, item.remedy) for item in (sampled.connected, sampled.ran) if item.missing]


def conditions(project):
    (verdict,) = api.gate(project.settings, "change").values()
    return {condition.name: condition for condition in verdict.conditions}


@pytest.mark.parametrize("family", SERVERS)
def test_old_builds_and_their_statements_are_seen_whatever_is_recorded(family, project):
    with SERVERS[family]() as (url, run):
        project.url = url
        run(TABLE)
        project.revision("change", RENAME)
        project.apply()
        api.deploy_record(project.settings, BUILD)
        run("SELECT name FROM users")
        (look,) = api.observe(project.settings).looks
        assert look.missing == ()
        assert [name for name, _ in look.sessions] == ["shop/1.0"]
        assert conditions(project)[NAMES].holds
        api.verify(project.settings)  # it reads both columns, and is ours
        assert conditions(project)[NAMES].holds
        run("SELECT * FROM users")
        run("UPDATE users SET full_name = 'Ann'")
        api.observe(project.settings)
        found = conditions(project)
        assert not found[NAMES].holds
        assert "UPDATE" in found[NAMES].evidence
        assert "SELECT *" not in found[NAMES].evidence
        assert (found[MAY].holds, found[MAY].observed) == (True, False)
        assert "reads all columns: SELECT *" in found[MAY].evidence
        assert '"shop/1.0"' in found["no old build seen by observe"].evidence
        run(PREPARE[family])
        run("EXECUTE old")
        (look,) = api.observe(project.settings).looks
        hidden = ["1 executions of prepared statements, whose text this server does not count"]
        assert [reason for reason, _ in look.missing] == (hidden if family == "mariadb" else [])
        for statement in WITHOUT_PRIVILEGES[family]:
            run(statement)
        said = unprivileged(url)
        assert said[-1][0] == "this role sees no statements but its own" or "denied" in said[-1][0]
        assert all("GRANT" in remedy for _, remedy in said)


def test_clients_behind_a_pooler_are_seen_by_their_own_names(database, pooler, project):
    database.run(TABLE)
    through = pooler("transaction").replace("+psycopg", "")
    console = f"{through.rpartition('/')[0]}/pgbouncer"
    project.url = database.url
    project.revision("change", RENAME)
    project.apply()
    with psycopg.connect(through, application_name="shop/1.0"), project_with(project, console):
        seen = project.json("observe")["looks"]
        named = {look["source"].split()[0]: [item["name"] for item in look["sessions"]] for look in seen}
        assert named["pooler"] == ["shop/1.0"]
        api.deploy_record(project.settings, BUILD)
        found = conditions(project)["no old build seen by observe"]
        assert not found.holds
        assert '"shop/1.0" (role postgres) on pooler' in found.evidence
    done = project.cli("observe", "--pooler", database.plain_url)
    assert done.returncode == 0
    assert "not observed: " in done.stdout
    assert "the URL of its admin console" in done.stdout


@contextmanager
def project_with(project, console):
    """A project that names a pooler."""
    file = project.folder / "pyproject.toml"
    before = file.read_text()
    file.write_text(before.replace("[tool.migrator]", f'[tool.migrator]\npoolers = ["{console}"]'))
    yield
    file.write_text(before)


def test_what_cannot_be_observed_is_said_with_its_remedy(database, project):
    database.run(TABLE)
    project.url = database.url
    project.revision("change", RENAME)
    project.apply()
    done = project.cli("observe")
    assert "not observed: the extension pg_stat_statements is not there" in done.stdout
    assert "shared_preload_libraries = 'pg_stat_statements'" in done.stdout
    found = conditions(project)
    assert (found[NAMES].holds, found[NAMES].observed) == (True, False)
    assert "nobody has looked who is on server" in found["no old build seen by observe"].evidence


def test_mariadb_without_performance_schema_sees_roles_only(mariadb_database, project):
    mariadb_database.run(TABLE)
    project.url = mariadb_database.url
    project.revision("change", RENAME)
    project.apply()
    with closing(mariadb_database.connect(program_name="shop/1.0")):
        (look,) = api.observe(project.settings).looks
    assert {name for name, _ in look.sessions} == {""}
    assert [reason for reason, _ in look.missing] == [
        "performance_schema is off, so the server keeps no names of programs, only roles",
        "performance_schema is off, so the server counts no statements",
    ]
