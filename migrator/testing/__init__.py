"""Prove in your own tests that a migration harms neither version of your application.

A plugin of pytest: the fixture `migrator_database`, and three assertions. Nothing is imported until it is used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from migrator.testing.compatibility import Compatible, Incompatible, assert_compatible
    from migrator.testing.databases import Database
    from migrator.testing.linting import LintFailed, assert_lint_clean
    from migrator.testing.schemas import DifferentSchemas, assert_two_ways_one_schema
    from migrator.testing.statements import Statement
    from migrator.testing.upgrading import upgrade

__all__ = [
    "Compatible",
    "Database",
    "DifferentSchemas",
    "Incompatible",
    "LintFailed",
    "Statement",
    "assert_compatible",
    "assert_lint_clean",
    "assert_two_ways_one_schema",
    "upgrade",
]

HOMES = {
    "Compatible": "compatibility",
    "Database": "databases",
    "DifferentSchemas": "schemas",
    "Incompatible": "compatibility",
    "LintFailed": "linting",
    "Statement": "statements",
    "assert_compatible": "compatibility",
    "assert_lint_clean": "linting",
    "assert_two_ways_one_schema": "schemas",
    "upgrade": "upgrading",
}


def __getattr__(name: str) -> Any:
    # Imported on demand: pytest starts as fast as without us.
    if name not in HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{HOMES[name]}"), name)
