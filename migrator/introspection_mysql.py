"""Read the schema of a MySQL or MariaDB database into `phases.catalog` values.

A schema is a database: the one that the session is in is read, and no other.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from linters.mysql.expressions import MySQLExpressions
from migrator.dialects.mysql import MySQLFamily
from migrator.ledger import tables as ledger
from phases.catalog import (
    Catalog,
    Column,
    Constraint,
    ConstraintKind,
    Dependent,
    IncomingKey,
    Index,
    Sequence,
    Table,
    Trigger,
    Volatility,
)
from phases.dialects.mysql import volatility_of
from phases.dialects.mysql_backfill import NUMBERS, base_type
from phases.dialects.mysql_budget import limit
from phases.dialects.mysql_statements import literal
from phases.model import TableName
from phases.sql import identifier, listed, qualified

if TYPE_CHECKING:
    from sqlalchemy import Connection

TABLES = """
SELECT table_name, table_type, COALESCE(engine, ''), COALESCE(table_rows, -1), COALESCE(data_length, 0),
       COALESCE(table_collation, ''), COALESCE(table_comment, ''), COALESCE(create_options, '')
FROM information_schema.tables WHERE table_schema = DATABASE() ORDER BY table_name
"""
COLUMNS = """
SELECT table_name, column_name, column_type, is_nullable, column_default, COALESCE(extra, ''),
       COALESCE(collation_name, ''), COALESCE(generation_expression, ''), column_comment
FROM information_schema.columns WHERE table_schema = DATABASE() ORDER BY table_name, ordinal_position
"""
INDEXES = """
SELECT table_name, index_name, non_unique, column_name, sub_part, index_type, COALESCE(collation, 'A'),
       COALESCE(index_comment, ''), {expression}, {hidden}
FROM information_schema.statistics WHERE table_schema = DATABASE() ORDER BY table_name, index_name, seq_in_index
"""
CHECKS = """
SELECT t.table_name, c.constraint_name, c.check_clause
FROM information_schema.check_constraints c JOIN information_schema.table_constraints t
  ON t.constraint_schema = c.constraint_schema AND t.constraint_name = c.constraint_name {same_table}
WHERE c.constraint_schema = DATABASE() AND t.constraint_type = 'CHECK' ORDER BY 1, 2
"""
FOREIGN_KEYS = """
SELECT k.table_name, k.constraint_name, k.column_name, k.referenced_table_schema, k.referenced_table_name,
       k.referenced_column_name, r.delete_rule, r.update_rule
FROM information_schema.key_column_usage k JOIN information_schema.referential_constraints r
  ON r.constraint_schema = k.constraint_schema AND r.constraint_name = k.constraint_name
  AND r.table_name = k.table_name
WHERE k.table_schema = DATABASE() AND k.referenced_table_name IS NOT NULL
ORDER BY k.table_name, k.constraint_name, k.ordinal_position
"""
TRIGGERS = """
SELECT event_object_table, trigger_name, action_timing, event_manipulation, action_statement
FROM information_schema.triggers WHERE trigger_schema = DATABASE() ORDER BY trigger_name
"""
VIEWS = "SELECT table_name, view_definition FROM information_schema.views WHERE table_schema = DATABASE()"
OWN_AT_REST = """
SELECT CONCAT('column ', column_name, ' of ', table_schema, '.', table_name), column_name, column_type
FROM information_schema.columns WHERE table_schema = DATABASE() AND LEFT(column_name, 10) = '_migrator_'
UNION ALL
SELECT CONCAT('table ', table_schema, '.', table_name), table_name, 'there'
FROM information_schema.tables WHERE table_schema = DATABASE() AND LEFT(table_name, 10) IN ('_migrator_', '~migrator_')
"""
ROW_VERSIONS = "SELECT name, total_row_versions FROM information_schema.innodb_tables WHERE total_row_versions > 0"
"""Versions of rows that tables have. Asks for the privilege PROCESS."""
EVERYWHERE = " ON *.* TO"
MAY_TRIGGER = "SELECT @@log_bin AND NOT @@log_bin_trust_function_creators"

DIFFERENCES = {
    "mysql": {
        "expression": "expression",
        "hidden": "is_visible = 'NO'",
        "same_table": "",
        "action": "NO ACTION",
    },
    "mariadb": {
        "expression": "NULL",
        "hidden": "ignored = 'YES'",
        "same_table": "AND t.table_name = c.table_name",
        "action": "RESTRICT",
    },
}
KINDS = {"BASE TABLE": "table", "VIEW": "view", "SYSTEM VIEW": "view"}
ON_UPDATE = re.compile(r"on update current_timestamp(?:\((\d*)\))?", re.I)
OWN = frozenset(f"{ledger.SCHEMA}_{table.name}" for table in ledger.metadata.tables.values())


class MySQLReader:
    """One reading of a catalog."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.facts = MySQLFamily().facts(self.rows)
        self.server, self.schema = self.facts.server, self.facts.database
        self.expressions = MySQLExpressions(self.server.family, self.server.version)
        self.different = DIFFERENCES[self.server.family]

    def rows(self, sql: str) -> list[Any]:
        return list(self.connection.execution_options(no_parameters=True).exec_driver_sql(sql))

    def grouped(self, sql: str) -> dict[str, list[Any]]:
        found: dict[str, list[Any]] = defaultdict(list)
        for row in self.rows(sql):
            found[row[0]].append(row[1:])
        return found

    def catalog(self) -> Catalog:
        described = {row[0]: row[1:] for row in self.rows(TABLES) if row[0] not in OWN}
        columns, indexes, triggers = (
            self.grouped(COLUMNS),
            self.grouped(INDEXES.format(**self.different)),
            self.triggers(),
        )
        keys, incoming = self.foreign_keys()
        checks, views, powerless = self.grouped(CHECKS.format(**self.different)), self.rows(VIEWS), self.powerless()
        found: dict[TableName, Table] = {}
        versions = self.row_versions()
        for name, row in described.items():
            table = TableName(self.schema, name)
            shown = self.unseen_defaults(table, columns[name])
            own = tuple(self.column(each, row[4], shown) for each in columns[name])
            built = tuple(self.indexes(table, indexes[name]))
            names = [column.name for column in own]
            found[table] = Table(
                table,
                kind_of(row),
                own,
                built,
                (*self.primary(built), *keys[name], *(self.check(check, names) for check in checks[name])),
                tuple(incoming[name]),
                tuple(self.trigger(each, names) for each in triggers[name]),
                tuple(self.dependents(table, own, views)),
                rows=int(row[2]),
                pages=int(row[3]) // 16384,
                comment=row[5] or None,
                collation=row[4] or None,
                readers=tuple(f"view {view}" for view, text in views if self.named(text, table)),
                untriggerable=powerless(name),
                instant_left=limit(self.server) - versions.get(name, 0) if versions is not None else None,
            )
        relations = {*found, *(TableName(self.schema, i.name) for t in found.values() for i in t.indexes)}
        relations -= {TableName(self.schema, "PRIMARY")}
        return Catalog(self.server, self.schema, found, frozenset(relations))

    def unseen_defaults(self, table: TableName, rows: Iterable[Any]) -> dict[str, str]:
        """Defaults of TEXT and BLOB that MySQL's catalog shows as none until the next ALTER TABLE (seen on 9.7)."""
        if not any(default is None and "DEFAULT_GENERATED" in extra for _, _, _, default, extra, *_ in rows):
            return {}
        return self.expressions.defaults(self.rows(f"SHOW CREATE TABLE {qualified(table)}")[0][1])

    def column(self, row: Any, collation: str, shown: Mapping[str, str]) -> Column:
        name, type_, nullable, default, extra, own_collation, generated, comment = row
        given = None if generated else shown.get(name) or self.default(default, type_, extra)
        stamp = ON_UPDATE.search(extra)
        options = (
            [f"ON UPDATE CURRENT_TIMESTAMP({stamp[1]})" if stamp[1] else "ON UPDATE CURRENT_TIMESTAMP"] if stamp else []
        )
        options += ["INVISIBLE"] if "invisible" in extra.lower() else []
        return Column(
            name,
            type_,
            not_null=nullable == "NO",
            default=given,
            default_volatility=volatility_of(given) if given is not None else Volatility.IMMUTABLE,
            collation=own_collation if own_collation and own_collation != collation else None,
            sequence=Sequence(self.schema, name, "BY DEFAULT") if "auto_increment" in extra.lower() else None,
            generated=self.written(generated) if generated else None,
            comment=comment or None,
            options=tuple(options),
            equality_is_identity=True,
            illegible="?" in type_ or ("?" in (given or "") and (name in shown or "DEFAULT_GENERATED" not in extra)),
        )

    def default(self, text: str | None, type_: str, extra: str) -> str | None:
        """A default as an expression: MariaDB writes one, MySQL the bare value of a constant."""
        if text is None or (self.server.family == "mariadb" and text == "NULL"):
            return None
        if self.server.family == "mariadb":
            return text
        if "DEFAULT_GENERATED" in extra:
            return self.written(text)
        return text if base_type(type_) in (*NUMBERS, "float", "double", "bit") else literal(text)

    def written(self, expression: str) -> str:
        """An expression as it was written: MySQL shows it as the inside of a string, and each byte as a character."""
        if self.server.family != "mysql":
            return expression
        text = re.sub(r"\\(.)", r"\1", expression)
        try:
            return text.encode("latin-1").decode()
        except UnicodeError:
            return text

    def indexes(self, table: TableName, rows: Iterable[Any]) -> Iterable[Index]:
        parts: dict[str, list[Any]] = defaultdict(list)
        for name, *part in rows:
            parts[name].append(part)
        for name, found in parts.items():
            unique, kind, comment, hidden = not found[0][0], found[0][3], found[0][5], found[0][7]
            plain = all(column is not None and size is None for _, column, size, *_ in found) and kind == "BTREE"
            named = tuple(column for part in found for column in self.covered(part))
            yield Index(
                self.schema,
                name,
                self.definition(table, name, found, comment, hidden),
                named,
                unique=unique,
                constraint=name if name == "PRIMARY" else None,
                plain_key=named if plain else (),
            )

    def covered(self, part: Any) -> Iterable[str]:
        if part[1] is not None:
            return (part[1],)
        try:
            return sorted(self.expressions.columns(self.written(part[6])))
        except ValueError:
            return ()

    def definition(self, table: TableName, name: str, parts: list[Any], comment: str, hidden: bool) -> str:
        kind = parts[0][3]
        verb = "UNIQUE " if not parts[0][0] else f"{kind} " if kind in ("FULLTEXT", "SPATIAL") else ""
        keys = []
        for _, column, size, _, order, _, expression, _ in parts:
            text = identifier(column) if column is not None else f"({self.written(expression)})"
            sized = f"({size})" if size is not None and kind != "SPATIAL" else ""
            keys.append(f"{text}{sized}{' DESC' if order == 'D' else ''}")
        said = f" COMMENT {literal(comment)}" if comment else ""
        aside = {"mysql": " INVISIBLE", "mariadb": " IGNORED"}[self.server.family] if hidden else ""
        return f"CREATE {verb}INDEX {identifier(name)} ON {qualified(table)} ({', '.join(keys)}){said}{aside}"

    @staticmethod
    def primary(indexes: Iterable[Index]) -> Iterable[Constraint]:
        for index in indexes:
            if index.name == "PRIMARY":
                text = f"PRIMARY KEY ({listed(index.columns)})"
                yield Constraint("PRIMARY", ConstraintKind.PRIMARY, text, index.columns, index="PRIMARY")

    def check(self, row: Any, names: list[str]) -> Constraint:
        name, clause = row[0], self.written(row[1])
        try:
            columns = tuple(sorted(self.expressions.columns(clause)))
        except ValueError:
            columns = tuple(names)  # what it reads is not known: perhaps all of it
        return Constraint(name, ConstraintKind.CHECK, f"CHECK ({clause})", columns)

    def foreign_keys(self) -> tuple[dict[str, list[Constraint]], dict[str, list[IncomingKey]]]:
        """Foreign keys by table, and by the table they reference."""
        parts: dict[tuple[str, str], list[Any]] = defaultdict(list)
        for table, name, *row in self.rows(FOREIGN_KEYS):
            parts[table, name].append(row)
        own: dict[str, list[Constraint]] = defaultdict(list)
        incoming: dict[str, list[IncomingKey]] = defaultdict(list)
        for (table, name), rows in parts.items():
            _, schema, other, _, on_delete, on_update = rows[0]
            columns, targets = tuple(row[0] for row in rows), tuple(row[3] for row in rows)
            target = TableName(schema, other)
            text = f"FOREIGN KEY ({listed(columns)}) REFERENCES {qualified(target)} ({listed(targets)})"
            actions = {"DELETE": on_delete, "UPDATE": on_update}
            # Written out, the default would be another one to a table that is altered in place.
            given = (f" ON {event} {action}" for event, action in actions.items() if action != self.different["action"])
            text += "".join(given)
            key = Constraint(name, ConstraintKind.FOREIGN, text, columns)
            own[table].append(
                Constraint(
                    name, key.kind, text, columns, references=target, referenced_columns=targets, on_delete=on_delete
                )
            )
            if schema == self.schema:
                incoming[other].append(IncomingKey(TableName(self.schema, table), name, targets))
        return own, incoming

    def triggers(self) -> dict[str, list[Any]]:
        return self.grouped(TRIGGERS)

    @staticmethod
    def trigger(row: Any, names: list[str]) -> Trigger:
        name, timing, event, body = row
        columns = tuple(column for column in names if word(column).search(body))
        return Trigger(name, f"{timing} {event} {body}", timing == "BEFORE", columns)

    def named(self, text: str, table: TableName) -> bool:
        """Whether the text of a view, as the server writes it, has a table."""
        return f"`{table.schema}`.`{table.name}`" in text or qualified(table) in text

    def dependents(self, table: TableName, columns: tuple[Column, ...], views: list[Any]) -> Iterable[Dependent]:
        for view, text in views:
            read = tuple(c.name for c in columns if f"`{c.name}`" in text or identifier(c.name) in text)
            if view != table.name and read and self.named(text, table):
                yield Dependent("view", f"{self.schema}.{view}", read)
        for column in columns:
            if column.generated is not None:
                read = tuple(c.name for c in columns if word(c.name).search(column.generated))
                yield Dependent("generated column", column.name, read)

    def row_versions(self) -> dict[str, int] | None:
        """How often columns of tables were added or dropped INSTANT; None where there is no limit, or none known."""
        if self.server.family != "mysql" or self.server.version < (8, 0, 29):
            return None
        try:
            with self.connection.begin_nested():
                found = {decoded(path): int(count) for path, count in self.rows(ROW_VERSIONS)}
        except Exception:
            return None  # the role may not look: what is used up is found by the server
        return {name: count for (schema, name), count in found.items() if schema == self.schema}

    def powerless(self) -> Callable[[str], str]:
        """A function that says why triggers of a table cannot be created; empty where they can, or nobody knows."""
        grants = self.grants()
        if grants is None:
            return lambda _: ""
        guarded = bool(self.rows(MAY_TRIGGER)[0][0])
        return lambda table: lacking(grants, self.schema, guarded, table)

    def may_lock(self) -> bool:
        """Whether this role may use LOCK TABLES in this database."""
        grants = self.grants()
        return grants is None or any(gives(grant, "LOCK TABLES") for grant in here(grants, self.schema))

    def grants(self) -> list[str] | None:
        """As `SHOW GRANTS` writes them, in capitals, those of active roles among them; None: there are no accounts."""
        try:
            with self.connection.begin_nested():
                return [str(row[0]).upper() for row in self.rows("SHOW GRANTS")]
        except Exception:
            return None


def lacking(grants: list[str], schema: str, guarded: bool, table: str) -> str:
    """What a role lacks for creating triggers of a table.

    Args:
        grants: as `MySQLReader.grants` gives them.
        guarded: a binary log is written, and its server trusts nobody with functions.
    """
    if not any(gives(grant, "TRIGGER") for grant in here(grants, schema, table)):
        return f"it has no TRIGGER privilege (GRANT TRIGGER ON {schema}.* TO …)"
    if guarded and not any(gives(grant, "SUPER") for grant in grants if EVERYWHERE in grant):
        return "a binary log is written, and log_bin_trust_function_creators is off (SET GLOBAL … = 1)"
    return ""


def gives(grant: str, privilege: str) -> bool:
    return re.search(rf"\b{privilege}\b|ALL PRIVILEGES", grant.split(" ON ")[0]) is not None


def here(grants: list[str], schema: str, table: str = "") -> list[str]:
    """Those that hold for a table, or for all of a database."""
    return [grant for grant in grants if EVERYWHERE in grant or mine(grant, schema, table)]


def mine(grant: str, schema: str, table: str) -> bool:
    """Whether a grant is about a table or all of its database, whose name in it may be a pattern."""
    found = re.search(r' ON [`"](.+?)[`"]\.(?:\*|[`"](.+?)[`"]) TO', grant)
    if found is None or found[2] not in (None, table.upper()):
        return False
    pattern = re.escape(found[1]).replace(r"\\_", "\0").replace("_", ".").replace("\0", "_").replace("%", ".*")
    return re.fullmatch(pattern, schema.upper()) is not None


def decoded(path: str) -> tuple[str, str]:
    """Schema and table of a file, in whose name whatever is no letter of ASCII, digit or _ is a code."""
    schema, _, table = re.sub(r"@([0-9a-f]{4})", lambda found: chr(int(found[1], 16)), path).partition("/")
    return schema, table


def word(name: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w$]){re.escape(name)}(?![\w$])", re.I)


def kind_of(row: Any) -> str:
    """What a table is: only ordinary tables of InnoDB can be changed here."""
    kind, engine, options = KINDS.get(row[0], str(row[0]).lower()), row[1], row[6]
    if kind != "table":
        return kind
    if "partitioned" in options.lower():
        return "partitioned table"
    return "table" if engine == "InnoDB" else f"table of engine {engine}"
