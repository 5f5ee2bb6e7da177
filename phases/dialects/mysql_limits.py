"""What can be done on MySQL and MariaDB, and what is refused there before anything is touched."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from phases.catalog import Catalog, Column, Constraint, ConstraintKind, Server, Table
from phases.dialects.mysql_backfill import NUMBERS, base_type, key_of
from phases.dialects.mysql_types import LABELLED, labels
from phases.errors import Refused, nearest

if TYPE_CHECKING:
    from phases.dialects.mysql import MySQL

TEXTS = frozenset({"char", "varchar", "tinytext", "text", "mediumtext", "longtext", "enum", "set"})
"""Types that can have a collation."""
COLLATED = TEXTS | {"json"}
"""Types whose `=` asks a collation, or looks at what is meant."""
UNINDEXABLE = frozenset({"tinytext", "text", "mediumtext", "longtext", "tinyblob", "blob", "mediumblob", "longblob"})
WITHOUT_CONSTANT = UNINDEXABLE | {"json", "geometry"}
"""Types that can have no constant as their default, not even NULL."""

SLOW = ("CREATE FULLTEXT", "CREATE SPATIAL")
"""How indexes begin that cannot be built while a table is written to."""

TYPES = frozenset(
    "tinyint smallint mediumint int integer bigint decimal dec numeric fixed float double real bit bool boolean serial"
    " date datetime timestamp time year char varchar character nchar nvarchar national binary varbinary tinytext text"
    " mediumtext longtext tinyblob blob mediumblob longblob enum set json geometry point linestring polygon multipoint"
    " multilinestring multipolygon geometrycollection int1 int2 int3 int4 int8 float4 float8".split()
)
OWN_TYPES: Mapping[str, frozenset[str]] = {
    "mysql": frozenset({"vector"}),
    "mariadb": frozenset({"uuid", "inet4", "inet6", "vector"}),
}
SPELLINGS = {
    "timestamptz": "datetime(6), in UTC",
    "jsonb": "json",
    "bytea": "longblob",
    "uuid": "binary(16) or char(36)",
    "interval": "an integer of seconds",
}

SUPPORTED = frozenset(
    "CreateTable AddColumn DropColumn RenameColumn CreateIndex DropIndex RenameIndex SetDefault DropDefault SetNotNull"
    " DropNotNull DropTable RunSQL Backfill Adopted"
    " TransformColumns ChangeType AddForeignKey AddUnique DropConstraint RenameConstraint SplitTable"
    " RebuildTable RenameTable AddCheck AddPrimaryKey ChangePrimaryKeyType".split()
)
INSTEAD: Mapping[str, str] = {
    "PartitionTable": 'RebuildTable(…, partition_by="RANGE COLUMNS (…) (PARTITION …)")',
    "MergeTables": "add the columns (AddColumn), let the application write both, fill them with Backfill, and drop the"
    " second table (DropTable): triggers cannot do it for statements of the running version that write one of the two"
    " tables and read the other (1442)",
}
OTHERWISE = "do it with RunSQL, phase by phase, or in a maintenance window"


def admit(operation: object, catalog: Catalog, dialect: MySQL) -> None:
    """Refuse an operation by name that there is not yet for these servers, or not on such a table.

    Raises:
        Refused: with the reason, and what to do instead.
    """
    name = type(operation).__name__
    if name not in SUPPORTED:
        raise Refused(f"{name} is not there yet for {catalog.server}", remedy=INSTEAD.get(name, OTHERWISE))
    check = CHECKS.get(name)
    if check is not None:
        check(operation, catalog, dialect)


COPIED = frozenset({"RebuildTable", "AddCheck", "AddPrimaryKey", "ChangePrimaryKeyType", "ChangeType"})


def needs_copy(operation: Any, catalog: Catalog, dialect: MySQL) -> bool:
    """Whether a table has to be written again for an operation; not where it names what is not there."""
    table = found(operation, catalog) if type(operation).__name__ in COPIED else None
    if table is None or type(operation).__name__ != "ChangeType":
        return table is not None
    known = operation.to is None and table.has_column(operation.column)
    try:
        return known and not operation.in_one_go(table, dialect)
    except Refused:
        return False  # of a type that is none: whoever validates it says so


def found(operation: Any, catalog: Catalog) -> Table | None:
    return catalog.tables.get(catalog.name(operation.table, operation.schema))


def admit_create_table(operation: Any, catalog: Catalog, dialect: MySQL) -> None:
    numbered = [column.name for column in operation.columns if column.identity]
    keys = [column.name for column in operation.columns if column.primary_key]
    if numbered and (len(numbered) > 1 or numbered != keys[:1]):
        raise Refused(
            f'"{numbered[-1]}" has an identity, which here is AUTO_INCREMENT: it has to be the first column of the'
            " primary key, and the only one",
            remedy="add primary_key=True to it, and to no column before it",
        )
    for column in operation.columns:
        check_column(column.name, dialect.type_text(column.type), column.primary_key or column.unique, dialect)
        check_given_default(column.name, dialect.type_text(column.type), column.default)
        if column.references is not None and column.references[0] != operation.table:
            other = catalog.tables.get(catalog.name(column.references[0], operation.schema))
            target = next((c for c in other.columns if c.name == column.references[1]), None) if other else None
            ours = base_type(dialect.type_name(dialect.type_text(column.type)))
            if target is not None and base_type(dialect.type_name(target.type)) != ours:
                raise Refused(
                    f'"{column.name}" is of type {ours}, and references a column of type {target.type}',
                    remedy=f'give it the type "{target.type}"',
                )


def check_column(name: str, type_: str, in_key: bool, dialect: MySQL) -> None:
    kind = base_type(dialect.type_name(type_))
    if in_key and kind in UNINDEXABLE:
        raise Refused(
            f'"{name}" is part of a key, and of type {type_}, of which a key has only the beginning',
            remedy='give it a length: "varchar(255)"',
        )


def check_given_default(name: str, type_: str, default: str | None) -> None:
    """Refuse a default that the server does not take."""
    if default is not None and default.strip().upper() == "NULL":
        raise Refused(f'"{name}" has the default NULL, which every nullable column has', remedy="leave default= out")
    if default is not None and base_type(type_) in WITHOUT_CONSTANT and default.startswith("'"):
        raise Refused(
            f'"{name}" is of type {type_}, which can have no constant as its default',
            remedy=f'write it as an expression: default="({default})"',
        )


def admit_add_column(operation: Any, catalog: Catalog, dialect: MySQL) -> None:
    refuse_alike(found(operation, catalog), operation.column)
    type_ = dialect.type_text(operation.type)
    dialect.type_name(type_)
    check_given_default(operation.column, type_, operation.default)
    table = found(operation, catalog)
    filled = operation.fill is not None or (operation.default and dialect.volatility(operation.default) == "volatile")
    if table is not None and filled:
        key_of(table)
        if not operation.nullable:
            refuse_rebuild(table)


def refuse_alike(table: Table | None, name: str) -> None:
    """Names of columns are compared without regard to case."""
    for column in table.columns if table else ():
        if column.name != name and column.name.casefold() == name.casefold():
            raise Refused(f'"{name}" and "{column.name}" of "{table.name if table else ""}" are one name to the server')


def refuse_illegible(column: Column) -> None:
    """Refuse to write a column again as the server shows it, where that may not be what it is."""
    if column.illegible:
        raise Refused(
            f'"{column.name}" is shown as {column.type}{f" DEFAULT {column.default}" if column.default else ""}: the'
            " server writes ? for letters of four bytes, too, and it would be defined with question marks",
            remedy="write its definition out, forward and back: RunSQL(expand=…, undo=…)",
        )


def admit_rename_column(operation: Any, catalog: Catalog, _: MySQL) -> None:
    table = found(operation, catalog)
    if table is None or not table.has_column(operation.old):
        return
    refuse_alike(table, operation.new)
    refuse_attached(table, operation.old, "RenameColumn", follows=quiet)
    column = table.column(operation.old)
    if column.sequence is not None or column.options:
        what = "AUTO_INCREMENT" if column.sequence else column.options[0]
        raise Refused(
            f'"{operation.old}" of "{table.name}" is {what}, which no second column can be',
            remedy="rename it in a maintenance window, or keep its name",
        )
    refuse_slow_indexes(table, operation.old)
    if column.not_null:
        refuse_rebuild(table)
    key_of(table)


def admit_drop_column(operation: Any, catalog: Catalog, _: MySQL) -> None:
    table = found(operation, catalog)
    if table is None or not table.has_column(operation.column):
        return
    refuse_attached(table, operation.column, "DropColumn", follows=is_key)
    if operation.fill is not None:
        key_of(table)
        if table.column(operation.column).not_null:
            refuse_rebuild(table)


WRITES_ROWS = re.compile(r"ON DELETE SET|ON UPDATE (?:SET|CASCADE)", re.I)


def is_key(constraint: Constraint) -> bool:
    return constraint.kind is ConstraintKind.FOREIGN


def quiet(constraint: Constraint) -> bool:
    """Whether it is a foreign key that changes no column of its own table."""
    return is_key(constraint) and not WRITES_ROWS.search(constraint.definition)


def refuse_attached(
    table: Table, column: str, what: str, follows: Callable[[Constraint], bool] = lambda _: False
) -> None:
    """Refuse a column that a foreign key or a CHECK is about, but for those that can follow."""
    for constraint in table.constraints:
        if column not in constraint.columns or follows(constraint):
            continue
        if constraint.kind in (ConstraintKind.FOREIGN, ConstraintKind.CHECK):
            drop = "DROP FOREIGN KEY" if is_key(constraint) else "DROP CONSTRAINT"
            reason = "cascades of foreign keys fire no triggers" if is_key(constraint) else "a CHECK copies the table"
            raise Refused(
                f'{what}: {constraint.kind} "{constraint.name}" of "{table.name}" is about "{column}" ({reason})',
                remedy=f"drop it in an earlier revision: RunSQL with ALTER TABLE … {drop} {constraint.name}",
            )


def refuse_slow_indexes(table: Table, column: str) -> None:
    for index in table.indexes:
        if column in index.columns and index.definition.startswith(SLOW):
            raise Refused(
                f'index "{index.name}" of "{table.name}" cannot be built without blocking writes',
                remedy="drop it in an earlier revision, and create it again in a maintenance window",
            )


def admit_not_null(operation: Any, catalog: Catalog, _: MySQL) -> None:
    table = found(operation, catalog)
    if table is None or not table.has_column(operation.column):
        return
    refuse_attached(table, operation.column, type(operation).__name__)
    key_of(table)
    refuse_rebuild(table)


def refuse_rebuild(table: Table) -> None:
    """Refuse what writes the table again, where that would keep writers waiting."""
    if any(index.definition.startswith(SLOW) for index in table.indexes):
        raise Refused(
            f'"{table.name}" has a FULLTEXT or SPATIAL index: it cannot be built again while it is written to',
            remedy="do it in a maintenance window",
        )


def admit_create_index(operation: Any, catalog: Catalog, _: MySQL) -> None:
    given = {
        "where": operation.where is not None,
        "include": bool(operation.include),
        "using": operation.using != "btree",
        "an expression as a key": any(key.startswith("(") for key in operation.columns),
    }
    for what, there in given.items():
        if there:
            raise Refused(
                f"CreateIndex with {what} is not there for {catalog.server}"
                + (", which has none or blocks writes while it builds one" if what.startswith("an") else ""),
                remedy="index a column of that value instead: RunSQL with ALTER TABLE … ADD COLUMN … AS (…) VIRTUAL,"
                " ALGORITHM=INSTANT, and CreateIndex over it in the next revision"
                if what.startswith("an")
                else f"leave {what}= out",
            )
    table = found(operation, catalog)
    for name in operation.columns if table else ():
        if table is not None and table.has_column(name) and base_type(table.column(name).type) in UNINDEXABLE:
            raise Refused(
                f'"{name}" is of type {table.column(name).type}, of which an index has only the beginning',
                remedy=f"say how much of it: RunSQL with CREATE INDEX … ({name}(20)) ALGORITHM=INPLACE LOCK=NONE",
            )


def admit_backfill(operation: Any, catalog: Catalog, _: MySQL) -> None:
    table = found(operation, catalog)
    if table is None:
        return
    touched = set(table.row_key()) & set(operation.set or operation.writes)
    key_of(table)
    if touched:
        raise Refused(
            f'Backfill changes "{min(touched)}", by which the rows of "{table.name}" are walked',
            remedy="write another column, or do it in a maintenance window",
        )


def admit_drop_table(operation: Any, catalog: Catalog, _: MySQL) -> None:
    table = found(operation, catalog)
    if table is not None and any(map(is_key, table.constraints)):
        key_of(table)  # a restore compares its rows with the tables they reference


def admit_split_table(operation: Any, catalog: Catalog, _: MySQL) -> None:
    table = found(operation, catalog)
    if table is None or not table.primary_key():
        return
    key_of(table)
    if not any(index.name == "PRIMARY" and index.plain_key for index in table.indexes):
        raise Refused(
            f'the primary key of "{table.name}" is of the beginnings of columns: nothing can reference it',
            remedy='a key of integers can be split by, or of text with a length: "varchar(190)"',
        )
    named = [name.casefold() for name in (*(operation.key or ()), *operation.columns)]
    if doubled := [name for number, name in enumerate(named) if name in named[:number]]:
        raise Refused(f'"{operation.to}" would have two columns "{doubled[0]}": case is no difference to the server')
    for column in table.columns:
        if column.name not in operation.columns:
            continue
        refuse_attached(table, column.name, "SplitTable")
        if column.options:
            raise Refused(
                f'"{column.name}" of "{table.name}" is {column.options[0]}, which two columns cannot be at once',
                remedy="leave it where it is",
            )
        if column.not_null:
            refuse_rebuild(table)


CHECKS: Mapping[str, Any] = {
    "CreateTable": admit_create_table,
    "AddColumn": admit_add_column,
    "RenameColumn": admit_rename_column,
    "DropColumn": admit_drop_column,
    "SetNotNull": admit_not_null,
    "DropNotNull": admit_not_null,
    "CreateIndex": admit_create_index,
    "Backfill": admit_backfill,
    "SplitTable": admit_split_table,
    "DropTable": admit_drop_table,
}


ZEROS: Mapping[str, str] = {
    **dict.fromkeys((*NUMBERS, "float", "double"), "0"),
    **dict.fromkeys(("char", "varchar", "binary", "varbinary"), "''"),
    **dict.fromkeys(("tinytext", "text", "mediumtext", "longtext"), "''"),
    **dict.fromkeys(("tinyblob", "blob", "mediumblob", "longblob"), "''"),
    "date": "'1970-01-01'",
    "datetime": "'1970-01-01 00:00:00'",
    "timestamp": "'1970-01-02 00:00:00'",
    "time": "'00:00:00'",
}


def zero(column: Column, server: Server) -> str | None:
    """A default for a required column while a trigger gives its value; None where none is needed."""
    if server.family != "mariadb" or not column.not_null or column.default is not None:
        return None
    return ZEROS.get(base_type(column.type))


def type_name(type_: str, server: Server) -> str:
    """A type as the catalog spells it.

    Raises:
        Refused: the server has no such type.
    """
    kind = base_type(type_.strip())
    known: Iterable[str] = TYPES | OWN_TYPES[server.family]
    if kind not in known or not kind:
        spelled = f'here it is "{SPELLINGS[kind]}"; ' if kind in SPELLINGS else ""
        raise Refused(
            f'"{type_}" is no type of {server}',
            remedy=f"{spelled}an SQLAlchemy type (sa.DateTime) means the same on every server"
            + (f"; {hint}" if (hint := nearest(kind, known)) and not spelled else ""),
        )
    if kind in LABELLED:
        return f"{kind}({','.join(labels(type_))})"
    return {
        "integer": "int",
        "numeric": "decimal",
        "dec": "decimal",
        "boolean": "tinyint(1)",
        "bool": "tinyint(1)",
    }.get(kind, kind) + type_.strip()[len(kind) :]
