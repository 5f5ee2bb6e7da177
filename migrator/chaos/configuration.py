"""`[chaos]` of a TOML file: the hypothesis, the faults, what runs meanwhile, and how much may be touched."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from migrator.chaos.faults import FAULTS
from migrator.chaos.faults.base import Fault
from migrator.chaos.faults.instances import Kill, OfInstances
from migrator.chaos.faults.network import OfLink
from migrator.chaos.model import STAGES, Experiment, Instance, Probe
from migrator.errors import SettingsError
from migrator.rollouts.configuration import Readers, fields_of, one_of, table, text
from migrator.setting_values import command, duration, lag, nearest, share, whole
from migrator.toml_files import read_toml


def yes_or_no(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{value!r} is not a number")
    return float(value)


def code(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{value!r} is not a whole number")
    return value


def codes(value: object) -> tuple[int, ...]:
    if not isinstance(value, list) or not value:
        raise ValueError("must be a list of exit codes, as [0, 1]")
    return tuple(code(item) for item in value)


def stages(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not value:
        raise ValueError(f"must be a list of some of {', '.join(STAGES)}")
    return tuple(one_of(*STAGES)(item) for item in value)


def listening(value: object) -> tuple[str, int]:
    host, separator, port = str(value).rpartition(":")
    if not separator or not host or not port.isdigit():
        raise ValueError(f"{value!r} is no address; write 127.0.0.1:6432")
    return host, int(port)


def tables(value: object) -> list[Mapping[str, Any]]:
    if not isinstance(value, list):
        raise ValueError("must be written as [[chaos.probes]] or [[chaos.faults]]")
    return [table(item) for item in value]


PROBE: Readers = {
    "name": text,
    "url": text,
    "command": command,
    "sql": text,
    "every": duration,
    "timeout": duration,
    "tolerated": share,
    "stages": stages,
    "status": code,
    "equals": lambda value: str(value),
    "at_least": number,
    "at_most": number,
}
INSTANCE: Readers = {
    "pid_file": text,
    "start": command,
    "supervised": yes_or_no,
    "ready": text,
    "timeout": duration,
}
TOP: Readers = {
    "title": text,
    "command": command,
    "exits": codes,
    "timeout": duration,
    "afterwards": command,
    "baseline": lag,
    "begin_after": lag,
    "begin_when": text,
    "duration": duration,
    "recovery": duration,
    "most": share,
    "seed": whole,
    "database": text,
    "listen": listening,
    "probes": tables,
    "faults": tables,
    "instances": table,
}
KINDS_OF_PROBE = ("url", "command", "sql")


def load(path: Path, *, seed: int | None = None, database: str = "") -> Experiment:
    """The experiment of a file.

    Args:
        seed: by which instances are chosen; the file's, or any.
        database: the one that is meant, as host/name, where the file does not say it.

    Raises:
        SettingsError: naming the file and what in it is wrong.
    """
    data = read_toml(path)
    if "chaos" not in data:
        raise SettingsError(f"{path} has no [chaos]", next_step="docs: how-to/chaos", file=str(path))
    try:
        said = {"seed": seed, "database": database or None}
        given = {name: value for name, value in said.items() if value is not None}
        return read({**table(data["chaos"]), **given}, path.absolute().parent)
    except ValueError as problem:
        raise SettingsError(f"{path}: [chaos]: {problem}", file=str(path)) from None


def read(data: Mapping[str, Any], folder: Path) -> Experiment:
    """An experiment from its table.

    Raises:
        ValueError: saying what is wrong.
    """
    given = fields_of("[chaos]", data, TOP)
    missing = [key for key in ("title", "probes", "faults") if not given.get(key)]
    if missing:
        raise ValueError(f"does not say {', '.join(missing)}: without a hypothesis or a fault it is no experiment")
    if "begin_after" in given and "begin_when" in given:
        raise ValueError("begin_after and begin_when cannot both say when it begins")
    seed = given.setdefault("seed", random.randrange(10**6))
    instances = {name: instance(name, table(one), folder) for name, one in given.pop("instances", {}).items()}
    probes = tuple(probe(one) for one in given.pop("probes"))
    twice = sorted({one.name for one in probes if [other.name for other in probes].count(one.name) > 1})
    if twice:
        raise ValueError(f"two probes are called {', '.join(twice)}: give them names")
    draw = random.Random(seed)
    faults = tuple(fault(one, tuple(instances), draw) for one in given.pop("faults"))
    made = Experiment(**given, probes=probes, faults=faults, instances=instances, folder=folder)
    refuse(made)
    return made


def instance(name: str, data: Mapping[str, Any], folder: Path) -> Instance:
    given = fields_of(f"instances.{name}", data, INSTANCE)
    if "pid_file" not in given:
        raise ValueError(f'instances.{name} needs pid_file = "run/{name}.pid"')
    return Instance(name, **{**given, "pid_file": folder / given["pid_file"]})


def probe(data: Mapping[str, Any]) -> Probe:
    given = fields_of("a probe", data, PROBE)
    kinds = [kind for kind in KINDS_OF_PROBE if kind in given]
    if len(kinds) != 1:
        raise ValueError(f"a probe asks one of {', '.join(KINDS_OF_PROBE)}, and {data!r} does not")
    limits = [key for key in ("equals", "at_least", "at_most") if key in given]
    if (kinds[0] == "sql") != bool(limits):
        raise ValueError("a probe in SQL, and no other, says equals, at_least or at_most")
    if "status" in given and kinds[0] != "url":
        raise ValueError("status is of a URL")
    what = given.pop(kinds[0])
    return Probe(**{"name": what, **given}, kind=kinds[0], what=what)


def fault(data: Mapping[str, Any], instances: tuple[str, ...], draw: random.Random) -> Fault:
    kind = str(data.get("kind", ""))
    if kind not in FAULTS:
        near = nearest(kind, FAULTS)
        hint = f'did you mean "{near}"?' if near else f"known are: {', '.join(FAULTS)}"
        raise ValueError(f'unknown kind of fault "{kind}"; {hint}')
    made = FAULTS[kind]
    rest = {key: value for key, value in data.items() if key != "kind"}
    given = fields_of(f"a fault of kind {kind}", rest, made.readers)
    if issubclass(made, OfInstances):
        return made(choose(given.get("instances", 1), instances, draw))
    names = {field.name for field in fields(made)}  # type: ignore[arg-type]
    if "path" in names and "path" not in given:
        raise ValueError(f'a fault of kind {kind} needs path = "…"')
    return made(**given)


def choose(wanted: int | float | tuple[str, ...], instances: tuple[str, ...], draw: random.Random) -> tuple[str, ...]:
    """The instances that a fault touches: by name, or so many at random; of a share, one at least.

    Raises:
        ValueError: there are not so many, or none of that name.
    """
    if isinstance(wanted, tuple):
        strange = [name for name in wanted if name not in instances]
        if strange:
            near = nearest(strange[0], instances)
            raise ValueError(f"no instance is called {strange[0]}" + (f'; did you mean "{near}"?' if near else ""))
        return wanted
    count = wanted if isinstance(wanted, int) else max(1, int(wanted * len(instances)))
    if count > len(instances):
        raise ValueError(f"{count} of {len(instances)} instances cannot be touched: write [chaos.instances.NAME]")
    return tuple(sorted(draw.sample(instances, count)))


def refuse(experiment: Experiment) -> None:
    """Refuse what touches more than it may, or could not be put back.

    Raises:
        ValueError: with the reason.
    """
    touched = {name for one in experiment.faults if isinstance(one, OfInstances) for name in one.chosen}
    if touched and len(touched) > experiment.most * len(experiment.instances):
        raise ValueError(
            f"{len(touched)} of {len(experiment.instances)} instances would be touched, and most = "
            f'"{experiment.most:.0%}" allows fewer'
        )
    for name in sorted({name for one in experiment.faults if isinstance(one, Kill) for name in one.chosen}):
        one = experiment.instances[name]
        if bool(one.start) == one.supervised:
            raise ValueError(f"instances.{name} is killed: say start = …, or supervised = true where another starts it")
    if sum(isinstance(one, OfLink) for one in experiment.faults) > 1:
        raise ValueError("delay, stall and cut are of the same connections: one of them at a time")
