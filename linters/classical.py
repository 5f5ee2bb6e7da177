"""Whether the statements of a classical revision may run in an expand phase.

A statement is safe when it is on a short list of additive kinds that no reader
or writer of either version waits for or fails on. Anything else is not: the
verdict says why, and which operation to write instead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

from linters import remedies
from linters.parsing import enum_name, expression_text, nodes, parse, quoted, type_text
from linters.statements import (
    ACCESS_EXCLUSIVE,
    SHARE_ROW_EXCLUSIVE,
    SHARE_UPDATE_EXCLUSIVE,
    AddedColumn,
    Effect,
    Name,
    Surroundings,
    Unsafe,
    Verdict,
)

SERIAL = frozenset({"serial", "bigserial", "smallserial", "serial2", "serial4", "serial8"})
HARMLESS_TO_NEW = frozenset({"AT_AddColumn", "AT_AddConstraint", "AT_ColumnDefault", "AT_SetNotNull", "AT_DropNotNull"})


def judge(statements: Iterable[str], surroundings: Surroundings) -> tuple[Verdict, ...]:
    """Judge statements that run one after another; a later one may build on what an earlier one creates."""
    script = Script(surroundings)
    return tuple(verdict for statement in statements if (verdict := script.judge(statement)) is not None)


class Script:
    """What the statements so far have created."""

    def __init__(self, surroundings: Surroundings) -> None:
        self.surroundings = surroundings
        self.created: set[Name] = set()

    def judge(self, statement: str) -> Verdict | None:
        """The verdict on the next statement; None for the borders of transactions, which are ours to draw."""
        short = " ".join(statement.split())[:80]
        try:
            found = parse(statement).stmts
        except ValueError as problem:
            return Verdict(statement, short, False, f"it cannot be read: {problem}", "mend it")
        if len(found) != 1:
            return None if not found else Verdict(statement, short, False, "it is several statements", "split them")
        kind = found[0].stmt.WhichOneof("node")
        node = getattr(found[0].stmt, kind)
        if kind == "transaction_stmt" and enum_name(node, "kind") in ("TRANS_STMT_BEGIN", "TRANS_STMT_COMMIT"):
            return None
        try:
            summary, effect = self.effect(kind, node)
        except Unsafe as unsafe:
            return Verdict(statement, short, False, unsafe.reason, unsafe.remedy)
        if effect.is_new and effect.table:
            self.created.add(effect.table)
        return Verdict(statement, summary, True, effect=effect)

    def effect(self, kind: str, node: Any) -> tuple[str, Effect]:
        known: dict[str, Callable[[Any], tuple[str, Effect]]] = {
            "create_stmt": self.create_table,
            "index_stmt": self.create_index,
            "alter_table_stmt": self.alter_table,
            "comment_stmt": self.comment,
            "insert_stmt": self.insert,
            "view_stmt": self.create_view,
            "create_function_stmt": self.create_function,
            "create_schema_stmt": self.create_schema,
            "create_seq_stmt": self.create_sequence,
            "create_enum_stmt": lambda n: self.create_type(strings(n.type_name)),
            "create_range_stmt": lambda n: self.create_type(strings(n.type_name)),
            "composite_type_stmt": lambda n: self.create_type([*parts(n.typevar)]),
        }
        if kind in known:
            return known[kind](node)
        raise remedies.BY_KIND.get(kind, remedies.anything)(node)

    def name(self, names: Iterable[str]) -> Name:
        found = list(names)
        return Name(found[-2] if len(found) > 1 else self.surroundings.schema, found[-1])

    def relation(self, node: Any) -> Name:
        return self.name(parts(node))

    def create_table(self, node: Any) -> tuple[str, Effect]:
        table = self.relation(node.relation)
        refuse_temporary(node.relation)
        for parent in node.inh_relations:
            if self.relation(parent.range_var) not in self.created:
                raise Unsafe("reads and writes of its parent wait", remedies.GENERIC)
        columns, key, foreign = [], [], []
        for element in node.table_elts:
            if element.HasField("column_def"):
                column = element.column_def
                columns.append(described(column))
                own = [c.constraint for c in column.constraints]
                key += [column.colname for c in own if enum_name(c, "contype") == "CONSTR_PRIMARY"]
                foreign += own
            elif element.HasField("constraint"):
                foreign.append(element.constraint)
                if enum_name(element.constraint, "contype") == "CONSTR_PRIMARY":
                    key += strings(element.constraint.keys)
        references = [c for c in foreign if enum_name(c, "contype") == "CONSTR_FOREIGN"]
        locks, reads = self.referenced(table, references)
        summary = f"create table {table.name}"
        if node.if_not_exists:  # it may be somebody else's, with rows: nothing builds on it, nothing drops it
            return summary, Effect(locks=locks, reads=reads)
        undo_locks = ((table, ACCESS_EXCLUSIVE), *((other, ACCESS_EXCLUSIVE) for other, _ in locks))
        found = tuple(replace(c, not_null=c.not_null or c.name in key) for c in columns)
        return summary, Effect(
            (table,), table, True, found, tuple(key), locks, reads, f"DROP TABLE {table}", undo_locks
        )

    def referenced(
        self, table: Name, references: Iterable[Any]
    ) -> tuple[tuple[tuple[Name, str], ...], tuple[tuple[Name, str | None], ...]]:
        """Locks on the tables that foreign keys reference, and the columns these rely on."""
        others: dict[Name, list[tuple[Name, str | None]]] = {}
        for constraint in references:
            other = self.relation(constraint.pktable)
            if other != table and other not in self.created:
                columns: list[str | None] = [*strings(constraint.pk_attrs)] or [None]
                others.setdefault(other, []).extend((other, column) for column in columns)
        locks = tuple((other, SHARE_ROW_EXCLUSIVE) for other in others)
        return locks, tuple(read for found in others.values() for read in found)

    def create_index(self, node: Any) -> tuple[str, Effect]:
        table = self.relation(node.relation)
        summary = f"create index {node.idxname} on {table.name}"
        creates = (Name(table.schema, node.idxname),) if node.idxname else ()
        if not node.concurrent:
            if table not in self.created:
                raise remedies.index(node)
            return summary, Effect(creates, table)
        if node.unique and table not in self.created:
            raise Unsafe("rows that share a value have to be found before it begins", remedies.index(node).remedy)
        if not node.idxname or node.if_not_exists:
            raise Unsafe("a build that was interrupted could not be found again", remedies.index(node).remedy)
        return summary, Effect(creates, table, index=node.idxname)

    def alter_table(self, node: Any) -> tuple[str, Effect]:
        table = self.relation(node.relation)
        if enum_name(node, "objtype") != "OBJECT_TABLE":
            raise remedies.anything(node)
        commands = [item.alter_table_cmd for item in node.cmds]
        if table in self.created:
            return self.alter_created(table, commands)
        columns = []
        for command in commands:
            if enum_name(command, "subtype") != "AT_AddColumn":
                raise remedies.alter(node.relation, command)
            columns.append(self.added(node.relation, command))
        own = [c.name for c in columns]
        lock = ((table, ACCESS_EXCLUSIVE),)
        undo = f"ALTER TABLE {table} " + ", ".join(f"DROP COLUMN {quoted(name)}" for name in own)
        if any(command.missing_ok for command in commands):
            raise Unsafe("a column that is there already might be another one", "leave IF NOT EXISTS out")
        return f"add {', '.join(f'{table.name}.{name}' for name in own)}", Effect(
            table=table, columns=tuple(columns), locks=lock, undo=undo, undo_locks=lock
        )

    def alter_created(self, table: Name, commands: Iterable[Any]) -> tuple[str, Effect]:
        columns, foreign = [], []
        for command in commands:
            definition = getattr(command, "def")
            if enum_name(command, "subtype") not in HARMLESS_TO_NEW:
                raise Unsafe("it is not known to be harmless", "create the table as it is to be")
            if definition.HasField("column_def"):
                columns.append(described(definition.column_def))
                foreign += [c.constraint for c in definition.column_def.constraints]
            if definition.HasField("constraint"):
                foreign.append(definition.constraint)
        references = [c for c in foreign if enum_name(c, "contype") == "CONSTR_FOREIGN"]
        locks, reads = self.referenced(table, references)
        # The keys leave with the table, whose undo must then lock what they reference, too.
        undo_locks = tuple((other, ACCESS_EXCLUSIVE) for other, _ in locks)
        return f"alter table {table.name}", Effect(
            table=table, columns=tuple(columns), locks=locks, reads=reads, undo_locks=undo_locks
        )

    def added(self, relation: Any, command: Any) -> AddedColumn:
        """A column for a table in use.

        Raises:
            Unsafe: it would be filled, checked or indexed while everybody waits.
        """
        node = getattr(command, "def").column_def
        column = described(node)
        table = relation.relname
        if column.type in SERIAL or last(node.type_name) in self.surroundings.constrained:
            raise Unsafe(f'it rewrites "{table}" while reads and writes wait', remedies.GENERIC)
        for constraint in (item.constraint for item in node.constraints):
            kind = enum_name(constraint, "contype")
            if kind in ("CONSTR_NULL", "CONSTR_NOTNULL", "CONSTR_DEFAULT"):
                continue
            if kind in ("CONSTR_IDENTITY", "CONSTR_GENERATED", "CONSTR_PRIMARY"):
                raise Unsafe(f'it rewrites "{table}" while reads and writes wait', remedies.GENERIC)
            reason, remedy = remedies.constraint(relation, constraint, column.name)
            raise Unsafe(reason, f"{remedies.add_column(relation, node)}, {remedy}")
        default = remedies.text(column.default) if column.default is not None else None
        if column.default is not None and self.surroundings.volatile(column.default):
            nullable = "False" if column.not_null else None
            remedy = remedies.add_column(relation, node, nullable=nullable, default=default)
            raise Unsafe(f'it rewrites "{table}", because the default is evaluated for every row', remedy)
        if column.not_null and column.default is None:
            remedy = remedies.add_column(relation, node, nullable="False", fill='"…"')
            raise Unsafe("old writers that leave the column out fail, and so does a table with rows", remedy)
        return column

    def comment(self, node: Any) -> tuple[str, Effect]:
        kind = enum_name(node, "objtype").removeprefix("OBJECT_")
        if kind not in ("TABLE", "COLUMN"):
            return f"comment on {kind.lower()}", Effect()
        names = strings(node.object.list.items)
        table = self.name(names if kind == "TABLE" else names[:-1])
        locks = () if table in self.created else ((table, SHARE_UPDATE_EXCLUSIVE),)
        return f"comment on {kind.lower()} {names[-1]}", Effect(locks=locks)

    def insert(self, node: Any) -> tuple[str, Effect]:
        table = self.relation(node.relation)
        if table not in self.created:
            raise Unsafe("the old version meets rows it does not expect", 'RunSQL(migrate="INSERT …", undo="DELETE …")')
        for name, child in nodes(node):
            if name in ("update_stmt", "delete_stmt", "insert_stmt"):
                raise remedies.anything(child)
            if name == "range_var" and self.relation(child) not in self.created and not in_with(node, child):
                raise Unsafe(
                    f'what the old version writes to "{child.relname}" afterwards is not copied',
                    "copy the rows in the application that writes both, or in a maintenance window",
                )
        return f"insert into {table.name}", Effect()

    def create_view(self, node: Any) -> tuple[str, Effect]:
        refuse_temporary(node.view)
        view = self.relation(node.view)
        if node.replace:
            raise Unsafe("it may change a view that is in use", "CREATE VIEW, under another name")
        found = {self.relation(child) for name, child in nodes(node.query) if name == "range_var"}
        reads = tuple((table, None) for table in sorted(found - self.created, key=str))
        return f"create view {view.name}", Effect((view,), reads=reads, undo=f"DROP VIEW {view}")

    def create_function(self, node: Any) -> tuple[str, Effect]:
        function = self.name(strings(node.funcname))
        if node.replace:
            raise Unsafe("it may change a function that is in use", "CREATE FUNCTION, under another name")
        given = [p.function_parameter for p in node.parameters]
        kinds = ("FUNC_PARAM_IN", "FUNC_PARAM_INOUT", "FUNC_PARAM_VARIADIC", "FUNC_PARAM_DEFAULT")
        types = ", ".join(type_text(p.arg_type) for p in given if enum_name(p, "mode") in kinds)
        what = "PROCEDURE" if node.is_procedure else "FUNCTION"
        return f"create {what.lower()} {function.name}", Effect(undo=f"DROP {what} {function}({types})")

    def create_schema(self, node: Any) -> tuple[str, Effect]:
        if node.schema_elts:
            raise Unsafe("it creates more than a schema", "one statement for each")
        undo = "" if node.if_not_exists else f"DROP SCHEMA {quoted(node.schemaname)}"
        return f"create schema {node.schemaname}", Effect(undo=undo)

    def create_sequence(self, node: Any) -> tuple[str, Effect]:
        refuse_temporary(node.sequence)
        sequence = self.relation(node.sequence)
        summary = f"create sequence {sequence.name}"
        if node.if_not_exists:
            return summary, Effect()
        # A sequence that a created table owns has left with it.
        return summary, Effect((sequence,), undo=f"DROP SEQUENCE IF EXISTS {sequence}")

    def create_type(self, names: Iterable[str]) -> tuple[str, Effect]:
        kind = self.name(names)
        return f"create type {kind.name}", Effect(undo=f"DROP TYPE {kind}")


def parts(relation: Any) -> Iterator[str]:
    if relation.schemaname:
        yield relation.schemaname
    yield relation.relname


def strings(found: Iterable[Any]) -> list[str]:
    return [item.string.sval for item in found]


def last(type_name: Any) -> str:
    return strings(type_name.names)[-1]


def in_with(node: Any, reference: Any) -> bool:
    """Whether a name is that of a common table expression."""
    known = {child.ctename for name, child in nodes(node) if name == "common_table_expr"}
    return not reference.schemaname and reference.relname in known


def refuse_temporary(relation: Any) -> None:
    if relation.relpersistence == "t":
        raise Unsafe("it is gone when the session ends", "an ordinary table")


def described(column: Any) -> AddedColumn:
    kinds = {enum_name(item.constraint, "contype"): item.constraint for item in column.constraints}
    default = expression_text(kinds["CONSTR_DEFAULT"].raw_expr) if "CONSTR_DEFAULT" in kinds else None
    given = None if default == "NULL" else default
    return AddedColumn(column.colname, type_text(column.type_name), "CONSTR_NOTNULL" in kinds, given)
