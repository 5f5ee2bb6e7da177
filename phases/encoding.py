"""Steps as JSON and back, so that the ledger can hold them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from phases.model import (
    BuildIndex,
    Fill,
    Lock,
    LockMode,
    Loss,
    RemoveIndex,
    Script,
    Step,
    TableName,
    Transaction,
    Verify,
)

KINDS: dict[str, type[Step]] = {
    "transaction": Transaction,
    "script": Script,
    "build index": BuildIndex,
    "remove index": RemoveIndex,
    "fill": Fill,
    "verify": Verify,
}
NAMES = {kind: name for name, kind in KINDS.items()}


def encode(step: Step) -> dict[str, Any]:
    """Write a step as JSON values.

    Raises:
        KeyError: the step is of no known kind.
    """
    data: dict[str, Any] = {"kind": NAMES[type(step)]}
    for field in dataclasses.fields(step):
        data[field.name] = encode_value(getattr(step, field.name))
    return data


def encode_value(value: Any) -> Any:
    if isinstance(value, Step):
        return encode(value)
    if isinstance(value, TableName):
        return [value.schema, value.name]
    if isinstance(value, Lock):
        how = {"by": value.by} if value.by else {}
        return {"table": encode_value(value.table), "mode": value.mode.value, **how}
    if isinstance(value, Loss):
        return {"what": value.what, "count": value.count}
    if isinstance(value, tuple):
        return [encode_value(item) for item in value]
    return value


def decode(data: Mapping[str, Any]) -> Step:
    """Read a step back.

    Raises:
        ValueError: written by a program that knows more than this one; names what is unknown.
    """
    kind = KINDS.get(data.get("kind", ""))
    if kind is None:
        raise ValueError(f"unknown kind of step: {data.get('kind')!r}")
    known = {field.name for field in dataclasses.fields(kind)}
    unknown = set(data) - known - {"kind"}
    if unknown:
        raise ValueError(f"unknown part of a {data['kind']} step: {sorted(unknown)[0]!r}")
    return kind(**{name: decode_value(name, value) for name, value in data.items() if name != "kind"})


def decode_value(name: str, value: Any) -> Any:
    if name == "undo":
        return tuple(decode(item) for item in value)
    if name in ("from_old", "from_new"):
        return decode(value) if value is not None else None
    if name == "table":
        return TableName(*value)
    if name in ("locks", "closing"):
        return tuple(Lock(TableName(*item["table"]), LockMode(item["mode"]), item.get("by", "")) for item in value)
    if name == "loses" and value is not None:
        return Loss(value["what"], value["count"])
    return tuple(value) if isinstance(value, list) else value
