"""Whether the text of a CHECK says that every row is within a partition's bound, or that none is.

Bounds and checks come from the same writer of SQL, so equal constants are equal text
once casts are gone. What cannot be told is taken for unproven.
"""

from __future__ import annotations

import re

CAST = re.compile(
    r"::\s*\w+(?: varying| precision| with(?:out)? time zone)?(?:\(\d+\))?|\b(?:date|timestamp|timestamptz)\s+(?=')",
    re.I,
)
VALUE = r"\(?('[^']*'|-?[\d.]+)\)?"
COMPARED = r"\b{key}\b\)?\s*(>=|<=|>|<|=)\s*" + VALUE
BETWEEN = r"\b{key}\b\)?\s+BETWEEN\s+" + VALUE + r"\s+AND\s+" + VALUE


def plain(text: str) -> str:
    return CAST.sub("", text).replace('"', "")


def within(check: str, bound: str, key: tuple[str, ...]) -> bool:
    """Whether a row that passes the check belongs to the bound."""
    text = plain(check)
    if bound.startswith("IN "):
        allowed = set(split(bound[3:]))
        listed = re.search(rf"\b{re.escape(key[0])}\b\)?\s*(?:=|IN)\s*\(?([^()]*)\)?", text, re.I) if key else None
        return listed is not None and set(split(listed[1])) <= allowed and " OR " not in text.upper()
    if not bound.startswith("FROM ") or len(key) != 1 or " OR " in text.upper():
        return False
    low, high = plain(bound[5:]).split(" TO ", 1)
    lower, upper = ends(text, key[0])
    above = low.strip().lower() == "minvalue" or any(not_before(value, low) for _, value in lower)
    below = high.strip().lower() == "maxvalue" or any(
        not_before(high, value) and (sign == "<" or not not_before(value, high)) for sign, value in upper
    )
    return above and below


def ends(text: str, key: str) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Lower and upper ends that a condition sets a column, each with its sign."""
    found = re.findall(COMPARED.format(key=re.escape(key)), text)
    for low, high in re.findall(BETWEEN.format(key=re.escape(key)), text, re.I):
        found += [(">=", low), ("<=", high)]
    return [f for f in found if f[0] in (">=", ">", "=")], [f for f in found if f[0] in ("<=", "<", "=")]


def not_before(one: str, other: str) -> bool:
    """Whether a constant is at or after another, as far as that can be told from their text: numbers and ISO dates."""
    pair = one.strip().strip("()"), other.strip().strip("()")
    try:
        return float(pair[0]) >= float(pair[1])
    except ValueError:
        quoted = all(text.startswith("'") for text in pair) and len(pair[0]) == len(pair[1])
        return quoted and pair[0] >= pair[1]


def outside(check: str, bound: str) -> bool:
    """Whether no row that passes the check belongs to the bound: `NOT (k >= 1 AND k < 10)`, `k < 1 OR k >= 10`."""
    text = plain(check)
    if not bound.startswith("FROM "):
        values = split(bound[3:]) if bound.startswith("IN ") else []
        return bool(values) and all(re.search(rf"(<>|NOT)[^=]*{re.escape(value)}", text) for value in values)
    low, high = (part.strip() for part in plain(bound[5:]).split(" TO ", 1))
    negated = (
        "NOT" in text and re.search(rf">=\s*{re.escape(low)}", text) and re.search(rf"<\s*{re.escape(high)}", text)
    )
    either = re.search(rf"<\s*{re.escape(low)}", text) and re.search(rf">=\s*{re.escape(high)}", text)
    return bool(negated or either)


def split(text: str) -> list[str]:
    return [part.strip() for part in plain(text).split(",") if part.strip()]
