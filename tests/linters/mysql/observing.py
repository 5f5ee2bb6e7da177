"""What a real server does with an ALTER: the first algorithm and lock that it accepts, tried from the cheapest on."""

from __future__ import annotations

import re

REFUSED = (1845, 1846)
"""ER_ALTER_OPERATION_NOT_SUPPORTED, with and without a reason: the next one is tried."""
MARIADB = ("INSTANT", "NOCOPY NONE", "NOCOPY SHARED", "INPLACE NONE", "INPLACE SHARED", "COPY NONE", "COPY SHARED")
MYSQL = ("INSTANT", "INPLACE NONE", "INPLACE SHARED", "COPY NONE", "COPY SHARED")
HEAD = re.compile(r"(?is)^(\s*ALTER\s+(?:ONLINE\s+|IGNORE\s+)?TABLE\s+(?:`[^`]+`|\S+)\s+)")
TABLE_ID = (
    "SELECT TABLE_ID FROM information_schema.{} WHERE NAME LIKE CONCAT(DATABASE(), '/%')"
    " AND LOWER(NAME) NOT LIKE '%/fts%' ORDER BY NAME"
)
DROP_INDEX = re.compile(r"(?is)^\s*DROP\s+INDEX\s+(\S+)\s+ON\s+(\S+)\s*$")


BEFORE = (
    "SET sql_mode = DEFAULT, foreign_key_checks = 1",
    "DROP DATABASE IF EXISTS probe",
    "CREATE DATABASE probe CHARACTER SET utf8mb4",
    "USE probe",
)


def asked(statement, way):
    """The statement with an ALGORITHM and a LOCK clause."""
    algorithm, _, lock = way.partition(" ")
    clauses = [f"ALGORITHM={algorithm}", *([f"LOCK={lock}"] if lock else [])]
    statement = DROP_INDEX.sub(r"ALTER TABLE \2 DROP INDEX \1", statement)
    if (head := HEAD.match(statement)) is not None:
        rest = statement[head.end() :]
        comma = " " if re.match(r"(?i)PARTITION\s+BY|REMOVE\s+PARTITIONING", rest) else ", "
        return head[1] + ", ".join(clauses) + comma + rest
    return f"{statement} {' '.join(clauses)}"


def table_ids(cursor, is_mariadb):
    cursor.execute(TABLE_ID.format("INNODB_SYS_TABLES" if is_mariadb else "INNODB_TABLES"))
    return cursor.fetchall()


def same(before, after):
    """Whether no table was written again; partitions that come or go leave the others as they are."""
    return set(before) <= set(after) or set(after) <= set(before)


def observe(connection, schema, statement):
    """`INSTANT`, `NOCOPY NONE` … `COPY SHARED`, or `error N` where the server refuses every one.

    MySQL has one name for INPLACE with and without a rebuild; what it does is read from the table's own number.
    """
    is_mariadb = "mariadb" in connection.get_server_info().lower()
    with connection.cursor() as cursor:
        for text in (*BEFORE, *schema):
            cursor.execute(text)
        for way in MARIADB if is_mariadb else MYSQL:
            before = table_ids(cursor, is_mariadb)
            try:
                cursor.execute(asked(statement, way))
            except Exception as problem:
                if problem.args[0] in REFUSED:
                    continue
                return f"error {problem.args[0]}: {problem.args[1]}"
            if not is_mariadb and way.startswith("INPLACE") and same(before, table_ids(cursor, is_mariadb)):
                return way.replace("INPLACE", "NOCOPY")
            return way
    return "refused"
