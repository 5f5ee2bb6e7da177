"""The ledger on PostgreSQL: a schema of its own, created in one transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import insert as plain_insert
from sqlalchemy import select, text

from migrator.ledger import tables
from migrator.ledger.places import Place
from migrator.ledger.tables import SCHEMA, ledger_version

if TYPE_CHECKING:
    from sqlalchemy import Connection, Table

DEPLOYMENT_LOCK = 0x6D696764
"""Key of the advisory lock that deployments share and a contract holds alone: the letters "migd"."""

APPEND_ONLY = (
    f"""CREATE FUNCTION {SCHEMA}.refuse_change() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'the events of the ledger are append-only'; END $$""",
    f"""CREATE TRIGGER events_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {SCHEMA}.events
    FOR EACH STATEMENT EXECUTE FUNCTION {SCHEMA}.refuse_change()""",
)
MAY_ASK = """
SELECT pg_catalog.has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE')
   AND pg_catalog.has_function_privilege('pg_catalog.pg_control_checkpoint()', 'EXECUTE')
"""
IDENTITY = """
SELECT s.system_identifier::text, c.timeline_id
FROM pg_catalog.pg_control_system() s, pg_catalog.pg_control_checkpoint() c
"""


class Ledger:
    """`migrator.ledger.dialect.Writer` says what is asked."""

    def table_exists(self, connection: Connection, name: str) -> bool:
        found = connection.execute(
            text(
                "SELECT 1 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
                " WHERE n.nspname = :schema AND c.relname = :name"
            ),
            {"schema": SCHEMA, "name": name},
        )
        return found.first() is not None

    def columns(self, connection: Connection, name: str) -> set[str]:
        question = (
            "SELECT a.attname::text FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid"
            " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
            " WHERE n.nspname = :schema AND c.relname = :name AND a.attnum > 0 AND NOT a.attisdropped"
        )
        return set(connection.execute(text(question), {"schema": SCHEMA, "name": name}).scalars())

    def version(self, connection: Connection) -> int | None:
        if not self.table_exists(connection, ledger_version.name):
            return None
        return int(connection.execute(select(ledger_version.c.version)).scalar_one())

    def create(self, connection: Connection) -> None:
        connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"))
        tables.metadata.create_all(connection, checkfirst=False)  # a run that was killed has left none
        connection.execute(plain_insert(tables.transitions), tables.legal())
        for statement in APPEND_ONLY:
            connection.execute(text(statement))
        connection.execute(plain_insert(tables.ledger_version), {"version": tables.VERSION})

    def add(self, connection: Connection, tables_: tuple[Table, ...]) -> None:
        tables.metadata.create_all(connection, tables=tables_)

    def hold_deployments(self, connection: Connection, *, exclusive: bool) -> None:
        kind = "pg_advisory_xact_lock" if exclusive else "pg_advisory_xact_lock_shared"
        connection.execute(text(f"SELECT pg_catalog.{kind}({DEPLOYMENT_LOCK})"))

    def wait_longer(self, connection: Connection) -> None:
        return  # a session of ours waits for rows as long as it takes, but for a step that may not

    def identity(self, connection: Connection) -> tuple[str, int] | None:
        if not connection.execute(text(MAY_ASK)).scalar_one():
            return None
        system, timeline = connection.execute(text(IDENTITY)).one()
        return system, timeline

    def server(self, connection: Connection) -> str:
        return ""  # the role may not ask for the timeline, and nothing else tells a promoted replica

    def role(self, connection: Connection) -> str:
        return str(connection.execute(text("SELECT session_user::text")).scalar_one())

    def place(self, connection: Connection) -> Place:
        question = "SELECT oid::text FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()"
        database = str(connection.execute(text(question)).scalar_one())
        found = self.identity(connection)
        if found is None:
            return Place("", database, unknown="this role may not ask (pg_control_system), a copy is not told apart")
        return Place(found[0], database, found[1])
