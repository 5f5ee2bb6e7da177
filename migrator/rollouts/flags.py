"""Feature flags in a file of flagd's, which OpenFeature providers and flagd itself read and watch."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

from migrator.rollouts import flag_rules
from migrator.rollouts.configuration import Configuration, command, fields_of, one_of, table, text
from migrator.rollouts.flag_rules import NoRule
from migrator.rollouts.plan import Segment
from migrator.rollouts.targets.base import TargetFailed
from migrator.rollouts.targets.files import read_file, replace_file
from migrator.rollouts.targets.processes import run
from migrator.setting_values import duration

READERS = {
    "kind": one_of("flagd"),
    "file": text,
    "key": text,
    "verify": text,
    "evaluated": command,
    "timeout": duration,
    "stale": duration,
    "known": table,
}


class Flags:
    """The flags of a file.

    Args:
        configuration: `[tool.migrator.rollout.flags]`. `key`: what of the context users are told apart by;
            `verify`: command that succeeds once the application evaluates a flag as the environment says.

    Raises:
        ValueError: a setting is wrong.
    """

    def __init__(self, configuration: Configuration) -> None:
        given = fields_of("the flags", configuration.flags, READERS)
        if "file" not in given:
            raise ValueError('does not say which file has the flags: file = "flags.json"')
        self.folder = configuration.folder
        self.path = self.folder / given["file"]
        self.key = given.get("key", "targetingKey")
        self.verify = given.get("verify", "")
        self.evaluated = given.get("evaluated", "")
        self.timeout = float(given.get("timeout", 30.0))

    def look(self, name: str) -> dict[str, float]:
        """Percent by variant, of users who are in no segment."""
        return flag_rules.shares_of(self._flag(self._read(), name))

    def all(self) -> dict[str, dict[str, Any]]:
        """Every flag of the file as it stands there."""
        return dict(self._read()["flags"])

    def set(self, name: str, shares: Mapping[str, float], segments: Sequence[Segment] = (), ahead: str = "") -> None:
        """Let shares of the users have variants; who has one that grows keeps it.

        Args:
            shares: percent by variant, 100 together. The first one gets what the others leave.
            segments: users whom a rollout lets go first; every other rule for users stays.
            ahead: the variant that they get; empty: the rules for them are taken out.

        Raises:
            TargetFailed: there is no such flag or variant, the shares are no such percents, the rule of the flag is
                another one, the file cannot be written, or the command that looks at the application fails.
        """
        data = self._read()
        flag = self._flag(data, name)
        unknown = sorted({*shares, *([ahead] if ahead else [])} - set(flag["variants"]))
        if unknown:
            raise TargetFailed(f"flag {name} has no variant {', '.join(unknown)}: {', '.join(flag['variants'])}")
        if sum(shares.values()) != 100 or any(share != int(share) or share < 0 for share in shares.values()):
            raise TargetFailed(f"shares of flag {name} are whole percents, 100 together, and not {dict(shares)}")
        try:
            divided = flag_rules.replaced(flag.get("targeting") or {}, flag_rules.dividing(shares, self.key))
        except NoRule as problem:
            raise TargetFailed(f"flag {name} has {problem}", next_step=f"write it so in {self.path}") from None
        flag["targeting"] = flag_rules.ahead(divided, segments, ahead)
        replace_file(self.path, json.dumps(data, indent=2) + "\n")
        found = self.look(name)
        if any(found[variant] != shares.get(variant, 0) for variant in found):
            raise TargetFailed(f"flag {name} was set {dict(shares)} and is {found}: does somebody else write it?")
        if self.verify:
            told = {"MIGRATOR_FLAG": name, "MIGRATOR_SHARES": json.dumps(dict(shares))}
            run(self.verify, self.folder, self.timeout, {**os.environ, **told})

    def _read(self) -> dict[str, Any]:
        try:
            data: dict[str, Any] = json.loads(read_file(self.path))
            data["flags"].items()
        except (ValueError, KeyError, AttributeError, TypeError) as problem:
            raise TargetFailed(f"{self.path} is no file of flags of flagd's: {problem}") from None
        return data

    def _flag(self, data: Mapping[str, Any], name: str) -> dict[str, Any]:
        flag: dict[str, Any] | None = data["flags"].get(name)
        if flag is None:
            raise TargetFailed(f"{self.path} has no flag {name}", next_step=f"add it: {', '.join(data['flags'])}")
        if flag.get("state") != "ENABLED" or not {"variants", "defaultVariant"} <= flag.keys():
            raise TargetFailed(f"flag {name} needs state ENABLED, variants and a defaultVariant in {self.path}")
        return flag


def flags_of(configuration: Configuration) -> Flags | None:
    """The flags of a configuration; None where it has none."""
    return Flags(configuration) if configuration.flags else None
