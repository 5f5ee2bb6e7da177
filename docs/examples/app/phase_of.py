"""Code that does one thing before a revision is migrated, and another after it."""

import os

import sqlalchemy as sa

from migrator.app import Phase, follow, known_phase, phase_of

RENAME = "0002_rename"

engine = sa.create_engine(os.environ["DATABASE_URL"])
follow(engine, RENAME)


def names() -> list[str]:
    """Names of all users, from whichever column may be relied on."""
    column = "name" if known_phase(RENAME, engine).phase >= Phase.MIGRATED else "full_name"
    with engine.connect() as connection:
        return list(connection.execute(sa.text(f"SELECT {column} FROM users ORDER BY id")).scalars())


print(phase_of(RENAME, engine))
print(names())
engine.dispose()
