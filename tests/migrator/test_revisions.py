"""Revision files: order, digest, and every way in which they can be wrong."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from migrator import AddColumn, Migration, RenameColumn, settings
from migrator.errors import RevisionError, SettingsError
from migrator.revisions import RevisionGraph

BODY = (
    "migration = Migration(AddColumn('t', 'c', 'int'))\nupgrade, downgrade = migration.upgrade, migration.downgrade\n"
)


def write(project, name: str, down: object = None, *, body: str = BODY, id: str | None = None, extra: str = "") -> Path:
    path = project.folder / "migrations" / "versions" / f"{name}.py"
    head = f'"""{name}"""\nfrom migrator import *\nrevision = {id or name!r}\ndown_revision = {down!r}\n'
    path.write_text(head + extra + body)
    return path


def graph(project) -> RevisionGraph:
    return RevisionGraph.load(project.settings)


def order(project) -> list[str]:
    return [revision.id for revision in graph(project).ordered()]


def test_a_revision_knows_its_file_line_message_and_operations(project) -> None:
    path = write(project, "one")
    found = graph(project)["one"]
    assert (found.path, found.line, found.message) == (path, 5, "one")
    assert found.migration == Migration(AddColumn("t", "c", "int"))
    assert found.down_revisions == ()


def test_branches_merges_and_dependencies_come_after_what_they_build_on(project) -> None:
    write(project, "z_base")
    write(project, "b_left", "z_base", extra="branch_labels = 'left'\n")
    write(project, "a_right", "z_base")
    write(project, "c_merge", ("b_left", "a_right"))
    found = order(project)
    assert found[0] == "z_base"
    assert found[-1] == "c_merge"
    assert graph(project).ancestors("c_merge") == {"z_base", "b_left", "a_right", "c_merge"}
    assert graph(project).ancestors("a_right") == {"z_base", "a_right"}


@pytest.mark.parametrize("needed", ["billing_two", "billing"])
def test_a_dependency_on_another_branch_is_an_ancestor_by_id_or_label(project, needed: str) -> None:
    write(project, "billing_one", extra="branch_labels = 'billing'\n")
    write(project, "billing_two", "billing_one")
    write(project, "a_shop", extra=f"depends_on = {needed!r}\n")
    found = graph(project)
    position = order(project).index
    assert "billing_one" in found.ancestors("a_shop")
    assert position("billing_one") < position("a_shop")


def test_resolve_takes_an_id_its_beginning_or_head(project) -> None:
    write(project, "4f2a_first")
    write(project, "4f9c_second", "4f2a_first")
    found = graph(project)
    assert {found.resolve(name) for name in ("4f2a_first", "4f2a")} == {"4f2a_first"}
    assert found.resolve("head") == "4f9c_second"
    with pytest.raises(RevisionError, match="4f2a_first or 4f9c_second"):
        found.resolve("4f")
    with pytest.raises(RevisionError, match="no revision") as caught:
        found.resolve("4f2b_first")
    assert "4f2a_first" in caught.value.next_step
    with pytest.raises(RevisionError):
        found.resolve("")


def test_head_is_refused_by_name_where_there_are_several(project) -> None:
    write(project, "one")
    write(project, "two")
    with pytest.raises(RevisionError, match=r"one, two|two, one"):
        graph(project).resolve("head")


def test_a_classical_revision_has_no_migration(project) -> None:
    write(project, "old", body="def upgrade(): pass\ndef downgrade(): pass\n")
    assert graph(project)["old"].migration is None


BAD = {
    "a missing down revision": ("'gone'", BODY, 4, 'revision "gone", which does not exist'),
    "a syntax error": ("None", "migration = Migration(\n", 5, "SyntaxError"),
    "an exception inside": ("None", "\n\nmigration = Migration(1 / 0)\n", 7, "ZeroDivisionError"),
    "no operation": ("None", "migration = Migration('users')\n", 5, "is not an operation"),
    "no Migration": ("None", "migration = {}\n", 5, "is a dict, not a Migration"),
    "neither": ("None", "", 3, "neither a migration nor upgrade()"),
    "no upgrade": ("None", "migration = Migration()\n", 5, "no upgrade for Alembic"),
    "both": ("None", "migration = Migration()\ndef upgrade(): pass\n", 5, "upgrade() beside its migration"),
}


@pytest.mark.parametrize(("down", "body", "line", "says"), BAD.values(), ids=BAD)
def test_a_wrong_file_is_refused_with_file_and_line(project, down: str, body: str, line: int, says: str) -> None:
    path = project.folder / "migrations" / "versions" / "bad.py"
    path.write_text(f'"""bad"""\nfrom migrator import *\nrevision = "bad"\ndown_revision = {down}\n{body}')
    with pytest.raises(RevisionError) as caught:
        graph(project)
    assert caught.value.message.startswith(f"{path}:{line}: ")
    assert says in caught.value.message
    assert (caught.value.facts["file"], caught.value.facts["line"]) == (str(path), line)


def test_an_id_given_twice_names_both_files(project) -> None:
    first, second = write(project, "a", id="same"), write(project, "b", id="same")
    with pytest.raises(RevisionError) as caught:
        graph(project)
    assert f"{first}:3 and {second}:3" in caught.value.message


def test_a_circle_is_named(project) -> None:
    write(project, "one", "two")
    write(project, "two", "one")
    with pytest.raises(RevisionError, match=r"circle: .*one.*two|circle: .*two.*one"):
        graph(project)


@pytest.mark.parametrize("word", ["base", "head", "heads"])
def test_a_word_of_alembics_own_is_no_id(project, word: str) -> None:
    write(project, word)
    with pytest.raises(RevisionError, match="means something else"):
        graph(project)


def test_an_id_that_does_not_fit_alembics_table_is_refused(project) -> None:
    write(project, "x" * 33)
    with pytest.raises(RevisionError, match="33 characters"):
        graph(project)


def test_without_a_script_directory_init_is_the_next_step(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        RevisionGraph.load(settings.load(environ={}, directory=tmp_path))
    assert caught.value.next_step == "migrator init"


def test_every_folder_of_version_locations_is_read(project) -> None:
    write(project, "one")
    other = project.folder / "billing"
    other.mkdir()
    (other / "two.py").write_text(f"from migrator import *\nrevision = 'two'\ndown_revision = 'one'\n{BODY}")
    with (project.folder / "pyproject.toml").open("a") as file:
        file.write('version_locations = ["%(here)s/migrations/versions", "%(here)s/billing"]\n')
    assert order(project) == ["one", "two"]


def test_a_file_is_run_once(project) -> None:
    trace = project.folder / "trace"
    write(project, "one", extra=f"with open({str(trace)!r}, 'a') as file:\n    file.write('x')\n")
    found = graph(project)
    assert (found.heads, trace.read_text()) == (("one",), "x")


def test_comments_do_not_change_the_digest_and_operations_do(project) -> None:
    path = write(project, "one")
    before = graph(project)["one"].digest
    path.write_text(path.read_text().replace("migration =", "# a remark\n\nmigration  ="))
    assert graph(project)["one"].digest == before
    path.write_text(path.read_text().replace("'c'", "'d'"))
    assert graph(project)["one"].digest != before


def test_a_description_with_a_type_object_is_the_same_each_time() -> None:
    import sqlalchemy as sa

    one = Migration(AddColumn("t", "c", sa.String(30)), RenameColumn("t", "a", "b"))
    two = Migration(AddColumn("t", "c", sa.String(30)), RenameColumn("t", "a", "b"))
    assert one.describe() == two.describe()
    assert " at 0x" not in one.describe()


def test_500_revisions_load_in_a_second(project) -> None:
    below = None
    for number in range(500):
        write(project, f"r{number:04}", below)
        below = f"r{number:04}"
    graph(project)  # compiles; Python keeps that for the next time
    started = time.process_time()
    found = graph(project)
    assert len(found.ancestors("r0499")) == 500
    assert time.process_time() - started < 1.0
