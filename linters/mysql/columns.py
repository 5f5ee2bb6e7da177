"""What it takes to give a column another definition. Every line was observed on servers."""

from __future__ import annotations

from linters.frozen import changed
from linters.mysql.elements import TEXT
from linters.mysql.ways import COPY, INSTANT, SHARED, Algorithm, Way, copied, is_mariadb, metadata, rebuilt, virtual
from linters.session import Session
from linters.values import UNKNOWN_TYPE, Column, Relation

WIDTHS = {"utf8mb4": 4, "utf8mb3": 3, "utf8": 3, "utf16": 4, "utf16le": 4, "utf32": 4, "ucs2": 2, "gb18030": 4}
WIDTHS |= dict.fromkeys(("big5", "gbk", "gb2312", "sjis", "cp932", "euckr"), 2) | {"ujis": 3, "eucjpms": 3}
"""The most bytes that a character takes; one in character sets that are not named here."""
SHORT, MARIADB_SHORT = 255, 127
"""Up to so many bytes a length is stored in one byte; MariaDB bears the crossing from shorter columns on."""
SAME_CHARSET = {"utf8": "utf8mb3"}
STRICT = ("strict_trans_tables", "strict_all_tables", "traditional")


def width(charset: str) -> int:
    return WIDTHS.get(charset, 1)


def charset_of(column: Column, table: Relation) -> str:
    """The character set of a column: its own, that of its collation, that of the table; utf8mb4 where none is said."""
    found = column.charset or column.collation.partition("_")[0]
    if not found:
        found = table.option("CHARSET") or table.option("COLLATE").partition("_")[0] or "utf8mb4"
    return SAME_CHARSET.get(found, found)


def collation_of(column: Column, table: Relation) -> str:
    """The collation of a column; the character set's own is `default`."""
    if column.collation:
        return column.collation
    if column.charset and column.charset != table.option("CHARSET"):
        return f"{column.charset} default"
    return table.option("COLLATE") or f"{charset_of(column, table)} default"


def change(old: Column, new: Column, table: Relation, session: Session) -> Way:
    """What MODIFY takes, apart from the place of the column."""
    if old.type == UNKNOWN_TYPE:
        return copied(
            f"another definition of {old.name} may be stored otherwise", table, session,
            assumed=f"the definition of {old.name} is not known; most changes copy the table",
        )  # fmt: skip
    if old.generated or new.generated:
        return generated(old, new, table, session)
    if new.sequence and not old.sequence:
        return copied("AUTO_INCREMENT gives numbers to rows", table, session, always_locks=True)
    if old.sequence and not new.sequence and not is_mariadb(session):
        return copied("AUTO_INCREMENT goes", table, session)
    return type_change(old, new, table, session).worst(nullability(old, new, table, session))


def generated(old: Column, new: Column, table: Relation, session: Session) -> Way:
    if old.generated != new.generated:
        if "STORED" in (old.generated, new.generated) and "" in (old.generated, new.generated):
            return copied("a stored column is computed for every row", table, session)
        return Way(error="a column cannot become VIRTUAL, or cease to be", algorithm=COPY, lock=SHARED)
    same = str(old.default) == str(new.default)
    if (old.type, old.generated) == (new.type, "VIRTUAL") and (same or is_mariadb(session)):
        return INSTANT
    if same and old.type == new.type:
        return INSTANT
    return copied("its values are computed anew", table, session)


def nullability(old: Column, new: Column, table: Relation, session: Session) -> Way:
    if old.not_null == new.not_null:
        return INSTANT
    if not new.not_null:
        if is_mariadb(session) and table.option("ROW_FORMAT").upper() == "REDUNDANT":
            return INSTANT
        return rebuilt(f"{old.name} may be NULL from then on, which every row has a bit for", table, session)
    if not strict(session) and not is_mariadb(session):
        return copied("without strict mode every NULL is written as 0 or ''", table, session)
    return rebuilt(f"{old.name} is NOT NULL from then on", table, session)


def strict(session: Session) -> bool:
    mode = session.setting("sql_mode")
    return mode is None or mode.lower() == "default" or any(name in mode.lower() for name in STRICT)


def type_change(old: Column, new: Column, table: Relation, session: Session) -> Way:
    if old.type.name != new.type.name:
        return copied(f"{old.type} and {new.type} are stored otherwise", table, session)
    name = old.type.name
    if name in ("varchar", "varbinary"):
        return longer(old, new, table, session)
    if old.type.modifiers != new.type.modifiers:
        return copied(f"{old.type} and {new.type} are stored otherwise", table, session)
    if name in ("enum", "set"):
        return labels(old, new, table, session)
    return charset_change(old, new, table, session) if name in TEXT else INSTANT


def longer(old: Column, new: Column, table: Relation, session: Session) -> Way:
    """VARCHAR: free as long as the length of a value takes as many bytes as before. Lengths count in bytes."""
    before, after = size(old), size(new)
    if before is None or after is None:
        return copied("its length is not known", table, session)
    text = old.type.name == "varchar"
    bytes_before = before * (width(charset_of(old, table)) if text else 1)
    bytes_after = after * (width(charset_of(new, table)) if text else 1)
    if after < before:
        return copied(f"{new.type} is shorter than {old.type}, so every value is checked", table, session)
    changed = charset_change(old, new, table, session) if text else INSTANT
    if changed.algorithm is COPY:
        return changed
    if bytes_after == bytes_before:
        return changed
    crosses = bytes_before <= SHORT < bytes_after
    if is_mariadb(session):
        redundant = table.option("ROW_FORMAT").upper() == "REDUNDANT"
        crosses = crosses and bytes_before > MARIADB_SHORT and not redundant
    if crosses:
        return copied(
            f"{old.type} takes up to {bytes_before} bytes and {new.type} {bytes_after}; above {SHORT} every length is"
            " stored in two bytes", table, session,
        )  # fmt: skip
    return changed.worst(metadata("a longer limit is stored as before", session))


def size(column: Column) -> int | None:
    return column.type.modifiers[0] if column.type.modifiers else None


def labels(old: Column, new: Column, table: Relation, session: Session) -> Way:
    """ENUM and SET: values at the end are free while their number takes as many bytes."""
    if new.labels[: len(old.labels)] != old.labels:
        return copied(f"values of {old.name} go, or get another number", table, session)
    is_set = old.type.name == "set"
    if space(len(old.labels), is_set) != space(len(new.labels), is_set):
        return copied(f"so many values of {old.name} take more bytes", table, session)
    before, after = charset_of(old, table), charset_of(new, table)
    if before != after and is_mariadb(session):
        return copied("another character set", table, session)
    return INSTANT


def space(count: int, is_set: bool) -> int:
    if not is_set:
        return 1 if count <= SHORT else 2
    return next(bytes_ for bytes_ in (1, 2, 3, 4, 8) if count <= bytes_ * 8 or bytes_ == 8)


def charset_change(old: Column, new: Column, table: Relation, session: Session) -> Way:
    before, after = charset_of(old, table), charset_of(new, table)
    if before != after:
        if (before, after) != ("utf8mb3", "utf8mb4"):
            return copied(f"{before} and {after} are stored otherwise", table, session)
        if indexed(old.name, table, session) and not is_mariadb(session):
            return copied(f"an index of {old.name} is sorted otherwise", table, session)
        if indexed_prefix(old, table, session):
            return copied(f"an index has the beginning of {old.name}, which is as long in other bytes", table, session)
        return metadata("the same bytes in another character set", session)
    if collation_of(old, table) == collation_of(new, table):
        return INSTANT
    if indexed(old.name, table, session):
        if is_mariadb(session):
            return Way(Algorithm.NOCOPY, builds=True, why=f"the index of {old.name} is built again")
        return copied(f"an index of {old.name} is sorted otherwise", table, session)
    return metadata("another collation", session)


def indexed(column: str, table: Relation, session: Session) -> bool:
    return any(column in index.columns for index in session.indexes_of(table.name))


def indexed_prefix(column: Column, table: Relation, session: Session) -> bool:
    """Whether an index holds only the beginning of a column; taken for granted where the column is long."""
    return indexed(column.name, table, session) and (size(column) or 0) > SHORT


def moved(column: str, position: str, table: Relation, session: Session) -> Way:
    """MODIFY … FIRST or AFTER: nothing where the column stands there already."""
    names = [c.name for c in table.columns]
    if not position or (column in names and stands(column, position, names)):
        return INSTANT
    if not is_mariadb(session):
        return rebuilt(f"{column} gets another place in every row", table, session)
    if crosses_virtual(column, position, table):
        return copied(f"{column} gets another place, across a VIRTUAL column", table, session)
    return instant_column(f"{column} gets another place", table, session)


def crosses_virtual(column: str, position: str, table: Relation) -> bool:
    """Whether a VIRTUAL column stands between the place that a column has and the one that it gets."""
    names = [c.name for c in table.columns]
    if column not in names:
        return bool(virtual(table))
    old, new = names.index(column), -1 if position == "FIRST" else names.index(position) if position in names else 0
    between = names[min(old, new + 1) : max(old, new) + 1]
    return bool(set(between) & set(virtual(table)))


def before_virtual(position: int, table: Relation) -> bool:
    """Whether a VIRTUAL column stands at a place or after it."""
    return any(column.generated == "VIRTUAL" for column in table.columns[position:])


def stands(column: str, position: str, names: list[str]) -> bool:
    place = names.index(column)
    return place == 0 if position == "FIRST" else place > 0 and names[place - 1] == position


def instant_column(why: str, table: Relation, session: Session) -> Way:
    """A column comes, goes or moves: INSTANT, where nothing about the table forbids it."""
    compressed = table.option("ROW_FORMAT").upper() == "COMPRESSED" or table.option("KEY_BLOCK_SIZE")
    full = "FULLTEXT" in {index.method for index in session.indexes_of(table.name)}
    blocked = is_mariadb(session) and any(set(virtual(table)) & set(i.columns) for i in session.indexes_of(table.name))
    if compressed:
        return rebuilt(f"{why}, and a compressed table is written again for that", table, session)
    if full or blocked:
        reason = "a FULLTEXT index" if full else "an indexed VIRTUAL column"
        return rebuilt(f"{why}, and a table with {reason} is written again for that", table, session)
    return changed(INSTANT, inside=rebuilt(why, table, session).algorithm, why=why)
