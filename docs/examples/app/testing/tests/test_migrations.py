"""What this project promises of its migrations."""

import pytest
from shop.models import Base, User
from sqlalchemy.orm import Session

from migrator.testing import assert_compatible, assert_lint_clean, assert_two_ways_one_schema

OLD = [
    "INSERT INTO users (id, full_name) VALUES (:n, 'Ann')",
    ("SELECT full_name FROM users WHERE id = :n", "Ann"),
    "UPDATE users SET full_name = 'Ann Lee' WHERE id = :n",
    ("SELECT id, full_name FROM users WHERE id = :n", lambda n: [(n, "Ann Lee")]),
    ("SELECT full_name FROM users WHERE id = 1", "Zoe"),
]


def sign_up(session: Session, number: int) -> None:
    session.add(User(id=number, name="Bob"))
    session.commit()
    assert session.get(User, number).name == "Bob"
    assert session.get(User, 1).name == "Zoe"


def test_renaming_full_name_harms_neither_version() -> None:
    assert_compatible(
        "2_rename_full_name",
        given="INSERT INTO users (id, full_name) VALUES (1, 'Zoe')",
        old=OLD,
        new=[sign_up, "DELETE FROM users WHERE id = :n"],
    )


def test_no_script_makes_anybody_wait() -> None:
    assert_lint_clean()


def test_models_and_migrations_make_one_schema() -> None:
    assert_two_ways_one_schema(Base.metadata)


@pytest.mark.migrator(before="2_rename_full_name")
def test_version_1_finds_a_user(migrator_database) -> None:
    migrator_database.execute("INSERT INTO users (id, full_name) VALUES (1, 'Zoe')")
    assert migrator_database.rows("SELECT full_name FROM users") == [("Zoe",)]


def test_a_user_is_found(migrator_database) -> None:
    migrator_database.execute("INSERT INTO users (id, name) VALUES (1, 'Zoe')")
    assert migrator_database.rows("SELECT name FROM users") == [("Zoe",)]
