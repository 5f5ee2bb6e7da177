"""Reads and rewrites expressions and definitions of PostgreSQL.

Text is rewritten at the positions the parse tree gives, so a column `id` never
meets a column `paid`, a function, a type or a field of EXTRACT of the same name.
The parser counts in bytes of UTF-8 from 0, so all splicing is done on bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from linters.parsing import (
    SELECT,
    column_references,
    enum_name,
    is_comment,
    names_of,
    nodes,
    parse,
    quoted,
    scan,
    split,
    written,
)

SERVER_TYPE_NAMES = {
    "int2": "smallint",
    "int4": "integer",
    "int8": "bigint",
    "float4": "real",
    "float8": "double precision",
    "bool": "boolean",
    "varchar": "character varying",
    "bpchar": "character",
    "varbit": "bit varying",
    "timestamp": "timestamp without time zone",
    "timestamptz": "timestamp with time zone",
    "time": "time without time zone",
    "timetz": "time with time zone",
} | {
    name: name
    for name in ("text", "numeric", "bit", "date", "interval", "uuid", "json", "jsonb", "bytea", "inet", "cidr")
}
"""What `format_type` calls the types whose names the grammar translates, and common others."""
TOTAL_FUNCTIONS = frozenset(
    {"lower", "upper", "initcap", "length", "char_length", "btrim", "ltrim", "rtrim", "concat", "concat_ws"}
    | {"replace", "strpos", "position", "reverse", "left", "right", "md5", "starts_with", "now"}
)
TOTAL_BUT_FOR_CONSTANTS = frozenset(
    {"split_part", "substr", "substring", "regexp_replace", "lpad", "rpad", "translate"}
)
TOTAL_OPERATORS = frozenset({"=", "<>", "<", ">", "<=", ">=", "||", "~~", "~~*"})
PATTERN_OPERATORS = frozenset({"~", "~*", "!~", "!~*"})
RAISING_NODES = frozenset({"a_indirection", "row_expr", "xml_expr", "json_value_expr", "collate_clause"})


class PostgresExpressions:
    """Reads and rewrites expressions and definitions of PostgreSQL."""

    def check(self, expression: str) -> None:
        """Raise `ValueError` unless the text is exactly one scalar expression."""
        self._target(expression)

    def _target(self, expression: str) -> Any:
        for text in (f"{SELECT}{expression}", f"{SELECT}({expression}\n)"):
            tree = parse(text)
            if len(tree.stmts) != 1 or not tree.stmts[0].stmt.HasField("select_stmt"):
                raise ValueError("it is more than one expression")
            select = tree.stmts[0].stmt.select_stmt
            plain = {descriptor.name for descriptor, _ in select.ListFields()}
            if len(select.target_list) != 1 or plain - {"target_list", "limit_option", "op"}:
                raise ValueError("it is not one expression")
            target = select.target_list[0].res_target
            if target.name:
                raise ValueError(f'it has an alias ("{target.name}")')
        found = {name for name, _ in nodes(target)}
        if has_comment(expression):
            raise ValueError("it has a comment, which could hide what follows")
        for node, what in (
            ("sub_link", "a sub-select"),
            ("param_ref", "a parameter"),
            ("over", "a window"),
            ("a_star", "a star"),
        ):
            if node in found:
                raise ValueError(f"it has {what}")
        return parse(f"{SELECT}{expression}")

    def columns(self, expression: str) -> frozenset[str]:
        """Names of the columns an expression reads."""
        references = (names_of(node) for node in column_references(self._target(expression)))
        return frozenset(parts[-1] for parts in references if parts)

    def functions(self, expression: str) -> frozenset[str]:
        """Names of the functions an expression calls, without schema; SQL's own (`CURRENT_DATE`) in upper case."""
        found = set()
        for name, node in nodes(self._target(expression)):
            if name == "func_call":
                found.add(node.funcname[-1].string.sval)
            elif name == "sqlvalue_function":
                found.add("CURRENT_TIMESTAMP")
        return frozenset(found)

    def qualify(self, expression: str, qualifier: str) -> str:
        """Put `qualifier.` before every column reference that has none."""

        def change(parts: list[str]) -> str | None:
            return f"{qualifier}.{quoted(parts[0])}" if len(parts) == 1 else None

        return splice(SELECT + expression, self._target(expression), change)[len(SELECT) :]

    def substitute(self, expression: str, values: Mapping[str, str]) -> str:
        """Put expressions in the place of unqualified column references."""

        def change(parts: list[str]) -> str | None:
            return f"({values[parts[0]]})" if len(parts) == 1 and parts[0] in values else None

        return splice(SELECT + expression, self._target(expression), change)[len(SELECT) :]

    def total(self, expression: str) -> bool:
        """Whether an expression has a value, or NULL, for everything it may read: it never raises.

        True only for what is known: columns, constants, text functions, comparisons, casts to text.
        """
        for name, node in nodes(self._target(expression)):
            if name == "func_call" and not total_call(node):
                return False
            if name == "a_expr" and not total_operation(node):
                return False
            if name == "type_cast" and node.type_name.names[-1].string.sval != "text" and not is_constant(node.arg):
                return False
            if name in RAISING_NODES:
                return False
        return True

    def rename(self, expression: str, names: Mapping[str, str]) -> str:
        """Rename column references."""
        return splice(SELECT + expression, self._target(expression), renaming(names))[len(SELECT) :]

    def rename_in_constraint(self, definition: str, names: Mapping[str, str]) -> str:
        """Rename the table's own columns in what `pg_get_constraintdef` writes."""
        prefix = "ALTER TABLE t ADD "
        tree = parse(prefix + definition)
        constraint = tree.stmts[0].stmt.alter_table_stmt.cmds[0].alter_table_cmd
        node = getattr(constraint, "def").constraint
        if node.HasField("raw_expr"):
            return splice(prefix + definition, tree, renaming(names))[len(prefix) :]
        return rename_in_lists(definition, names)

    def rename_referenced(self, definition: str, names: Mapping[str, str]) -> str:
        """Rename the columns that a foreign key references, in what `pg_get_constraintdef` writes."""
        return rename_in_lists(definition, names, referenced=True)

    def copy_index(
        self,
        definition: str,
        *,
        name: str,
        names: Mapping[str, str],
        concurrently: bool,
        table: tuple[str, str] | None = None,
        only: bool = False,
    ) -> str:
        """Rewrite a CREATE INDEX statement: other name, other columns, other table or ONLY it, CONCURRENTLY or not."""
        tree = parse(definition)
        index = tree.stmts[0].stmt.index_stmt
        index.idxname, index.concurrent, index.if_not_exists = name, concurrently, False
        if table is not None:
            index.relation.schemaname, index.relation.relname = table
            index.relation.inh = not only
        for element in (*index.index_params, *index.index_including_params):
            plain = element.index_elem
            if plain.name:
                plain.name = names.get(plain.name, plain.name)
        for reference in column_references(index):
            last = reference.fields[-1]
            if last.HasField("string"):
                last.string.sval = names.get(last.string.sval, last.string.sval)
        return written(tree)

    def type_name(self, type_: str) -> str:
        """Write a type as `format_type` does: `varchar(60)` is `character varying(60)`.

        Raises:
            ValueError: the text is not a type.
        """
        tree = parse(f"{SELECT}NULL::{type_}")
        cast = tree.stmts[0].stmt.select_stmt.target_list[0].res_target.val.type_cast
        names = [part.string.sval for part in cast.type_name.names]
        if not names or cast.type_name.pct_type or not cast.arg.a_const.isnull:
            raise ValueError("it is not a type")
        known = SERVER_TYPE_NAMES.get(names[-1])
        if known is None or (len(names) > 1 and names[0] != "pg_catalog"):
            return type_
        limits = [str(limit.a_const.ival.ival) for limit in cast.type_name.typmods]
        if names[-1] == "interval":
            return type_
        head, _, tail = known.partition(" ") if known.startswith("time") else (known, "", "")
        return " ".join(filter(None, (head + (f"({','.join(limits)})" if limits else ""), tail))) + "[]" * len(
            cast.type_name.array_bounds
        )

    def key(self, constraint: str) -> tuple[str, bool, tuple[str, ...]] | None:
        """Name, whether it is primary, and columns of a key in CREATE TABLE; None: it is no key."""
        tree = parse(f"CREATE TABLE t ({constraint})")
        found = [element.constraint for element in tree.stmts[0].stmt.create_stmt.table_elts]
        kinds = [enum_name(node, "contype") for node in found]
        if len(found) != 1 or kinds[0] not in ("CONSTR_PRIMARY", "CONSTR_UNIQUE"):
            return None
        columns = tuple(key.string.sval for key in found[0].keys)
        return found[0].conname, kinds[0] == "CONSTR_PRIMARY", columns

    def index_columns(self, definition: str) -> tuple[str, ...]:
        """Every column that a CREATE INDEX statement stores: keys, columns of expressions, and INCLUDE."""
        index = parse(definition).stmts[0].stmt.index_stmt
        found: list[str] = []
        for parameter in (*index.index_params, *index.index_including_params):
            element = parameter.index_elem
            found += [element.name] if element.name else [names_of(r)[-1] for r in column_references(element)]
        return tuple(found)

    def assigned(self, assignments: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The columns that the SET list of an UPDATE writes, and those it reads."""
        targets = [t.res_target for t in parse(f"UPDATE t SET {assignments}").stmts[0].stmt.update_stmt.target_list]
        read = [parts[-1] for t in targets for r in column_references(t) if (parts := names_of(r))]
        return tuple(target.name for target in targets), tuple(dict.fromkeys(read))

    def split(self, script: str) -> tuple[str, ...]:
        """Split a script into statements, without their semicolons."""
        parse(script)
        return tuple(text.strip().rstrip(";").strip() for text in split(script) if text.strip(" ;\n\t"))


def is_constant(node: Any) -> bool:
    return bool(node.HasField("a_const"))


def total_call(node: Any) -> bool:
    """Whether a call never raises. Some functions do for a bad second argument only, which shows at once."""
    name = node.funcname[-1].string.sval
    return name in TOTAL_FUNCTIONS or (name in TOTAL_BUT_FOR_CONSTANTS and all(map(is_constant, node.args[1:])))


def total_operation(node: Any) -> bool:
    operator = node.name[-1].string.sval
    return operator in TOTAL_OPERATORS or (operator in PATTERN_OPERATORS and is_constant(node.rexpr))


def has_comment(sql: str) -> bool:
    return any(is_comment(token) for token in scan(sql))


def rename_in_lists(definition: str, names: Mapping[str, str], *, referenced: bool = False) -> str:
    """Rename in the column lists of UNIQUE, PRIMARY KEY and FOREIGN KEY: the own ones, or the referenced.

    Every list in parentheses holds the table's own columns, but for the one that
    follows REFERENCES. The parser's own deparser leaves the names of
    `ON DELETE SET NULL (…)` unquoted, hence the walk over tokens.
    """
    data, pieces, done = definition.encode(), [], 0
    inside = foreign = False
    for token in scan(definition):
        text = data[token.start : token.end].decode()
        if text.upper() == "REFERENCES":
            foreign = True
        elif text == "(":
            inside = True
        elif text == ")":
            foreign, inside = (foreign and not inside), False
        elif inside and foreign is referenced and unquoted(text) in names:
            pieces += [data[done : token.start], quoted(names[unquoted(text)]).encode()]
            done = token.end
    return b"".join([*pieces, data[done:]]).decode()


def unquoted(text: str) -> str:
    return text[1:-1].replace('""', '"') if text.startswith('"') else text


def renaming(names: Mapping[str, str]) -> Callable[[list[str]], str | None]:
    def change(parts: list[str]) -> str | None:
        if not parts or parts[-1] not in names:
            return None
        return ".".join(quoted(part) for part in (*parts[:-1], names[parts[-1]]))

    return change


def splice(sql: str, tree: Any, change: Callable[[list[str]], str | None]) -> str:
    """Replace column references in the text, at the positions of the parse tree."""
    data = sql.encode()
    tokens = [(token.start, token.end) for token in scan(sql)]
    pieces, done = [], 0
    for reference in sorted(column_references(tree), key=lambda node: int(node.location)):
        parts = names_of(reference)
        replacement = change(parts)
        if replacement is None:
            continue
        start = reference.location
        at = next(i for i, token in enumerate(tokens) if token[0] == start)
        end = tokens[at + 2 * (len(parts) - 1)][1]
        pieces += [data[done:start], replacement.encode()]
        done = end
    return b"".join([*pieces, data[done:]]).decode()
