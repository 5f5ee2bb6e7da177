"""Some reads of users.full_name are compared with the same read of users.name."""

import os

from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session

from migrator.app import record_shadow_reads, shadow_read


def by_full_name(session: Session, prefix: str) -> list[int]:
    found = session.scalars(text("SELECT id FROM users WHERE full_name LIKE :p ORDER BY id"), {"p": f"{prefix}%"})
    return list(found)


def by_name(session: Session, prefix: str) -> list[int]:
    return list(session.scalars(text("SELECT id FROM users WHERE name LIKE :p ORDER BY id"), {"p": f"{prefix}%"}))


users_by_name = shadow_read(
    "users by name",
    by_full_name,
    by_name,
    revision="0003_rename",
    sample=1.0,  # of all reads; 0.01 where you do not say
    per_second=10,  # comparisons, at most
    share=0.02,  # of the time, at most
    key=lambda _session, prefix: prefix,
)

engine = create_engine(os.environ["DATABASE_URL"])
with Session(engine) as session:
    print(users_by_name(session, "Ada"))
print(users_by_name.report())
with engine.begin() as connection:
    record_shadow_reads(connection)
engine.dispose()
