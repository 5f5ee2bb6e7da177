"""Spans for OpenTelemetry: `pip install "expand-contract-migrator[opentelemetry]"`."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from migrator.app.metrics import missing
from migrator.app.observing import Metric

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer, TracerProvider


class OpenTelemetry:
    """Makes a span of what begins and ends; counts and durations are left to `Prometheus`.

    Args:
        provider: where the spans go; the one of the process by default.

    Raises:
        UsageError: `opentelemetry-api` is not installed.
    """

    def __init__(self, provider: TracerProvider | None = None) -> None:
        try:
            from opentelemetry import trace
        except ModuleNotFoundError:
            raise missing("opentelemetry-api", "opentelemetry") from None
        self._tracer: Tracer = trace.get_tracer("migrator", tracer_provider=provider)

    def count(self, metric: Metric, amount: float = 1, **labels: str) -> None:
        """Is no span."""

    def time(self, metric: Metric, seconds: float, **labels: str) -> None:
        """Is no span."""

    def gauge(self, metric: Metric, value: float, **labels: str) -> None:
        """Is no span."""

    def span(self, name: str, **attributes: str | int | float | bool) -> AbstractContextManager[object]:
        """A span that is the current one while the block runs, and has failed where the block raises."""
        return self._tracer.start_as_current_span(name, attributes=attributes)
