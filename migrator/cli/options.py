"""Options that most commands share."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


def moment(ctx: click.Context, param: click.Parameter, value: str | None) -> datetime | None:
    """Read a moment with its time zone: `2026-03-01T12:00:00Z`."""
    if value is None:
        return None
    try:
        read = datetime.fromisoformat(value)
    except ValueError:
        raise click.BadParameter(f"{value!r} is no moment; write 2026-03-01T12:00:00Z", ctx, param) from None
    if read.tzinfo is None:
        raise click.BadParameter(f"{value!r} has no time zone; write 2026-03-01T12:00:00Z", ctx, param)
    return read


def with_database(function: F) -> F:
    """`--database-url`, `--config` and `--format`."""
    for option in (
        click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", help="How to print."),
        click.option(
            "--config",
            type=click.Path(path_type=Path, exists=True, dir_okay=False),
            help="TOML file to read instead of the nearest pyproject.toml.",
        ),
        click.option(
            "--database-url",
            metavar="URL",
            help="postgresql://…; else MIGRATOR_DATABASE_URL, DATABASE_URL or [tool.migrator].",
        ),
    ):
        function = option(function)
    return function


def settings_from(database_url: str | None, config: Path | None, **flags: object) -> Any:
    """Read the settings with the flags of a command.

    Raises:
        SettingsError: naming where the wrong value came from.
    """
    from migrator import settings

    return settings.load({"database_url": database_url, **flags}, config=config)


def example(text: str) -> str:
    """Lay out examples below a command's help."""
    lines = "\n".join(f"  {line}" for line in text.strip().splitlines())
    return f"\b\nExamples:\n{lines}"
