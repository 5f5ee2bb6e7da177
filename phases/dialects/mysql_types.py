"""What a change of type costs on MySQL and MariaDB, what it may lose, and what a column makes of a value.

Source of the rules: MySQL manual, "Data Types" and "Type Conversion in Expression Evaluation"; in strict mode
a value that does not fit is an error when it is stored.
"""

from __future__ import annotations

import re

from phases.dialects.base import TypeChange
from phases.dialects.mysql_backfill import base_type

INTEGERS = {"tinyint": 8, "smallint": 16, "mediumint": 24, "int": 32, "bigint": 64}
"""Bits of each."""
TEXTS = {"tinytext": 2**8, "text": 2**16, "mediumtext": 2**24, "longtext": 2**32}
"""Bytes that each holds, and one more."""
BLOBS = {"tinyblob": 2**8, "blob": 2**16, "mediumblob": 2**24, "longblob": 2**32}
MOST_BYTES = 4
"""Of a character, in any character set."""
LONGEST_VALUE = 66
"""Characters of the longest number or time: a decimal of 65 digits."""
DOUBLE_BITS = 53
LABELLED = ("enum", "set")
BYTE = 256


def numbers(type_: str) -> tuple[int, ...]:
    """What stands in the parentheses of a type."""
    found = re.search(r"\(([\d, ]+)\)", type_)
    return tuple(int(number) for number in found[1].split(",")) if found else ()


def digits(type_: str) -> tuple[int, int]:
    """Digits before and after the point that a decimal holds."""
    given = (*numbers(type_), 0)[:2] if numbers(type_) else (10, 0)
    return given[0] - given[1], given[1]


def unsigned(type_: str) -> bool:
    return "unsigned" in type_.lower()


def cast(expression: str, type_: str) -> str:
    """The value that a column of a type has once an expression is stored in it.

    Text is not cut to the length of the column: a cast would do so without a word, storing it is an error.
    """
    kind, given = base_type(type_), numbers(type_)
    if kind in INTEGERS or kind in ("bit", "year"):
        return f"CAST(({expression}) AS DECIMAL(20, 0))"
    if kind == "decimal":
        whole, after = digits(type_)
        return f"CAST(({expression}) AS DECIMAL({whole + after}, {after}))"
    if kind == "double":
        return f"(({expression}) + 0e0)"
    if kind in ("date", "datetime", "time"):
        precision = f"({given[0]})" if given and given[0] else ""
        return f"CAST(({expression}) AS {kind.upper()}{precision})"
    if kind == "char":
        return f"TRIM(TRAILING ' ' FROM ({expression}))"
    return f"({expression})"


def change(old: str, new: str) -> TypeChange:
    """What a change of type costs and may lose."""
    exact = reversible(old, new)
    return TypeChange(
        free=in_place(old, new),
        reversible=exact,
        keeps_values=exact or keeps_values(old, new),
        cast="text" if base_type(new) in ("varchar", *TEXTS) else new,
        equality_is_identity=True,
        limited=True,
    )


def in_place(old: str, new: str) -> bool:
    """Whether a definition alone changes, whatever the character set: longer text or bytes, labels at the end."""
    before, after = base_type(old), base_type(new)
    if before == after in LABELLED:
        had, has = labels(old), labels(new)
        return had == has[: len(had)] and label_bytes(before, had) == label_bytes(after, has)
    if before == after in ("varchar", "varbinary") and numbers(old) <= numbers(new):
        most = MOST_BYTES if before == "varchar" else 1
        return numbers(new)[0] * most < BYTE or numbers(old)[0] >= BYTE
    return False


def labels(type_: str) -> tuple[str, ...]:
    """The values of an enum or a set, as they are quoted."""
    return tuple(re.findall(r"'(?:[^']|'')*'", type_))


def label_bytes(kind: str, given: tuple[str, ...]) -> int:
    """Bytes in which a value is stored."""
    if kind == "enum":
        return 1 if len(given) < BYTE else 2
    needed = -(-len(given) // 8)
    return needed if needed <= 4 else 8


def reversible(old: str, new: str) -> bool:
    """Whether every value of `old` has one of `new`, and storing that in `old` gives it again or raises."""
    before, after = base_type(old), base_type(new)
    if before in INTEGERS and after in INTEGERS:
        return not lost_sign(old, new) and INTEGERS[before] + (unsigned(old) > unsigned(new)) <= INTEGERS[after]
    if before == after == "decimal":
        return not lost_sign(old, new) and digits(old)[1] == digits(new)[1] and digits(old)[0] <= digits(new)[0]
    if before == after in LABELLED:
        return labels(old) == labels(new)[: len(labels(old))]
    if before == after in ("varchar", "varbinary"):
        return numbers(old) <= numbers(new)
    for family, first in ((TEXTS, "varchar"), (BLOBS, "varbinary")):
        if before in (first, *family) and after in family:
            size = (numbers(old) or (0,))[0] * (MOST_BYTES if first == "varchar" else 1)
            return family.get(before, size) <= family[after]
    return False


def lost_sign(old: str, new: str) -> bool:
    """Whether the one holds negative values, and the other does not."""
    return unsigned(new) and not unsigned(old)


def keeps_values(old: str, new: str) -> bool:
    """Whether every value of `old` can be stored as one of `new` without loss, though not always back."""
    before, after, bits = base_type(old), base_type(new), INTEGERS.get(base_type(old), 0)
    numeric = bits or before == "decimal" or before in ("date", "datetime", "time", "year")
    if numeric and (after in TEXTS or (after == "varchar" and numbers(new) >= (LONGEST_VALUE,))):
        return True
    if after == "decimal" and not lost_sign(old, new):
        whole, point = digits(old) if before == "decimal" else (len(str(2**bits)) if bits else 99, 0)
        return whole <= digits(new)[0] and point <= digits(new)[1]
    if after == "double":
        return 0 < bits <= DOUBLE_BITS
    if before in ("date", "datetime") and after == "datetime":
        return (numbers(old) or (0,)) <= (numbers(new) or (0,))
    return before == after == "time" and (numbers(old) or (0,)) <= (numbers(new) or (0,))
