"""A build that says which one it is, and does not start where it may not run."""

import os

import sqlalchemy as sa

from migrator.app import readiness, register

engine = sa.create_engine(os.environ["DATABASE_URL"])
registered = register(
    engine,
    app="shop",
    version=os.environ.get("VERSION", "2.0"),
    heartbeat=30.0,
    instance=os.environ.get("HOSTNAME", ""),
)
print(f"connections are named {registered.name}")


def ready() -> tuple[int, str]:
    """What the framework answers to `GET /ready`."""
    ok, reason = readiness(engine)
    return (200 if ok else 503), reason


print(ready())
engine.dispose()
