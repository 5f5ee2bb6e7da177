"""Operations as Python text, laid out as `ruff format` would."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from phases.operations import Operation, RunSQL

WIDTH = 88
"""The shortest line that formatters break by default: what fits is left alone by longer limits, too."""

INDENT = 4
PAIRS = frozenset({"references"})
"""Fields that are a pair; every other sequence is written as a list …"""

ALONE = frozenset({"columns", "to_columns"})
"""… and one name of these without brackets."""

Items = Sequence[tuple[str, Any]]


@dataclass(frozen=True, slots=True)
class Call:
    """A call of something by its name; items without a name come first."""

    name: str
    items: tuple[tuple[str, Any], ...] = ()

    @classmethod
    def of(cls, name: str, *positional: Any, **named: Any) -> Call:
        return cls(name, (*(("", value) for value in positional), *named.items()))


@dataclass(frozen=True, slots=True)
class Proposal:
    """An operation that would bring the database closer to the models.

    `candidates`: what may be meant instead; `hint`: a line said above them.
    """

    operation: Operation
    hint: str = ""
    candidates: tuple[Call, ...] = ()

    @property
    def name(self) -> str:
        return type(self.operation).__name__

    @property
    def code(self) -> str:
        """The operation in one line."""
        return one_line(call_of(self.operation))


def literal(value: Any) -> str:
    """A constant as a formatter writes it: double quotes, unless that needs more escapes."""
    if isinstance(value, tuple | list):
        return f"({', '.join(map(literal, value))}{',' if len(value) == 1 else ''})"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{literal(key)}: {literal(item)}" for key, item in value.items()) + "}"
    if not isinstance(value, str):
        return repr(value)
    quote = "'" if value.count('"') > value.count("'") else '"'
    body = "".join(character if character in "'\"" else repr(character)[1:-1] for character in value)
    return quote + body.replace(quote, f"\\{quote}") + quote


def call_of(value: Any) -> Call:
    """How a frozen value is made: fields that must be given by position, the others by name."""
    if isinstance(value, RunSQL):
        scripts = {"expand": value.expand_sql, "migrate": value.migrate_sql, "contract": value.contract_sql}
        given = {name: script for name, script in scripts.items() if script}
        back = {"undo": value.undo, "restore": value.restore}
        given |= {name: script for name, script in back.items() if script is not None}
        accepted = {"accept": list(value.accept), "reason": value.reason} if value.accept else {}
        return Call.of("RunSQL", **given, **accepted)
    items: list[tuple[str, Any]] = []
    for field in dataclasses.fields(value):
        current = getattr(value, field.name)
        if field.default is dataclasses.MISSING:
            many = isinstance(current, tuple) and current and dataclasses.is_dataclass(current[0])
            items += [("", item) for item in current] if many else [("", argument(field.name, current))]
        elif current != field.default:
            items.append((field.name, argument(field.name, current)))
    return Call(type(value).__name__, tuple(items))


def argument(name: str, value: Any) -> Any:
    if not isinstance(value, tuple) or name in PAIRS:
        return value
    return value[0] if name in ALONE and len(value) == 1 else list(value)


def parts_of(value: Any) -> tuple[str, Items, str] | None:
    """Opening, items and closing of what can be laid out over several lines."""
    if isinstance(value, Call):
        return f"{value.name}(", value.items, ")"
    if isinstance(value, list):
        return "[", [("", item) for item in value], "]"
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return parts_of(call_of(value))
    return None


def one_line(value: Any) -> str:
    parts = parts_of(value)
    if parts is None:
        return literal(value)
    opening, items, closing = parts
    return opening + ", ".join(f"{name}={one_line(item)}" if name else one_line(item) for name, item in items) + closing


def laid_out(value: Any, indent: int = 0, before: str = "", after: str = ",") -> Iterator[str]:
    """Lines of a value: one where it fits, else one for each part."""
    margin = " " * indent
    flat = f"{margin}{before}{one_line(value)}{after}"
    parts = parts_of(value)
    if parts is None or len(flat) <= WIDTH:
        yield flat
        return
    opening, items, closing = parts
    yield f"{margin}{before}{opening}"
    for name, item in items:
        yield from laid_out(item, indent + INDENT, f"{name}=" if name else "")
    yield f"{margin}{closing}{after}"


def comment_of(proposal: Proposal) -> Iterator[str]:
    margin = " " * INDENT
    if proposal.hint:
        yield f"{margin}# {proposal.hint}"
    for candidate in proposal.candidates:
        yield from (f"{margin}#   {line}" for line in laid_out(candidate))


def migration(proposals: Sequence[Proposal]) -> str:
    """The expression that makes the migration."""
    if not proposals:
        return "Migration()"
    lines = ["Migration("]
    for proposal in proposals:
        lines += comment_of(proposal)
        lines += laid_out(call_of(proposal.operation), INDENT)
    return "\n".join([*lines, ")"])


def names_in(value: Any) -> Iterator[str]:
    parts = parts_of(value)
    if parts is not None:
        opening, items, _ = parts
        if opening.endswith("("):
            yield opening[:-1]
        for _, item in items:
            yield from names_in(item)


def imports(proposals: Sequence[Proposal]) -> str:
    """What a file imports from `migrator` for these operations."""
    names = {"Migration", *(name for proposal in proposals for name in names_in(proposal.operation))}
    flat = ", ".join(sorted(names))
    if len(f"from migrator import {flat}") <= WIDTH:
        return flat
    return "(\n" + "".join(f"    {name},\n" for name in sorted(names)) + ")"


def template_arguments(proposals: Sequence[Proposal]) -> Mapping[str, str]:
    """What `script.py.mako` wants to know; nothing where there are no operations."""
    return {"migration": migration(proposals), "names": imports(proposals)} if proposals else {}


def revises(down_revision: str | Sequence[str] | None) -> str:
    """The revisions below, for the docstring of a revision file."""
    below = (down_revision,) if isinstance(down_revision, str) else tuple(down_revision or ())
    return f" {', '.join(below)}" if below else ""
