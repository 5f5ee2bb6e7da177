"""The rules: one object each, with a script that it finds and one that reaches the same without it."""

from linters.rules import (  # noqa: F401
    cautions,
    columns,
    compatibility,
    constraints,
    data,
    indexes,
    locks,
    partitions,
    rewrites,
    style,
    suppressing,
    transactions,
    unknown,
)
from linters.rules.base import RULES, At, Found, Rule

__all__ = ["RULES", "At", "Found", "Rule"]
