"""What a rule is about, for those who ask."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from linters.rules import Rule

SERVERS = {"postgresql": "PostgreSQL", "mysql": "MySQL", "mariadb": "MariaDB"}


def listed(rules: Iterable[Rule]) -> str:
    """One line for each rule; those that are off unless asked for are marked."""
    found = sorted(rules, key=lambda rule: (rule.category.value, rule.id))
    width = max(len(rule.id) for rule in found)
    lines = [
        f"{rule.category.value:13} {rule.severity.value:7} {rule.id:{width}}  {rule.condition}"
        f"{'' if rule.dialects[0] == 'postgresql' else f' [{servers(rule)}]'}{'' if rule.default else ' (off)'}"
        for rule in found
    ]
    return "\n".join(lines)


def servers(rule: Rule) -> str:
    return ", ".join(SERVERS[name] for name in rule.dialects)


def explained(rule: Rule) -> str:
    parts = [
        f"{rule.id}: {rule.category.value}, {rule.severity.value}{'' if rule.default else ', off unless asked for'}",
        f"server:  {servers(rule)}",
        f"when:    {rule.condition}",
        f"effect:  {rule.effect}",
        f"safer:   {rule.safer}",
    ]
    parts += [f"not in:  {', '.join(rule.harmless_in)}"] if rule.harmless_in else []
    parts += ["", "schema:", indented(rule.given)] if rule.given else []
    parts += ["", "bad:", indented(rule.bad), "", "good:", indented(rule.good)] if rule.bad else []
    parts += ["", f"silence: -- migrator: disable={rule.id} why it is safe here"] if rule.bad else []
    return "\n".join(parts)


def indented(script: str) -> str:
    return "\n".join(f"  {line.strip()}" for line in statements(script))


def statements(script: str) -> list[str]:
    """A script of a rule, one statement a line where it is simple; a body in quotes stays as it is."""
    if "$$" in script or "\n" in script or "'BEGIN" in script:
        return [script if script.rstrip().endswith(";") else f"{script};"]
    return [f"{part.strip()};" for part in script.split(";") if part.strip()]


def rule_data(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "category": rule.category.value,
        "severity": rule.severity.value,
        "default": rule.default,
        "condition": rule.condition,
        "effect": rule.effect,
        "safer": rule.safer,
        "harmless_in": list(rule.harmless_in),
        "dialects": list(rule.dialects),
        "given": rule.given,
        "bad": rule.bad,
        "good": rule.good,
    }
