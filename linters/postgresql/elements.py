"""Names, types, expressions, columns and constraints from nodes of the parser."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

from linters.frozen import changed
from linters.parsing import expression_text, fields, names_of
from linters.values import Column, Constraint, Expression, Kind, Name, Type

SERIAL = {
    "serial": "int4",
    "serial4": "int4",
    "bigserial": "int8",
    "serial8": "int8",
    "smallserial": "int2",
    "serial2": "int2",
}
TEMPORARY = "pg_temp"
KINDS = {
    "CONSTR_CHECK": Kind.CHECK,
    "CONSTR_NOTNULL": Kind.NOT_NULL,
    "CONSTR_UNIQUE": Kind.UNIQUE,
    "CONSTR_PRIMARY": Kind.PRIMARY,
    "CONSTR_FOREIGN": Kind.FOREIGN,
    "CONSTR_EXCLUSION": Kind.EXCLUSION,
}
ACTIONS = {"c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT", "r": "RESTRICT"}


@cache
def constants(message: Any, field: str) -> dict[int, str]:
    """The numbers of an enumerated field and their names."""
    descriptor = message.fields_by_name[field]
    return {value.number: value.name for value in descriptor.enum_type.values}


def constant(node: Any, field: str) -> str:
    """The name of an enumerated value: `AT_AddColumn`."""
    return constants(node.DESCRIPTOR, field)[getattr(node, field)]


def relation(node: Any) -> Name:
    """The name of a `range_var`; one without a schema is looked for on the search path."""
    return Name(TEMPORARY if node.relpersistence == "t" else node.schemaname, node.relname)


def strings(found: Iterable[Any]) -> tuple[str, ...]:
    return tuple(item.string.sval for item in found)


def name_in(parts: Iterable[str]) -> Name:
    found = tuple(parts)
    return Name(found[-2] if len(found) > 1 else "", found[-1])


def type_of(node: Any) -> Type:
    """A type name. `pg_catalog` is no schema of its own: `integer` and `pg_catalog.int4` are one."""
    parts = strings(node.names)
    schema = parts[0] if len(parts) > 1 and parts[0] != "pg_catalog" else ""
    modifiers = tuple(m.a_const.ival.ival for m in node.typmods if m.HasField("a_const"))
    return Type(parts[-1], modifiers, len(node.array_bounds), schema)


def expression(node: Any) -> Expression:
    calls: list[str] = []
    columns: list[str] = []
    gather(node, calls, columns)
    null = node.HasField("a_const") and node.a_const.isnull
    required = tuple(required_columns(node))
    return Expression(cache(lambda: expression_text(node)), tuple(calls), tuple(columns), required, null)


def gather(node: Any, calls: list[str], columns: list[str]) -> None:
    """Names of the functions that are called below a node, and of the columns that are read."""
    kind = node.WhichOneof("node") if node.DESCRIPTOR.name == "Node" else None
    if kind == "a_const":
        return
    inner = getattr(node, kind) if kind else node
    if kind == "column_ref":
        parts = names_of(inner)
        columns += parts[-1:]
        return
    if kind == "func_call":
        calls.append(".".join(strings(inner.funcname)).removeprefix("pg_catalog."))
    for _, child in fields(inner):
        if hasattr(child, "ListFields"):
            gather(child, calls, columns)


def required_columns(node: Any) -> Iterator[str]:
    """Columns of `c IS NOT NULL`, alone or in an arm of an AND."""
    if node.HasField("null_test") and constant(node.null_test, "nulltesttype") == "IS_NOT_NULL":
        if node.null_test.arg.HasField("column_ref"):
            yield from names_of(node.null_test.arg.column_ref)[-1:]
    elif node.HasField("bool_expr") and constant(node.bool_expr, "boolop") == "AND_EXPR":
        for arm in node.bool_expr.args:
            yield from required_columns(arm)


def constraint_of(node: Any, column: str = "") -> Constraint | None:
    """A constraint; `column` where it is written with one. None for what is no constraint (DEFAULT, DEFERRABLE)."""
    kind = KINDS.get(constant(node, "contype"))
    if kind is None:
        return None
    columns = strings(node.keys) or ((column,) if column else ())
    check = expression(node.raw_expr) if kind is Kind.CHECK else None
    references = None
    if kind is Kind.FOREIGN:
        columns = strings(node.fk_attrs) or columns
        references = relation(node.pktable)
    elif check is not None:
        columns = tuple(dict.fromkeys(check.columns))
    return Constraint(
        kind,
        node.conname,
        columns,
        check,
        references,
        strings(node.pk_attrs),
        validated=not node.skip_validation,
        enforced=kind not in (Kind.CHECK, Kind.FOREIGN) or node.is_enforced,
        using_index=node.indexname,
        nulls_not_distinct=node.nulls_not_distinct,
        actions=(ACTIONS.get(node.fk_del_action, ""), ACTIONS.get(node.fk_upd_action, "")),
    )


def column_of(node: Any) -> Column:
    type_ = type_of(node.type_name)
    serial = SERIAL.get(type_.name) if not type_.schema else None
    default, generated, sequence, not_null = None, "", "serial" if serial else "", bool(serial)
    constraints: list[Constraint] = []
    for item in node.constraints:
        own = item.constraint
        kind = constant(own, "contype")
        if kind == "CONSTR_DEFAULT":
            default = expression(own.raw_expr)
        elif kind == "CONSTR_GENERATED":
            default = expression(own.raw_expr)
            generated = "VIRTUAL" if own.generated_kind == "v" else "STORED"
        elif kind == "CONSTR_IDENTITY":
            sequence, not_null = "identity", True
        elif kind == "CONSTR_NOTNULL":
            not_null = True
        elif (made := constraint_of(own, node.colname)) is not None:
            constraints.append(made)
            not_null = not_null or made.kind is Kind.PRIMARY
        elif kind in ("CONSTR_ATTR_NOT_ENFORCED",) and constraints:
            constraints[-1] = unenforced(constraints[-1])
    collation = strings(node.coll_clause.collname)[-1] if node.HasField("coll_clause") else ""
    if serial:
        type_ = type_._replace(name=serial)
    return Column(node.colname, type_, not_null, default, generated, sequence, collation, tuple(constraints))


def unenforced(constraint: Constraint) -> Constraint:
    return changed(constraint, enforced=False, validated=False)
