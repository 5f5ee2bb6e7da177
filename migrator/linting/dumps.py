"""Dumps of a schema: read from a file, and put into the state of an engine."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from linters.engine import Engine
from linters.source import Source
from migrator.errors import UsageError

USED = re.compile(rb"(?im)(?:^|;)[ \t]*USE[ \t]+(`[^`\n]+`|\w+)[ \t]*;")
"""What `mysqldump --databases` writes before the tables of a database."""


def schema(path: Path, dialect: str) -> Source:
    """A dump of the schema.

    Args:
        dialect: of the server it is of.

    Raises:
        UsageError: it cannot be read.
    """
    if dialect == "postgresql":
        make = "pg_dump --schema-only --no-owner > schema.sql"
    else:
        make = f"{'mysqldump' if dialect == 'mysql' else 'mariadb-dump'} --no-data --routines DATABASE > schema.sql"
    try:
        return Source(str(path), path.read_bytes())
    except OSError as problem:
        raise UsageError(f"the schema {path} cannot be read: {problem.strerror}", next_step=make) from None
    except ValueError as problem:
        raise UsageError(f"the schema {path} cannot be read: {problem}", next_step=make) from None


def seed(engine: Engine, source: Source) -> int:
    """Put a dump into the state. Returns how many statements of it cannot be read.

    Names without a database are of the one that the dump uses, as scripts are run in it.
    """
    session = engine.session
    if session.given.dialect != "postgresql":
        used = {name.strip(b"`").decode() for name in USED.findall(source.data)}
        if len(used) == 1:
            session.given = replace(session.given, schema=used.pop())
    return len(engine.seed(source))
