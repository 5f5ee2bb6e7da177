"""Frozen values that need no generated code, which for sixty kinds of them takes longer than a script is judged."""

from __future__ import annotations

from collections.abc import Collection
from operator import attrgetter
from typing import Any, ClassVar, TypeVar, dataclass_transform

Value = TypeVar("Value", bound="Frozen")


@dataclass_transform(frozen_default=True)
class Frozen:
    """A value that never changes: the annotations of its class are its fields, those with a default last.

    Raises:
        TypeError: a field is missing, or there is no such field.
        AttributeError: somebody sets a field.
    """

    _fields: ClassVar[tuple[str, ...]] = ()
    _least: ClassVar[int] = 0

    def __init_subclass__(cls) -> None:
        cls._fields += tuple(cls.__annotations__)
        cls._least = sum(not hasattr(cls, name) for name in cls._fields)

    def __init__(self, *given: Any, **named: Any) -> None:
        if named or not self._least <= len(given) <= len(self._fields):
            check(type(self), len(given), named)
        # Fields with a default stay those of the class.
        object.__setattr__(self, "__dict__", dict(zip(self._fields, given), **named))  # noqa: B905

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen: {name} cannot be set")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen: {name} cannot be deleted")

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and values(self) == values(other)

    def __hash__(self) -> int:
        return hash(values(self))

    def __repr__(self) -> str:
        fields = (f"{name}={getattr(self, name)!r}" for name in self._fields)
        return f"{type(self).__qualname__}({', '.join(fields)})"


def values(value: Any) -> Any:
    """What two equal values of a kind have in common."""
    names = value._fields
    return attrgetter(*names)(value) if names else ()


def check(kind: type[Frozen], given: int, named: Collection[str]) -> None:
    names = kind._fields
    unknown = [name for name in named if name not in names[given:]]
    if unknown or given > len(names):
        raise TypeError(f"{kind.__name__} has no {', '.join(unknown) or 'more'} after {given} of {', '.join(names)}")
    missing = [name for name in names[given : kind._least] if name not in named]
    if missing:
        raise TypeError(f"{kind.__name__} needs {', '.join(missing)}")


def changed(value: Value, **fields: Any) -> Value:
    """The same value with other fields.

    Raises:
        TypeError: there is no such field.
    """
    for name in fields:
        if name not in value._fields:
            raise TypeError(f"{type(value).__name__} has no {name}")
    made = object.__new__(type(value))
    object.__setattr__(made, "__dict__", {**value.__dict__, **fields})
    return made
