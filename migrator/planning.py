"""From revisions, catalog and ledger to a plan. Nothing here writes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from migrator.building import DIALECTS, compiler_for
from migrator.claims import claims, in_flight_claims, named, refuse_overlap, shared
from migrator.errors import PlanRefused, RevisionError, UsageError
from migrator.firing import fired
from migrator.known_schema import KnownSchema
from migrator.own_sql import judged
from migrator.own_steps import JUDGED, findings
from phases.catalog import Catalog, Enum, Server, Table, Volatility
from phases.errors import Refused
from phases.model import Phase, PhasedSteps, Step, TableName
from phases.obstacles import refuse_unreachable
from phases.operations import Operation, Precheck, Touch
from phases.operations.base import admit
from phases.operations.by_copy import by_copy
from phases.reshaping import reshaped, subscribers

if TYPE_CHECKING:
    from migrator.classical import Adopt
    from migrator.ledger.records import RevisionRecord, StepRecord
    from migrator.revisions import Revision, RevisionGraph
    from phases.dialects.base import Dialect

LINTED = 20
"""Pending revisions whose steps are linted: those that come next, so that a long history is planned in no time."""
RELEASABLE = frozenset({"migrated", "contracting", "contracted", "purging", "purged"})
FINISHED = "purged"


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """A step and whether it has been done."""

    phase: Phase
    step: Step
    state: str = "pending"
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class RevisionPlan:
    """What one revision does, and how far it is.

    `state` is the ledger's, or `pending` for a revision that has not been started.
    """

    revision: str
    message: str
    state: str
    additive: bool
    operations: tuple[str, ...]
    steps: tuple[PlannedStep, ...]
    prechecks: tuple[Precheck, ...] = ()
    not_ours: tuple[str, ...] = ()
    """Tables it changes that the session may not alter, each with its owner."""
    reshapes: tuple[TableName, ...] = ()
    """Tables that have other columns afterwards."""
    warnings: tuple[str, ...] = ()
    """What is not refused, and should be known before it is run."""
    problem: str = ""
    """Why it cannot be planned, where the plan was asked not to stop at that."""

    def of(self, phase: Phase) -> tuple[PlannedStep, ...]:
        return tuple(step for step in self.steps if step.phase is phase)

    @property
    def remaining(self) -> tuple[PlannedStep, ...]:
        return tuple(step for step in self.steps if step.state != "done")


@dataclass(frozen=True, slots=True)
class Plan:
    """Every revision that is not finished, in the order they run; `known`: how many there are in all."""

    server: Server
    revisions: tuple[RevisionPlan, ...]
    known: int = 0

    @property
    def pending(self) -> tuple[RevisionPlan, ...]:
        """Revisions whose new shape cannot be released yet."""
        return tuple(plan for plan in self.revisions if plan.state not in RELEASABLE)


@dataclass(frozen=True, slots=True)
class Recorded:
    """What the database remembers: Alembic's heads and our ledger."""

    heads: frozenset[str]
    revisions: Mapping[str, RevisionRecord]
    steps: Mapping[str, Sequence[StepRecord]]


def dialect_for(
    server: Server,
    volatility: Callable[[str], Volatility],
    compile_type: Callable[[object], str] | None = None,
) -> Dialect:
    """The dialect of a server, with the parser that reads its expressions."""
    return DIALECTS[server.family](server, volatility, compile_type or compiler_for(server.family))


def steps_of(operations: Sequence[Operation], catalog: Catalog, dialect: Dialect) -> tuple[PhasedSteps, Catalog]:
    """All steps of a revision, phase by phase, and the catalog it leaves.

    Each operation is planned on the catalog its predecessors leave.

    Raises:
        Refused: by the first operation that cannot be done safely.
    """
    found, touched, after = one_by_one(operations, catalog, dialect)
    if parts := shared(touched):  # then some operations do it in another way
        for table in [table for name, table in catalog.tables.items() if name in parts]:
            catalog = catalog.with_table(replace(table, shared=parts[table.name]))
        found, _, after = one_by_one(operations, catalog, dialect)
    return tuple((phase, step) for phase in Phase for step in numbered(found[phase])), after


def one_by_one(
    operations: Sequence[Operation], catalog: Catalog, dialect: Dialect
) -> tuple[Mapping[Phase, Sequence[Step]], Sequence[Sequence[Touch]], Catalog]:
    """Steps of each phase, what each operation touches, and the catalog they leave."""
    found: dict[Phase, list[Step]] = {phase: [] for phase in Phase}
    before, touched = catalog, []
    for operation in operations:
        admit(operation, catalog, dialect)
        touched.append(operation.touches(catalog, dialect))
        for phase, make in (
            (Phase.EXPAND, operation.expand),
            (Phase.MIGRATE, operation.migrate),
            (Phase.CONTRACT, operation.contract),
            (Phase.PURGE, operation.purge),
        ):
            steps = make(catalog, dialect)
            refuse_unreachable(steps, before)
            found[phase] += steps
        catalog = operation.outcome(catalog, dialect)
    return found, touched, catalog


def ways(
    operations: Sequence[Operation], catalog: Catalog, dialect: Dialect
) -> tuple[tuple[Operation, ...], tuple[int, ...]]:
    """The operations as the server does them, and the place in the revision of each."""
    found = by_copy(operations, catalog, dialect)
    return tuple(operation for operation, _ in found), tuple(place for _, place in found)


def numbered(steps: Sequence[Step]) -> Iterator[Step]:
    """Make names unique within a phase: two operations may do the same to different schemas."""
    seen: dict[str, int] = {}
    for step in steps:
        seen[step.name] = seen.get(step.name, 0) + 1
        count = seen[step.name]
        yield replace(step, name=f"{step.name} ({count})") if count > 1 else step


def plan_revision(
    revision: Revision,
    catalog: Catalog,
    dialect: Dialect,
    busy: Mapping[str, Sequence[Touch]],
    adopt: Adopt,
    schema: KnownSchema | None = None,
) -> tuple[RevisionPlan, Catalog, Sequence[Touch]]:
    """Plan a revision that has not been started.

    Args:
        busy: what revisions in flight still claim, by revision.
        adopt: turns a classical revision into operations.
        schema: what the steps of operations are linted with; None leaves that out.

    Returns:
        The plan, the catalog it leaves, and what it claims until its contract.

    Raises:
        PlanRefused: with file and line of the migration.
    """
    given = operations_of(revision) if revision.migration else adopt(revision, catalog, dialect)
    operations, places = ways(given, catalog, dialect)
    try:
        # A shape half changed by another revision is no reason of its own: say who changes it.
        refuse_overlap(named(operations, catalog, dialect), busy)
        claimed = tuple(claims(operations, catalog, dialect))
        refuse_overlap(claimed, busy)
        checks = tuple(prechecks(operations, catalog, dialect))
        steps, after = steps_of(operations, catalog, dialect)
        steps, after, spent = dialect.afforded(steps, catalog, after)
        known = (*warnings(operations, catalog, dialect), *judged(operations, catalog, dialect), *spent)
    except Refused as refusal:
        raise refused(revision, refusal, places) from None
    if schema is not None and revision.migration:
        known += linted(steps, catalog, schema)
    known += fired(steps, catalog)
    plan = RevisionPlan(
        revision.id,
        revision.message,
        "pending",
        all(phase is not Phase.MIGRATE for phase, _ in steps),
        tuple(operation.describe() for operation in operations),
        tuple(PlannedStep(phase, step) for phase, step in steps),
        checks,
        not_ours(claimed, catalog),
        changed := reshaped(catalog, after),
        (*known, *(subscribers(name, catalog, after) for name in changed if catalog.tables[name].published)),
    )
    return plan, after, claimed if any(phase is Phase.CONTRACT for phase, _ in steps) else ()


def linted(steps: PhasedSteps, catalog: Catalog, schema: KnownSchema) -> tuple[str, ...]:
    """What the linter says of the steps of operations, in words."""
    if catalog.server.family not in JUDGED:
        return ()
    found = findings(steps, schema.session(catalog))
    return tuple(f"{phase}: {step.name}: {finding.message} ({finding.rule})" for phase, step, finding in found)


def not_ours(claimed: Sequence[Touch], catalog: Catalog) -> tuple[str, ...]:
    """Tables and types that belong to a role the session is no member of."""
    known: dict[TableName, Enum | Table] = {**catalog.enums, **catalog.tables}
    found = [known[name] for name in dict.fromkeys(touch.table for touch in claimed if not touch.uses) if name in known]
    return tuple(f'"{item.name}" belongs to role "{item.foreign_owner}"' for item in found if item.foreign_owner)


def operations_of(revision: Revision) -> Sequence[Operation]:
    """The operations of a revision; of a classical one, whose steps are in the ledger once it has begun, none.

    Raises:
        RevisionError: its migration is empty.
    """
    if revision.migration is None:
        return ()
    if not revision.migration.operations:
        raise RevisionError(
            f"{revision.path}:{revision.line}: migration has no operations",
            next_step='for example: migration = Migration(RenameColumn("users", "full_name", "name"))',
            file=str(revision.path),
            line=revision.line,
            revision=revision.id,
        )
    return revision.migration.operations


def refused(revision: Revision, refusal: Refused, places: Sequence[int] = ()) -> PlanRefused:
    """A refusal at its line; `places`: where in the revision each operation comes from."""
    place = refusal.operation
    line = revision.line if place is None else revision.line_of(places[place])
    return PlanRefused(
        f"{revision.path}:{line}: {refusal.reason}",
        next_step=refusal.remedy,
        revision=revision.id,
        file=str(revision.path),
        line=line,
    )


def prechecks(operations: Sequence[Operation], catalog: Catalog, dialect: Dialect) -> Iterator[Precheck]:
    """Questions about what exists before the revision starts."""
    current = catalog
    for operation in operations:
        for check in operation.prechecks(current, dialect):
            if all(exists(touch, catalog) for touch in check.reads):
                yield check
        current = operation.outcome(current, dialect)


def warnings(operations: Sequence[Operation], catalog: Catalog, dialect: Dialect) -> Iterator[str]:
    """What operations say for as long as both versions live."""
    current = catalog
    for operation in operations:
        yield from operation.warnings(current, dialect)
        current = operation.outcome(current, dialect)


def exists(touch: Touch, catalog: Catalog) -> bool:
    table = catalog.tables.get(touch.table)
    return table is not None and (touch.part is None or table.has_column(touch.part))


def recorded_plan(
    record: RevisionRecord,
    steps: Sequence[StepRecord],
    operations: Sequence[Operation],
    catalog: Catalog,
    dialect: Dialect,
) -> RevisionPlan:
    """The plan of a revision that was started: its steps are those in the ledger."""
    planned = tuple(PlannedStep(s.phase, s.step, s.state, s.seconds) for s in steps)
    described = tuple(operation.describe() for operation in operations)
    both_live = record.state not in ("contracted", "purging", "purged")
    said = tuple(line for operation in operations for line in operation.warnings(catalog, dialect)) if both_live else ()
    return RevisionPlan(record.id, record.message, record.state, record.additive, described, planned, warnings=said)


def build_plan(
    graph: RevisionGraph,
    catalog: Catalog,
    dialect: Dialect,
    recorded: Recorded,
    adopt: Adopt,
    to: str | None = None,
    *,
    strict: bool = True,
) -> Plan:
    """Plan everything that is not finished, up to revision `to`.

    Args:
        adopt: turns a classical revision into operations.
        strict: False puts down why a pending revision cannot be planned, and goes on.

    Raises:
        PlanRefused: a pending revision cannot be done safely; the ones before it are not lost,
            they can be planned with `to`.
        RevisionError: a started revision was edited, or a classical one cannot be rendered.
    """
    wanted = graph.ancestors(to) if to else None
    stamped = stamped_revisions(graph, recorded.heads)
    busy: dict[str, Sequence[Touch]] = {}
    schema = KnownSchema(unreleased=True)
    plans: list[RevisionPlan] = []
    for revision in graph.ordered():
        if wanted is not None and revision.id not in wanted:
            continue
        record = recorded.revisions.get(revision.id)
        if record is not None:
            check_digest(revision, record)
            steps = recorded.steps[revision.id]
            if not finished(record, steps):
                operations, _ = ways(operations_of(revision), catalog, dialect)
                plans.append(recorded_plan(record, steps, operations, catalog, dialect))
                busy[revision.id] = in_flight_claims(operations, catalog, dialect, record)
        elif revision.id not in stamped:
            try:
                known = schema if len(plans) < LINTED else None
                plan, catalog, claimed = plan_revision(revision, catalog, dialect, busy, adopt, known)
                busy |= {revision.id: claimed} if claimed else {}
            except UsageError as problem:
                if strict:
                    raise
                plan = RevisionPlan(revision.id, revision.message, "pending", False, (), (), problem=problem.message)
            plans.append(plan)
    return Plan(catalog.server, tuple(plans), sum(1 for _ in graph.ordered()))


def finished(record: RevisionRecord, steps: Sequence[StepRecord]) -> bool:
    """Whether nothing is left to do: many revisions have no contract or purge, and additive ones no migrate phase.

    A phase that was killed after its last step is not over: its state is still to be entered.
    """
    resting = record.state in ("migrated", "contracted") or (record.additive and record.state == "expanded")
    return record.state == FINISHED or (resting and all(step.state == "done" for step in steps))


def stamped_revisions(graph: RevisionGraph, heads: frozenset[str]) -> frozenset[str]:
    """Every revision that Alembic considers applied."""
    found: set[str] = set()
    for head in heads:
        if head in graph:
            found |= graph.ancestors(head)
    return frozenset(found)


def check_digest(revision: Revision, record: RevisionRecord) -> None:
    """Refuse a revision whose operations were edited after it was started.

    Raises:
        RevisionError: naming the file, and what to do.
    """
    if revision.digest != record.digest:
        raise RevisionError(
            f"{revision.path}:{revision.line}: revision {revision.id} was edited after its expand phase began",
            next_step=f"undo the edit, or take the revision back first: migrator abort {revision.id}",
            file=str(revision.path),
            line=revision.line,
            revision=revision.id,
        )
