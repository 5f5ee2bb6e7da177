"""PostgreSQL 12 to 18: the statements, their locks, and what may share a transaction.

Lock levels are those of the PostgreSQL manual, ALTER TABLE and "Explicit
Locking"; the lifecycle tests ask `pg_locks` for stronger ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from phases import names
from phases.catalog import Catalog, Column, Constraint, Index, Server, Volatility
from phases.dialects import postgresql_types as types
from phases.dialects.base import Change, Changes, TypeChange
from phases.dialects.postgresql_constraints import PostgreSQLConstraints
from phases.dialects.postgresql_copies import PostgreSQLCopies
from phases.dialects.postgresql_definitions import PostgreSQLDefinitions
from phases.dialects.postgresql_enums import PostgreSQLEnums
from phases.dialects.postgresql_exclusions import PostgreSQLExclusions
from phases.dialects.postgresql_merges import PostgreSQLMerges
from phases.dialects.postgresql_rows import PostgreSQLRows
from phases.dialects.postgresql_statements import alter
from phases.dialects.postgresql_tables import PostgreSQLTables
from phases.dialects.postgresql_triggers import PostgreSQLTriggers
from phases.errors import Refused
from phases.model import BuildIndex, Lock, LockMode, Loss, PhasedSteps, RemoveIndex, Step, TableName, Transaction
from phases.sql import Expressions, identifier, listed, literal, qualified


def strongest(changes: Sequence[Change]) -> tuple[Lock, ...]:
    """One lock a table, the strongest asked for, in an order that is the same in every transaction."""
    order = list(LockMode)
    modes: dict[TableName, LockMode] = {}
    # Views as they come, before the tables under them: whoever uses a view locks it first.
    views = dict.fromkeys(lock for change in changes for lock in change.locks if lock.by)
    for change in changes:
        for lock in (lock for lock in change.locks if not lock.by):
            known = modes.get(lock.table, LockMode.ACCESS_SHARE)
            modes[lock.table] = max(known, lock.mode, key=order.index)
    tables = sorted(modes, key=lambda t: (t.schema, t.name))
    return (*views, *(Lock(table, modes[table]) for table in tables))


@dataclass(frozen=True, slots=True)
class PostgreSQL(
    PostgreSQLRows,
    PostgreSQLTriggers,
    PostgreSQLMerges,
    PostgreSQLCopies,
    PostgreSQLTables,
    PostgreSQLDefinitions,
    PostgreSQLEnums,
    PostgreSQLConstraints,
    PostgreSQLExclusions,
):
    """The dialect of one PostgreSQL server.

    Args:
        server: what the server says it is.
        expressions: reads SQL expressions by parse tree.
        render_type: turns a type that is not text into the server's words.
        volatility_of: how often the value of an expression may change.
    """

    server: Server
    expressions: Expressions
    render_type: Callable[[object], str]
    volatility_of: Callable[[str], Volatility]
    max_name_bytes: int = names.MAX_BYTES
    requires_late: bool = False
    attaches_unique: bool = True
    narrows: bool = True
    refers_early: bool = False

    def needs_copy(self, operation: object, catalog: Catalog) -> bool:
        return False

    def admit(self, operation: object, catalog: Catalog) -> None:
        """Every operation can be done; what it needs it looks at itself."""

    def afforded(
        self, steps: PhasedSteps, before: Catalog, after: Catalog
    ) -> tuple[PhasedSteps, Catalog, Sequence[str]]:
        return steps, after, ()

    @property
    def _server(self) -> Server:
        return self.server

    @property
    def _expressions(self) -> Expressions:
        return self.expressions

    def type_text(self, type_: object) -> str:
        return type_ if isinstance(type_, str) else self.render_type(type_)

    def type_name(self, type_: str) -> str:
        try:
            return self.expressions.type_name(type_)
        except ValueError as problem:
            raise Refused(f'"{type_}" is not a type: {problem}') from None

    def type_change(self, old: str, new: str) -> TypeChange:
        return TypeChange(
            free=types.metadata_only(old, new),
            reversible=types.reversible(old, new),
            keeps_values=types.keeps_values(old, new),
            cast=types.cast_type(new),
            equality_is_identity=types.equality_is_identity(new),
            limited=new not in ("text", "character varying"),
        )

    def cast(self, expression: str, type_: str) -> str:
        return f"({expression})::{type_}"

    def volatility(self, expression: str) -> Volatility:
        return self.volatility_of(expression)

    def together(
        self,
        name: str,
        changes: Sequence[Change],
        *,
        undo: Sequence[Step] = (),
        loses: Loss | None = None,
        scans: bool = False,
        reprepares: bool = False,
        recreates: Sequence[str] = (),
        unread: bool = False,
        bounded: bool = False,
    ) -> Step:
        return Transaction(
            name=name,
            statements=tuple(change.sql for change in changes),
            locks=strongest(changes),
            scans=scans,
            reprepares=reprepares,
            recreates=tuple(recreates),
            unread=unread,
            bounded=bounded,
            undo=tuple(undo),
            loses=loses,
        )

    def index_statement(
        self,
        table: TableName,
        name: str,
        columns: Sequence[str],
        *,
        unique: bool,
        where: str | None,
        using: str,
        include: Sequence[str],
        only: bool = False,
    ) -> str:
        keys = ", ".join(key if key.startswith("(") else identifier(key) for key in columns)
        target = f"ONLY {qualified(table)}" if only else qualified(table)
        parts = [
            f"CREATE {'UNIQUE ' if unique else ''}INDEX {identifier(name)} ON {target}",
            f"USING {identifier(using)} ({keys})",
        ]
        if include:
            parts.append(f"INCLUDE ({listed(include)})")
        if where:
            parts.append(f"WHERE ({where})")
        return " ".join(parts)

    def build_index(self, table: TableName, name: str, create: str, *, undo: bool = True) -> Step:
        rewrite = self.expressions.copy_index
        drop, drop_inside, state = self._index_parts(table.schema, name)
        removal = RemoveIndex(
            name=f"drop index {name}",
            table=table,
            index=name,
            drop=drop,
            drop_inside=drop_inside,
            state=state,
        )
        return BuildIndex(
            name=f"build index {name}",
            table=table,
            index=name,
            create=rewrite(create, name=name, names={}, concurrently=True),
            create_inside=rewrite(create, name=name, names={}, concurrently=False),
            drop=drop,
            drop_inside=drop_inside,
            state=state,
            undo=(removal,) if undo else (),
        )

    def remove_index(self, table: TableName, index: Index, *, undo: Sequence[Step] = ()) -> Step:
        drop, drop_inside, state = self._index_parts(index.schema, index.name)
        return RemoveIndex(
            name=f"drop index {index.name}",
            table=table,
            index=index.name,
            drop=drop,
            drop_inside=drop_inside,
            state=state,
            undo=tuple(undo),
        )

    def build_partition_index(self, table: TableName, name: str, create: str) -> Step:
        built = self.build_index(table, name, create)
        # Attached, it goes with the partitioned index, and cannot go without it.
        alone = " AND NOT EXISTS (SELECT FROM pg_catalog.pg_inherits p WHERE p.inhrelid = i.indexrelid)"
        undo = tuple(replace(u, state=u.state + alone) for u in built.undo if isinstance(u, RemoveIndex))
        return replace(built, undo=undo)

    def _index_parts(self, schema: str, name: str) -> tuple[str, str, str]:
        full = qualified(TableName(schema, name))
        state = (
            "SELECT i.indisvalid FROM pg_catalog.pg_index i"
            f" WHERE i.indexrelid = pg_catalog.to_regclass({literal(full)})"
        )
        return f"DROP INDEX CONCURRENTLY IF EXISTS {full}", f"DROP INDEX {full}", state

    def drop_index_inside(self, table: TableName, index: Index) -> Changes:
        full = qualified(TableName(index.schema, index.name))
        return (Change(f"DROP INDEX {full}", (Lock(table, LockMode.ACCESS_EXCLUSIVE),)),)

    def rename_index(self, table: TableName, old: str, new: str) -> Changes:
        full = qualified(TableName(table.schema, old))
        lock = Lock(table, LockMode.SHARE_UPDATE_EXCLUSIVE)
        return (Change(f"ALTER INDEX {full} RENAME TO {identifier(new)}", (lock,)),)

    def column_definition(self, column: Column) -> str:
        """Write a column as CREATE TABLE and ADD COLUMN take it."""
        parts = [f"{identifier(column.name)} {column.type}"]
        if column.collation:
            parts.append(f"COLLATE {column.collation}")
        if column.sequence and column.sequence.identity:
            parts.append(f"GENERATED {column.sequence.identity} AS IDENTITY")
        if column.default is not None:
            parts.append(f"DEFAULT {column.default}")
        if column.not_null:
            parts.append("NOT NULL")
        return " ".join(parts)

    def add_column(self, table: TableName, column: Column) -> Changes:
        return (alter(table, f"ADD COLUMN {self.column_definition(column)}"),)

    def drop_column(
        self, table: TableName, column: str, indexes: Sequence[str] = (), keys: Sequence[Constraint] = ()
    ) -> Changes:
        return (alter(table, f"DROP COLUMN {identifier(column)}"),)

    def rename_column(self, table: TableName, old: str, new: str) -> Changes:
        return (alter(table, f"RENAME COLUMN {identifier(old)} TO {identifier(new)}"),)

    def set_default(self, table: TableName, column: Column, expression: str) -> Changes:
        return (alter(table, f"ALTER COLUMN {identifier(column.name)} SET DEFAULT {expression}"),)

    def alter_type(self, table: TableName, column: Column, type_: str) -> Changes:
        return (alter(table, f"ALTER COLUMN {identifier(column.name)} TYPE {type_}"),)

    def drop_default(self, table: TableName, column: Column) -> Changes:
        return (alter(table, f"ALTER COLUMN {identifier(column.name)} DROP DEFAULT"),)

    def copy_column_properties(self, table: TableName, column: Column, target: str) -> Changes:
        name, full = identifier(target), f"{qualified(table)}.{identifier(target)}"
        lock = (Lock(table, LockMode.ACCESS_EXCLUSIVE),)
        made = [
            Change(
                f"GRANT {grant.privilege} ({name}) ON {qualified(table)} TO {grant.grantee}"
                + (" WITH GRANT OPTION" if grant.grantable else ""),
                lock,
            )
            for grant in column.grants
        ]
        if column.comment is not None:
            made.append(Change(f"COMMENT ON COLUMN {full} IS {literal(column.comment)}", lock))
        if column.statistics is not None:
            made.append(alter(table, f"ALTER COLUMN {name} SET STATISTICS {column.statistics}"))
        if column.storage:
            made.append(alter(table, f"ALTER COLUMN {name} SET STORAGE {column.storage}"))
        if column.compression:
            made.append(alter(table, f"ALTER COLUMN {name} SET COMPRESSION {column.compression}"))
        if column.options:
            made.append(alter(table, f"ALTER COLUMN {name} SET ({', '.join(column.options)})"))
        return tuple(made)

    def move_sequence(self, table: TableName, source: Column, target: Column) -> Changes:
        sequence = source.sequence
        if sequence is None:
            return ()
        full = qualified(TableName(sequence.schema, sequence.name))
        lock = (Lock(table, LockMode.ACCESS_EXCLUSIVE),)
        if sequence.identity is None:
            owner = f"{qualified(table)}.{identifier(target.name)}"
            moved = Change(f"ALTER SEQUENCE {full} OWNED BY {owner}", lock)
            if source.type == target.type:
                return (moved,)
            return moved, Change(f"ALTER SEQUENCE {full} AS {target.type}", lock)
        # An identity cannot change columns: a second one takes over name and position, the first goes.
        aside = names.owned("sequence", sequence.schema, sequence.name)
        aside_full = qualified(TableName(sequence.schema, aside))
        options = types.sequence_options(sequence.options, source.type, target.type)
        generated = f"GENERATED {sequence.identity} AS IDENTITY (SEQUENCE NAME {full} {options})"
        return (
            Change(f"ALTER SEQUENCE {full} RENAME TO {identifier(aside)}", lock),
            alter(table, f"ALTER COLUMN {identifier(target.name)} ADD {generated}"),
            Change(f"SELECT pg_catalog.setval({literal(full)}, last_value, is_called) FROM {aside_full}", lock),
            alter(table, f"ALTER COLUMN {identifier(source.name)} DROP IDENTITY"),
        )

    def comment_on_index(self, table: TableName, name: str, comment: str) -> Changes:
        full = qualified(TableName(table.schema, name))
        return (Change(f"COMMENT ON INDEX {full} IS {literal(comment)}"),)
