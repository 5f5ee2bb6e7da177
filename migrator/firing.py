"""Triggers of the user's that a backfill fires, like any other writer."""

from __future__ import annotations

import re
from collections.abc import Sequence

from phases.catalog import Catalog, Trigger
from phases.model import Fill, Phase, Step
from phases.names import TRIGGER_PREFIX

ON_UPDATE = re.compile(r"\b(?:BEFORE|AFTER) (?:(?:INSERT|DELETE) OR )*UPDATE\b( OF )?")


def fired(steps: Sequence[tuple[Phase, Step]], catalog: Catalog) -> tuple[str, ...]:
    """What to know of the triggers that the backfills of a plan fire: they may note a time, or write somewhere else."""
    found = {
        (fill.table, trigger.name): None
        for _, fill in steps
        if isinstance(fill, Fill) and not fill.copy and fill.table in catalog.tables
        for trigger in catalog.tables[fill.table].triggers
        if trigger.enabled and not trigger.name.startswith(TRIGGER_PREFIX) and fires(trigger, fill)
    }
    return tuple(
        f'trigger "{name}" of "{table}" fires for every row that the backfill changes: what it notes beside them'
        " (the time of a change, an audit row) it notes for these, too"
        for table, name in found
    )


def fires(trigger: Trigger, fill: Fill) -> bool:
    """Whether an UPDATE of what a backfill writes is what a trigger waits for."""
    found = ON_UPDATE.search(trigger.definition)
    written = f"{fill.assignments} {' '.join(fill.writes)}"
    return found is not None and (not found[1] or any(f'"{column}"' in written for column in trigger.columns))
