"""Deployment records of a rollout: every exposure of a build is one, and no build goes live that may not run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from migrator.alembic_support import stamped
from migrator.deploying import shape_of
from migrator.deployments import (
    all_deployments,
    by_key,
    check_build,
    finish_deployment,
    refuse_build,
    start_deployment,
)
from migrator.errors import MigratorError
from migrator.planning import stamped_revisions
from migrator.rollouts.model import Outcome

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from migrator.database import Session
    from migrator.revisions import RevisionGraph
    from migrator.rollouts.plan import RolloutPlan


@dataclass(frozen=True, slots=True)
class Records:
    """What a rollout records.

    Args:
        key: the same for every controller of one rollout, so that a deployment is recorded once.
        shape: newest revision whose new shape the version uses, as `migrator deploy start --shape`.
    """

    session: Session
    graph: RevisionGraph
    plan: RolloutPlan
    key: str
    shape: str | None = None

    def begin(self) -> Outcome:
        """Record that the version goes live; not where it may not run now."""
        uses = shape_of(self.graph, self.shape)
        try:
            with self.session.transaction() as connection:
                start_deployment(
                    connection,
                    application=self.plan.application,
                    version=self.plan.version,
                    environment=self.plan.environment,
                    strategy=self.plan.strategy,
                    uses=uses,
                    survives=uses,
                    ancestors=self.graph.all_ancestors(),
                    applied=self._applied(connection),
                    key=self.key,
                )
        except MigratorError as refused:
            return Outcome(ok=False, reason=refused.message, facts={"next": refused.next_step})
        return Outcome(ok=True)

    def finish(self, status: str) -> Outcome:
        with self.session.transaction() as connection:
            known = by_key(connection, self.key)
            if known is not None:
                finish_deployment(connection, known.id, status)
        return Outcome(ok=True)

    def may_run(self, version: str) -> Outcome:
        """Whether a version may run now, judged by the shape that its newest deployment was recorded with."""
        with self.session.transaction() as connection:
            same = [
                record
                for record in all_deployments(connection)
                if record.application == self.plan.application and record.version == version
            ]
            uses, survives = (same[-1].uses, same[-1].survives) if same else (None, None)
            verdict = check_build(connection, uses, survives, self.graph.all_ancestors(), self._applied(connection))
        if verdict.allowed:
            return Outcome(ok=True)
        refused = refuse_build(version, verdict)
        return Outcome(ok=False, reason=refused.message, facts={"next": refused.next_step})

    def _applied(self, connection: Connection) -> frozenset[str]:
        return stamped_revisions(self.graph, frozenset(stamped(connection, self.graph)))
