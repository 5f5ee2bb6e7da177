"""Readings of our own client, which knows arms by the version that answers say they are of."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from migrator.rollouts.analysis.metrics import TIMED
from migrator.rollouts.analysis.model import Arm, Reading
from migrator.rollouts.analysis.sources.base import Around, Kind
from migrator.rollouts.configuration import SECTION, fields_of

HAS = frozenset({"errors", "burn", "traffic"}) | TIMED


class Client(Kind):
    """What the client saw. A failure that says no version counts against the version that is rolled out."""

    def __init__(self, data: Mapping[str, Any], around: Around) -> None:
        if not around.probe.settings.url:
            raise ValueError(f"source probe: nothing is asked; write [{SECTION}.probe] url = …")
        if not around.probe.header:
            raise ValueError(
                f"source probe: nothing tells versions apart; write [{SECTION}.ready] version_header = …,"
                " and let the application answer with it"
            )
        self.probe, self.rolled_out = around.probe, around.plan.version
        self.begun = time.monotonic()

    @staticmethod
    def check(data: Mapping[str, Any]) -> None:
        fields_of("probe of the analysis", data, {})

    @staticmethod
    def offers(_: Mapping[str, Any]) -> frozenset[str]:
        return HAS

    def begin(self) -> None:
        self.begun = time.monotonic()

    def read(self, arm: Arm, seconds: float) -> Reading:
        samples = self.probe.since(max(self.begun, time.monotonic() - seconds))
        blamed = {arm.version, ""} if arm.version == self.rolled_out else {arm.version}
        ours = [each for each in samples if each.version == arm.version or (each.failed and each.version in blamed)]
        return Reading(
            requests=len(ours),
            errors=sum(each.failed for each in ours),
            latencies=tuple(each.seconds for each in ours if not each.failed),
            problem="" if samples else "the probe has had no answer",
        )
