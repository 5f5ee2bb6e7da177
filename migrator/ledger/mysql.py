"""The ledger on MySQL and MariaDB: tables with a prefix, each created by itself, the version last."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select, text
from sqlalchemy.dialects.mysql import insert
from sqlalchemy.schema import CreateTable

from migrator.ledger import tables
from migrator.ledger.places import Place
from migrator.ledger.tables import SCHEMA, ledger_version

if TYPE_CHECKING:
    from sqlalchemy import Connection, Table

PREFIX = f"{SCHEMA}_"
OPTIONS = {"engine": "InnoDB", "charset": "utf8mb4", "collate": "utf8mb4_bin"}
SERVER = (
    "SELECT /*!80000 @@server_uuid */"
    "/*M!100600 CONCAT('server ', @@server_id, ' at ', @@hostname, '\\:', @@port, ', ', @@datadir) */"
)
APPEND_ONLY = (
    "CREATE TRIGGER {name} BEFORE {event} ON {prefix}events FOR EACH ROW"
    " SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'the events of the ledger are append-only'"
)


class Ledger:
    """`migrator.ledger.dialect.Writer` says what is asked.

    A schema is a database here, so the tables have a prefix instead (`migrator.teaching.with_prefix`).
    """

    def table_exists(self, connection: Connection, name: str) -> bool:
        return self._there(connection, "tables", "table", PREFIX + name)

    def columns(self, connection: Connection, name: str) -> set[str]:
        question = (
            "SELECT column_name FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = :name"
        )
        return set(connection.execute(text(question), {"name": PREFIX + name}).scalars())

    def version(self, connection: Connection) -> int | None:
        # In plain words: Alembic's connections do not know of the prefix. The row is written last of all.
        if not self.table_exists(connection, ledger_version.name):
            return None
        found: int | None = connection.execute(text(f"SELECT version FROM {PREFIX}ledger_version")).scalar()
        return found

    def _there(self, connection: Connection, source: str, kind: str, name: str) -> bool:
        question = f"SELECT 1 FROM information_schema.{source} WHERE {kind}_schema = DATABASE() AND {kind}_name = :name"
        return connection.execute(text(question), {"name": name}).first() is not None

    def create(self, connection: Connection) -> None:
        self.add(connection, tuple(tables.metadata.sorted_tables))
        legal = insert(tables.transitions)
        connection.execute(legal.on_duplicate_key_update(to_state=legal.inserted.to_state), tables.legal())
        for event in ("UPDATE", "DELETE"):
            name = f"{PREFIX}events_{event.lower()}"
            if not self._there(connection, "triggers", "trigger", name):
                connection.execute(text(APPEND_ONLY.format(name=name, event=event, prefix=PREFIX)))
        version = insert(ledger_version)
        kept = version.on_duplicate_key_update(version=version.inserted.version)
        connection.execute(kept, {"version": tables.VERSION})

    def add(self, connection: Connection, tables_: tuple[Table, ...]) -> None:
        # Foreign keys bring the indexes that the tables have elsewhere.
        for table in tables_:
            for option, value in OPTIONS.items():
                table.dialect_kwargs[f"{connection.dialect.name}_{option}"] = value
            connection.execute(CreateTable(table, if_not_exists=True))

    def hold_deployments(self, connection: Connection, *, exclusive: bool) -> None:
        # Named locks have no shared form and outlive the transaction; a row of the ledger has, and does not.
        if self.version(connection) is not None:
            self.wait_longer(connection)
            row = select(ledger_version.c.version)
            connection.execute(row.with_for_update(read=not exclusive))

    def wait_longer(self, connection: Connection) -> None:
        connection.execute(text("SET SESSION innodb_lock_wait_timeout = 50"))

    def identity(self, connection: Connection) -> tuple[str, int] | None:
        return None  # a cursor holds keys, which are the same wherever the rows are

    def server(self, connection: Connection) -> str:
        return str(connection.execute(text(SERVER)).scalar_one())

    def role(self, connection: Connection) -> str:
        return str(connection.execute(text("SELECT SUBSTRING_INDEX(USER(), '@', 1)")).scalar_one())

    def place(self, connection: Connection) -> Place:
        # MariaDB has no identity of its own; a server that took over is another one on both.
        kind = "@@hostname, ':', @@port" if connection.dialect.name == "mariadb" else "@@server_uuid"
        system, database = connection.execute(text(f"SELECT CONCAT({kind}), DATABASE()")).one()
        return Place(str(system), str(database), takes_over=True)
