"""What holds for every assertion of a test run: set by the plugin of pytest, as the project says."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from migrator.settings import Settings


@dataclass
class Defaults:
    """`project`: the folder that `migrator` is run in; `servers`: names of what to test on, the first is usual."""

    project: Path | None = None
    servers: tuple[str, ...] = ()


RUN = Defaults()


def project_of(given: str | Path | None) -> Path:
    """The folder of a project: the given one, that of the test run, or the current one."""
    return Path(given) if given is not None else RUN.project or Path.cwd()


def usual_server(project: Path) -> str:
    """The server to test on where none is named: the first of the test run, else of the kind of the project's URL."""
    from migrator.settings import load
    from migrator.testing.servers import KINDS

    if RUN.servers:
        return RUN.servers[0]
    scheme = (load(directory=project).given_url or "").partition(":")[0].partition("+")[0].lower()
    return scheme if scheme in KINDS else "postgresql"


def settings_for(project: Path, url: str) -> Settings:
    """The settings of a project for a database of a test: nobody waits for what a server of production has.

    Raises:
        SettingsError: the project says something that makes no sense.
    """
    from dataclasses import replace

    from migrator.settings import load

    found = replace(load({"database_url": url}, directory=project), replicas=(), verify_replica=None, poolers=())
    found = replace(found, replica_lag=0.0, archive_backlog=0, slot_backlog=0, dead_rows=0.0, history_length=0)
    found = replace(found, disk_reserve=0, long_transaction=0.0, max_latency=0.0, free_disk=None, workers=1)
    return replace(found, lock_give_up=min(found.lock_give_up, 60.0), override_approvals=0)


def skip_or_fail(reason: str, next_step: str) -> None:
    """Skip the test on a laptop, and say why; in CI do nothing, so that it fails."""
    from migrator.testing.servers import in_ci

    pytest = sys.modules.get("pytest")
    if pytest is not None and not in_ci():
        pytest.skip(f"{reason}; to run it: {next_step}")
