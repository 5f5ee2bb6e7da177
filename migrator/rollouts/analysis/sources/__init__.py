"""Sources of readings by name."""

from __future__ import annotations

from collections.abc import Mapping

from migrator.rollouts.analysis.sources.base import Kind
from migrator.rollouts.analysis.sources.command import Command
from migrator.rollouts.analysis.sources.haproxy import Statistics
from migrator.rollouts.analysis.sources.log import AccessLog
from migrator.rollouts.analysis.sources.probe import Client
from migrator.rollouts.analysis.sources.prometheus import Prometheus

SOURCES: Mapping[str, type[Kind]] = {
    "probe": Client,
    "haproxy": Statistics,
    "prometheus": Prometheus,
    "log": AccessLog,
    "command": Command,
}
NONE = "none"
"""Said instead of a source: nothing is judged."""
