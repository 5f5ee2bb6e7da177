"""Alembic environment of a project that uses migrator."""

from alembic import context
from sqlalchemy import create_engine, pool

from migrator.alembic_plugin import options
from migrator.settings import load

# The metadata of your models, for autogenerate and `migrator check`.
target_metadata = None


def run_migrations() -> None:
    engine = create_engine(load().require_url(), poolclass=pool.NullPool)
    with engine.connect() as connection:
        context.configure(connection=connection, target_metadata=target_metadata, **options())
        with context.begin_transaction():
            context.run_migrations()


run_migrations()
