"""Whether the text of a CHECK says that every row is within a partition's bound, or that none is.

Bounds and checks come from the same writer of SQL, so equal constants are equal text
once casts are gone. What cannot be told is taken for unproven.
"""

from __future__ import annotations

import re

CAST = re.compile(r"::[a-z_ ]+(\(\d+\))?", re.I)
LIMIT = r"\(?\b{key}\b\)?\s*{sign}\s*\(?{value}\)?(?=\s|\)|$)"


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
    return limited(text, key[0], ">=", low, "minvalue") and limited(text, key[0], "<", high, "maxvalue")


def limited(text: str, key: str, sign: str, value: str, endless: str) -> bool:
    if value.strip().lower() == endless:
        return True
    found = re.search(LIMIT.format(key=re.escape(key), sign=sign, value=re.escape(value.strip())), text)
    return found is not None


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
