"""Whether a version may run now: what rollouts, CI before a deployment, and applications at their start ask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from migrator.deploying import UNKNOWN, Build, needs
from migrator.errors import NotYet, UsageError
from migrator.runs import load_graph, looking

if TYPE_CHECKING:
    from migrator.settings import Settings


@dataclass(frozen=True, slots=True)
class Checked:
    """Whether a version may run now, and the shape it was judged by.

    Args:
        shape_source: `recorded` for that version, `declared` or `computed` by whoever asks, or `unknown`.
        missing: revisions it reads that are not migrated: it is above the ceiling.
        gone: contracts that it does not survive: it is below the floor.
        newest_safe: newest revision that a build may use.
        newest_safe_version: newest version of the application that was live, and may run now.
    """

    application: str
    version: str
    uses: str | None
    survives: str | None
    shape_source: str
    allowed: bool
    missing: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    newest_safe: str | None = None
    newest_safe_version: str | None = None
    message: str = ""
    next_step: str = ""


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
    from migrator.deployments import Going, ground, may_run, shape_for
    from migrator.ledger import deployed, schema

    graph = load_graph(settings)
    with looking(settings, "deploy") as session, session.transaction() as connection:
        known = deployed.all_deployments(connection) if schema.installed(connection) is not None else []
        name = application or only([record.application for record in known])
        asked = needs(graph, Build(name, version, shape=None if here else shape or UNKNOWN))
        build = Going(name, version, "", shape=asked)
        judged = shape_for(connection, build) if known else asked
        refusal = may_run(connection, build, judged, ground(connection, graph))
    if judged.source == UNKNOWN:
        refusal = undeclared(name, version, refusal)
    facts = (name, version, judged.uses, judged.survives, judged.source)
    if refusal is None:
        return Checked(*facts, allowed=True)
    found = refusal.facts
    return Checked(
        *facts,
        allowed=False,
        missing=tuple(found["missing"]),
        gone=tuple(found["gone"]),
        newest_safe=found["newest_safe"],
        newest_safe_version=found["newest_safe_version"],
        message=refusal.message,
        next_step=refusal.next_step,
    )


def undeclared(application: str, version: str, refusal: NotYet | None) -> NotYet:
    """A build of which nothing is known may read what is not there yet, whatever is gone."""
    nothing = {"missing": (), "gone": (), "newest_safe": None, "newest_safe_version": None}
    return NotYet(
        f"version {version} may not run now: nobody recorded what {application} {version} uses",
        next_step="from its own checkout: --here; else name the newest revision it uses: --shape REVISION",
        **{**nothing, **(refusal.facts if refusal is not None else {})},
    )


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
