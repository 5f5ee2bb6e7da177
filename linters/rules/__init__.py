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
from linters.rules.shadow import SHADOW

__all__ = ["RULES", "SHADOW", "At", "Found", "Rule"]
