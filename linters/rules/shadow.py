"""What is found not by looking at a script but by running it."""

from __future__ import annotations

from linters.findings import Severity
from linters.rules.base import HAZARD, Rule

SHADOW = Rule(
    "shadow-difference",
    HAZARD,
    (),
    condition="a scratch copy of the schema showed other than what the linter says of the statement; asked by --shadow",
    effect="what the linter says of this statement cannot be relied on",
    safer="go by what was observed",
    check=lambda _: (),
    bad="",
    good="",
    severity=Severity.ERROR,
    dialects=("postgresql", "mysql", "mariadb"),
)
"""No rule of an engine: whoever runs the script reports it."""
