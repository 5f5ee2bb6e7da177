"""What is watched on MySQL and MariaDB: sessions of old builds, locks, versions of rows, the log, and replicas."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace

import pytest

from migrator import api, settings
from migrator.database import connect
from migrator.errors import LockNotAvailable, NotYet, SettingsError
from migrator.events import LoggedAsSet
from migrator.introspection import read_catalog, volatility_reader
from migrator.planning import dialect_for, steps_of
from phases.dialects.mysql_budget import limit
from phases.model import Phase
from phases.operations import AddColumn

ADD = 'AddColumn("users", "age", "int")'


@pytest.fixture
def shop(mysql_database, project):
    mysql_database.run("CREATE TABLE users (id int PRIMARY KEY, name varchar(9))", "INSERT INTO users VALUES (1, 'x')")
    project.url = mysql_database.url
    return project


def condition(shop, name):
    (verdict,) = api.gate(shop.settings).values()
    return next(each for each in verdict.conditions if each.name == name)


def test_the_gate_looks_for_sessions_of_old_builds_where_the_server_knows_the_names_of_programs(shop, mysql_database):
    shop.revision("change", 'RenameColumn("users", "name", "title")')
    shop.apply()
    api.deploy_record(shop.settings, api.Build("shop", "1.0", shape="none"))
    named = {"program_name": "shop/1.0"}
    with closing(mysql_database.connect(**named)) as old:
        found = condition(shop, "no session of an old build")
        if mysql_database.rows("SELECT @@performance_schema") == [(0,)]:
            assert "performance_schema is off" in found.evidence
        else:
            assert not found.holds
            assert f'pid {old.thread_id()} "shop/1.0"' in found.evidence
            assert "KILL" in found.remedy


def test_a_table_without_instant_changes_left_is_planned_in_the_other_way(mysql_database):
    mysql_database.run(
        "CREATE TABLE `odd-näme` (id int PRIMARY KEY)",
        *(f"ALTER TABLE `odd-näme` {what}, ALGORITHM=INSTANT" for what in ("ADD COLUMN a int", "DROP COLUMN a")),
        "CREATE TABLE users (id int PRIMARY KEY)",
        "ALTER TABLE users ADD COLUMN name varchar(9), ALGORITHM=INSTANT",
    )
    with connect(mysql_database.url, "test") as session, session.transaction() as connection:
        catalog = read_catalog(connection)
        dialect = dialect_for(session.server, volatility_reader(connection))
    users = catalog.table("users")
    if mysql_database.family == "mariadb":
        assert users.instant_left is None
        return
    most = limit(session.server)
    assert users.instant_left == most - 1
    spent = catalog.with_table(replace(users, instant_left=1))
    steps, after = steps_of([AddColumn("users", name, "int") for name in "abc"], spent, dialect)
    planned, left, said = dialect.afforded(steps, spent, after)
    assert ["INSTANT" in sql for _, step in planned for sql in step.statements] == [True, False, True]
    assert [step.otherwise[0] == "" for _, step in planned] == [False, True, False]
    assert left.table("users").instant_left == most - 1
    (sentence,) = said
    assert f"as often as it may be ({most} times)" in sentence


def test_doctor_says_what_the_server_does_and_what_it_lacks(shop, mysql_database):
    said = shop.cli("doctor").stdout
    assert "columns are added" in said
    assert ("INSTALL SONAME 'metadata_lock_info'" in said) == (mysql_database.family == "mariadb")


def test_with_its_plugin_mariadb_names_only_who_holds_the_lock(mariadb_database, project):
    database = mariadb_database
    database.run("CREATE TABLE users (id int PRIMARY KEY)", "CREATE TABLE orders (id int PRIMARY KEY)")
    project.url = database.url
    project.revision("change", ADD)
    impatient = replace(project.settings, lock_retries=1)
    database.run("INSTALL SONAME 'metadata_lock_info'")
    try:
        with closing(database.connect()) as idle, closing(database.connect()) as other:
            for connection, table in ((idle, "users"), (other, "orders")):
                connection.begin()
                connection.cursor().execute(f"SELECT * FROM {table}")
            with pytest.raises(LockNotAvailable) as problem:
                api.apply(impatient)
        assert f"pid {idle.thread_id()} " in problem.value.message
        assert f"pid {other.thread_id()} " not in problem.value.message
        assert "metadata_lock_info" not in project.cli("doctor").stdout
    finally:
        database.run("UNINSTALL SONAME 'metadata_lock_info'")


def test_rows_are_logged_by_less_only_where_that_was_asked_for_and_is_allowed(shop, mysql_database):
    name = f"u_{mysql_database.name[-8:]}"
    image = "INSERT INTO images SELECT 1, @@SESSION.binlog_row_image"
    script = f"CREATE TABLE images (id int PRIMARY KEY, image varchar(9)); {image}"
    shop.revision("change", f'RunSQL(expand="{script}", undo="DROP TABLE images")')
    mysql_database.run(
        f"CREATE USER {name}@'%' IDENTIFIED BY 'x'", f"GRANT ALL ON `{mysql_database.name}`.* TO {name}@'%'"
    )
    told: list[object] = []
    found = []
    try:
        plain = replace(shop.settings, database_url=shop.url.replace("root@", f"{name}:x@"))
        for given, image in ((plain, "minimal"), (shop.settings, "server"), (shop.settings, "minimal")):
            api.apply(replace(given, binlog_row_image=image), observer=told.append)
            found += mysql_database.rows("SELECT image FROM images")
            api.abort(shop.settings, "change", discard=True)
    finally:
        mysql_database.run(f"DROP USER {name}@'%'")
    assert found == [("FULL",), ("FULL",), ("MINIMAL",)]
    assert len([event for event in told if isinstance(event, LoggedAsSet)]) == 1


def test_a_replica_that_cannot_be_read_holds_everything_up_and_says_so(shop):
    shop.revision("change", 'RenameColumn("users", "name", "title")')
    shop.apply()
    assert api.status(replace(shop.settings, replicas=(shop.url,))).replicas == ""
    gone = replace(shop.settings, replicas=(shop.url.replace("/test_", "/gone_"),), lock_give_up=0.1)
    assert "is cannot be read: " in api.status(gone).replicas
    with pytest.raises(NotYet) as early:
        api.apply(gone, phase=Phase.CONTRACT, to="change", override=api.Override("a test"))
    assert "cannot be read" in early.value.message
    api.apply(replace(gone, replicas=()), phase=Phase.CONTRACT, to="change", override=api.Override("a test"))


def test_urls_of_replicas_have_no_passwords_in_a_file(tmp_path):
    (tmp_path / "pyproject.toml").write_text('[tool.migrator]\nreplicas = ["mysql://a:secret@east/shop"]\n')
    with pytest.raises(SettingsError, match="password") as refused:
        settings.load(environ={}, directory=tmp_path)
    assert "secret" not in str(refused.value)
    assert "MIGRATOR_REPLICAS" in refused.value.next_step
