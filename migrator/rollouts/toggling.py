"""`[tool.migrator.rollout.flags.known]`: the flags by name, what each belongs to, and what its variants read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from migrator.errors import UsageError
from migrator.rollouts.configuration import SECTION, Configuration, fields_of, pause, table, text
from migrator.rollouts.flags import READERS, flags_of
from migrator.rollouts.plan import RolloutPlan, Segment, Toggle
from migrator.setting_values import nearest

STALE = 30 * 86400.0


def segments(value: object) -> tuple[Segment, ...]:
    """Read `[{ attribute = "team", equals = "qa" }, { attribute = "country", in = ["NZ", "AU"] }]`."""
    if not isinstance(value, list):
        raise ValueError('must be a list, as [{ attribute = "team", equals = "qa" }]')
    return tuple(segment(table(item)) for item in value)


def segment(item: Mapping[str, Any]) -> Segment:
    given = fields_of("segments", item, {"attribute": text, "equals": text, "in": names})
    if "attribute" not in given or len(given) != 2:
        raise ValueError(f"each has an attribute, and equals or in; not {dict(item)}")
    values = (given["equals"],) if "equals" in given else given["in"]
    return Segment(given["attribute"], values)


def names(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not value:
        raise ValueError('must be a list of texts, as ["NZ", "AU"]')
    return tuple(text(item) for item in value)


KNOWN = {"revision": text, "legacy": text, "dual": text, "new": text, "segments": segments, "ahead": pause}


def known(configuration: Configuration) -> dict[str, Toggle]:
    """The flags that a configuration names, each on its way from the old to the new shape.

    Raises:
        ValueError: saying what of which is wrong.
    """
    given = fields_of("the flags", configuration.flags, READERS)
    return {name: toggle(name, table(data)) for name, data in given.get("known", {}).items()}


def toggle(name: str, data: Mapping[str, Any]) -> Toggle:
    given = fields_of(f"flag {name}", data, KNOWN)
    if "revision" not in given:
        raise ValueError(f'flag {name}: does not say what it belongs to: revision = "…"')
    made = Toggle(name, variant="", former="", **given)
    if len({made.legacy, made.dual, made.new}) != 3:
        raise ValueError(f"flag {name}: legacy, dual and new are three variants")
    return made


def stale_after(configuration: Configuration) -> float:
    """Seconds after which a flag that everybody has one variant of should go."""
    return float(fields_of("the flags", configuration.flags, READERS).get("stale", STALE))


def chosen(configuration: Configuration, flag: str | None, variant: str | None) -> Toggle:
    """The flag that a rollout moves, and where to.

    Args:
        flag: its name; None: the only one that is configured.
        variant: None: the one that reads the new shape.

    Raises:
        UsageError: it is not configured, the file does not have it so, or everybody has the variant.
        TargetFailed: the file cannot be read.
    """
    try:
        flags, found = flags_of(configuration), known(configuration)
    except ValueError as problem:
        raise UsageError(f"[{SECTION}.flags]: {problem}") from None
    if flags is None or not found:
        raise UsageError("a toggle moves a flag, and none is configured", next_step=f"write [{SECTION}.flags]")
    if not flags.evaluated and not flags.verify:
        raise UsageError(
            "nothing says how the application evaluates a flag, so nobody would know whether it heard of it",
            next_step=f'write [{SECTION}.flags] evaluated = "http://{{address}}/flags", or verify = "./command"',
        )
    name = flag or (next(iter(found)) if len(found) == 1 else "")
    if name not in found:
        near = nearest(name, found)
        hint = f"did you mean {near}?" if name and near else f"name one: --flag {'|'.join(found)}"
        raise UsageError(f"flag {name} is not configured" if name else "several flags are configured", next_step=hint)
    made = found[name]
    wanted = variant or made.new
    if wanted not in (made.legacy, made.dual, made.new):
        told = f"{made.legacy}, {made.dual}, {made.new}"
        raise UsageError(f"flag {name} has no variant {wanted} here", next_step=f"variants are: {told}")
    return to(made, wanted, flags.look(name))


def to(made: Toggle, wanted: str, shares: Mapping[str, float]) -> Toggle:
    """A flag on its way to a variant, from the one that everybody has."""
    some = [variant for variant, share in shares.items() if share > 0]
    if wanted not in shares:
        raise UsageError(f"flag {made.flag} has no variant {wanted} in its file: {', '.join(shares)}")
    if len(some) > 1:
        said = ", ".join(f"{variant} {shares[variant]:g} %" for variant in some)
        raise UsageError(
            f"flag {made.flag} is split already: {said}", next_step="end the rollout that did it, or give one all of it"
        )
    if some == [wanted]:
        raise UsageError(f"everybody has {wanted} of flag {made.flag} already", next_step="migrator rollout flags")
    return Toggle(
        made.flag, made.revision, wanted, some[0], made.legacy, made.dual, made.new, made.segments, made.ahead
    )


def problems(plan: RolloutPlan) -> list[str]:
    """Why a toggle cannot be moved so."""
    toggle = plan.toggle
    if toggle is None:
        return []
    found = [f"a flag has whole percents, not {s.weight:g} %" for s in plan.rules.steps if s.weight != int(s.weight)]
    if toggle.former not in (toggle.legacy, toggle.dual, toggle.new):
        found.append(f"everybody has {toggle.former} of flag {toggle.flag}, of which nothing says what it reads")
    return found
