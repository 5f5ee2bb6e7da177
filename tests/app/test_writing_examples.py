"""The examples of dual writes, switches, shadow reads and ignored columns run, on servers of every kind."""

from __future__ import annotations

import runpy

from migrator import api
from tests.app.places import everywhere
from tests.plugins.projects import ROOT

EXAMPLES = ROOT / "docs" / "examples" / "app"


@everywhere
def test_examples_of_writing_and_reading_run(server_database, project, monkeypatch, capsys):
    def said(name):
        runpy.run_path(str(EXAMPLES / f"{name}.py"))
        return capsys.readouterr().out

    server_database.run(
        "CREATE TABLE users (id int PRIMARY KEY, full_name varchar(80))", "INSERT INTO users VALUES (1, 'Ada')"
    )
    project.url = server_database.url
    monkeypatch.setenv("DATABASE_URL", server_database.url)
    assert said("ignored_column") == "Alan\n"
    server_database.run("DELETE FROM users WHERE id = 10")
    names = ("display_name", "nickname")
    project.revision("0002_display_name", ", ".join(f'AddColumn("users", "{name}", "varchar(80)")' for name in names))
    project.apply()
    assert said("ignored_column") == "Alan\nProf\n"
    pairs, differing = said("dual_write").splitlines()
    assert pairs == "[('Grace', 'Grace'), ('Barbara', 'Barbara'), ('Edsger W.', 'Edsger W.')]"
    assert differing == "3 rows differ: [(1,), (3,), (10,)]"
    assert said("dual_write_mapped") == "[(1250, '12.50'), (300, '3.00')]\n"
    project.revision("0003_rename", 'RenameColumn("users", "full_name", "name")')
    assert said("read_switch") == "['Ada L.!']\n"
    project.apply()
    server_database.run("UPDATE users SET full_name = 'Ada' WHERE id = 1")
    assert said("read_switch") == "['Ada L.!']\n"
    assert said("read_switch_flag") == "Ada L.!\n"
    assert said("shadow_read").startswith("[1]\nShadowReport(name='users by name', revision='0003_rename', compared=1")
    (verified,) = api.verify(project.settings)
    assert verified.shadow_reads[0].name == "users by name"
