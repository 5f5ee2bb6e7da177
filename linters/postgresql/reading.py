"""A parsed statement as the actions it is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from linters import actions
from linters.actions import Action, Begin, Commit, Harmless, Opaque, OutsideTransaction, Read, Rollback, Savepoint, Set
from linters.making import CreateSequence, Unlisted
from linters.parsing import names_of, nodes, parse, parse_procedure
from linters.postgresql import objects, tables
from linters.postgresql.elements import constant, gather, relation

Reader = Callable[[Any], Iterable[Action]]


def read(statement: Any) -> Iterator[Action]:
    """The actions of one `stmt` node, in the order in which the server takes them."""
    kind = statement.WhichOneof("node")
    known = READERS.get(kind)
    if known is not None:
        yield from known(getattr(statement, kind))
    else:
        yield Opaque(f"{kind.removesuffix('_stmt').replace('_', ' ')} is not known to this linter")


def write(node: Any) -> Iterator[Action]:
    """INSERT, UPDATE, DELETE and MERGE."""
    what = node.DESCRIPTOR.name.removesuffix("Stmt").upper()
    table = relation(node.relation)
    labels = tuple(text_constants(node))
    columns = tuple(item.res_target.name for item in getattr(node, "cols" if what == "INSERT" else "target_list", ()))
    others = tuple(name for name in objects.tables_in(node) if name != table)
    if node.HasField("with_clause"):
        yield from written_in(node.with_clause)
    if what == "INSERT":
        select = node.select_stmt.select_stmt
        from_query = (bool(select.from_clause) and not stops(select, ())) or select.HasField("larg")
        yield actions.Write(table, what, True, not from_query, from_query, others, labels, columns)
        return
    where = node.HasField("where_clause") if what != "MERGE" else True
    keys: list[str] = []
    bounded = where and what != "MERGE" and names_rows(node.where_clause, keys)
    yield actions.Write(table, what, where, bounded, False, others, labels, columns, tuple(keys))


def written_in(node: Any) -> Iterator[Action]:
    """The writes in the arms of a WITH."""
    for name, child in nodes(node):
        if name in ("insert_stmt", "update_stmt", "delete_stmt", "merge_stmt"):
            yield from write(child)


def names_rows(node: Any, keys: list[str]) -> bool:
    """Whether a condition bounds the rows: a range with two ends, a query with LIMIT.

    Columns that it demands to be equal to constants are put into `keys`: whether that bounds the rows depends on them.
    """
    if node.HasField("bool_expr") and constant(node.bool_expr, "boolop") == "AND_EXPR":
        arms = node.bool_expr.args
        found = [names_rows(arm, keys) for arm in arms]  # all of them, for their keys
        return any(found) or two_ends(arms)
    if node.HasField("sub_link"):
        return has_limit(node.sub_link)
    if not node.HasField("a_expr") or not node.a_expr.lexpr.HasField("column_ref"):
        return False
    comparison = node.a_expr
    right, kind = comparison.rexpr, constant(comparison, "kind")
    if kind == "AEXPR_OP_ANY":
        return right.HasField("sub_link") and has_limit(right.sub_link)
    values = right.list.items if right.HasField("list") else [right]
    given = all(is_given(value) for value in values)
    if given and comparison.name[0].string.sval == "=" and kind != "AEXPR_BETWEEN":
        keys += names_of(comparison.lexpr.column_ref)[-1:]
        return False
    return given and kind == "AEXPR_BETWEEN"


def is_given(node: Any) -> bool:
    """A constant, a parameter, or a variable of a procedure, cast or not."""
    while node.HasField("type_cast"):
        node = node.type_cast.arg
    return bool(node.HasField("a_const") or node.HasField("param_ref"))


def has_limit(link: Any) -> bool:
    return bool(link.subselect.select_stmt.HasField("limit_count"))


def two_ends(arms: Any) -> bool:
    """Whether one column has a lower end and an upper one: `id >= 1 AND id < 1000`."""
    ends: dict[str, set[str]] = {}
    for arm in arms:
        compared = arm.a_expr if arm.HasField("a_expr") else None
        if compared is not None and compared.lexpr.HasField("column_ref") and is_given(compared.rexpr):
            sign = compared.name[0].string.sval[:1]
            ends.setdefault(".".join(names_of(compared.lexpr.column_ref)[-1:]), set()).add(sign)
    return any({"<", ">"} <= signs for signs in ends.values())


def text_constants(node: Any) -> Iterator[str]:
    for name, child in nodes(node):
        if name == "a_const" and child.HasField("sval"):
            yield child.sval.sval


def select(node: Any) -> Iterator[Action]:
    calls: list[str] = []
    gather(node, calls, [])
    if node.HasField("into_clause"):
        from linters.values import Relation

        name = relation(node.into_clause.rel)
        yield actions.CreateTable(name, Relation(name), is_copy=True)
    yield from written_in(node)
    yield Read(objects.tables_in(node), tuple(text_constants(node)), tuple(calls), stops(node, calls))


def stops(node: Any, calls: Iterable[str]) -> bool:
    """Whether a query reads few rows: LIMIT, rows named one by one, or the first or last of an index."""
    keys: list[str] = []
    named = node.HasField("where_clause") and names_rows(node.where_clause, keys)
    return bool(node.HasField("limit_count") or named or keys or {"min", "max"} & set(calls))


def copy(node: Any) -> Iterator[Action]:
    if node.is_from:
        yield actions.Write(relation(node.relation), "COPY", True, True)
    else:
        yield Read(objects.tables_in(node))


TRANSACTIONS: dict[str, Callable[[Any], Action]] = {
    "TRANS_STMT_BEGIN": lambda node: Begin(),
    "TRANS_STMT_START": lambda node: Begin(),
    "TRANS_STMT_COMMIT": lambda node: Commit(),
    "TRANS_STMT_PREPARE": lambda node: Commit(),
    "TRANS_STMT_ROLLBACK": lambda node: Rollback(),
    "TRANS_STMT_ROLLBACK_TO": lambda node: Rollback(node.savepoint_name),
    "TRANS_STMT_SAVEPOINT": lambda node: Savepoint(node.savepoint_name),
}


def transaction(node: Any) -> Iterator[Action]:
    known = TRANSACTIONS.get(constant(node, "kind"))
    yield known(node) if known else Harmless("transaction control")


def setting(node: Any) -> Iterator[Action]:
    kind = constant(node, "kind")
    if kind == "VAR_SET_VALUE":
        yield Set(node.name.lower(), ", ".join(tables.literal(value) for value in node.args), node.is_local)
    elif kind in ("VAR_SET_DEFAULT", "VAR_RESET"):
        yield Set(node.name.lower(), None, node.is_local)
    elif kind == "VAR_RESET_ALL":
        for name in ("lock_timeout", "statement_timeout", "timezone", "search_path"):
            yield Set(name, None)
    else:
        yield Harmless("SET")


def do(node: Any) -> Iterator[Action]:
    given = {item.def_elem.defname: item.def_elem.arg.string.sval for item in node.args}
    if given.get("language", "plpgsql") != "plpgsql":
        yield Opaque(f"DO in {given['language']}")
        return
    yield from procedure(given.get("as", ""))


def procedure(body: str) -> Iterator[Action]:
    """What a block of PL/pgSQL may do, whichever way it goes; what it puts together at run time is opaque."""
    try:
        statements, dynamic = parse_procedure(body)
    except ValueError as problem:
        yield Opaque(f"a block of PL/pgSQL that cannot be read: {problem}")
        return
    for text in statements:
        try:
            found = parse(text).stmts
        except ValueError:
            yield Opaque(f"in a block of PL/pgSQL: {' '.join(text.split())[:60]}")
            continue
        for item in found:
            yield from in_block(item.stmt)
    for text in dynamic:
        constant_text = constant_string(text)
        if constant_text is None:
            yield Opaque(f"EXECUTE {' '.join(text.split())[:60]}, which is put together at run time")
        else:
            yield from procedure_text(constant_text)


def procedure_text(sql: str) -> Iterator[Action]:
    try:
        found = parse(sql).stmts
    except ValueError as problem:
        yield Opaque(f"EXECUTE of text that cannot be read: {problem}")
        return
    for item in found:
        yield from in_block(item.stmt)


def in_block(statement: Any) -> Iterator[Action]:
    """The actions of a statement in a block, which cannot hold what has to stand alone."""
    for action in read(statement):
        concurrently = getattr(action, "concurrently", False) and not isinstance(action, actions.RefreshView)
        if concurrently or isinstance(action, OutsideTransaction):
            yield actions.Refused("it cannot be run from a block of PL/pgSQL")
        else:
            yield action


def constant_string(expression: str) -> str | None:
    """The text of an expression that is one string constant."""
    try:
        value = parse(f"SELECT {expression}").stmts[0].stmt.select_stmt.target_list[0].res_target.val
    except (ValueError, IndexError):
        return None
    return str(value.a_const.sval.sval) if value.HasField("a_const") and value.a_const.HasField("sval") else None


def explain(node: Any) -> Iterator[Action]:
    options = {item.def_elem.defname for item in node.options}
    if "analyze" in options:
        yield from read(node.query)
    else:
        yield Harmless("EXPLAIN")


def prepared(node: Any) -> Iterator[Action]:
    yield Opaque(f"EXECUTE {node.name}: what was prepared is not followed")


def alone(what: str) -> Reader:
    return lambda node: (OutsideTransaction(what),)


def harmless(what: str) -> Reader:
    return lambda node: (Harmless(what),)


TABLELESS = frozenset(
    "pgcrypto uuid-ossp citext hstore pg_trgm unaccent btree_gin btree_gist ltree intarray cube earthdistance plpgsql"
    " fuzzystrmatch vector tablefunc isn seg lo postgres_fdw dblink bloom xml2 pgrowlocks".split()
)
"""Extensions that bring types and functions, but no table."""


def extension(node: Any) -> Iterator[Action]:
    what = "CREATE EXTENSION"
    yield Harmless(what) if node.extname in TABLELESS else Unlisted(what)


def schema(node: Any) -> Iterator[Action]:
    yield Unlisted("CREATE SCHEMA") if node.schema_elts else Harmless("CREATE SCHEMA")


QUIET = (
    "comment alter_seq create_stats alter_stats create_range"
    " define create_cast create_conversion create_op_class create_op_family alter_op_family create_am create_plang"
    " create_role alter_role alter_role_set drop_role grant_role alter_default_privileges create_fdw alter_fdw"
    " create_foreign_server alter_foreign_server create_user_mapping alter_user_mapping drop_user_mapping"
    " sec_label declare_cursor close_portal fetch notify listen unlisten variable_show"
    " deallocate prepare check_point discard constraints_set alter_function alter_operator alter_type"
    " alter_object_depends create_transform alter_tsdictionary alter_tsconfiguration create_event_trig"
    " alter_event_trig load alter_database alter_database_set alter_database_refresh_coll alter_collation"
    " alter_extension_contents composite_type"
)
ALONE = {
    "createdb_stmt": "CREATE DATABASE",
    "dropdb_stmt": "DROP DATABASE",
    "alter_system_stmt": "ALTER SYSTEM",
    "create_table_space_stmt": "CREATE TABLESPACE",
    "drop_table_space_stmt": "DROP TABLESPACE",
    "create_subscription_stmt": "CREATE SUBSCRIPTION",
    "drop_subscription_stmt": "DROP SUBSCRIPTION",
    "alter_subscription_stmt": "ALTER SUBSCRIPTION",
}


READERS: dict[str, Reader] = {
    **{f"{kind}_stmt": harmless(kind.replace("_", " ").upper()) for kind in QUIET.split()},
    **{kind: alone(what) for kind, what in ALONE.items()},
    "create_extension_stmt": extension,
    "create_schema_stmt": schema,
    "create_seq_stmt": lambda node: (CreateSequence(relation(node.sequence)),),
    "alter_extension_stmt": lambda node: (Unlisted("ALTER EXTENSION"),),
    "import_foreign_schema_stmt": lambda node: (Unlisted("IMPORT FOREIGN SCHEMA"),),
    "alter_owner_stmt": harmless("ALTER OWNER"),
    "create_stmt": tables.create_table,
    "alter_table_stmt": tables.alter_table,
    "create_table_as_stmt": objects.create_as,
    "create_foreign_table_stmt": objects.foreign_table,
    "index_stmt": objects.create_index,
    "drop_stmt": objects.drop,
    "rename_stmt": objects.rename,
    "alter_object_schema_stmt": objects.set_schema,
    "view_stmt": objects.create_view,
    "create_trig_stmt": objects.create_trigger,
    "create_policy_stmt": objects.policy,
    "alter_policy_stmt": objects.policy,
    "create_domain_stmt": objects.create_domain,
    "alter_domain_stmt": objects.alter_domain,
    "create_enum_stmt": objects.create_enum,
    "alter_enum_stmt": objects.alter_enum,
    "create_function_stmt": objects.create_routine,
    "truncate_stmt": objects.truncate,
    "lock_stmt": objects.lock,
    "vacuum_stmt": objects.vacuum,
    "cluster_stmt": objects.cluster,
    "reindex_stmt": objects.reindex,
    "refresh_mat_view_stmt": objects.refresh,
    "create_publication_stmt": objects.publish,
    "alter_publication_stmt": objects.publish,
    "grant_stmt": objects.grant,
    "call_stmt": objects.call,
    "rule_stmt": lambda node: (actions.RowSecurity(relation(node.relation), "CREATE RULE", node.rulename),),
    "insert_stmt": write,
    "update_stmt": write,
    "delete_stmt": write,
    "merge_stmt": write,
    "copy_stmt": copy,
    "select_stmt": select,
    "transaction_stmt": transaction,
    "variable_set_stmt": setting,
    "do_stmt": do,
    "explain_stmt": explain,
    "execute_stmt": prepared,
}
