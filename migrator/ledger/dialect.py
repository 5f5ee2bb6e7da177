"""The ledger statements that are written differently for each server family."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert

from migrator.ledger.tables import NOW, SCHEMA, backfills

if TYPE_CHECKING:
    from sqlalchemy import Connection

DEPLOYMENT_LOCK = 0x6D696764
"""Key of the advisory lock that deployments share and a contract holds alone: the letters "migd"."""

APPEND_ONLY = (
    f"""CREATE FUNCTION {SCHEMA}.refuse_change() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'the events of the ledger are append-only'; END $$""",
    f"""CREATE TRIGGER events_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {SCHEMA}.events
    FOR EACH STATEMENT EXECUTE FUNCTION {SCHEMA}.refuse_change()""",
)


def table_exists(connection: Connection, name: str) -> bool:
    found = connection.execute(
        text(
            "SELECT 1 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
            " WHERE n.nspname = :schema AND c.relname = :name"
        ),
        {"schema": SCHEMA, "name": name},
    )
    return found.first() is not None


def create_schema(connection: Connection) -> None:
    connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"))


def make_append_only(connection: Connection) -> None:
    for statement in APPEND_ONLY:
        connection.execute(text(statement))


def save_cursor(connection: Connection, values: dict[str, Any]) -> None:
    """Write a worker's cursor, in one statement: this is on the path of every batch."""
    statement = insert(backfills).values(values)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=[backfills.c.step_id, backfills.c.worker],
            set_={
                "cursor": statement.excluded.cursor,
                "rows_done": backfills.c.rows_done + statement.excluded.rows_done,
                "updated_at": NOW,
            },
        )
    )


def hold_deployments(connection: Connection, *, exclusive: bool) -> None:
    """Keep deployments and contracts apart until the transaction ends."""
    kind = "pg_advisory_xact_lock" if exclusive else "pg_advisory_xact_lock_shared"
    connection.execute(text(f"SELECT pg_catalog.{kind}({DEPLOYMENT_LOCK})"))
