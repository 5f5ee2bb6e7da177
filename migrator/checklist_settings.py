"""`[tool.migrator.checklist]`: where the items of the checklist are asked, and how old what was found may be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from migrator.setting_values import Readers, command, duration, fields_of, nearest, share, table, text
from phases.checklist_facts import BACKUP, BUDGET, EVIDENCED, PROBES, SMOKE, Limits

SECTION = "tool.migrator.checklist"
DEFAULT = Limits()


@dataclass(frozen=True, slots=True)
class Asking:
    """How one item is asked.

    Args:
        command: run without a shell, in the folder of the settings; empty: none.
        ready: URL of readiness. `live`: URL of liveness.
        prometheus: URL of a Prometheus, and `query` what gives the share of the error budget that is left.
        token_env: name of the variable that has the token for it.
        timeout: seconds that a URL, a query or a command may take.
    """

    command: str = ""
    ready: str = ""
    live: str = ""
    prometheus: str = ""
    query: str = ""
    token_env: str = ""
    timeout: float = 60.0


@dataclass(frozen=True, slots=True)
class ChecklistSettings:
    """All of it. `app`: the application that URLs, queries and commands are of; empty: every one."""

    app: str = ""
    limits: Limits = DEFAULT
    probes: Asking = Asking()
    smoke: Asking = Asking()
    budget: Asking = Asking()
    backup: Asking = Asking()

    def asking(self, item: str) -> Asking:
        """How an item is asked."""
        return {PROBES: self.probes, SMOKE: self.smoke, BUDGET: self.budget, BACKUP: self.backup}[item]


def url(value: object) -> str:
    said = text(value)
    if not said.startswith(("http://", "https://")):
        raise ValueError(f'{said!r} is no URL; write for example "http://127.0.0.1:8000/ready"')
    return said


def age(value: object) -> timedelta:
    return timedelta(seconds=duration(value))


COMMON: Readers = {"timeout": duration, "max_age": age}
ITEMS: Mapping[str, Readers] = {
    PROBES: {"ready": url, "live": url, **COMMON},
    SMOKE: {"command": command, **COMMON},
    BUDGET: {"command": command, "prometheus": url, "query": text, "token_env": text, "min": share, **COMMON},
    BACKUP: {"command": command, **COMMON},
}
TOP: Readers = {"app": text, **dict.fromkeys(ITEMS, table)}


def read(data: Mapping[str, Any]) -> ChecklistSettings:
    """The settings from their table.

    Raises:
        ValueError: saying what is wrong, and the near miss of a key that is not known.
    """
    given = fields_of(f"[{SECTION}]", data, TOP)
    ages: dict[str, Any] = {}
    asked: dict[str, Asking] = {}
    for item, readers in ITEMS.items():
        try:
            found = fields_of(f"[{SECTION}.{item}]", given.get(item, {}), readers)
        except ValueError as problem:
            raise ValueError(f"{item}: {problem}") from None
        ages |= {item: found.pop("max_age")} if "max_age" in found else {}
        ages |= {"least": found.pop("min")} if "min" in found else {}
        asked[item] = Asking(**found)
    refuse_half(asked[BUDGET])
    return ChecklistSettings(given.get("app", ""), Limits(**ages), **asked)


def refuse_half(budget: Asking) -> None:
    if bool(budget.prometheus) != bool(budget.query):
        raise ValueError(f"{BUDGET}: prometheus and query belong together")
    if budget.command and budget.query:
        raise ValueError(f"{BUDGET}: is asked by a command or by a query, not by both")


def items(value: object) -> tuple[str, ...]:
    """Read a list of items that a contract requires: `["backup", "smoke"]`.

    Raises:
        ValueError: it is none, or names an item that nobody can require.
    """
    if isinstance(value, str):
        value = value.split(",")
    if not isinstance(value, list | tuple) or not all(isinstance(name, str) for name in value):
        raise ValueError(f'{value!r} is not a list of items; write for example ["backup", "smoke"]')
    found = tuple(dict.fromkeys(name.strip() for name in value if name.strip()))
    for name in found:
        if name not in EVIDENCED:
            near = nearest(name, EVIDENCED)
            hint = f'did you mean "{near}"?' if near else f"known are: {', '.join(EVIDENCED)}"
            raise ValueError(f'"{name}" is no item that a contract can require; {hint}')
    return found
