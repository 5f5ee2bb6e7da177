"""What a real server does with a statement in a schema of its own."""

from __future__ import annotations

from linters.mysql.tokens import tokens
from migrator.shadow.asking import alteration, ask, tables_of, version_of

BEFORE = (
    "SET sql_mode = DEFAULT, foreign_key_checks = 1",
    "DROP DATABASE IF EXISTS probe",
    "CREATE DATABASE probe CHARACTER SET utf8mb4",
    "USE probe",
)


def observe(connection, schema, statement):
    """`INSTANT`, `NOCOPY NONE` … `COPY SHARED`, or `error N` where the server refuses every one."""
    said = connection.get_server_info()
    version, is_mariadb = version_of(said), "mariadb" in said.lower()
    asked = alteration(tuple(tokens(statement, "mariadb" if is_mariadb else "mysql", version)))
    with connection.cursor() as cursor:
        for text in (*BEFORE, *schema):
            cursor.execute(text)
        found = ask(
            asked, statement, cursor.execute, lambda: tables_of(connection, "probe", is_mariadb), version, is_mariadb
        )  # fmt: skip
    return str(found)
