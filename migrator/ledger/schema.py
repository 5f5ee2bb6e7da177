"""Create the ledger, and know its version."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text, update
from sqlalchemy.schema import CreateColumn

from migrator.errors import UsageError
from migrator.ledger import audit, dialect, tables

if TYPE_CHECKING:
    from sqlalchemy import Connection, Table

SEEN = "migrator ledger is of this version"


def installed(connection: Connection) -> int | None:
    """Version of the ledger in this database; None where there is none. Writes nothing.

    Once it is the version of this program it is not asked again on that connection: verbs ask at every turn.

    Raises:
        UsageError: the ledger was written by a newer program.
    """
    if connection.info.get(SEEN):
        return tables.VERSION
    version = dialect.version(connection)
    connection.info[SEEN] = version == tables.VERSION
    if version is not None and version > tables.VERSION:
        raise UsageError(
            f"the ledger of this database has version {version}; this program knows {tables.VERSION}",
            next_step="upgrade the program: pip install --upgrade expand-contract-migrator",
        )
    return version


def install(connection: Connection) -> None:
    """Create the ledger where there is none, or bring an older one up to date, in the caller's transaction.

    Raises:
        UsageError: the ledger was written by a newer program.
    """
    if installed(connection) == tables.VERSION:
        return
    dialect.hold_deployments(connection, exclusive=True)
    found = installed(connection)  # another program may have done it, while this one waited
    if found is None:
        dialect.create(connection)
        audit.begin(connection)
    elif found < tables.VERSION:
        upgrade(connection, found)


def widen(connection: Connection, table: Table, names: list[str]) -> None:
    """Add columns that a table has not; a killed run may have added some."""
    kind = connection.dialect
    there = dialect.columns(connection, table.name)
    for name in names:
        if name not in there:
            column = str(CreateColumn(table.c[name]).compile(dialect=kind))
            whole = kind.identifier_preparer.format_table(table)
            connection.execute(text(f"ALTER TABLE {whole} ADD COLUMN {column}".replace(":", r"\:")))


def upgrade(connection: Connection, found: int) -> None:
    """Add what later versions have; revisions in flight are finished with what they began."""
    for version in range(found + 1, tables.VERSION + 1):
        dialect.add(connection, tables.ADDED.get(version, ()))
        for table, names in tables.WIDENED.get(version, {}).items():
            widen(connection, table, names.split())
    audit.begin(connection, upgraded=found)
    connection.execute(update(tables.ledger_version).values(version=tables.VERSION))
