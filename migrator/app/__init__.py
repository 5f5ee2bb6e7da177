"""Helpers for application code, one module each. Imports nothing of the command line.

```python
from migrator.app import phase_of, register

engine = sqlalchemy.create_engine("postgresql+psycopg://…")
register(engine, app="shop", version="2.0", heartbeat=30.0)
phase_of("4f2a_rename_full_name", engine).phase
```
"""

from migrator.app.deciding import flag_of as flag_of
from migrator.app.dual_writing import differing_rows as differing_rows
from migrator.app.dual_writing import dual_write as dual_write
from migrator.app.ignoring import ignored_column as ignored_column
from migrator.app.metrics import Prometheus as Prometheus
from migrator.app.observing import Metric as Metric
from migrator.app.observing import Observer as Observer
from migrator.app.observing import set_observer as set_observer
from migrator.app.phases import Known as Known
from migrator.app.phases import Phase as Phase
from migrator.app.phases import follow as follow
from migrator.app.phases import known_phase as known_phase
from migrator.app.phases import phase_of as phase_of
from migrator.app.phases import phase_of_async as phase_of_async
from migrator.app.preparing import unprepared as unprepared
from migrator.app.registering import Readiness as Readiness
from migrator.app.registering import Registered as Registered
from migrator.app.registering import readiness as readiness
from migrator.app.registering import readiness_async as readiness_async
from migrator.app.registering import register as register
from migrator.app.registering import register_async as register_async
from migrator.app.shadow_reading import record_shadow_reads as record_shadow_reads
from migrator.app.shadow_reading import report_shadow_reads as report_shadow_reads
from migrator.app.shadow_reading import shadow_read as shadow_read
from migrator.app.switching import read_switch as read_switch
from migrator.app.traces import OpenTelemetry as OpenTelemetry
from migrator.app.work import Measured as Measured
from migrator.app.work import both as both
from migrator.app.work import logged as logged
