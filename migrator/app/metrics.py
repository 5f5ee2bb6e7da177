"""Metrics for Prometheus: `pip install "expand-contract-migrator[prometheus]"`."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from migrator.app.observing import Metric
from migrator.errors import UsageError

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
"""Upper bounds of durations, in seconds."""


class Prometheus:
    """Keeps what it is told for Prometheus to collect. One for each registry: a metric can be in it once.

    Args:
        registry: where the metrics are; the one of the process by default.
        buckets: upper bounds of durations, in seconds.

    Raises:
        UsageError: `prometheus-client` is not installed.
    """

    def __init__(self, registry: CollectorRegistry | None = None, buckets: Sequence[float] = BUCKETS) -> None:
        try:
            import prometheus_client
        except ModuleNotFoundError:
            raise missing("prometheus-client", "prometheus") from None
        self._client: Any = prometheus_client
        self._registry = registry if registry is not None else prometheus_client.REGISTRY
        self._buckets = tuple(buckets)
        self.port: int | None = None
        self._made: dict[str, Any] = {}
        self._making = threading.Lock()

    def count(self, metric: Metric, amount: float = 1, **labels: str) -> None:
        """Add to a counter; Prometheus puts `_total` behind its name."""
        self._labelled("Counter", metric, labels).inc(amount)

    def time(self, metric: Metric, seconds: float, **labels: str) -> None:
        """Add a duration to a histogram."""
        self._labelled("Histogram", metric, labels, buckets=self._buckets).observe(seconds)

    def gauge(self, metric: Metric, value: float, **labels: str) -> None:
        """Set a gauge."""
        self._labelled("Gauge", metric, labels).set(value)

    def span(self, name: str, **attributes: str | int | float | bool) -> AbstractContextManager[object]:
        """Prometheus has none."""
        return nullcontext()

    def _labelled(self, kind: str, metric: Metric, labels: dict[str, str], **options: Any) -> Any:
        made = self._made.get(metric.name)
        if made is None:
            with self._making:
                made = self._made.get(metric.name)
                if made is None:
                    make = getattr(self._client, kind)
                    made = make(metric.name, metric.help, metric.labels, registry=self._registry, **options)
                    self._made[metric.name] = made
        return made.labels(**labels) if metric.labels else made


def missing(package: str, extra: str) -> UsageError:
    return UsageError(f"{package} is not installed", next_step=f'pip install "expand-contract-migrator[{extra}]"')


@contextmanager
def served(port: int) -> Iterator[Prometheus]:
    """Metrics of their own at `http://…:PORT/metrics`, on every address of this machine, while the block runs.

    Raises:
        UsageError: the port cannot be had, or `prometheus-client` is not installed.
    """
    try:
        from prometheus_client import CollectorRegistry, start_http_server
    except ModuleNotFoundError:
        raise missing("prometheus-client", "prometheus") from None
    registry = CollectorRegistry()
    try:
        server, thread = start_http_server(port, registry=registry)
    except (OSError, OverflowError) as problem:
        raise UsageError(f"port {port} cannot be had: {problem}", next_step="name another one") from None
    metrics = Prometheus(registry)
    metrics.port = server.server_port
    try:
        yield metrics
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
