"""CREATE TABLE and ALTER TABLE as actions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from linters.actions import (
    Action,
    AddColumn,
    AddConstraint,
    AddIdentity,
    AlterComposite,
    AttachIndex,
    AttachPartition,
    ChangeType,
    CreateTable,
    DetachPartition,
    DropColumn,
    DropConstraint,
    DropDefault,
    DropNotNull,
    Harmless,
    Opaque,
    ReplicaIdentity,
    Rewrite,
    RowSecurity,
    SetDefault,
    SetExpression,
    SetNotNull,
    SwitchTrigger,
    Tune,
    ValidateConstraint,
)
from linters.frozen import changed
from linters.postgresql.elements import column_of, constant, constraint_of, expression, relation, strings, type_of
from linters.values import Column, Constraint, Kind, Mode, Name, Relation

PASSES = ("AT_DropColumn", "AT_DropConstraint"), ("AT_AlterColumnType",), ("AT_AddColumn",), ("AT_SetExpression",)
"""The server takes subcommands in this order (AlterTablePass), and all others after them as they stand."""

TUNED = {
    "AT_SetStatistics": ("SET STATISTICS", Mode.SHARE_UPDATE_EXCLUSIVE),
    "AT_SetOptions": ("SET of column options", Mode.SHARE_UPDATE_EXCLUSIVE),
    "AT_ResetOptions": ("RESET of column options", Mode.SHARE_UPDATE_EXCLUSIVE),
    "AT_ClusterOn": ("CLUSTER ON", Mode.SHARE_UPDATE_EXCLUSIVE),
    "AT_DropCluster": ("SET WITHOUT CLUSTER", Mode.SHARE_UPDATE_EXCLUSIVE),
    "AT_SetRelOptions": ("SET of storage parameters", Mode.SHARE_UPDATE_EXCLUSIVE),
    "AT_ResetRelOptions": ("RESET of storage parameters", Mode.SHARE_UPDATE_EXCLUSIVE),
    "AT_SetStorage": ("SET STORAGE", Mode.ACCESS_EXCLUSIVE),
    "AT_SetCompression": ("SET COMPRESSION", Mode.ACCESS_EXCLUSIVE),
    "AT_ChangeOwner": ("OWNER TO", Mode.ACCESS_EXCLUSIVE),
    "AT_DropInherit": ("NO INHERIT", Mode.ACCESS_EXCLUSIVE),
    "AT_AddInherit": ("INHERIT", Mode.ACCESS_EXCLUSIVE),
    "AT_AlterConstraint": ("ALTER CONSTRAINT", Mode.ACCESS_EXCLUSIVE),
    "AT_SetIdentity": ("SET of identity options", Mode.ACCESS_EXCLUSIVE),
}
REWRITTEN = {
    "AT_SetLogged": "SET LOGGED",
    "AT_SetUnLogged": "SET UNLOGGED",
    "AT_SetTableSpace": "SET TABLESPACE",
    "AT_SetAccessMethod": "SET ACCESS METHOD",
}
SECURITY = {
    "AT_EnableRowSecurity": "ENABLE",
    "AT_DisableRowSecurity": "DISABLE",
    "AT_ForceRowSecurity": "FORCE",
    "AT_NoForceRowSecurity": "NO FORCE",
}
IDENTITIES = {"d": "DEFAULT", "f": "FULL", "n": "NOTHING", "i": "USING INDEX"}


def create_table(node: Any) -> Iterator[Action]:
    name = relation(node.relation)
    columns: list[Column] = []
    constraints: list[Constraint] = []
    like = False
    for element in node.table_elts:
        if element.HasField("column_def"):
            columns.append(column_of(element.column_def))
        elif element.HasField("constraint"):
            made = constraint_of(element.constraint)
            constraints += [made] if made else []
        else:
            like = True
    constraints += [own for column in columns for own in column.constraints]
    keys = {c for k in constraints if k.kind in (Kind.PRIMARY, Kind.NOT_NULL) for c in k.columns}
    found = tuple(changed(c, not_null=True) if c.name in keys else c for c in columns)
    made_of = Relation(
        name,
        "partitioned" if node.HasField("partspec") else "table",
        found,
        tuple(constraints),
        complete=not like and not node.inh_relations and not node.HasField("of_typename"),
        temporary=node.relation.relpersistence == "t",
        unlogged=node.relation.relpersistence == "u",
        parents=tuple(relation(parent.range_var) for parent in node.inh_relations),
        of_type=type_of(node.of_typename).name if node.HasField("of_typename") else "",
        partition_key=tuple(partition_key(node)) if node.HasField("partspec") else (),
    )
    yield CreateTable(name, made_of, node.if_not_exists, bound(node.partbound) if node.HasField("partbound") else "")


def partition_key(node: Any) -> Iterator[str]:
    for item in node.partspec.part_params:
        element = item.partition_elem
        if element.name:
            yield element.name
        else:
            yield from expression(element.expr).columns


def bound(node: Any) -> str:
    """A partition bound in few words: `DEFAULT`, or what the values are."""
    if node.is_default:
        return "DEFAULT"
    if node.strategy == "h":
        return f"HASH {node.modulus} {node.remainder}"
    if node.strategy == "l":
        return "IN " + ", ".join(str(expression(value)) for value in node.listdatums)
    low, high = (
        ", ".join(str(expression(value)) for value in datums) for datums in (node.lowerdatums, node.upperdatums)
    )
    return f"FROM {low} TO {high}"


def alter_table(node: Any) -> Iterator[Action]:
    kind = constant(node, "objtype")
    commands = [item.alter_table_cmd for item in node.cmds]
    if kind == "OBJECT_TYPE":
        name = relation(node.relation)
        for command in commands:
            yield AlterComposite(name, constant(command, "subtype"), cascades(command))
        return
    if kind == "OBJECT_INDEX":
        for command in commands:
            if constant(command, "subtype") == "AT_AttachPartition":
                inner = getattr(command, "def").partition_cmd
                yield AttachIndex(relation(node.relation), relation(inner.name))
            else:
                yield Harmless("ALTER INDEX")
        return
    if kind not in ("OBJECT_TABLE", "OBJECT_FOREIGN_TABLE", "OBJECT_MATVIEW"):
        yield Harmless(f"ALTER {kind.removeprefix('OBJECT_')}")
        return
    table = relation(node.relation)
    for command in sorted(commands, key=pass_of) if len(commands) > 1 else commands:
        yield alteration(table, command)


def pass_of(command: Any) -> int:
    kind = constant(command, "subtype")
    return next((number for number, kinds in enumerate(PASSES) if kind in kinds), len(PASSES))


def alteration(table: Name, command: Any) -> Action:
    kind = constant(command, "subtype")
    known = ALTERATIONS.get(kind)
    if known is not None:
        return known(table, command.name, command, getattr(command, "def"))
    if kind in TUNED:
        return tuned(table, kind, command)
    if kind in REWRITTEN:
        return Rewrite(table, REWRITTEN[kind], command.name)
    if kind in SECURITY:
        return RowSecurity(table, SECURITY[kind])
    if kind.startswith(("AT_EnableTrig", "AT_EnableAlwaysTrig", "AT_EnableReplicaTrig", "AT_DisableTrig")):
        return SwitchTrigger(table, command.name or "ALL", kind.startswith("AT_Enable"))
    return Opaque(f"{kind.removeprefix('AT_')} of ALTER TABLE is not known to this linter")


def tuned(table: Name, kind: str, command: Any) -> Tune:
    what, mode = TUNED[kind]
    definition = getattr(command, "def")
    options: tuple[tuple[str, str], ...] = ()
    if "RelOptions" in kind:
        options = tuple((o.def_elem.defname, literal(o.def_elem.arg)) for o in definition.list.items)
    return Tune(table, what, mode, options)


def literal(node: Any) -> str:
    """The value of an option as it is written, in lower case."""
    kind = node.WhichOneof("node")
    if kind == "type_name":
        return strings(node.type_name.names)[-1].lower()
    if kind == "a_const":
        kind = node.a_const.WhichOneof("val")
        node = node.a_const
    if kind is None:
        return ""
    value = getattr(node, kind)
    return str(next((getattr(value, f) for f in ("sval", "fval", "ival", "boolval") if hasattr(value, f)), "")).lower()


def add_column(table: Name, name: str, command: Any, definition: Any) -> Action:
    return AddColumn(table, column_of(definition.column_def), command.missing_ok)


def add_constraint(table: Name, name: str, command: Any, definition: Any) -> Action:
    made = constraint_of(definition.constraint)
    return AddConstraint(table, made) if made else Opaque("a constraint of an unknown kind")


def cascades(command: Any) -> bool:
    return constant(command, "behavior") == "DROP_CASCADE"


def change_default(table: Name, name: str, command: Any, definition: Any) -> Action:
    if not command.HasField("def"):
        return DropDefault(table, name)
    return SetDefault(table, name, expression(definition))


def change_type(table: Name, name: str, command: Any, definition: Any) -> Action:
    column = definition.column_def
    using = expression(column.raw_default) if column.HasField("raw_default") else None
    collation = strings(column.coll_clause.collname)[-1] if column.HasField("coll_clause") else ""
    if using is not None and same_but_cast(column.raw_default, name, type_of(column.type_name).name):
        using = None
    return ChangeType(table, name, type_of(column.type_name), using, collation)


def same_but_cast(node: Any, column: str, type_: str) -> bool:
    """`USING c::type` is what the server does anyway."""
    if node.HasField("type_cast") and type_of(node.type_cast.type_name).name == type_:
        node = node.type_cast.arg
    return node.HasField("column_ref") and [f.string.sval for f in node.column_ref.fields][-1:] == [column]


def attach(table: Name, name: str, command: Any, definition: Any) -> Action:
    inner = definition.partition_cmd
    return AttachPartition(table, relation(inner.name), bound(inner.bound))


def detach(table: Name, name: str, command: Any, definition: Any) -> Action:
    return DetachPartition(table, relation(definition.partition_cmd.name), definition.partition_cmd.concurrent)


ALTERATIONS: dict[str, Callable[[Name, str, Any, Any], Action]] = {
    "AT_AddColumn": add_column,
    "AT_DropColumn": lambda t, n, c, d: DropColumn(t, n, cascades(c)),
    "AT_AlterColumnType": change_type,
    "AT_SetNotNull": lambda t, n, c, d: SetNotNull(t, n),
    "AT_DropNotNull": lambda t, n, c, d: DropNotNull(t, n),
    "AT_ColumnDefault": change_default,
    "AT_AddIdentity": lambda t, n, c, d: AddIdentity(t, n, d.constraint.generated_when == "a"),
    "AT_DropIdentity": lambda t, n, c, d: DropDefault(t, n),
    "AT_SetExpression": lambda t, n, c, d: SetExpression(t, n, expression(d)),
    "AT_DropExpression": lambda t, n, c, d: SetExpression(t, n, None),
    "AT_AddConstraint": add_constraint,
    "AT_ValidateConstraint": lambda t, n, c, d: ValidateConstraint(t, n),
    "AT_DropConstraint": lambda t, n, c, d: DropConstraint(t, n, c.missing_ok, cascades(c)),
    "AT_AttachPartition": attach,
    "AT_DetachPartition": detach,
    "AT_DetachPartitionFinalize": lambda t, n, c, d: DetachPartition(t, relation(d.partition_cmd.name), finalize=True),
    "AT_ReplicaIdentity": lambda t, n, c, d: ReplicaIdentity(
        t, IDENTITIES.get(d.replica_identity_stmt.identity_type, "")
    ),
}
