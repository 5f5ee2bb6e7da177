"""Metrics, spans and logs of the helpers in this process, and of a run that it starts itself."""

import logging
import os
import sys
from pathlib import Path

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor
from prometheus_client import CollectorRegistry, generate_latest

from migrator import api, settings
from migrator.app import Measured, OpenTelemetry, Prometheus, both, logged, set_observer

logging.basicConfig(level=logging.INFO, format="%(name)s %(message)s")
registry = CollectorRegistry()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter(out=sys.stdout)))

set_observer(Prometheus(registry), OpenTelemetry(provider))

database = {"database_url": os.environ["DATABASE_URL"]}
project = settings.load(database, directory=Path(os.environ.get("PROJECT", ".")))
api.apply(project, observer=both(Measured(), logged))

print(generate_latest(registry).decode())
set_observer()
