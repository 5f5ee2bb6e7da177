"""Version 2.0 signs people up without an address; version 3.0 asks for one."""

from migrator.testing import assert_compatible


def test_demanding_an_address_harms_neither_version() -> None:
    assert_compatible(
        "3_email_required",
        old=["INSERT INTO users (id, name) VALUES (:n, 'Ann')", ("SELECT name FROM users WHERE id = :n", "Ann")],
        new=["INSERT INTO users (id, name, email) VALUES (:n, 'Bob', 'bob@example.org')"],
    )
