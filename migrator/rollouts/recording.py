"""Deployment records of a rollout: every exposure of a build is one, and no build goes live that may not run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from migrator.builds import UNKNOWN, Build, Shape
from migrator.deploying import going
from migrator.deployments import begin, finish, ground, hold, may_run, shape_for
from migrator.errors import MigratorError
from migrator.ledger import deployed, store
from migrator.ledger.types import NOW
from migrator.rollouts.model import Flag, Outcome
from phases.exposure import SHADOW
from phases.flags import Variants, needs, refusal
from phases.shapes import RevisionState

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from migrator.builds import Going
    from migrator.database import Session
    from migrator.revisions import RevisionGraph
    from migrator.rollouts.plan import RolloutPlan, Toggle


@dataclass(frozen=True, slots=True)
class Records:
    """What a rollout records.

    Args:
        key: the same for every controller of one rollout, so that a deployment is recorded once; a further
            strategy of it, after a shadow, has one of its own.
        shape: newest revision whose new shape the version uses, as `migrator deploy start --shape`.
    """

    session: Session
    graph: RevisionGraph
    plan: RolloutPlan
    key: str
    shape: str | None = None

    def _key(self, strategy: str) -> str:
        return f"{self.key} {strategy}" if strategy else self.key

    def begin(self, strategy: str = "") -> Outcome:
        """Record that the version goes live; not where it may not run now."""
        build = Build(
            self.plan.application,
            self.plan.version,
            self.plan.environment,
            shape=self.shape,
            strategy=strategy or self.plan.strategy,
            key=self._key(strategy),
            keeps=False,  # what was kept warm is stopped before the rollout ends
        )
        try:
            asked = going(self.graph, build)
            with self.session.transaction() as connection:
                if self.plan.toggle is not None:
                    toggle = self.plan.toggle
                    if refused := self._refusal(connection, toggle, [toggle.variant]):
                        return Outcome(ok=False, reason=refused, facts={"next": "migrator status"})
                    asked = replace(asked, shape=self._selecting(connection, asked, toggle))
                begin(connection, asked, self.graph)
        except MigratorError as refused:
            return Outcome(ok=False, reason=refused.message, facts={"next": refused.next_step})
        return Outcome(ok=True)

    def _selecting(self, connection: Connection, asked: Going, toggle: Toggle) -> Shape:
        """What a version needs that can select the old path: it survives no contract of that revision."""
        known, ancestors = shape_for(connection, asked), self.graph.all_ancestors()
        below = max(self.graph[toggle.revision].down_revisions, key=lambda name: len(ancestors[name]), default=None)
        new = toggle.variant == toggle.new
        return Shape(*needs(known.uses, known.survives, toggle.revision, below, ancestors, new=new))

    def may_select(self, action: Flag) -> str:
        """Why nobody may be given what a flag would give; empty where everybody may."""
        toggle = self.plan.toggle
        if toggle is None:
            return ""
        wanted = [variant for variant, share in action.shares.items() if share]
        with self.session.transaction() as connection:
            return self._refusal(connection, toggle, [*wanted, *([action.ahead] if action.ahead else [])])

    def _refusal(self, connection: Connection, toggle: Toggle, wanted: list[str]) -> str:
        variants = Variants(toggle.legacy, toggle.dual, toggle.new)
        state = ground(connection, self.graph).states.get(toggle.revision, RevisionState("none"))
        said = refusal(variants, toggle.revision, state, wanted)
        return f"flag {toggle.flag}: {said}" if said else ""

    def finish(self, status: str, strategy: str = "") -> Outcome:
        """Record how it ended. A shadow that ended well is gone by then, and has arrived nowhere."""
        with self.session.transaction() as connection:
            hold(connection)
            known = deployed.by_key(connection, self._key(strategy))
            if known is not None:
                done = finish(connection, known, status)
                if done.strategy == SHADOW and status == "succeeded" and done.stopped_at is None:
                    deployed.change(connection, done.id, {"stopped_at": NOW}, "deployment stopped")
        return Outcome(ok=True)

    def clock(self) -> float:
        """Seconds since 1970, as the database has them."""
        with self.session.transaction() as connection:
            return store.clock(connection).timestamp()

    def may_run(self, version: str) -> Outcome:
        """Whether a version may run now, judged by the shape that it was recorded with."""
        asked = going(self.graph, Build(self.plan.application, version, self.plan.environment, shape=UNKNOWN))
        with self.session.transaction() as connection:
            on = ground(connection, self.graph)
            refused = may_run(connection, asked.build, shape_for(connection, asked), on)
        if refused is None:
            return Outcome(ok=True)
        return Outcome(ok=False, reason=refused.message, facts={"next": refused.next_step})
