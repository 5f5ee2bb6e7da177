"""Statements other than CREATE and ALTER TABLE as actions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from linters.actions import (
    Action,
    AddEnumValue,
    AlterDomain,
    CallRoutine,
    CreateDomain,
    CreateEnum,
    CreateIndex,
    CreateRoutine,
    CreateTable,
    CreateTrigger,
    CreateView,
    DropIndex,
    DropOther,
    DropTable,
    DropTrigger,
    Harmless,
    LockTable,
    OutsideTransaction,
    Publish,
    RefreshView,
    Reindex,
    RenameColumn,
    RenameEnumValue,
    RenameOther,
    RenameTable,
    Revoke,
    Rewrite,
    RowSecurity,
    Truncate,
)
from linters.parsing import names_of, nodes
from linters.postgresql.elements import (
    constant,
    constraint_of,
    gather,
    name_in,
    relation,
    strings,
    type_of,
)
from linters.values import UNKNOWN_TYPE, Column, Domain, Index, Labels, Mode, Name, Relation, Routine

VIEWS = {"OBJECT_VIEW": "view", "OBJECT_MATVIEW": "materialized view", "OBJECT_SEQUENCE": "sequence"}
VIEWS |= {"OBJECT_TABLE": "table", "OBJECT_FOREIGN_TABLE": "foreign"}


def words(kind: str) -> str:
    """`OBJECT_EVENT_TRIGGER` in the words of SQL."""
    return kind.removeprefix("OBJECT_").replace("_", " ").replace("TABCONSTRAINT", "CONSTRAINT")


def tables_in(node: Any) -> tuple[Name, ...]:
    """Tables and views that a query names, but for its own WITH."""
    own = {child.ctename for name, child in nodes(node) if name == "common_table_expr"}
    found = [child for name, child in nodes(node) if name == "range_var"]
    return tuple(dict.fromkeys(relation(r) for r in found if r.schemaname or r.relname not in own))


def create_index(node: Any) -> Iterator[Action]:
    table = relation(node.relation)
    columns: list[str] = []
    computed: list[str] = []
    for item in node.index_params:
        element = item.index_elem
        if element.name:
            columns.append(element.name)
        else:
            gather(element.expr, [], computed)
            columns.append("")
    if node.HasField("where_clause"):
        gather(node.where_clause, [], computed)
    name = Name(table.schema, node.idxname)
    index = Index(
        name, table, tuple(columns), node.unique, tuple(computed), node.HasField("where_clause"),
        plain=node.access_method in ("", "btree"),
    )  # fmt: skip
    yield CreateIndex(table, index, node.concurrent, node.if_not_exists, not node.relation.inh)


def drop(node: Any) -> Iterator[Action]:
    kind, cascade = constant(node, "remove_type"), constant(node, "behavior") == "DROP_CASCADE"
    for item in node.objects:
        if kind == "OBJECT_INDEX":
            yield DropIndex(name_in(strings(item.list.items)), node.concurrent)
        elif kind in VIEWS:
            yield DropTable(name_in(strings(item.list.items)), VIEWS[kind], cascade, node.missing_ok)
        elif kind in ("OBJECT_TRIGGER", "OBJECT_POLICY", "OBJECT_RULE"):
            parts = strings(item.list.items)
            table = name_in(parts[:-1])
            if kind == "OBJECT_TRIGGER":
                yield DropTrigger(table, parts[-1])
            elif kind == "OBJECT_POLICY":
                yield RowSecurity(table, "DROP POLICY", parts[-1])
            else:
                yield DropOther("RULE", parts[-1], cascade, table)
        else:
            yield DropOther(words(kind), object_name(item), cascade)


def object_name(item: Any) -> str:
    kind = item.WhichOneof("node")
    inner = getattr(item, kind) if kind else item
    if kind == "string":
        return str(inner.sval)
    if kind == "list":
        return ".".join(strings(inner.items))
    if kind == "type_name":
        return ".".join(strings(inner.names))
    return ".".join(strings(inner.objname)) if kind == "object_with_args" else ""


def rename(node: Any) -> Iterator[Action]:
    kind = constant(node, "rename_type")
    if kind == "OBJECT_COLUMN":
        yield RenameColumn(relation(node.relation), node.subname, node.newname)
    elif kind in VIEWS:
        old = relation(node.relation)
        yield RenameTable(old, Name(old.schema, node.newname), VIEWS[kind])
    elif kind == "OBJECT_INDEX":
        yield RenameOther("INDEX", node.relation.relname, node.newname)
    elif kind in ("OBJECT_TABCONSTRAINT", "OBJECT_TRIGGER", "OBJECT_POLICY", "OBJECT_RULE", "OBJECT_ATTRIBUTE"):
        yield RenameOther(words(kind), node.subname, node.newname, relation(node.relation))
    else:
        name = object_name(node.object) if node.HasField("object") else node.subname
        yield RenameOther(words(kind), name, node.newname)


def set_schema(node: Any) -> Iterator[Action]:
    kind = constant(node, "object_type")
    if kind in VIEWS:
        old = relation(node.relation)
        yield RenameTable(old, Name(node.newschema, old.name), VIEWS[kind])
    else:
        name = object_name(node.object)
        yield RenameOther(words(kind), name, f"{node.newschema}.{name}")


def create_view(node: Any) -> Iterator[Action]:
    name = relation(node.view)
    yield CreateView(name, view_of(name, "view", node.query, node.view.relpersistence == "t"), node.replace)


def view_of(name: Name, kind: str, query: Any, temporary: bool) -> Relation:
    """A view. Which column is whose is known where it reads one table; else a name stands for that of any."""
    tables, columns = tables_in(query), list[str]()
    gather(query, [], columns)
    star = any(found == "a_star" for found, _ in nodes(query))
    read = [(table, column) for table in tables for column in dict.fromkeys(columns)]
    read += [(table, "*") for table in tables if star]
    reads = tuple(read) or tuple((table, "") for table in tables)
    return Relation(name, kind, output_of(query.select_stmt), temporary=temporary, reads=reads)


def output_of(select: Any) -> tuple[Column, ...]:
    """The columns of a query by name; none where a name is not to be seen."""
    names = []
    for item in select.target_list:
        target = item.res_target
        plain = names_of(target.val.column_ref) if target.val.HasField("column_ref") else []
        names.append(target.name or ".".join(plain[-1:]))
    return tuple(Column(name, UNKNOWN_TYPE) for name in names) if all(names) else ()


def create_as(node: Any) -> Iterator[Action]:
    into = node.into.rel
    name, temporary = relation(into), into.relpersistence == "t"
    if constant(node, "objtype") == "OBJECT_MATVIEW":
        yield CreateView(name, view_of(name, "materialized view", node.query, temporary))
    else:
        copies = not node.into.skip_data
        yield CreateTable(name, Relation(name, temporary=temporary), node.if_not_exists, is_copy=copies)


def create_trigger(node: Any) -> Iterator[Action]:
    yield CreateTrigger(relation(node.relation), node.trigname, strings(node.columns))


def policy(node: Any) -> Iterator[Action]:
    columns: list[str] = []
    gather(node, [], columns)
    what = "CREATE POLICY" if node.DESCRIPTOR.name.startswith("Create") else "ALTER POLICY"
    yield RowSecurity(relation(node.table), what, node.policy_name, tuple(columns))


def create_domain(node: Any) -> Iterator[Action]:
    kinds = [constant(item.constraint, "contype") for item in node.constraints]
    constrained = any(kind in ("CONSTR_CHECK", "CONSTR_NOTNULL") for kind in kinds)
    name = name_in(strings(node.domainname))
    yield CreateDomain(Domain(name, type_of(node.type_name), constrained))


def alter_domain(node: Any) -> Iterator[Action]:
    name = name_in(strings(node.type_name))
    if node.subtype == "C":
        made = constraint_of(getattr(node, "def").constraint)
        yield AlterDomain(name, made, validates=made is not None and made.validated)
    elif node.subtype == "O":
        from linters.values import Constraint, Kind

        yield AlterDomain(name, Constraint(Kind.NOT_NULL), validates=True)
    elif node.subtype == "V":
        yield AlterDomain(name, validates=True)
    else:
        yield AlterDomain(name)


def create_enum(node: Any) -> Iterator[Action]:
    yield CreateEnum(Labels(name_in(strings(node.type_name)), strings(node.vals)))


def alter_enum(node: Any) -> Iterator[Action]:
    name = name_in(strings(node.type_name))
    if node.old_val:
        yield RenameEnumValue(name, node.old_val, node.new_val)
    else:
        yield AddEnumValue(name, node.new_val)


def create_routine(node: Any) -> Iterator[Action]:
    given = {item.def_elem.defname: item.def_elem.arg for item in node.options}
    volatility = given["volatility"].string.sval if "volatility" in given else "volatile"
    language = given["language"].string.sval.lower() if "language" in given else "sql"
    body = strings(given["as"].list.items)[0] if "as" in given and language in ("sql", "plpgsql") else None
    name = strings(node.funcname)[-1]
    constant_body = language == "sql" and body is not None and is_constant_query(body)
    if language == "sql" and body is not None:
        body = None if constant_body else f"BEGIN {body.strip().rstrip(';')}; END"
    returned = strings(node.return_type.names)[-1:]
    routine = Routine(name, volatility == "volatile", constant_body, body, returned == ("trigger",))
    yield CreateRoutine(routine, node.replace)


def is_constant_query(body: str) -> bool:
    """Whether the body is `SELECT` of a constant, which the server puts in the place of a call."""
    from linters.parsing import parse

    try:
        found = parse(body).stmts
    except ValueError:
        return False
    if len(found) != 1 or not found[0].stmt.HasField("select_stmt"):
        return False
    select = found[0].stmt.select_stmt
    return len(select.target_list) == 1 and select.target_list[0].res_target.val.HasField("a_const")


def truncate(node: Any) -> Iterator[Action]:
    for item in node.relations:
        yield Truncate(relation(item.range_var), constant(node, "behavior") == "DROP_CASCADE")


def lock(node: Any) -> Iterator[Action]:
    for item in node.relations:
        yield LockTable(relation(item.range_var), Mode(node.mode), node.nowait)


def vacuum(node: Any) -> Iterator[Action]:
    full = any(o.def_elem.defname == "full" and not is_off(o.def_elem) for o in node.options)
    if not node.is_vacuumcmd:
        yield Harmless("ANALYZE")
        return
    yield OutsideTransaction("VACUUM")
    if full:
        for item in node.rels:
            yield Rewrite(relation(item.vacuum_relation.relation), "VACUUM FULL")


def is_off(option: Any) -> bool:
    value = option.arg.string.sval.lower() if option.HasField("arg") else ""
    return value in ("false", "off", "0", "no")


def cluster(node: Any) -> Iterator[Action]:
    if node.HasField("relation"):
        yield Rewrite(relation(node.relation), "CLUSTER")
    else:
        yield OutsideTransaction("CLUSTER")


def reindex(node: Any) -> Iterator[Action]:
    concurrently = any(p.def_elem.defname == "concurrently" and not is_off(p.def_elem) for p in node.params)
    what = constant(node, "kind").removeprefix("REINDEX_OBJECT_")
    name = relation(node.relation) if node.HasField("relation") else Name("", node.name)
    yield Reindex(what, name, concurrently)


def refresh(node: Any) -> Iterator[Action]:
    yield RefreshView(relation(node.relation), node.concurrent)


def publish(node: Any) -> Iterator[Action]:
    found = [o.publication_obj_spec for o in node.pubobjects]
    tables = tuple(relation(o.pubtable.relation) for o in found if o.HasField("pubtable"))
    action = constant(node, "action") if "action" in node.DESCRIPTOR.fields_by_name else "CREATE"
    yield Publish(action.removeprefix("AP_").removesuffix("Objects").upper(), tables)


def grant(node: Any) -> Iterator[Action]:
    if node.is_grant:
        yield Harmless("GRANT")
        return
    what = ", ".join(item.access_priv.priv_name.upper() for item in node.privileges) or "ALL"
    tables = tuple(relation(item.range_var) for item in node.objects if item.HasField("range_var"))
    for item in node.grantees:
        yield Revoke(what, item.role_spec.rolename or "PUBLIC", tables)


def call(node: Any) -> Iterator[Action]:
    yield CallRoutine(strings(node.funccall.funcname)[-1])


def foreign_table(node: Any) -> Iterator[Action]:
    base = node.base_stmt
    columns = tuple(Column(e.column_def.colname, UNKNOWN_TYPE) for e in base.table_elts if e.HasField("column_def"))
    name = relation(base.relation)
    yield CreateTable(name, Relation(name, "foreign", columns), base.if_not_exists)
