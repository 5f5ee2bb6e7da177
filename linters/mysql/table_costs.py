"""What it takes to change a table as a whole: its character set, its options, its partitions."""

from __future__ import annotations

from linters import actions
from linters.frozen import changed
from linters.mysql import alterations
from linters.mysql.columns import charset_change, charset_of, type_change, width
from linters.mysql.elements import TEXT
from linters.mysql.ways import COPY, INSTANT, SHARED, Algorithm, Way, copied, is_mariadb, metadata, rebuilt
from linters.session import Session
from linters.values import Column, Relation


def convert(action: alterations.ConvertCharset, table: Relation, session: Session) -> Way:
    if not table.complete:
        return copied(
            "every text is written in the other character set", table, session,
            assumed=f"the columns of {table.name} are not known",
        )  # fmt: skip
    way = metadata("the default character set of columns to come", session)
    for column in table.columns:
        if column.type.name in TEXT:
            way = way.worst(converted(column, action, table, session))
    return way


def converted(column: Column, action: alterations.ConvertCharset, table: Relation, session: Session) -> Way:
    to = changed(column, charset=action.charset, collation=action.collation)
    before, after = charset_of(column, table), charset_of(to, table)
    if column.type.name in ("tinytext", "text", "mediumtext") and width(after) > width(before):
        return copied(f"{column.name} becomes a longer type of text, so that all its values fit", table, session)
    same = before == after and not action.collation
    if not same and column.type.name in ("enum", "set") and is_mariadb(session):
        return copied(f"the values of {column.name} are written in the other character set", table, session)
    found = charset_change(column, to, table, session) if same else type_change(column, to, table, session)
    fixed = column.type.name in ("char", "tinytext", "text", "mediumtext", "longtext")
    if not same and fixed and not is_mariadb(session) and found.algorithm < COPY:
        return rebuilt(f"{column.name} is written in the other character set", table, session, SHARED)
    return found


def options(action: alterations.TableOptions, table: Relation, session: Session) -> Way:
    given = dict(action.options)
    engine = given.get("ENGINE", "").lower()
    if engine and engine != (table.option("ENGINE").lower() or "innodb"):
        return copied(f"the table moves to {given['ENGINE']}", table, session, always_locks=False)
    if "SYSTEM VERSIONING" in given:
        return copied("every row gets a history", table, session)
    if not is_mariadb(session) and given.get("ENCRYPTION", table.option("ENCRYPTION") or "N") != (
        table.option("ENCRYPTION") or "N"
    ):
        return copied("every page is encrypted or decrypted", table, session)
    written = [n for n in ("ENGINE", "ROW_FORMAT", "KEY_BLOCK_SIZE", "PAGE_COMPRESSED", "ENCRYPTED") if n in given]
    if written:
        return rebuilt(f"{written[0]} writes the table again", table, session)
    return metadata("options of the table", session)


def rewrite(action: actions.Rewrite, table: Relation, session: Session) -> Way:
    if action.by in ("FORCE", "OPTIMIZE TABLE"):
        return rebuilt(f"{action.by} writes the table again", table, session)
    return copied(f"{action.by} copies the table", table, session, action.by == "ALTER IGNORE TABLE")


def partitions(action: alterations.AlterPartitions, table: Relation, session: Session) -> Way:
    if action.what in ("BY", "REMOVE"):
        return copied("every row goes to another partition", table, session)
    if action.what in ("TRUNCATE", "EXCHANGE"):
        return INSTANT
    if action.what in ("DROP", "DISCARD", "IMPORT", "CONVERT"):
        return Way(Algorithm.NOCOPY, why="partitions come and go as a whole")
    if action.what == "ADD" and action.with_values:
        return Way(Algorithm.NOCOPY, why="an empty partition comes")
    least = COPY if is_mariadb(session) else Algorithm.INPLACE
    return Way(least, SHARED, least, True, "rows move between partitions while writers wait")


def enforce(action: alterations.EnforceCheck, table: Relation, session: Session) -> Way:
    return copied("the CHECK is tried for every row", table, session) if action.enforced else INSTANT
