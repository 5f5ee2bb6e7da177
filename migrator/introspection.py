"""Read the schema of a PostgreSQL database into `phases.catalog` values."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

from linters.expressions import PostgresExpressions
from migrator import introspection_queries as queries
from phases.catalog import (
    Catalog,
    Column,
    Constraint,
    ConstraintKind,
    Definition,
    Dependent,
    Enum,
    Grant,
    IncomingKey,
    Index,
    Sequence,
    Server,
    Table,
    Trigger,
    Volatility,
)
from phases.dialects.mysql import volatility_of
from phases.dialects.postgresql_definitions import DEFINITIONS
from phases.dialects.postgresql_enums import ENUM_USES
from phases.model import TableName

if TYPE_CHECKING:
    from sqlalchemy import Connection

IGNORED_SCHEMAS = frozenset({"migrator"})

KINDS = {
    "r": "table",
    "p": "partitioned table",
    "v": "view",
    "m": "materialized view",
    "f": "foreign table",
}

IDENTITY_TYPES = frozenset(
    [
        "int2",
        "int4",
        "int8",
        "bool",
        "date",
        "timestamp",
        "timestamptz",
        "time",
        "uuid",
        "bytea",
        "oid",
        "text",
        "varchar",
        "name",
    ]
)
"""Types whose `=` means the same bytes. Not bpchar (blanks), numeric (scale), float (zeros), interval, json."""

CONSTRAINT_KINDS = {
    "c": ConstraintKind.CHECK,
    "u": ConstraintKind.UNIQUE,
    "p": ConstraintKind.PRIMARY,
    "f": ConstraintKind.FOREIGN,
    "x": ConstraintKind.EXCLUSION,
}


def volatility_reader(connection: Connection) -> Callable[[str], Volatility]:
    """A function that says how often the value of an expression may change; one that is not known, every time."""
    return VOLATILITIES[connection.dialect.name](connection)


def postgresql_volatility(connection: Connection) -> Callable[[str], Volatility]:
    """A function is as volatile as the most volatile one of its name."""
    # Three rows instead of three thousand: this is read for every plan.
    rows = connection.exec_driver_sql(queries.VOLATILITY)
    levels: dict[str, int] = {name: level for level, names in rows for name in names.split("\x01")}
    known = (Volatility.IMMUTABLE, Volatility.STABLE, Volatility.VOLATILE)
    expressions = PostgresExpressions()

    def read(expression: str) -> Volatility:
        try:
            called = expressions.functions(expression)
        except ValueError:
            return Volatility.VOLATILE
        return known[max((1 if f == "CURRENT_TIMESTAMP" else levels.get(f, 2) for f in called), default=0)]

    return read


@contextmanager
def empty_search_path(connection: Connection) -> Iterator[str]:
    """Make the server qualify every name it writes; yields the schema of unqualified names.

    It lasts no longer than the transaction: what fails, or is interrupted, takes it back with that.
    """
    before, schema = connection.exec_driver_sql("SELECT current_setting('search_path'), current_schema()").one()
    change = "SELECT pg_catalog.set_config('search_path', %(path)s, true)"
    connection.exec_driver_sql(change, {"path": ""})
    yield schema or "public"
    connection.exec_driver_sql(change, {"path": before})


class Reader:
    """One reading of a catalog: rows grouped by table."""

    def __init__(self, connection: Connection, ignored: frozenset[str]) -> None:
        number = connection.exec_driver_sql("SELECT current_setting('server_version_num')::int").scalar_one()
        self.connection = connection
        self.version = (number // 10000, number % 10000)
        self.ignored = sorted(ignored)
        self.volatility = postgresql_volatility(connection)
        self.expressions = PostgresExpressions()

    def rows(self, sql: str) -> list[Any]:
        from sqlalchemy import text

        if ":ignored" not in sql:
            return list(self.connection.execution_options(no_parameters=True).exec_driver_sql(sql))
        escaped = sql.replace("::", r"\:\:")
        return list(self.connection.execute(text(escaped), {"ignored": self.ignored}))

    def grouped(self, sql: str) -> dict[Any, list[Any]]:
        found: dict[Any, list[Any]] = defaultdict(list)
        for row in self.rows(sql):
            found[row[0]].append(row[1:])
        return found

    @cached_property
    def constraint_rows(self) -> list[Any]:
        return self.rows(queries.CONSTRAINTS)

    @cached_property
    def constrained_types(self) -> dict[Any, str]:
        return dict(self.rows(queries.CONSTRAINED_TYPES))

    def columns(self) -> dict[Any, tuple[Column, ...]]:
        compression = queries.COMPRESSION_SINCE_14 if self.version >= (14, 0) else "NULL::text"
        grants = self.grouped(queries.GRANTS)
        sequences = self._sequences()
        required = self._not_null_names()
        found: dict[Any, list[Column]] = defaultdict(list)
        for table, *row in self.rows(queries.COLUMNS.format(compression=compression)):
            name = row[0]
            column = self._column(row, sequences.get((table, row[15])), required.get((table, name)))
            own = tuple(Grant(g[1], g[2], g[3]) for g in grants.get(table, ()) if g[0] == name)
            found[table].append(
                Column(
                    **{
                        **column,
                        "grants": own,
                        "constrained_domain": row[16] in self.constrained_types,
                    }
                )
            )
        return {table: tuple(columns) for table, columns in found.items()}

    def _column(self, row: Any, sequence: Sequence | None, required: str | None) -> dict[str, Any]:
        (name, type_, not_null, default, generated, _identity, collation, comment, statistics, storage) = row[:10]
        compression, options, type_name, type_kind, deterministic = row[10:15]
        plain_default = default if not generated else None
        exact = (type_kind == "b" and type_name in IDENTITY_TYPES) or type_kind == "e"
        return {
            "name": name,
            "type": type_,
            "not_null": not_null,
            "not_null_name": required,
            "default": plain_default,
            "default_volatility": self.volatility(plain_default) if plain_default else Volatility.IMMUTABLE,
            "collation": collation,
            "sequence": sequence,
            "generated": default if generated else None,
            "comment": comment,
            "statistics": statistics,
            "storage": storage,
            "compression": compression,
            "options": tuple(options or ()),
            "equality_is_identity": exact and deterministic,
        }

    def _sequences(self) -> dict[tuple[Any, int], Sequence]:
        found: dict[tuple[Any, int], Sequence] = {}
        always = {(row[0], row[1]): row[2] for row in self.rows(IDENTITIES)}
        for table, number, schema, name, kind, options in self.rows(queries.SEQUENCES):
            identity = None
            if kind == "i":
                identity = "ALWAYS" if always.get((table, number)) == "a" else "BY DEFAULT"
            found[table, number] = Sequence(schema, name, identity, options)
        return found

    def _not_null_names(self) -> dict[tuple[Any, str], str]:
        return {(row[0], row[10][0]): row[1] for row in self.constraint_rows if row[2] == "n" and row[10]}

    def indexes(self) -> dict[Any, tuple[Index, ...]]:
        found = self.grouped(queries.INDEXES)
        return {table: tuple(self._index(row) for row in rows) for table, rows in found.items()}

    @staticmethod
    def _index(row: Any) -> Index:
        schema, name, definition, unique, valid, constraint, comment, clustered, identity, columns, key = row
        return Index(
            schema,
            name,
            definition,
            tuple(columns or ()),
            unique=unique,
            valid=valid,
            constraint=constraint,
            comment=comment,
            plain_key=tuple(key or ()),
            clustered=clustered,
            replica_identity=identity,
        )

    def constraints(self) -> tuple[dict[Any, list[Constraint]], dict[Any, list[tuple[Any, Constraint]]]]:
        """Constraints by table, and foreign keys by the table they reference."""
        own: dict[Any, list[Constraint]] = defaultdict(list)
        incoming: dict[Any, list[tuple[Any, Constraint]]] = defaultdict(list)
        for row in self.constraint_rows:
            table, name, kind, definition, validated, comment, index, deferral, schema, other = row[:10]
            if kind not in CONSTRAINT_KINDS:
                continue
            constraint = Constraint(
                name,
                CONSTRAINT_KINDS[kind],
                definition,
                tuple(row[10] or ()),
                validated,
                comment,
                index,
                deferral,
                TableName(schema, other) if other else None,
                tuple(row[11] or ()),
                row[13],
            )
            own[table].append(constraint)
            if other:
                incoming[row[12]].append((table, constraint))
        return own, incoming

    def triggers(self) -> dict[Any, tuple[Trigger, ...]]:
        found = self.grouped(queries.TRIGGERS)
        return {
            table: tuple(Trigger(n, d, before, tuple(cols or ()), on) for n, d, before, on, cols in rows)
            for table, rows in found.items()
        }

    def dependents(
        self, columns: dict[Any, tuple[Column, ...]], names: dict[Any, TableName]
    ) -> dict[Any, tuple[Dependent, ...]]:
        rows = self.rows(queries.DEPENDENTS)
        if self.version >= (15, 0):
            rows += self.rows(queries.PUBLICATIONS_SINCE_15)
        named: dict[tuple[Any, str, str, Any], set[str]] = defaultdict(set)
        for table, column, view, kind, name in rows:
            named[table, kind, name, view].add(column)
        for table, own in columns.items():
            for column in own:
                if column.generated is not None:
                    named[table, "generated column", column.name, None] |= self.expressions.columns(column.generated)
        found: dict[Any, list[Dependent]] = defaultdict(list)
        for (table, kind, name, view), read in sorted(named.items(), key=str):
            found[table].append(Dependent(kind, name, tuple(sorted(read)), names.get(view)))
        return {table: tuple(items) for table, items in found.items()}

    def definitions(self, names: dict[Any, TableName]) -> dict[Any, list[Definition]]:
        found: dict[Any, list[Definition]] = defaultdict(list)
        for kind, query in DEFINITIONS.items():
            for _, oid, name, drop, create, replace, obstacles in self.rows(query):
                if oid in names:
                    made = Definition(kind, name, names[oid], drop, tuple(create), replace, tuple(obstacles))
                    found[oid].append(made)
        return found

    def views_over_views(self, names: dict[Any, TableName]) -> dict[Any, list[TableName]]:
        found: dict[Any, list[TableName]] = defaultdict(list)
        for view, over in self.rows(queries.VIEWS_OVER_VIEWS):
            if over in names:
                found[view].append(names[over])
        return found

    def catalog(self, default_schema: str) -> Catalog:
        tables = {row[0]: row for row in self.rows(queries.TABLES)}
        names = {oid: TableName(row[1], row[2]) for oid, row in tables.items()}
        columns, indexes, triggers = self.columns(), self.indexes(), self.triggers()
        own, incoming = self.constraints()
        dependents = self.dependents(columns, names)
        definitions, over = self.definitions(names), self.views_over_views(names)
        pairs = self.rows(queries.INHERITANCE)
        keys = {row[0]: tuple(row[1]) for row in self.rows(queries.PARTITION_KEYS)}
        grants, readers = self.grouped(queries.TABLE_GRANTS), self.grouped(queries.READERS)
        published = self.grouped(queries.PUBLISHED)
        found = {}
        for oid, row in tables.items():
            referencing = tuple(
                IncomingKey(names[table], key.name, key.referenced_columns)
                for table, key in incoming.get(oid, ())
                if table in names
            )
            found[names[oid]] = Table(
                names[oid],
                "partition" if row[4] else KINDS[row[3]],
                columns.get(oid, ()),
                indexes.get(oid, ()),
                tuple(own.get(oid, ())),
                referencing,
                triggers.get(oid, ()),
                dependents.get(oid, ()),
                tuple(names[p] for c, p in pairs if c == oid and p in names),
                tuple(names[c] for c, p in pairs if p == oid and c in names),
                int(row[5]),
                row[6],
                row[7],
                row[8],
                row[9],
                row[10],
                tuple(Grant(*grant) for grant in grants.get(oid, ())),
                tuple(reader for (reader,) in readers.get(oid, ())),
                keys.get(oid, ()),
                row[11],
                row[12],
                tuple(name for name, _ in published.get(oid, ())),
                next((name for name, fails in published.get(oid, ()) if fails), ""),
                row[13],
                tuple(definitions.get(oid, ())),
                tuple(sorted(over.get(oid, ()), key=str)),
            )
        relations = frozenset(TableName(schema, name) for schema, name in self.rows(queries.RELATIONS))
        constrained = frozenset(self.constrained_types.values())
        server = Server("postgresql", self.version)
        return Catalog(server, default_schema, found, relations, self.enums(), constrained)

    def enums(self) -> dict[TableName, Enum]:
        uses: dict[tuple[TableName, str], list[str]] = defaultdict(list)
        for schema, name, kind, _, _, _, used in self.rows(ENUM_USES):
            uses[TableName(schema, name), kind].append(used)
        found = {}
        for schema, name, labels, owner in self.rows(queries.ENUMS):
            enum = TableName(schema, name)
            inside, functions = tuple(uses[enum, "inside"]), tuple(uses[enum, "function"])
            found[enum] = Enum(enum, tuple(labels), owner, inside, functions)
        return found


IDENTITIES = """
SELECT a.attrelid, a.attnum, a.attidentity::text FROM pg_catalog.pg_attribute a WHERE a.attidentity <> ''
"""


def read_catalog(connection: Connection, *, ignored: frozenset[str] = IGNORED_SCHEMAS) -> Catalog:
    """Read every user schema in the caller's transaction. Writes nothing.

    Args:
        ignored: schemas left out, the ledger's by default.
    """
    return READERS[connection.dialect.name](connection, ignored)


def postgresql_catalog(connection: Connection, ignored: frozenset[str]) -> Catalog:
    with empty_search_path(connection) as default_schema:
        return Reader(connection, ignored).catalog(default_schema)


def mysql_catalog(connection: Connection, ignored: frozenset[str]) -> Catalog:
    from migrator.introspection_mysql import MySQLReader

    del ignored  # the ledger's tables are known by their names
    return MySQLReader(connection).catalog()


READERS: dict[str, Callable[[Connection, frozenset[str]], Catalog]] = {
    "postgresql": postgresql_catalog,
    "mysql": mysql_catalog,
    "mariadb": mysql_catalog,
}
VOLATILITIES: dict[str, Callable[[Connection], Callable[[str], Volatility]]] = {
    "postgresql": postgresql_volatility,
    "mysql": lambda _: volatility_of,
    "mariadb": lambda _: volatility_of,
}
