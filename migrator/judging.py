"""What is said of a version that somebody wants to run: whether it may, by which shape it was judged, and why not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from migrator.builds import UNKNOWN, Going, Shape
from migrator.deployments import Ground, may_run, shape_for
from migrator.errors import NotYet
from migrator.ledger import deployed, schema

if TYPE_CHECKING:
    from sqlalchemy import Connection


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


def judged(connection: Connection, going: Going, ground: Callable[[Shape], Ground]) -> Checked:
    """Judge a build by what was recorded of its version, else by what it says itself. Writes nothing.

    Args:
        ground: what a build of a shape is judged by.
    """
    known = schema.installed(connection) is not None and deployed.all_deployments(connection)
    shape = shape_for(connection, going) if known else going.shape
    refusal = may_run(connection, going.build, shape, ground(shape))
    if shape.source == UNKNOWN:
        refusal = undeclared(going.build.application, going.build.version, refusal)
    facts = (going.build.application, going.build.version, shape.uses, shape.survives, shape.source)
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
