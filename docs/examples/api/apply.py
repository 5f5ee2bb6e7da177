"""Expand and migrate everything that is pending, from a program of your own."""

import os
from dataclasses import replace

from migrator import api
from migrator.errors import MigratorError
from migrator.events import Event, StepFinished

# As the command line reads them: flags, then MIGRATOR_… in the environment, then pyproject.toml.
settings = api.load_settings({"database_url": os.environ["SHOP_DATABASE_URL"], "lock_timeout": "250ms"})
# A value is changed in its unit, seconds or bytes.
settings = replace(settings, batch_target=0.05)


def tell(event: Event) -> None:
    if isinstance(event, StepFinished):
        print(f"  {event.phase}: {event.name}")


found = api.lint(dialect="postgresql")
print(f"lint: {len(found.failing)} findings")

for revision in api.plan(settings).pending:
    print(f"{revision.revision}: {len(revision.steps)} steps")

try:
    done = api.apply(settings, observer=tell)
except MigratorError as problem:
    raise SystemExit(f"{problem.message}; next: {problem.next_step}") from problem
print(f"states: {dict(done.states)}")

for revision, verdict in api.gate(settings).items():
    print(f"{revision}: the gate is {'open' if verdict.open else 'closed'}")
