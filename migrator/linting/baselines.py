"""A baseline: findings that were there when the linter came, and are no reason to fail."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from linters.findings import Finding
from migrator.errors import UsageError

DEFAULT = "migrator-lint-baseline.json"
VERSION = 1


def read(path: Path) -> frozenset[str]:
    """The fingerprints in a baseline.

    Raises:
        UsageError: it is not there, or is no baseline.
    """
    again = f"migrator lint --write-baseline --baseline {path}"
    try:
        data = json.loads(path.read_text())
        return frozenset(entry["fingerprint"] for entry in data["findings"])
    except FileNotFoundError:
        raise UsageError(f"the baseline {path} is not there", next_step=again) from None
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise UsageError(f"{path} is no baseline: {problem}", next_step=again) from None


def write(path: Path, findings: Iterable[Finding]) -> int:
    """Write a baseline of these findings; returns how many.

    Raises:
        UsageError: it cannot be written.
    """
    entries = [
        {"fingerprint": f.fingerprint, "rule": f.rule, "file": f.file, "statement": f.statement} for f in findings
    ]
    try:
        path.write_text(json.dumps({"version": VERSION, "findings": entries}, indent=1, ensure_ascii=False) + "\n")
    except OSError as problem:
        raise UsageError(f"{path} cannot be written: {problem.strerror}", next_step="give another --baseline") from None
    return len(entries)
