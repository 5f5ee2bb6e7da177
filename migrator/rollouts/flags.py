"""Feature flags in a file of flagd's, which OpenFeature providers and flagd itself read and watch.

A share is a `fractional` rule. It stands alone, or as the last branch of an `if`, whose
branches before it, segments, are left as they are. flagd puts users into a hundred
buckets: shares are whole percents.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from migrator.rollouts.configuration import Configuration, fields_of, one_of, text
from migrator.rollouts.targets.base import TargetFailed
from migrator.rollouts.targets.files import read_file, replace_file
from migrator.rollouts.targets.processes import run
from migrator.rollouts.targets.routing import in_order
from migrator.setting_values import duration

READERS = {"kind": one_of("flagd"), "file": text, "key": text, "verify": text, "timeout": duration}


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
        self.timeout = float(given.get("timeout", 30.0))

    def look(self, name: str) -> dict[str, float]:
        """Percent by variant, of users who are in no segment."""
        flag = self._flag(self._read(), name)
        rule = fractional(flag.get("targeting") or {})
        if rule is None:
            return {variant: 100.0 if variant == flag["defaultVariant"] else 0.0 for variant in flag["variants"]}
        rows = [row for row in rule if isinstance(row, list)]
        weights = {row[0]: row[1] if len(row) > 1 else 1 for row in rows}
        whole = sum(weights.values()) or 1
        return {variant: weights.get(variant, 0) * 100 / whole for variant in flag["variants"]}

    def set(self, name: str, shares: Mapping[str, float]) -> None:
        """Let shares of the users have variants; who has one that grows keeps it.

        Args:
            shares: percent by variant, 100 together. The first one gets what the others leave.

        Raises:
            TargetFailed: there is no such flag or variant, the shares are no such percents, the rule of the flag is
                another one, the file cannot be written, or the application does not see it.
        """
        data = self._read()
        flag = self._flag(data, name)
        unknown = sorted(set(shares) - set(flag["variants"]))
        if unknown:
            raise TargetFailed(f"flag {name} has no variant {', '.join(unknown)}: {', '.join(flag['variants'])}")
        if sum(shares.values()) != 100 or any(share != int(share) or share < 0 for share in shares.values()):
            raise TargetFailed(f"shares of flag {name} are whole percents, 100 together, and not {dict(shares)}")
        user = {"cat": [{"var": "$flagd.flagKey"}, {"var": self.key}]}
        rule = {"fractional": [user, *([variant, int(shares[variant])] for variant in in_order(shares))]}
        flag["targeting"] = self._replaced(name, flag.get("targeting") or {}, rule)
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

    def _replaced(self, name: str, targeting: Mapping[str, Any], rule: Mapping[str, Any]) -> Mapping[str, Any]:
        branches = targeting.get("if")
        if not targeting or "fractional" in targeting:
            return rule
        if isinstance(branches, list) and len(branches) % 2 and len(branches) > 1:
            last = branches[-1] if isinstance(branches[-1], dict) else {}
            return {"if": [*branches[:-1], self._replaced(name, last, rule)]}
        raise TargetFailed(
            f"flag {name} has a rule that is neither fractional nor an if with one as its last branch",
            next_step=f"write it so in {self.path}",
        )


def fractional(targeting: Mapping[str, Any]) -> list[Any] | None:
    """The rule that divides users who are in no segment; None where none does."""
    branches = targeting.get("if")
    if isinstance(branches, list) and branches and isinstance(branches[-1], dict):
        return fractional(branches[-1])
    found: list[Any] | None = targeting.get("fractional")
    return found


def flags_of(configuration: Configuration) -> Flags | None:
    """The flags of a configuration; None where it has none."""
    return Flags(configuration) if configuration.flags else None
