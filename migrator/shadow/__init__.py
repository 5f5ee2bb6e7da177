"""Run a script on a scratch copy of a schema on a real server, and see what it does there."""

from migrator.shadow.comparing import Difference, compare
from migrator.shadow.observation import Observation
from migrator.shadow.observing import Scratch, observe

__all__ = ["Difference", "Observation", "Scratch", "compare", "observe"]
