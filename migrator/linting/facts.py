"""What a live database says of itself, read only: SQL that makes the same schema, and how large the tables are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from linters.engine import Engine
from linters.frozen import changed
from linters.source import Source
from linters.values import Name
from migrator.linting import facts_queries as queries


@dataclass(frozen=True, slots=True)
class Facts:
    """A schema, and what sessions find there.

    Args:
        script: SQL that makes the schema.
        schema: where unqualified names live.
        lock_timeout: milliseconds that are set for sessions of this role, 0 for none.
        sizes: bytes of each table with its indexes.
        invalid: indexes that a build has left unfinished.
    """

    script: str
    version: int
    schema: str
    timezone: str
    lock_timeout: float
    sizes: dict[Name, int]
    invalid: tuple[Name, ...]

    def seed(self, engine: Engine) -> int:
        """Put all of it into the state of an engine. Returns how many statements of it cannot be read."""
        unread = engine.seed(Source("the database", self.script.encode()))
        session = engine.session
        for name, size in self.sizes.items():
            if session.knows(name):
                session.change(name, bytes=size)
        for name in self.invalid:
            index = session.indexes.get(name)
            if index is not None:
                session.put_index(changed(index, valid=False))
        return len(unread)


def read(url: str) -> Facts:
    """Read the schema of a database.

    Raises:
        ConnectionFailed, DatabaseError: it cannot be read. Never shows the password.
    """
    from migrator.database import connect, rows_of, run

    with connect(url, "lint") as session, session.transaction() as connection:
        run(connection, "SET TRANSACTION READ ONLY")
        schema, timezone, timeout = rows_of(connection, queries.SESSION)[0]
        # So that the server writes every name with its schema.
        rows_of(connection, "SELECT pg_catalog.set_config('search_path', '', true)")
        version = session.server.version[0]
        script = [row[0] for query in queries.script(version) for row in rows_of(connection, query)]
        sizes = {Name(schema_, name): int(size) for schema_, name, size in rows_of(connection, queries.SIZES)}
        invalid = tuple(Name(schema_, name) for schema_, name in rows_of(connection, queries.INVALID))
    text = "\n".join(terminated(script))
    return Facts(text, version, schema or "public", timezone, float(timeout), sizes, invalid)


def terminated(statements: list[str]) -> Iterator[str]:
    for statement in statements:
        yield statement.rstrip().rstrip(";") + ";"
