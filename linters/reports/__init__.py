"""What was found, for people and for programs: one value, six ways to write it."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from linters.reports.base import Observed, Problem, Report

FORMATS = ("text", "json", "github", "gitlab", "sarif", "junit")


def writer(form: str) -> Callable[[Report], str]:
    """What writes a report in a format; its module is imported when it is asked for."""
    write: Callable[[Report], str] = import_module(f"linters.reports.{form}").write
    return write


__all__ = ["FORMATS", "Observed", "Problem", "Report", "writer"]
