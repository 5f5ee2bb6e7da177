"""Deployment records of a rollout: every exposure of a build is one, and no build goes live that may not run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from migrator.deploying import UNKNOWN, Build, going
from migrator.deployments import begin, finish, ground, hold, may_run, shape_for
from migrator.errors import MigratorError
from migrator.ledger import deployed
from migrator.rollouts.model import Outcome

if TYPE_CHECKING:
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
        build = Build(
            self.plan.application,
            self.plan.version,
            self.plan.environment,
            shape=self.shape,
            strategy=self.plan.strategy,
            key=self.key,
            keeps=False,  # what was kept warm is stopped before the rollout ends
        )
        try:
            with self.session.transaction() as connection:
                begin(connection, going(self.graph, build), self.graph)
        except MigratorError as refused:
            return Outcome(ok=False, reason=refused.message, facts={"next": refused.next_step})
        return Outcome(ok=True)

    def finish(self, status: str) -> Outcome:
        with self.session.transaction() as connection:
            hold(connection)
            known = deployed.by_key(connection, self.key)
            if known is not None:
                finish(connection, known, status)
        return Outcome(ok=True)

    def may_run(self, version: str) -> Outcome:
        """Whether a version may run now, judged by the shape that it was recorded with."""
        asked = going(self.graph, Build(self.plan.application, version, self.plan.environment, shape=UNKNOWN))
        with self.session.transaction() as connection:
            on = ground(connection, self.graph)
            refused = may_run(connection, asked, shape_for(connection, asked), on)
        if refused is None:
            return Outcome(ok=True)
        return Outcome(ok=False, reason=refused.message, facts={"next": refused.next_step})
