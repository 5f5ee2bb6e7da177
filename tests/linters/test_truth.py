"""Rules and corpus say what real servers do."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from benchmarks.lint_accuracy import BREAKS, HAZARD, findings, ours, score
from benchmarks.lint_corpus import load, try_out
from linters.source import Source
from migrator.shadow import Scratch, compare, observe
from tests.plugins.servers import combinations, missing, versions

CASES = {case.id: case for case in load()}
assert len(CASES) >= 300
