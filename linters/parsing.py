"""The one module that knows the trees of the SQL parser of PostgreSQL; `library` loads it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from linters.library import library

SELECT = "SELECT "
COMMENTS = ("SQL_COMMENT", "C_COMMENT")


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def parse(sql: str) -> Any:
    """Parse SQL with the grammar of PostgreSQL.

    Raises:
        ValueError: one line that says what is wrong and where.
    """
    if "\0" in sql:
        raise ValueError("there is a NUL character in it")
    parser = library()
    try:
        return parser.parse(sql)
    except parser.Error as problem:
        position = getattr(problem, "cursorpos", 0) or 0
        raise ValueError(f"{str(problem).splitlines()[0]} (character {position})") from None
    except Exception as problem:  # protobuf gives up at 100 levels with an error type of its own
        raise ValueError(f"it is nested too deeply to be read ({type(problem).__name__})") from None


def scan(sql: str) -> list[Any]:
    """The tokens of SQL, comments among them, each with its `start` and `end` in bytes.

    Raises:
        ValueError: a string or a comment does not end.
    """
    parser = library()
    try:
        return list(parser.scan(sql).tokens)
    except parser.Error as problem:
        raise ValueError(str(problem).splitlines()[0]) from None


def is_comment(token: Any) -> bool:
    """Whether a token of `scan` is a comment."""
    return bool(token.DESCRIPTOR.fields_by_name["token"].enum_type.values_by_number[token.token].name in COMMENTS)


def split(script: str) -> list[str]:
    """The statements of a script that can be parsed."""
    import postgast

    return list(postgast.split(script))


def fields(message: Any) -> Iterator[tuple[str, Any]]:
    """The set fields of a node, lists flattened."""
    for descriptor, value in message.ListFields():
        if descriptor.message_type is None:
            continue
        if hasattr(value, "ListFields"):
            yield descriptor.name, value
        else:
            for item in value:
                yield descriptor.name, item


def nodes(message: Any) -> Iterator[tuple[str, Any]]:
    """Every node below a message, each with the name of the field it stands in."""
    for name, child in fields(message):
        yield name, child
        yield from nodes(child)


def column_references(tree: Any) -> Iterator[Any]:
    return (node for name, node in nodes(tree) if name == "column_ref")


def names_of(reference: Any) -> list[str]:
    """The parts of `a.b.c`; empty where a part is `*`."""
    parts = [field.string.sval for field in reference.fields if field.HasField("string")]
    return parts if len(parts) == len(reference.fields) else []


def written(tree: Any) -> str:
    """A parse tree as SQL."""
    import postgast

    return str(postgast.deparse(tree))


def expression_text(node: Any) -> str:
    """An expression node as SQL."""
    tree = parse(f"{SELECT}1")
    tree.stmts[0].stmt.select_stmt.target_list[0].res_target.val.CopyFrom(node)
    return written(tree)[len(SELECT) :]


def type_text(type_name: Any) -> str:
    """A type as SQL: `varchar(20)`, `shop.colour[]`."""
    tree = parse(f"{SELECT}NULL::int")
    tree.stmts[0].stmt.select_stmt.target_list[0].res_target.val.type_cast.type_name.CopyFrom(type_name)
    return written(tree).partition("::")[2]


def enum_name(message: Any, field: str) -> str:
    """The name of an enum value of a node: `CONSTR_FOREIGN`."""
    descriptor = message.DESCRIPTOR.fields_by_name[field]
    return str(descriptor.enum_type.values_by_number[getattr(message, field)].name)


def result_columns(sql: str) -> tuple[str, ...]:
    """Names of the columns that a statement gives back, `?column?` where it names none; empty for `*` and for none."""
    try:
        found = parse(sql).stmts
    except ValueError:
        return ()
    node = getattr(found[-1].stmt, found[-1].stmt.WhichOneof("node") or "", None) if found else None
    while node is not None and node.DESCRIPTOR.name == "SelectStmt" and node.HasField("larg"):
        node = node.larg
    listed = getattr(node, "target_list", ()) if node and node.DESCRIPTOR.name == "SelectStmt" else ()
    targets = [item.res_target for item in listed or getattr(node, "returning_list", ())]
    named = [column_name(target) for target in targets]
    return () if "*" in named else tuple(named)


def column_name(target: Any) -> str:
    """The name that the server gives to a column of a result."""
    kind = target.val.WhichOneof("node")
    if target.name:
        return str(target.name)
    if kind == "column_ref":
        return ([*names_of(target.val.column_ref)] or ["*"])[-1]
    return str(target.val.func_call.funcname[-1].string.sval) if kind == "func_call" else "?column?"


def parse_procedure(body: str) -> tuple[list[str], list[str]]:
    """Statements in a block of PL/pgSQL, and the expressions that it executes as statements.

    Raises:
        ValueError: one line that says what is wrong.
    """
    import postgast

    quote = "$migrator$"
    if quote in body:
        raise ValueError("its text has the quote of this linter")
    try:
        found = postgast.parse_plpgsql(f"DO {quote}{body}{quote}")
    except Exception as problem:  # an error of the parser, or text that is no JSON
        raise ValueError(str(problem).splitlines()[0]) from None
    statements: list[str] = []
    dynamic: list[str] = []
    gather_procedure(found, statements, dynamic)
    return statements, dynamic


def gather_procedure(node: Any, statements: list[str], dynamic: list[str]) -> None:
    if isinstance(node, list):
        for item in node:
            gather_procedure(item, statements, dynamic)
        return
    if not isinstance(node, dict):
        return
    for name, child in node.items():
        if name == "sqlstmt":
            statements.append(child["PLpgSQL_expr"]["query"])
        elif name in ("PLpgSQL_stmt_dynexecute", "PLpgSQL_stmt_dynfors"):
            dynamic.append(child["query"]["PLpgSQL_expr"]["query"])
            gather_procedure(child.get("body", []), statements, dynamic)
        else:
            if name in ("PLpgSQL_stmt_perform", "PLpgSQL_stmt_fors", "PLpgSQL_stmt_call"):
                found = (child.get("expr") or child.get("query") or {}).get("PLpgSQL_expr", {}).get("query")
                statements += [found] if found else []
            gather_procedure(child, statements, dynamic)
