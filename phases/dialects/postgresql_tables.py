"""Whole tables, and types, on PostgreSQL."""

from __future__ import annotations

import re
from collections.abc import Sequence

from phases.catalog import Constraint, Grant, Server, Table
from phases.dialects.base import Change, Changes
from phases.dialects.postgresql_statements import block
from phases.model import Lock, LockMode, Step, TableName, Transaction
from phases.names import PREFIX
from phases.sql import identifier, listed, literal, qualified

INVOKER_SINCE = (15, 0)
"""Views that check privileges and row security of whoever uses them, not of their owner."""

REVOKE_BODY = """
DECLARE
  granted record;
BEGIN
  FOR granted IN
    SELECT DISTINCT CASE WHEN x.grantee = 0 THEN 'PUBLIC'
                         ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(x.grantee)) END AS role
    FROM pg_catalog.pg_class c CROSS JOIN LATERAL pg_catalog.aclexplode(c.relacl) x
    WHERE c.oid = {view}::pg_catalog.regclass AND x.grantee <> c.relowner
  LOOP
    EXECUTE 'REVOKE ALL ON {full} FROM ' || granted.role;
  END LOOP;
END
"""

LOCK_REFERENCED_BODY = """
DECLARE
  other pg_catalog.oid;
BEGIN
  SELECT c.confrelid INTO other FROM pg_catalog.pg_constraint c
  WHERE c.conrelid = {table}::pg_catalog.regclass AND c.conname = {name};
  EXECUTE pg_catalog.format('LOCK TABLE ONLY %s IN ACCESS EXCLUSIVE MODE', other::pg_catalog.regclass);
END
"""

FUNCTIONS_NAMING = """
SELECT DISTINCT n.nspname || '.' || p.proname
FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'migrator')
  AND p.proname !~ {ours} AND {named}
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
    WHERE d.classid = 'pg_catalog.pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
  AND n.nspname || '.' || p.proname <> ALL (ARRAY[{known}]::text[])
ORDER BY 1 LIMIT 5
"""

FUNCTIONS_NAMING_COLUMNS = """
WITH own AS (
  SELECT t.tgfoid, ({given}) AS given FROM pg_catalog.pg_trigger t WHERE t.tgrelid = pg_catalog.to_regclass({table}))
SELECT DISTINCT n.nspname || '.' || p.proname
FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
WHERE p.proname !~ {ours} AND n.nspname || '.' || p.proname <> ALL (ARRAY[{known}]::text[])
  AND (p.oid IN (SELECT o.tgfoid FROM own o WHERE o.given)
    OR ({columns}) AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'migrator')
    AND (p.oid IN (SELECT o.tgfoid FROM own o) OR {tables} OR (
      SELECT c.reltype FROM pg_catalog.pg_class c WHERE c.oid = pg_catalog.to_regclass({table})
    ) = ANY (p.proargtypes::oid[]))
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
      WHERE d.classid = 'pg_catalog.pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'))
ORDER BY 1 LIMIT 5
"""

GIVEN = """position(pg_catalog.convert_to({name}, pg_catalog.getdatabaseencoding()) || '\\x00'::bytea
  IN '\\x00'::bytea || t.tgargs) > 0"""


def names_it(name: str) -> str:
    """Condition on the text of a function `p`: it has a name as a word of its own.

    In capitals, too, where the name is one that need not be quoted.
    """
    escaped = re.sub(r"([^\w])", r"\\\1", name)
    pattern = rf"(^|[^[:alnum:]_$]){escaped}($|[^[:alnum:]_$])"
    return f"p.prosrc {'~*' if name == name.lower() else '~'} {literal(pattern)}"


class PostgreSQLTables:
    """The part of the PostgreSQL dialect that sees no columns."""

    __slots__ = ()

    @property
    def _server(self) -> Server:
        raise TypeError("the dialect has the server")

    def together(self, name: str, changes: Sequence[Change]) -> Step:
        raise TypeError("the dialect makes steps of changes")

    def create_table(self, table: TableName, parts: Sequence[str], comment: str | None) -> Changes:
        made = [Change(f"CREATE TABLE {qualified(table)} (" + ", ".join(parts) + ")")]
        if comment is not None:
            made.append(Change(f"COMMENT ON TABLE {qualified(table)} IS {literal(comment)}"))
        return tuple(made)

    def drop_table(self, table: TableName) -> Changes:
        return (Change(f"DROP TABLE {qualified(table)}", (Lock(table, LockMode.ACCESS_EXCLUSIVE),)),)

    def rename_table(self, table: TableName, new: str) -> Changes:
        lock = Lock(table, LockMode.ACCESS_EXCLUSIVE)
        return (Change(f"ALTER TABLE {qualified(table)} RENAME TO {identifier(new)}", (lock,)),)

    def create_view(self, view: TableName, table: Table) -> Changes:
        full, source = qualified(view), qualified(table.name)
        names = listed(column.name for column in table.columns)
        # Reading any column of such a view takes the right to read every column of the table.
        invoker = self._server.version >= INVOKER_SINCE and not table.partial_readers()
        options = " WITH (security_invoker = true)" if invoker else ""
        made = [
            f"CREATE VIEW {full}{options} AS SELECT {names} FROM {source}",
            *self._granted(full, table),
        ]
        made += [self._grant(grant, full, column.name) for column in table.columns for grant in column.grants]
        if table.comment is not None:
            made.append(f"COMMENT ON VIEW {full} IS {literal(table.comment)}")
        for column in table.columns:
            if column.comment is not None:
                made.append(f"COMMENT ON COLUMN {full}.{identifier(column.name)} IS {literal(column.comment)}")
        made.append(f"ALTER VIEW {full} OWNER TO {table.owner}")
        return tuple(Change(sql) for sql in made)

    def _granted(self, full: str, table: Table) -> list[str]:
        # ALTER DEFAULT PRIVILEGES may have given it away to roles that may not use the table.
        revoked = "DO " + literal(REVOKE_BODY.format(view=literal(full), full=full.replace("'", "''")))
        return [revoked, *(self._grant(grant, full) for grant in table.grants)]

    def share_table(self, made: TableName, table: Table) -> Changes:
        full = qualified(made)
        return tuple(Change(sql) for sql in (*self._granted(full, table), f"ALTER TABLE {full} OWNER TO {table.owner}"))

    @staticmethod
    def _grant(grant: Grant, relation: str, column: str | None = None) -> str:
        part = f" ({identifier(column)})" if column is not None else ""
        option = " WITH GRANT OPTION" if grant.grantable else ""
        return f"GRANT {grant.privilege}{part} ON {relation} TO {grant.grantee}{option}"

    def drop_view(self, view: TableName) -> Changes:
        # LOCK TABLE of a view would lock the table under it, too.
        return (Change(f"DROP VIEW {qualified(view)}"),)

    def swap_view(self, view: TableName, table: Table) -> tuple[Step, ...]:
        old, new = table.name.name, view.name
        back = (*self.rename_table(view, old), *self.create_view(view, table))
        undo = self.together(f"rename table {new} to {old}, create view {new}", back)
        # The view first, as everybody else who uses it locks it before the table under it.
        locks = (Lock(view, LockMode.ACCESS_EXCLUSIVE), Lock(table.name, LockMode.ACCESS_EXCLUSIVE))
        changes = (*self.drop_view(view), *self.rename_table(table.name, new))
        name = f"drop view {new}, rename table {old} to {new}"
        statements = tuple(change.sql for change in changes)
        return (Transaction(name=name, statements=statements, locks=locks, undo=(undo,)),)

    def granted_apart(self, table: TableName, other: TableName) -> str:
        return "SELECT 1 WHERE false"  # a view is given the privileges of the table

    def drop_key_aside(self, table: TableName, key: Constraint) -> Changes:
        # It has triggers on the other table, whatever the name of that one is by then.
        body = LOCK_REFERENCED_BODY.format(table=literal(qualified(table)), name=literal(key.name))
        by = block("lock what it references", body)
        locks = (Lock(key.references or table, LockMode.ACCESS_EXCLUSIVE, by), Lock(table, LockMode.ACCESS_EXCLUSIVE))
        return (Change(f"ALTER TABLE {qualified(table)} DROP CONSTRAINT {identifier(key.name)}", locks),)

    def drop_constraint_if_exists(self, table: TableName, name: str) -> Changes:
        lock = Lock(table, LockMode.ACCESS_EXCLUSIVE)
        return (Change(f"ALTER TABLE {qualified(table)} DROP CONSTRAINT IF EXISTS {identifier(name)}", (lock,)),)

    def attach_partition_index(self, partition: TableName, index: str, parent: TableName) -> Changes:
        # It locks the index, which keeps out whoever uses the partition; only a table can be asked for first.
        lock = Lock(partition, LockMode.ACCESS_EXCLUSIVE)
        full = qualified(TableName(partition.schema, index))
        return (Change(f"ALTER INDEX {qualified(parent)} ATTACH PARTITION {full}", (lock,)),)

    def detach_partition(
        self, name: str, table: TableName, partition: TableName, referenced: Sequence[TableName]
    ) -> Step:
        # In the order in which statements that use them lock them. CONCURRENTLY would leave a CHECK behind, and
        # wait for every transaction there is.
        exclusive = [Lock(each, LockMode.ACCESS_EXCLUSIVE) for each in (table, partition)]
        others = [Lock(each, LockMode.SHARE_ROW_EXCLUSIVE) for each in dict.fromkeys(referenced)]
        sql = f"ALTER TABLE {qualified(table)} DETACH PARTITION {qualified(partition)}"
        return Transaction(name=name, statements=(sql,), locks=(*exclusive, *others))

    def attach_partition(self, name: str, table: Table, partition: Table, proof: Constraint) -> Step:
        # Nobody waits who uses the partitioned table; `proof` saves reading the rows under the other lock.
        keys = dict.fromkeys(c.references for c in table.constraints if c.references)
        # Triggers that a foreign key of the partition has on the other table become those of the whole.
        own = {c.references for c in partition.constraints}
        locks = (
            Lock(table.name, LockMode.SHARE_UPDATE_EXCLUSIVE),
            Lock(partition.name, LockMode.ACCESS_EXCLUSIVE),
            *(Lock(key, LockMode.ACCESS_EXCLUSIVE if key in own else LockMode.SHARE_ROW_EXCLUSIVE) for key in keys),
        )
        full = qualified(partition.name)
        statements = (
            f"ALTER TABLE {qualified(table.name)} ATTACH PARTITION {full} {partition.bound}",
            f"ALTER TABLE {full} DROP CONSTRAINT {identifier(proof.name)}",
        )
        return Transaction(name=name, statements=statements, locks=locks)

    def drop_partitioned_index(self, name: str, index: TableName, tables: Sequence[TableName]) -> Step:
        locks = tuple(Lock(table, LockMode.ACCESS_EXCLUSIVE) for table in tables)
        return Transaction(name=name, statements=(f"DROP INDEX {qualified(index)}",), locks=locks)

    def functions_naming(self, table: TableName, known: Sequence[str]) -> str:
        return FUNCTIONS_NAMING.format(
            ours=literal(f"^{PREFIX}"),
            named=names_it(table.name),
            known=", ".join(literal(function) for function in known),
        )

    def functions_naming_columns(self, table: TableName, columns: Sequence[str], known: Sequence[str]) -> str:
        return FUNCTIONS_NAMING_COLUMNS.format(
            ours=literal(f"^{PREFIX}"),
            table=literal(qualified(table)),
            tables=names_it(table.name),
            columns=" OR ".join(map(names_it, columns)),
            given=" OR ".join(GIVEN.format(name=literal(column)) for column in columns),
            known=", ".join(literal(function) for function in known),
        )

    def published(self, table: TableName) -> str:
        return (
            "SELECT t.pubname FROM pg_catalog.pg_publication_tables t"
            f" WHERE t.schemaname = {literal(table.schema)} AND t.tablename = {literal(table.name)}"
        )
