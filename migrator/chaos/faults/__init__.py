"""Faults by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from migrator.chaos.faults.base import Fault
from migrator.chaos.faults.instances import Freeze, Kill, let_go_on, started_again
from migrator.chaos.faults.network import Cut, Delay, Reset, Stall
from migrator.chaos.faults.quotas import Connections, Disk, freed

FAULTS: Mapping[str, type[Fault]] = {
    kind.kind: kind for kind in (Kill, Freeze, Delay, Stall, Cut, Reset, Connections, Disk)
}
UNDO: Mapping[str, Callable[[Mapping[str, Any]], None]] = {
    Kill.kind: started_again,
    Freeze.kind: let_go_on,
    Disk.kind: freed,
}
"""What puts back an entry of the undo log. What is not here ends with the process that did it."""
