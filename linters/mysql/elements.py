"""Types, columns, indexes and constraints, as they are written in CREATE TABLE and ALTER TABLE."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from linters.frozen import changed
from linters.mysql.cursor import Cursor, Unknown, plain, separated, written
from linters.mysql.tokens import Token
from linters.values import Column, Constraint, Expression, Index, Kind, Name, Type

SAME = {
    "integer": "int", "int4": "int", "int1": "tinyint", "int2": "smallint", "int3": "mediumint",
    "middleint": "mediumint", "int8": "bigint", "bool": "tinyint", "boolean": "tinyint", "dec": "decimal",
    "numeric": "decimal",
    "fixed": "decimal", "double precision": "double", "real": "double", "float8": "double", "float4": "float",
    "character": "char", "character varying": "varchar", "char varying": "varchar", "nvarchar": "varchar",
    "nchar": "char", "varcharacter": "varchar", "long": "mediumtext", "long varchar": "mediumtext",
    "long varbinary": "mediumblob", "geomcollection": "geometrycollection", "clob": "longtext",
}  # fmt: skip
WHOLE = ("tinyint", "smallint", "mediumint", "int", "bigint", "year")
"""Types of which the number in parentheses is a width to show, and nothing else; so it is of FLOAT and DOUBLE."""
TEXT = ("char", "varchar", "tinytext", "text", "mediumtext", "longtext", "enum", "set")
ENDS = frozenset(
    "NOT NULL DEFAULT AUTO_INCREMENT UNIQUE PRIMARY KEY COMMENT COLLATE CHARACTER CHARSET GENERATED AS VIRTUAL STORED"
    " PERSISTENT INVISIBLE VISIBLE CHECK REFERENCES CONSTRAINT ON FIRST AFTER COLUMN_FORMAT STORAGE SRID WITH WITHOUT"
    " ENGINE_ATTRIBUTE SECONDARY_ENGINE_ATTRIBUTE COMPRESSED ENCRYPTED REF_SYSTEM_ID".split()
)
FIXED = frozenset({"NULL", "TRUE", "FALSE", "CURRENT_TIMESTAMP", "NOW", "LOCALTIME", "LOCALTIMESTAMP"})


@dataclass(slots=True)
class Definition:
    """A column with what is written beside it: indexes of its own, and its place."""

    column: Column
    indexes: list[Index] = field(default_factory=list)
    position: str = ""


def expression(tokens: Sequence[Token]) -> Expression:
    """An expression: its calls are words before a parenthesis, its columns all other names."""
    calls, columns = [], []
    for i, token in enumerate(tokens):
        following = tokens[i + 1].text if i + 1 < len(tokens) else ""
        if token.kind == "quoted" or (token.kind == "word" and not token.text.startswith("@")):
            if following == "(" and token.kind == "word":
                calls.append(token.upper.lower())
            elif following != ".":
                columns.append(plain(token))
    null = len(tokens) == 1 and tokens[0].upper == "NULL"
    text = written(tokens)
    return Expression(lambda: text, tuple(calls), tuple(columns), (), null)


def type_of(cursor: Cursor) -> tuple[Type, tuple[str, ...]]:
    """A type, and the values of an ENUM or SET."""
    name = cursor.identifier().lower()
    if name in ("double", "character", "char", "long", "national") and cursor.peek().upper in (
        "PRECISION", "VARYING", "VARCHAR", "VARBINARY", "CHAR", "CHARACTER",
    ):  # fmt: skip
        following = cursor.next().upper.lower()
        name = following if name == "national" else f"{name} {following}"
    name = SAME.get(name, name)
    labels: tuple[str, ...] = ()
    modifiers: tuple[int, ...] = ()
    if cursor.looking_at("("):
        items = cursor.items()
        if name in ("enum", "set"):
            labels = tuple(plain(item[0]) for item in items if item)
        else:
            modifiers = tuple(int(item[0].text) for item in items if item and item[0].text.isdigit())
    if name == "float" and len(modifiers) == 1 and modifiers[0] > 24:
        name = "double"
    if name in (*WHOLE, "float", "double"):
        modifiers = ()
    elif name in ("decimal", "char", "binary", "bit") and not modifiers:
        modifiers = {"decimal": (10, 0)}.get(name, (1,))
    elif name == "decimal" and len(modifiers) == 1:
        modifiers = (*modifiers, 0)
    if name == "serial":
        return Type("bigint unsigned"), ()
    while word := cursor.one_of("UNSIGNED", "SIGNED", "ZEROFILL", "BINARY", "ASCII", "UNICODE", "BYTE"):
        if word in ("UNSIGNED", "ZEROFILL") and "unsigned" not in name:
            name += " unsigned"
    return Type(name, modifiers), labels


def column_of(cursor: Cursor, table: Name, name: str = "") -> Definition:
    """A column from its name, or from its type where `name` is given, on."""
    name = name or cursor.identifier()
    serial = cursor.peek().upper == "SERIAL"
    type_, labels = type_of(cursor)
    found = Definition(Column(name, type_, labels=labels))
    facts: dict[str, object] = {"not_null": serial, "sequence": "auto_increment" if serial else ""}
    constraints: list[Constraint] = []
    if serial:
        found.indexes.append(own_index(table, name))
    constraint_name = ""
    while not cursor.done and cursor.peek().text != ",":
        if cursor.accept("CONSTRAINT"):
            constraint_name = "" if cursor.peek().upper in ("CHECK", "REFERENCES") else cursor.identifier()
        elif (made := constraint_part(cursor, name, constraint_name)) is not None:
            constraints.append(made)
        elif not attribute(cursor, found, facts, table):
            raise Unknown(f"{cursor.rest()} after column {name} is not known")
    found.column = Column(
        name, type_, bool(facts["not_null"]), facts.get("default"), str(facts.get("generated", "")),  # type: ignore[arg-type]
        str(facts["sequence"]), str(facts.get("collation", "")), tuple(constraints), str(facts.get("charset", "")),
        labels,
    )  # fmt: skip
    return found


def own_index(table: Name, name: str, unique: bool = True) -> Index:
    return Index(Name("", name), table, (name,), unique)


def constraint_part(cursor: Cursor, column: str, name: str) -> Constraint | None:
    if cursor.accept("CHECK"):
        condition = expression(cursor.group())
        enforced = not cursor.accept("NOT", "ENFORCED")
        cursor.accept("ENFORCED")
        return Constraint(Kind.CHECK, name, tuple(dict.fromkeys(condition.columns)), condition, enforced=enforced)
    if cursor.looking_at("REFERENCES"):
        return changed(reference(cursor, (column,), name), inline=True)
    return None


def attribute(cursor: Cursor, found: Definition, facts: dict[str, object], table: Name) -> bool:
    """One attribute of a column; whether there was one."""
    name = found.column.name
    if cursor.accept("NOT", "NULL"):
        facts["not_null"] = True
    elif cursor.accept("NULL"):
        facts["not_null"] = False
    elif cursor.accept("DEFAULT"):
        facts["default"] = default_of(cursor)
    elif cursor.accept("ON", "UPDATE"):
        cursor.next()
        if cursor.looking_at("("):
            cursor.group()
    elif cursor.accept("AUTO_INCREMENT"):
        facts["sequence"], facts["not_null"] = "auto_increment", True
    elif cursor.accept("UNIQUE"):
        cursor.accept("KEY")
        found.indexes.append(own_index(table, name))
    elif cursor.accept("PRIMARY", "KEY") or cursor.accept("KEY"):
        found.indexes.append(Index(Name("", "PRIMARY"), table, (name,), True))
        facts["not_null"] = True
    elif cursor.one_of("GENERATED ALWAYS AS", "AS"):
        if cursor.accept("ROW"):
            raise Unknown("a period of system time is not known")
        facts["default"], facts["generated"] = expression(cursor.group()), "VIRTUAL"
        if cursor.one_of("STORED", "PERSISTENT"):
            facts["generated"] = "STORED"
        cursor.accept("VIRTUAL")
    elif cursor.one_of("CHARACTER SET", "CHARSET"):
        facts["charset"] = cursor.value().lower()
    elif cursor.accept("COLLATE"):
        facts["collation"] = cursor.value().lower()
    elif cursor.accept("FIRST"):
        found.position = "FIRST"
    elif cursor.accept("AFTER"):
        found.position = cursor.identifier()
    elif cursor.one_of("COMMENT", "COLUMN_FORMAT", "STORAGE", "SRID", "ENGINE_ATTRIBUTE", "SECONDARY_ENGINE_ATTRIBUTE"):
        cursor.value()
    elif not cursor.one_of("INVISIBLE", "VISIBLE", "WITH SYSTEM VERSIONING", "WITHOUT SYSTEM VERSIONING"):
        return False
    return True


def default_of(cursor: Cursor) -> Expression:
    """What follows DEFAULT: an expression in parentheses, a constant, or a function such as CURRENT_TIMESTAMP."""
    if cursor.looking_at("("):
        return expression([*cursor.tokens[cursor.at : cursor.at + 1], *cursor.group()])
    made = [cursor.next()]
    if made[0].text in ("-", "+") or made[0].text.lower() in ("b", "x", "_utf8mb4", "date", "timestamp", "n"):
        made.append(cursor.next())
    if len(made) > 1 and made[1].kind == "string":
        return Expression(lambda: written(made), ())
    if made[0].upper in FIXED:
        if cursor.looking_at("("):
            cursor.group()
        return Expression(lambda: written(made), (), (), (), made[0].upper == "NULL")
    if cursor.looking_at("("):
        start = cursor.at
        cursor.group()
        return expression([*made, *cursor.tokens[start : cursor.at]])
    while cursor.peek().kind == "sign" and cursor.peek().text not in (",", ")", "(") and not cursor.done:
        made += [cursor.next(), cursor.next()]
    constant = made[0].kind in ("string", "number") or made[0].text in "-+"
    return Expression(lambda: written(made), ()) if constant else expression(made)


def reference(cursor: Cursor, columns: tuple[str, ...], name: str) -> Constraint:
    """REFERENCES and what follows."""
    cursor.expect("REFERENCES")
    target = cursor.name()
    referenced = tuple(plain(item[0]) for item in cursor.items()) if cursor.looking_at("(") else ()
    done = {"DELETE": "", "UPDATE": ""}
    while word := cursor.one_of("ON DELETE", "ON UPDATE", "MATCH"):
        if word == "MATCH":
            cursor.next()
            continue
        rule = cursor.one_of("CASCADE", "SET NULL", "SET DEFAULT", "RESTRICT", "NO ACTION")
        done[word[3:]] = "" if rule in ("RESTRICT", "NO ACTION") else rule
    return Constraint(
        Kind.FOREIGN, name, columns, references=target, referenced_columns=referenced,
        actions=(done["DELETE"], done["UPDATE"]),
    )  # fmt: skip


def key_of(cursor: Cursor, table: Name) -> Index | Constraint | None:
    """An index or a constraint with its own line; None where none begins here."""
    start, name = cursor.at, ""
    if cursor.accept("CONSTRAINT") and cursor.peek().upper not in ("PRIMARY", "UNIQUE", "FOREIGN", "CHECK"):
        cursor.accept("IF", "NOT", "EXISTS")
        name = cursor.identifier()
    if cursor.looking_at("CHECK"):
        return constraint_part(cursor, "", name)
    if cursor.accept("FOREIGN", "KEY"):
        cursor.accept("IF", "NOT", "EXISTS")
        own = "" if cursor.looking_at("(") else cursor.identifier()
        columns = tuple(plain(item[0]) for item in cursor.items())
        return reference(cursor, columns, name or own)
    kind = cursor.one_of("PRIMARY KEY", "UNIQUE", "FULLTEXT", "SPATIAL", "INDEX", "KEY")
    if not kind:
        cursor.at = start
        return None
    if kind not in ("INDEX", "KEY", "PRIMARY KEY"):
        cursor.one_of("INDEX", "KEY")
    cursor.accept("IF", "NOT", "EXISTS")
    if not (cursor.looking_at("(") or cursor.looking_at("USING")):
        name = cursor.identifier()
    return index_of(cursor, table, "PRIMARY" if kind == "PRIMARY KEY" else name, kind)


def index_of(cursor: Cursor, table: Name, name: str, kind: str) -> Index:
    """The columns of an index, and the options after them."""
    if cursor.one_of("USING", "TYPE"):
        cursor.next()
    columns, computed = index_columns(cursor.items())
    while not cursor.done and cursor.peek().text != ",":
        if cursor.one_of("USING", "COMMENT", "KEY_BLOCK_SIZE", "WITH PARSER", "ENGINE_ATTRIBUTE", "CLUSTERING"):
            cursor.value()
        elif not cursor.one_of("VISIBLE", "INVISIBLE", "IGNORED", "NOT IGNORED"):
            break
    return Index(
        Name("", name or (columns[0] if columns and columns[0] else "functional_index")), table, columns,
        kind in ("UNIQUE", "PRIMARY KEY"), computed, method=kind if kind in ("FULLTEXT", "SPATIAL") else "",
    )  # fmt: skip


def index_columns(items: list[list[Token]]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of the columns, and those that expressions read: `((a + 1))`."""
    columns: list[str] = []
    computed: list[str] = []
    for item in items:
        if item and item[0].text == "(":
            computed += expression(item).columns or ("",)
        elif item:
            columns.append(plain(item[0]))
    return tuple(columns), tuple(computed)


def definitions(cursor: Cursor, table: Name) -> list[Definition | Index | Constraint]:
    """The lines of CREATE TABLE between its parentheses."""
    made: list[Definition | Index | Constraint] = []
    for item in separated(cursor.group()):
        own = Cursor(item)
        if own.looking_at("PERIOD", "FOR"):
            continue
        key = key_of(own, table)
        made.append(key if key is not None else column_of(own, table))
        if not own.done:
            raise Unknown(f"{own.rest()} is not known here")
    return made
