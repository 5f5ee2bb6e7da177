"""The figures the README quotes: one command each, measured side by side in one run."""

from __future__ import annotations

import json
from collections.abc import Mapping


def show(figures: Mapping[str, object], form: str) -> None:
    """Print figures as text, one a line, or as one JSON object."""
    if form == "json":
        print(json.dumps(figures, indent=2))
        return
    for name, value in figures.items():
        print(f"{name:30} {value}")
