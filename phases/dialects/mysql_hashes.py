"""What a row says, as a number, on MySQL and MariaDB.

Each value gets one text, which no other value of its type has: a FLOAT is shown with six digits, so it is made a DOUBLE
first. What outgrows `max_allowed_packet` on the way is NULL. SHA2 and not MD5, which MySQL 9.7 has not.
"""

from __future__ import annotations

from collections.abc import Sequence

from phases.dialects.mysql_backfill import BYTES, HEX, NUMBER, NUMBERS, TEXT, TEXTS, base_type

FLOATS = ("float", "double", "real")
MOMENTS = ("date", "datetime", "timestamp", "time")
ANYTHING = (*TEXTS, *BYTES, "enum", "set", "json")


def mark(type_: str) -> str:
    """How values of a key are written (`phases.dialects.mysql_backfill.key_of`); empty: such a key is not walked."""
    kind = base_type(type_)
    return next((mark for mark, types in ((NUMBER, NUMBERS), (TEXT, TEXTS), (HEX, BYTES)) if kind in types), "")


def said(value: str, type_: str, charset: str = "") -> str:
    """What a value says, as an expression of a short text; empty for a type of which that is not known.

    Args:
        charset: to convert it to, where the other side has another one.
    """
    kind = base_type(type_)
    if kind in FLOATS:
        value, kind = f"({value} + 0e0)", "int"
    if kind in (*NUMBERS, *MOMENTS):
        return f"COALESCE(CAST({value} AS CHAR), '-')"
    if kind not in ANYTHING:
        return ""
    given = f"CONVERT({value} USING {charset})" if charset else value
    return f"COALESCE(HEX({given}), '-')"


def hashed(parts: Sequence[str]) -> str:
    """A whole number that is made of what several values say."""
    return f"CAST(CONV(LEFT(SHA2(CONCAT_WS(',', {', '.join(parts)}), 256), 16), 16, 10) AS UNSIGNED)"
