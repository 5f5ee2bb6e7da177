"""What is watched on MySQL and MariaDB: sessions of old builds, locks, versions of rows, the log, and replicas."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace

import pytest

from migrator import api, settings
from migrator.database import connect
from migrator.errors import LockNotAvailable, NotYet, SettingsError
from migrator.events import LoggedAsSet
from phases.dialects.mysql_budget import limit
from phases.model import Phase

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


def test_a_table_without_instant_changes_left_is_planned_in_the_other_way(mysql_database, shop):
    if mysql_database.family == "mariadb":
        pytest.skip("MariaDB counts no versions of rows")
    with connect(mysql_database.url, "test") as session:
        most = limit(session.server)
    words = ("ADD COLUMN extra int", "DROP COLUMN extra")
    mysql_database.run(*(f"ALTER TABLE users {words[n % 2]}, ALGORITHM=INSTANT" for n in range(most - 1)))
    shop.revision("change", f'{ADD}, AddColumn("users", "size", "int"), AddColumn("users", "more", "int")')
    statements = [sql for step in shop.plan("change") for sql in step.step.statements]
    assert ["INSTANT" in sql for sql in statements] == [True, False, True]
    text = shop.cli("plan").stdout
    assert f"as often as it may be ({most} times)" in text
    assert "may be changed INSTANT 1 more times" in shop.cli("doctor").stdout
    shop.apply()
    assert mysql_database.rows("SELECT age, size, more FROM users") == [(None, None, None)]


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
    shop.revision("change", ADD)
    mysql_database.run(
        f"CREATE USER {name}@'%' IDENTIFIED BY 'x'", f"GRANT ALL ON `{mysql_database.name}`.* TO {name}@'%'"
    )
    try:
        plain = replace(shop.settings, database_url=shop.url.replace("root@", f"{name}:x@"))
        for image, told in (("server", []), ("minimal", [LoggedAsSet])):
            seen: list[object] = []
            api.apply(replace(plain, binlog_row_image=image), observer=seen.append)
            assert [type(event) for event in seen if isinstance(event, LoggedAsSet)] == told
    finally:
        mysql_database.run(f"DROP USER {name}@'%'")


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
