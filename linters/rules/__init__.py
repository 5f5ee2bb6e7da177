"""The rules: one object each, with a script that it finds and one that reaches the same without it."""

from linters.rules import (  # noqa: F401
    cautions,
    columns,
    compatibility,
    constraints,
    data,
    indexes,
    locks,
    mysql,
    partitions,
    rewrites,
    style,
    suppressing,
    transactions,
    unknown,
)
from linters.rules.base import RULES, At, Found, Rule
from linters.rules.shadow import SHADOW

DEFAULT_RULES = frozenset(
    rule.id for among in (RULES, mysql.RULES) for rule in among.values() if rule.default
) | {SHADOW.id}  # fmt: skip
__all__ = ["DEFAULT_RULES", "RULES", "SHADOW", "At", "Found", "Rule"]
