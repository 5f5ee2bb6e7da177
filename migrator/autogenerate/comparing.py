"""Compare the models of a project with its database."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from migrator.autogenerate import environment, in_flight, renames, words
from migrator.autogenerate.in_flight import LeftOut
from migrator.autogenerate.proposals import proposals
from migrator.autogenerate.renames import Ask, Pairs, Rename, never
from migrator.autogenerate.rendering import Proposal
from migrator.errors import NotYet
from migrator.introspection import read_catalog
from migrator.planning import stamped_revisions
from migrator.runs import load_graph, looking, remembered

if TYPE_CHECKING:
    from alembic.autogenerate.api import AutogenContext
    from alembic.operations import ops
    from sqlalchemy import Connection

    from migrator.planning import Recorded
    from migrator.revisions import RevisionGraph
    from migrator.settings import Settings

DIRECT = "migrator_direct"
"""Tells our plugin that Alembic was called by us, not by its user."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What the models ask for.

    `left_out`: differences that a revision in flight is about to settle.
    `possible`: columns that go and come and may be one, where nobody said.
    """

    proposals: tuple[Proposal, ...]
    left_out: tuple[LeftOut, ...] = ()
    possible: tuple[Rename, ...] = ()


def compare(settings: Settings, wanted: Sequence[str] = (), ask: Ask = never) -> Comparison:
    """Compare the metadata that `env.py` names with the database. Writes nothing.

    Args:
        wanted: renames, `table.old=new` each.
        ask: says whether a column that goes and one that comes are the same.

    Raises:
        NotYet: a revision has not been applied, so what it does would be proposed again.
        UsageError: a rename names what is not there, or env.py gives no metadata.
    """
    given = [renames.parse(text) for text in wanted]
    graph = load_graph(settings)
    found = environment.options(settings)
    with looking(settings, "check") as session, session.transaction() as connection:
        refuse_pending(graph, remembered(connection, graph))
        autogen, differences = differing(connection, found)
        return conclude(autogen, differences, graph, given, ask)


def refuse_pending(graph: RevisionGraph, memory: Recorded) -> None:
    done = stamped_revisions(graph, memory.heads)
    pending = [r.id for r in graph.ordered() if r.id not in done and r.id not in memory.revisions]
    if pending:
        raise NotYet(
            f"{', '.join(pending)}: not applied, so the models cannot be compared with what will be there",
            next_step="apply first: migrator apply",
            conditions=pending,
        )


def differing(connection: Connection, given: Mapping[str, Any]) -> tuple[AutogenContext, ops.UpgradeOps]:
    """What Alembic finds, with the options of `env.py` but on our connection."""
    from alembic.autogenerate.api import AutogenContext, produce_migrations
    from alembic.runtime.migration import MigrationContext
    from sqlalchemy.exc import SAWarning

    options = {**given, DIRECT: True}
    context = MigrationContext.configure(connection, opts=options)
    with warnings.catch_warnings():
        # Of tables that reference each other one reference is proposed on its own, when both are there.
        warnings.filterwarnings("ignore", "Cannot correctly sort tables", SAWarning)
        script = produce_migrations(context, options["target_metadata"])
    if script.upgrade_ops is None:
        raise AssertionError("Alembic compared nothing")
    return AutogenContext(context, autogenerate=False), script.upgrade_ops


def conclude(
    autogen: AutogenContext, differences: ops.UpgradeOps, graph: RevisionGraph, given: Sequence[Rename], ask: Ask
) -> Comparison:
    """Operations for differences. Those that are none are taken out of `differences`, too."""
    connection = autogen.connection
    if connection is None:
        raise AssertionError("Alembic compares without a connection")
    catalog = read_catalog(connection)
    with words.of(catalog.server):
        left_out = in_flight.hide(differences, autogen, graph, connection, catalog)
        found = list(in_flight.flat(differences))
        pairs = Pairs(autogen, found)
        taken = renames.chosen(pairs, given, ask)
        rest, first = renames.carried(found, taken, catalog)
        renamed = [renames.proposal(rename, pairs) for rename in taken]
        possible = tuple(rename for rename in pairs.possible(taken) if not renames.overlapping(rename, taken))
        made = proposals(rest, autogen, before=first, renamed=renamed, possible=possible)
        return Comparison(tuple(made), tuple(left_out), possible)
