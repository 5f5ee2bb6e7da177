"""What a change of type costs on PostgreSQL, and what it may lose.

Source of the rules: PostgreSQL manual, ALTER TABLE ("Notes", changes that need
no rewrite), and the support functions of `varchar`, `numeric`, `varbit`,
`timestamp` and `interval` that make growing casts free.
"""

from __future__ import annotations

import re

WIDENING = ("smallint", "integer", "bigint")
IDENTICAL_WHEN_EQUAL = frozenset({*WIDENING, "uuid", "boolean", "date", "text", "character varying", "bytea"})
TIMES = (
    "timestamp without time zone",
    "timestamp with time zone",
    "time without time zone",
    "time with time zone",
    "interval",
)
MAX_PRECISION = 6


def parts(type_: str) -> tuple[str, tuple[int, ...]]:
    """Take a type as `format_type` writes it apart.

    >>> parts("timestamp(3) without time zone")
    ('timestamp without time zone', (3,))
    """
    found = re.search(r"\(([\d, -]+)\)", type_)
    if found is None or type_.endswith("]"):
        return type_, ()
    bare = (type_[: found.start()] + type_[found.end() :]).strip()
    return bare, tuple(int(number) for number in found[1].split(","))


def metadata_only(old: str, new: str) -> bool:
    """Whether ALTER COLUMN TYPE neither rewrites the table nor reads it."""
    (old_base, old_limits), (new_base, new_limits) = parts(old), parts(new)
    if {old_base, new_base} <= {"character varying", "text"} or old_base == new_base == "bit varying":
        return grows(old_limits, new_limits)
    if old_base == new_base == "numeric":
        same_scale = old_limits[1:] == new_limits[1:] and bool(old_limits)
        return not new_limits or (same_scale and grows(old_limits[:1], new_limits[:1]))
    if old_base == new_base and old_base in TIMES:
        return grows(old_limits or (MAX_PRECISION,), new_limits or (MAX_PRECISION,))
    return (old, new) == ("cidr", "inet")


def grows(old: tuple[int, ...], new: tuple[int, ...]) -> bool:
    """Whether a limit is lifted, or not lowered."""
    return not new or (bool(old) and new >= old)


def reversible(old: str, new: str) -> bool:
    """Whether every value of `old` has one of `new`, and casting back gives it again or raises."""
    if old in WIDENING and new in WIDENING:
        return WIDENING.index(old) < WIDENING.index(new)
    free = metadata_only(old, new)
    rounds = parts(old)[0] in TIMES or (parts(old)[0] == "numeric" and not parts(new)[1])
    return free and not rounds and old != "cidr"


def keeps_values(old: str, new: str) -> bool:
    """Whether every value of `old` can be cast to `new` without loss, though not always back."""
    return (
        reversible(old, new)
        or metadata_only(old, new)
        or new == "text"
        or (old in WIDENING and new == "numeric")
        or (old in ("smallint", "integer") and new == "double precision")
        or (old, new) in {("real", "double precision"), ("date", "timestamp without time zone")}
    )


def cast_type(type_: str) -> str:
    """What an expression is cast to so that it has the type of a column.

    Without the limit of a text type: a cast would cut the value without a word, an assignment raises.
    """
    base, _ = parts(type_)
    return base if base in ("character varying", "bit varying") else type_


def equality_is_identity(type_: str) -> bool:
    """Whether `=` of the type means the same bytes, under a deterministic collation."""
    return parts(type_)[0] in IDENTICAL_WHEN_EQUAL


def sequence_options(options: str, old: str, new: str) -> str:
    """Options of an identity that moves to a wider type: a limit that was the old type's own is lifted."""
    if old not in WIDENING or new not in WIDENING or WIDENING.index(new) <= WIDENING.index(old):
        return options
    highest = {"smallint": 2**15 - 1, "integer": 2**31 - 1}[old]
    return re.sub(rf"MAXVALUE {highest}\b", "NO MAXVALUE", options).replace(f"MINVALUE -{highest + 1} ", "NO MINVALUE ")
