"""Text and JSON from the same values. Everything that leaves here is masked."""

from __future__ import annotations

import dataclasses
import enum
import json
import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from migrator.errors import MigratorError
from migrator.setting_values import mask

SCHEMA_VERSION = 1


def plain(value: Any) -> Any:
    """A value as JSON has it."""
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    return mask(str(value)) if isinstance(value, str | Path) else value


def print_json(data: Mapping[str, Any], *, compact: bool = False) -> None:
    """Print one JSON object, `compact` on one line; every one says which form it has."""
    whole = {"schema_version": SCHEMA_VERSION, **plain(data)}
    click.echo(json.dumps(whole, indent=None if compact else 2, ensure_ascii=False))


def say(text: str = "", **style: Any) -> None:
    click.secho(mask(text), color=coloured(), **style)


def coloured() -> bool | None:
    """Whether to colour: never with NO_COLOR (https://no-color.org), else as the terminal says."""
    return False if os.environ.get("NO_COLOR") else None


def note(text: str, **style: Any) -> None:
    """Say something that is not the result: it goes to standard error."""
    click.secho(mask(text), err=True, color=coloured(), **style)


def show_error(problem: MigratorError, as_json: bool) -> None:
    if as_json:
        error = {
            "type": type(problem).__name__,
            "message": problem.message,
            "next": problem.next_step,
            "exit_code": problem.exit_code,
            "facts": problem.facts,
        }
        print_json({"error": error})
        return
    note(f"error: {problem.message}", fg="red")
    if problem.next_step:
        note(f"next:  {problem.next_step}")
