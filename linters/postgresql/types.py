"""What a change of a column's type costs. Every line was observed on servers from 12 to 18."""

from __future__ import annotations

from linters.frozen import Frozen
from linters.session import Session
from linters.values import UNKNOWN_TYPE, Column, Type

FREE_CASTS = {
    ("varchar", "text"), ("text", "varchar"), ("cidr", "inet"), ("bpchar", "bpchar"), ("xml", "text"),
    ("regclass", "oid"), ("oid", "regclass"), ("varchar", "citext"), ("text", "citext"), ("citext", "text"),
    ("citext", "varchar"), ("int4", "oid"), ("oid", "int4"), ("bit", "varbit"), ("regproc", "oid"), ("xml", "varchar"),
}  # fmt: skip
"""Pairs whose values are the same bytes (`pg_cast.castmethod = 'b'`)."""
OFTEN_FREE = frozenset({"varchar", "text", "numeric", "inet", "citext", "varbit", "timestamp", "timestamptz", "time",
                        "timetz", "interval", "oid"})  # fmt: skip
"""Types that a column of the right one becomes without any work."""
OWN_TYPES = OFTEN_FREE | frozenset(
    "int2 int4 int8 float4 float8 bool bpchar bit date uuid json jsonb bytea cidr macaddr macaddr8 money xml point line"
    " lseg box path polygon circle tsvector tsquery int4range int8range numrange tsrange tstzrange daterange".split()
)
"""Types of the server. Any other may be a domain, with constraints or without."""
SORTED_OTHERWISE = {("varchar", "bpchar"), ("text", "bpchar"), ("cidr", "inet"), ("int4", "oid"), ("oid", "int4")}
"""Pairs of which indexes are built again: their operator families differ."""
FRACTIONS = ("timestamp", "timestamptz", "time", "timetz", "interval")
MOST_DIGITS = 6
UTC = ("utc", "gmt", "etc/utc", "etc/gmt", "uct", "zulu", "universal", "greenwich", "0", "utc0")


class TypeChange(Frozen):
    """`why` in a few words. `assumed`: what was not known and taken for the worse."""

    rewrites: bool = False
    rebuilds: bool = False
    checks: bool = False
    why: str = ""
    assumed: str = ""


def change(column: Column, to: Type, collation: str, has_using: bool, session: Session) -> TypeChange:
    """What the server does to a table whose column gets another type, apart from its constraints and indexes."""
    old, new = base_of(column.type, session), base_of(to, session)
    if has_using:
        return TypeChange(rewrites=True, why="USING computes every value anew, whatever the types are")
    if to.name in session.domains.values and session.domains.values[to.name].constrained and column.type != to:
        return TypeChange(
            rewrites=True, why=f"{to} is a domain with constraints, so every value is checked and written"
        )
    if column.type == UNKNOWN_TYPE:
        why = f"the type of {column.name} is not known"
        if new.name in OFTEN_FREE or new.name not in OWN_TYPES:
            return TypeChange(assumed=f"{why}, so whether the table is written again is not known either")
        return TypeChange(rewrites=True, assumed=f"{why}; hardly any becomes {to} without writing every row")
    if old.name != new.name or old.dimensions != new.dimensions or old.schema != new.schema:
        return other_type(old, new, session)
    found = other_modifier(old, new)
    if not found.rewrites and collation and collation != column.collation:
        return TypeChange(rebuilds=True, why="indexes are sorted by the collation")
    return found


def base_of(type_: Type, session: Session) -> Type:
    """The type below a domain, with the modifier of `char`."""
    domain = session.domains.get(type_.name)
    if domain is not None:
        return base_of(domain.base, session)
    if type_.name == "bpchar" and not type_.modifiers:
        return type_
    return type_


def other_type(old: Type, new: Type, session: Session) -> TypeChange:
    pair = old.name, new.name
    if old.dimensions or new.dimensions:  # an array has the type of its elements in it
        return TypeChange(rewrites=True, why=f"{old} and {new} are stored differently")
    if pair in (("timestamp", "timestamptz"), ("timestamptz", "timestamp")):
        zone = session.setting("timezone") or session.given.timezone
        if zone is None:
            return TypeChange(assumed="nothing is written under a TimeZone of UTC, else every value; it is not known")
        if zone.strip("'\" ").lower() not in UTC:
            return TypeChange(rewrites=True, why=f"under TimeZone {zone} every value changes")
        return narrower_fraction(old, new)
    if pair not in FREE_CASTS:
        return TypeChange(rewrites=True, why=f"{old} and {new} are stored differently")
    if new.modifiers and pair[1] in ("varchar", "bpchar", "varbit", "bit"):
        return TypeChange(rewrites=True, why=f"every value is checked against the limit of {new}")
    return TypeChange(rebuilds=pair in SORTED_OTHERWISE, why=f"{old} and {new} are the same bytes")


def other_modifier(old: Type, new: Type) -> TypeChange:
    """The same type with another limit."""
    if old.modifiers == new.modifiers:
        return TypeChange(why="the type stays")
    if old.dimensions:
        grows = not new.modifiers  # else elements are converted one by one
    elif old.name in ("varchar", "varbit"):
        grows = not new.modifiers or bool(old.modifiers and new.modifiers[0] >= old.modifiers[0])
    elif old.name == "numeric":
        grows = not new.modifiers or larger_precision(old, new)
    elif old.name in FRACTIONS:
        return narrower_fraction(old, new)
    else:
        grows = False
    if grows:
        return TypeChange(why=f"every value of {old} is one of {new}")
    return TypeChange(rewrites=True, why=f"every value is written for {new}")


def larger_precision(old: Type, new: Type) -> bool:
    if not old.modifiers:
        return False
    (p, s), (q, r) = ((*t.modifiers, 0)[:2] for t in (old, new))
    return q >= p and s == r


def narrower_fraction(old: Type, new: Type) -> TypeChange:
    before = old.modifiers[-1] if old.modifiers else MOST_DIGITS
    after = new.modifiers[-1] if new.modifiers else MOST_DIGITS
    if after < before:
        return TypeChange(rewrites=True, why=f"every value is rounded to {after} digits")
    return TypeChange(why=f"every value of {old} is one of {new}")
