"""Whether a version may run now: what rollouts, CI before a deployment, and applications at their start ask."""

from __future__ import annotations

from typing import TYPE_CHECKING

from migrator.builds import UNKNOWN, Build, Going
from migrator.deploying import needs
from migrator.errors import UsageError
from migrator.judging import Checked as Checked
from migrator.runs import load_graph, looking

if TYPE_CHECKING:
    from migrator.settings import Settings


def deploy_check(
    settings: Settings, version: str, application: str | None = None, *, shape: str | None = None, here: bool = False
) -> Checked:
    """Say whether a version may run now: neither below the floor nor above the ceiling. Writes nothing.

    Args:
        application: whose version it is; None: of the one application that is recorded.
        shape: what it uses, where that was not recorded.
        here: this checkout is that of the version.

    Raises:
        UsageError: several applications are recorded, and none is named.
    """
    from migrator.deployments import ground
    from migrator.judging import judged
    from migrator.ledger import deployed, schema

    graph = load_graph(settings)
    with looking(settings, "deploy") as session, session.transaction() as connection:
        known = deployed.all_deployments(connection) if schema.installed(connection) is not None else []
        name = application or only([record.application for record in known])
        build = Build(name, version, shape=None if here else shape or UNKNOWN)
        return judged(connection, Going(build, needs(graph, build)), lambda _: ground(connection, graph))


def only(applications: list[str]) -> str:
    """The one application that is recorded.

    Raises:
        UsageError: there is none, or there are several.
    """
    names = list(dict.fromkeys(applications))
    if len(names) != 1:
        said = f"several applications are recorded: {', '.join(names)}" if names else "no application is recorded"
        raise UsageError(said, next_step="name it: --app NAME")
    return names[0]
