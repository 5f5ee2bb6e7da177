"""Run a project's `env.py`, for the metadata and the options it gives to Alembic."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING, Any

from migrator.database import mapped
from migrator.errors import MigratorError, RevisionError, UsageError
from migrator.revisions import script_directory

if TYPE_CHECKING:
    from alembic.runtime.environment import EnvironmentContext
    from alembic.runtime.migration import MigrationContext

    from migrator.settings import Settings

URL = "MIGRATOR_DATABASE_URL"


def options(settings: Settings) -> Mapping[str, Any]:
    """What `context.configure()` is given in `env.py`, which is run as `alembic revision --autogenerate` would.

    It gets to see the database URL of our settings, in the environment and as
    Alembic's `sqlalchemy.url`, and cannot create the version table.

    Raises:
        RevisionError: `env.py` fails; names the line.
        UsageError: it gives no metadata, or does not configure exactly one database.
    """
    from alembic.runtime.environment import EnvironmentContext

    (config, directory), url = script_directory(settings), settings.require_url()
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    seen: list[MigrationContext] = []

    def look(heads: Any, context: MigrationContext) -> list[Any]:
        del heads
        seen.append(context)
        return []

    environment = EnvironmentContext(config, directory, fn=look, dont_mutate=True, template_args={})
    # What env.py prints is not our output.
    with variable(URL, url), redirect_stdout(sys.stderr), environment:
        run(environment, directory.env_py_location)
    if len(seen) != 1:
        said = f"configures {len(seen)} databases" if seen else "runs no migrations"
        raise UsageError(f"{directory.env_py_location} {said}; one is needed", next_step="migrator init")
    found = dict(seen[0].opts)
    if found.get("target_metadata") is None:
        raise UsageError(
            f"{directory.env_py_location} gives Alembic no metadata to compare with",
            next_step="in env.py: target_metadata = Base.metadata",
        )
    return found


def run(environment: EnvironmentContext, path: str) -> None:
    from alembic.util import CommandError
    from sqlalchemy.exc import DBAPIError

    try:
        environment.script.run_env()
    except MigratorError:
        raise
    except CommandError as problem:
        raise UsageError(f"{path}: {str(problem).splitlines()[0]}", next_step="mend env.py") from None
    except DBAPIError as problem:
        raise mapped(problem) from problem
    except Exception as problem:
        frames = [frame for frame in traceback.extract_tb(problem.__traceback__) if frame.filename == path]
        line = (frames[-1].lineno if frames else None) or 1
        raise RevisionError(
            f"{path}:{line}: {type(problem).__name__}: {problem}", next_step="mend env.py", file=path, line=line
        ) from None


@contextmanager
def variable(name: str, value: str) -> Iterator[None]:
    """Set an environment variable for a while."""
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before
