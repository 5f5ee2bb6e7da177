"""The operation of a revision that does what a statement does, in the user's own names, as code."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from linters.parsing import enum_name, expression_text, type_text

UNDECIDED = "…"
"""Stands for what only a person knows."""
ACTIONS = {"c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT", "r": "RESTRICT"}
"""Actions of a foreign key as the parser writes them; `a` is none."""
SERIAL = frozenset({"serial", "bigserial", "smallserial", "serial2", "serial4", "serial8"})


def operation_for(statement: Any) -> str:
    """The operations that do what a `stmt` node does, separated by commas; empty where there is none."""
    kind = statement.WhichOneof("node")
    write = BY_KIND.get(kind)
    return write(getattr(statement, kind)) if write is not None else ""


def text(value: str) -> str:
    """A string constant of Python."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ") + '"'


def call(operation: str, *positional: str, **named: str | None) -> str:
    """A call of an operation; a named argument that is None is left out. All of it is code already."""
    arguments = [*positional, *(f"{name}={value}" for name, value in named.items() if value is not None)]
    return f"{operation}({', '.join(arguments)})"


def joined(calls: Iterable[str]) -> str:
    """Several calls; empty where one of them is not known."""
    found = list(calls)
    return ", ".join(found) if all(found) else ""


def schema(relation: Any) -> str | None:
    return text(relation.schemaname) if relation.schemaname else None


def prefix(parts: list[str]) -> str | None:
    return text(parts[-2]) if len(parts) > 1 else None


def several(names: Iterable[str]) -> str:
    return "[" + ", ".join(text(name) for name in names) + "]"


def strings(nodes: Iterable[Any]) -> list[str]:
    return [node.string.sval for node in nodes]


def index(node: Any) -> str:
    keys = []
    for parameter in node.index_params:
        element = parameter.index_elem
        keys.append(element.name or f"({expression_text(element.expr)})")
    return call(
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


def add_column(relation: Any, column: Any) -> str:
    """AddColumn, and the operations of the constraints beside the column."""
    kinds = {enum_name(item.constraint, "contype"): item.constraint for item in column.constraints}
    own = strings(column.type_name.names)[-1]
    if own in SERIAL or not {"CONSTR_IDENTITY", "CONSTR_GENERATED", "CONSTR_PRIMARY"}.isdisjoint(kinds):
        return ""
    default = expression_text(kinds["CONSTR_DEFAULT"].raw_expr) if "CONSTR_DEFAULT" in kinds else "NULL"
    required = "CONSTR_NOTNULL" in kinds
    added = call(
        "AddColumn",
        text(relation.relname),
        text(column.colname),
        text(type_text(column.type_name)),
        nullable="False" if required else None,
        default=text(default) if default != "NULL" else None,
        fill=text(UNDECIDED) if required and default == "NULL" else None,
        schema=schema(relation),
    )
    beside = [kinds[k] for k in ("CONSTR_FOREIGN", "CONSTR_UNIQUE", "CONSTR_CHECK") if k in kinds]
    return joined([added, *(constraint(relation, node, column.colname) for node in beside)])


def constraint(relation: Any, node: Any, column: str | None = None) -> str:
    """The operation that adds a constraint; `column` where it is written with one."""
    table, name = text(relation.relname), text(node.conname) if node.conname else None
    kind = enum_name(node, "contype")
    own = {"name": name, "schema": schema(relation)}
    if kind == "CONSTR_FOREIGN":
        columns = [column] if column else strings(node.fk_attrs)
        to = strings(node.pk_attrs)
        action = ACTIONS.get(node.fk_del_action)
        return call(
            "AddForeignKey",
            table,
            several(columns),
            text(node.pktable.relname),
            several(to) if to else several([UNDECIDED]),
            on_delete=text(action) if action else None,
            on_update=text(ACTIONS[node.fk_upd_action]) if node.fk_upd_action in ACTIONS else None,
            **own,
            to_schema=schema(node.pktable),
        )
    if kind in ("CONSTR_UNIQUE", "CONSTR_PRIMARY") and not node.indexname:
        columns = [column] if column else strings(node.keys)
        operation = "AddUnique" if kind == "CONSTR_UNIQUE" else "AddPrimaryKey"
        return call(operation, table, several(columns), **own)
    if kind == "CONSTR_CHECK":
        return call("AddCheck", table, text(expression_text(node.raw_expr)), **own)
    return ""


def alter(node: Any) -> str:
    if enum_name(node, "objtype") != "OBJECT_TABLE":
        return ""
    return joined(alteration(node.relation, item.alter_table_cmd) for item in node.cmds)


def alteration(relation: Any, command: Any) -> str:
    """The operation for a subcommand of ALTER TABLE."""
    kind, column = enum_name(command, "subtype"), text(command.name)
    table, own = text(relation.relname), {"schema": schema(relation)}
    definition = getattr(command, "def")
    if kind == "AT_AddColumn":
        return add_column(relation, definition.column_def)
    if kind == "AT_AddConstraint":
        return constraint(relation, definition.constraint)
    if kind == "AT_ColumnDefault":
        if command.HasField("def"):
            return call("SetDefault", table, column, text(expression_text(definition)), **own)
        return call("DropDefault", table, column, **own)
    if kind == "AT_AlterColumnType":
        changed = definition.column_def
        up = text(expression_text(changed.raw_default)) if changed.HasField("raw_default") else None
        return call("ChangeType", table, column, text(type_text(changed.type_name)), up=up, **own)
    plain = {
        "AT_DropColumn": "DropColumn",
        "AT_SetNotNull": "SetNotNull",
        "AT_DropNotNull": "DropNotNull",
        "AT_DropConstraint": "DropConstraint",
    }
    return call(plain[kind], table, column, **own) if kind in plain else ""


def rename(node: Any) -> str:
    kind, relation = enum_name(node, "rename_type"), node.relation
    if kind == "OBJECT_COLUMN":
        columns = (text(relation.relname), text(node.subname), text(node.newname))
        return call("RenameColumn", *columns, schema=schema(relation))
    if kind == "OBJECT_TABLE":
        return call("RenameTable", text(relation.relname), text(node.newname), schema=schema(relation))
    return ""


def drop(node: Any) -> str:
    operation = {"OBJECT_TABLE": "DropTable", "OBJECT_INDEX": "DropIndex"}.get(enum_name(node, "remove_type"))
    if operation is None:
        return ""
    names = [strings(item.list.items) for item in node.objects]
    return joined(call(operation, text(parts[-1]), schema=prefix(parts)) for parts in names)


def update(node: Any) -> str:
    if node.from_clause or any(not target.res_target.HasField("val") for target in node.target_list):
        return f'Backfill("{UNDECIDED}", {{"{UNDECIDED}": "{UNDECIDED}"}}, where="{UNDECIDED}")'
    values = {t.res_target.name: expression_text(t.res_target.val) for t in node.target_list}
    sets = ", ".join(f"{text(name)}: {text(value)}" for name, value in values.items())
    if node.HasField("where_clause"):
        where = expression_text(node.where_clause)
    else:
        where = " OR ".join(f'"{name}" IS DISTINCT FROM ({value})' for name, value in values.items())
    return call("Backfill", text(node.relation.relname), f"{{{sets}}}", where=text(where), schema=schema(node.relation))


def alter_enum(node: Any) -> str:
    names = strings(node.type_name)
    if node.old_val:
        return ""
    side = "after" if node.new_val_is_after else "before"
    near = {side: text(node.new_val_neighbor)} if node.new_val_neighbor else {}
    return call("AddEnumValue", text(names[-1]), text(node.new_val), **near, schema=prefix(names))


BY_KIND: dict[str, Callable[[Any], str]] = {
    "index_stmt": index,
    "alter_table_stmt": alter,
    "alter_enum_stmt": alter_enum,
    "rename_stmt": rename,
    "drop_stmt": drop,
    "update_stmt": update,
}
