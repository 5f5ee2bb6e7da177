"""What to write instead of a statement that is not safe, in the user's own names."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from linters.parsing import enum_name, expression_text, type_text
from linters.statements import Unsafe

GENERIC = 'RunSQL(expand="…", undo="…") once you know what it locks, or in its own phase: migrate="…", contract="…"'

ACTIONS = {"c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT", "r": "RESTRICT"}
"""Actions of a foreign key as the parser writes them; `a` is none."""


def text(value: str) -> str:
    """A string constant of Python."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ") + '"'


def call(operation: str, *positional: str, **named: str | None) -> str:
    """A call of an operation; a named argument that is None is left out. All of it is code already."""
    arguments = [*positional, *(f"{name}={value}" for name, value in named.items() if value is not None)]
    return f"{operation}({', '.join(arguments)})"


def schema(relation: Any) -> str | None:
    return text(relation.schemaname) if relation.schemaname else None


def several(names: Iterable[str]) -> str:
    return "[" + ", ".join(text(name) for name in names) + "]"


def strings(nodes: Iterable[Any]) -> list[str]:
    return [node.string.sval for node in nodes]


def index(node: Any) -> Unsafe:
    """CREATE INDEX on a table in use."""
    keys = []
    for parameter in node.index_params:
        element = parameter.index_elem
        keys.append(element.name or f"({expression_text(element.expr)})")
    remedy = call(
        "CreateIndex",
        text(node.relation.relname),
        several(keys),
        name=text(node.idxname) if node.idxname else None,
        unique="True" if node.unique else None,
        where=text(expression_text(node.where_clause)) if node.HasField("where_clause") else None,
        using=text(node.access_method) if node.access_method not in ("", "btree") else None,
        include=several(p.index_elem.name for p in node.index_including_params)
        if node.index_including_params
        else None,
        schema=schema(node.relation),
    )
    return Unsafe(f'it holds up every write to "{node.relation.relname}" until the index is built', remedy)


def add_column(relation: Any, column: Any, **named: str | None) -> str:
    positional = (text(relation.relname), text(column.colname), text(type_text(column.type_name)))
    return call("AddColumn", *positional, **named, schema=schema(relation))


def constraint(relation: Any, node: Any, column: str | None = None) -> tuple[str, str]:
    """Why a constraint of a table in use is not safe, and the operation that adds it."""
    table, name = text(relation.relname), text(node.conname) if node.conname else None
    kind = enum_name(node, "contype")
    own = {"name": name, "schema": schema(relation)}
    if kind == "CONSTR_FOREIGN":
        columns = [column] if column else strings(node.fk_attrs)
        to = strings(node.pk_attrs)
        action = ACTIONS.get(node.fk_del_action)
        remedy = call(
            "AddForeignKey",
            table,
            several(columns),
            text(node.pktable.relname),
            several(to) if to else '["…"]',
            on_delete=text(action) if action else None,
            on_update=text(ACTIONS[node.fk_upd_action]) if node.fk_upd_action in ACTIONS else None,
            **own,
            to_schema=schema(node.pktable),
        )
        return "it reads the whole table while writes to both tables wait", remedy
    if kind == "CONSTR_UNIQUE" and not node.indexname:
        columns = [column] if column else strings(node.keys)
        return "it builds an index while reads and writes wait", call("AddUnique", table, several(columns), **own)
    if kind == "CONSTR_CHECK":
        check = text(expression_text(node.raw_expr))
        return "it reads the whole table while reads and writes wait", call("AddCheck", table, check, **own)
    return "it reads the whole table while reads and writes wait", GENERIC


def alter(relation: Any, command: Any) -> Unsafe:
    """A subcommand of ALTER TABLE on a table in use."""
    kind, column = enum_name(command, "subtype"), text(command.name)
    table, own = text(relation.relname), {"schema": schema(relation)}
    definition = getattr(command, "def")
    if kind == "AT_AddConstraint":
        return Unsafe(*constraint(relation, definition.constraint))
    if kind == "AT_ColumnDefault":
        if command.HasField("def"):
            value = text(expression_text(definition))
            return Unsafe(
                "old writers would get another value than they expect", call("SetDefault", table, column, value, **own)
            )
        return Unsafe(
            "old writers that leave it out would fail or write NULL", call("DropDefault", table, column, **own)
        )
    if kind == "AT_AlterColumnType":
        type_ = text(type_text(definition.column_def.type_name))
        return Unsafe(
            "it may rewrite the table while reads and writes wait, and prepared statements of old readers fail",
            call("ChangeType", table, column, type_, **own),
        )
    known: dict[str, tuple[str, str]] = {
        "AT_DropColumn": ("statements of the old version that name the column fail", "DropColumn"),
        "AT_SetNotNull": ("it reads the whole table while reads and writes wait, and old writers fail", "SetNotNull"),
        "AT_DropNotNull": ("old readers may meet a NULL they do not expect", "DropNotNull"),
        "AT_DropConstraint": ("the old version may rely on it", "DropConstraint"),
    }
    if kind in known:
        reason, operation = known[kind]
        return Unsafe(reason, call(operation, table, column, **own))
    return Unsafe("it is not known to be harmless to a table in use", GENERIC)


def rename(node: Any) -> Unsafe:
    kind, relation = enum_name(node, "rename_type"), node.relation
    reason = "statements of the old version that use the old name fail"
    if kind == "OBJECT_COLUMN":
        columns = (text(relation.relname), text(node.subname), text(node.newname))
        return Unsafe(reason, call("RenameColumn", *columns, schema=schema(relation)))
    if kind == "OBJECT_TABLE":
        names = (text(relation.relname), text(node.newname))
        return Unsafe(reason, call("RenameTable", *names, schema=schema(relation)))
    return Unsafe(reason, GENERIC)


def drop(node: Any) -> Unsafe:
    """DROP of anything; named is what has an operation."""
    operation = {"OBJECT_TABLE": "DropTable", "OBJECT_INDEX": "DropIndex"}.get(enum_name(node, "remove_type"))
    reason = "the old version may still use it"
    if operation is None:
        return Unsafe(reason, GENERIC)
    calls = []
    for item in node.objects:
        parts = strings(item.list.items)
        calls.append(call(operation, text(parts[-1]), schema=text(parts[-2]) if len(parts) > 1 else None))
    return Unsafe(reason, ", ".join(calls))


def update(node: Any) -> Unsafe:
    reason = "it holds every row it changes until the whole statement is done"
    if node.from_clause or any(not target.res_target.HasField("val") for target in node.target_list):
        return Unsafe(reason, 'Backfill("…", {"…": "…"}, where="…")')
    values = {t.res_target.name: expression_text(t.res_target.val) for t in node.target_list}
    sets = ", ".join(f"{text(name)}: {text(value)}" for name, value in values.items())
    if node.HasField("where_clause"):
        where = expression_text(node.where_clause)
    else:
        where = " OR ".join(f'"{name}" IS DISTINCT FROM ({value})' for name, value in values.items())
    table, own = text(node.relation.relname), schema(node.relation)
    return Unsafe(reason, call("Backfill", table, f"{{{sets}}}", where=text(where), schema=own))


def anything(node: Any) -> Unsafe:
    del node
    return Unsafe("it is not known to be harmless to a database in use", GENERIC)


BY_KIND: dict[str, Callable[[Any], Unsafe]] = {
    "rename_stmt": rename,
    "drop_stmt": drop,
    "update_stmt": update,
}
