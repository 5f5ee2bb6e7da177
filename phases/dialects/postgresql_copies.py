"""A table that takes the place of another on PostgreSQL: it follows the other one by triggers until they change places.

As with columns in two tables a trigger never copies NEW: it brings the other table in line with the row as it
is by then. Only one of the two tables is written to at a time, and each lock on a row of it comes before the one on
the row that follows.
"""

from __future__ import annotations

from collections.abc import Sequence

from phases import names
from phases.catalog import Column, Constraint, Index, Server, Table
from phases.dialects.base import Change, Changes
from phases.dialects.postgresql_splits import assigned, differing, dropped, equal, hashed
from phases.dual_write import TableCopy
from phases.errors import Refused
from phases.model import Fill, Lock, LockMode, Step, TableName, Transaction
from phases.rebuilding import Rebuilding
from phases.sql import identifier, listed, literal, qualified

COMPRESSION_SINCE = (14, 0)

FOLLOW_BODY = """
BEGIN
  IF TG_OP = 'TRUNCATE' AND TG_NARGS = 1 THEN
    DELETE FROM {other} AS there WHERE NOT EXISTS (SELECT FROM {table} AS here WHERE {same_key});
    RETURN NULL;
  END IF;
  IF TG_OP = 'TRUNCATE' THEN
    TRUNCATE {other};
    RETURN NULL;
  END IF;
  IF TG_OP = 'DELETE' OR TG_OP = 'UPDATE' AND {key_changed} THEN
    DELETE FROM {other} AS there
    WHERE {there_is_old} AND NOT EXISTS (SELECT FROM {table} AS here WHERE {here_is_old});
    IF NOT FOUND AND pg_catalog.current_setting('transaction_isolation') NOT LIKE 'read %' THEN
      -- A row copied after the snapshot was taken is not seen: this fails as a conflict to be tried again.
      INSERT INTO {other} ({columns}) SELECT {old_columns}
      WHERE NOT EXISTS (SELECT FROM {table} AS here WHERE {here_is_old}) ON CONFLICT DO NOTHING;
      DELETE FROM {other} AS there
      WHERE {there_is_old} AND NOT EXISTS (SELECT FROM {table} AS here WHERE {here_is_old});
    END IF;
  END IF;
  IF TG_OP IN ('INSERT', 'UPDATE') THEN
    INSERT INTO {other} AS there ({columns}) SELECT {here_columns} FROM {table} AS here WHERE {here_is_new}
    ON CONFLICT ({key}) {in_line};
  END IF;
  RETURN NULL;
END
"""

FORGOTTEN_BODY = """
DECLARE
  left_behind text;
BEGIN
  SELECT string_agg(DISTINCT f.what, ', ' ORDER BY f.what) INTO left_behind FROM (
    SELECT 'trigger ' || t.tgname FROM pg_catalog.pg_trigger t WHERE t.tgrelid = {gone} AND NOT t.tgisinternal
    UNION ALL
    SELECT 'policy ' || p.polname FROM pg_catalog.pg_policy p WHERE p.polrelid = {gone}
    UNION ALL
    SELECT 'statistics ' || s.stxname FROM pg_catalog.pg_statistic_ext s WHERE s.stxrelid = {gone}
    UNION ALL
    SELECT 'foreign key ' || k.conname || ' of ' || k.conrelid::pg_catalog.regclass
    FROM pg_catalog.pg_constraint k WHERE k.contype = 'f' AND k.confrelid = {gone}
    UNION ALL
    SELECT pg_catalog.pg_describe_object('pg_catalog.pg_class'::pg_catalog.regclass, r.ev_class, 0)
    FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_rewrite r
      ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND r.oid = d.objid
    WHERE d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid = {gone}
    UNION ALL
    SELECT 'column ' || c.attname FROM (
      SELECT a.attname, a.atttypid, a.atttypmod, a.attnotnull FROM pg_catalog.pg_attribute a
      WHERE a.attrelid IN ({gone}, {came}) AND a.attnum > 0 AND NOT a.attisdropped
      GROUP BY 1, 2, 3, 4 HAVING count(*) = 1) c
  ) f(what);
  IF left_behind IS NOT NULL THEN
    RAISE EXCEPTION '% came or was changed after the revision began, and would be left behind', left_behind
      USING HINT = 'take it back, and do it again after the contract';
  END IF;
END
"""

UNPARTITIONABLE = """
SELECT 'rule ' || r.rulename FROM pg_catalog.pg_rewrite r WHERE r.ev_class = {table}
UNION ALL SELECT 'policy ' || p.polname FROM pg_catalog.pg_policy p WHERE p.polrelid = {table}
UNION ALL
SELECT CASE WHEN c.relpersistence <> 'p' THEN 'it is UNLOGGED' ELSE 'it is of a type' END FROM pg_catalog.pg_class c
WHERE c.oid = {table} AND (c.relpersistence <> 'p' OR c.reloftype <> 0)
"""

ROW_TRIGGERS = ("copy_a", "copy_b", "copy_c")
TRUNCATES, PART_TRUNCATES = "copy_d", "copy_e"


class PostgreSQLCopies:
    """The part of the PostgreSQL dialect that puts one table in the place of another."""

    __slots__ = ()

    @property
    def _server(self) -> Server:
        raise TypeError("the dialect has the server")

    def unpartitionable(self, table: TableName) -> str:
        return UNPARTITIONABLE.format(table=f"pg_catalog.to_regclass({literal(qualified(table))})")

    def create_partitioned(
        self,
        made: TableName,
        table: Table,
        key: str,
        constraints: Sequence[tuple[str, Constraint]],
        partitions: Sequence[tuple[TableName, str]],
    ) -> Changes:
        full = qualified(made)
        taken = ["DEFAULTS", "CONSTRAINTS", "GENERATED", "STORAGE", "COMMENTS"]
        taken += ["COMPRESSION"] if self._server.version >= COMPRESSION_SINCE else []
        like = " ".join((f"LIKE {qualified(table.name)}", *(f"INCLUDING {word}" for word in taken)))
        parts = [like, *(f"CONSTRAINT {identifier(name)} {c.definition}" for name, c in constraints)]
        statements = [f"CREATE TABLE {full} ({', '.join(parts)}) PARTITION BY {key}"]
        statements += [f"CREATE TABLE {qualified(part)} PARTITION OF {full} {bound}" for part, bound in partitions]
        for name, constraint in constraints:
            if constraint.comment is not None:
                statements.append(
                    f"COMMENT ON CONSTRAINT {identifier(name)} ON {full} IS {literal(constraint.comment)}"
                )
        if table.comment is not None:
            statements.append(f"COMMENT ON TABLE {full} IS {literal(table.comment)}")
        return tuple(Change(sql) for sql in statements)

    def missing_from(self, rows: TableName, other: TableName, copy: TableCopy) -> str:
        here = f"{qualified(rows)}."
        same = equal(copy.key, "there.", copy.key, here)
        unlike = differing(copy.columns, "there.", copy.columns, here)
        return f"NOT EXISTS (SELECT FROM {qualified(other)} AS there WHERE {same} AND NOT ({unlike}))"

    def copy_twin(self, copy: TableCopy) -> tuple[str, ...]:
        digest = hashed(copy.columns)
        return (copy.other.schema, copy.other.name, digest, "true", digest, "true", *map(identifier, copy.key))

    def copy_table(self, copy: TableCopy, *, target: str) -> Fill:
        table, other, columns = qualified(copy.table), qualified(copy.other), listed(copy.columns)
        head, tail = f"INSERT INTO {other} ({columns}) SELECT {columns}", f"ON CONFLICT ({listed(copy.key)}) DO NOTHING"
        same = equal(copy.key, "there.", copy.key, f"{table}.")
        pending = f"NOT EXISTS (SELECT FROM {other} AS there WHERE {same})"
        return Fill(
            name=f"backfill {target}",
            table=copy.table,
            target=target,
            assignments=", ".join(f"{identifier(name)} = {identifier(name)}" for name in copy.columns),
            pending=pending,
            key=tuple(identifier(column) for column in copy.key),
            # An UPDATE that changes nothing fires no trigger, and may move a row away from the walk.
            repeat=True,
            single_statement=f"{head} FROM {table} WHERE {pending} {tail}",
            copy=(head, tail),
        )

    def remove_strays(self, rows: TableName, whole: TableName, copy: TableCopy) -> Fill:
        key, place = listed(copy.key), qualified(rows)
        tail = f") DELETE FROM ONLY {place} AS there USING stray WHERE {equal(copy.key, 'there.', copy.key, 'stray.')}"
        return Fill(
            name=f"remove strays of {rows}",
            table=rows,
            target=str(rows),
            assignments="",
            pending=self.missing_from(rows, whole, copy),
            key=tuple(map(identifier, copy.key)),
            repeat=True,
            copy=(f"WITH stray AS (SELECT {key}", tail),
            claims=True,
        )

    def follow(self, copy: TableCopy) -> Changes:
        body, name = FOLLOW_BODY.format(**follow_texts(copy)), function_name(copy)
        # It has its owner's rights, so nothing in it may be looked up where the caller can put things.
        options = "SECURITY DEFINER SET search_path TO pg_catalog, pg_temp"
        inserts, updates, deletes = ROW_TRIGGERS
        changed = differing(copy.columns, "NEW.", copy.columns, "OLD.")
        return (
            Change(f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql {options} AS {literal(body)}"),
            Change(f"ALTER FUNCTION {name}() OWNER TO {copy.owner}"),
            trigger(copy, inserts, copy.table, "AFTER INSERT", "FOR EACH ROW"),
            trigger(copy, updates, copy.table, "AFTER UPDATE", f"FOR EACH ROW WHEN ({changed})"),
            trigger(copy, deletes, copy.table, "AFTER DELETE", "FOR EACH ROW"),
            trigger(copy, TRUNCATES, copy.table, "AFTER TRUNCATE", "FOR EACH STATEMENT"),
            *(
                trigger(copy, PART_TRUNCATES, part, "AFTER TRUNCATE", "FOR EACH STATEMENT", "'part'")
                for part in copy.parts
            ),
        )

    def unfollow(self, copy: TableCopy) -> Changes:
        lock = (Lock(copy.table, LockMode.ACCESS_EXCLUSIVE),)
        part_trigger = identifier(trigger_name(copy, PART_TRUNCATES))
        return (
            *(dropped(copy.table, trigger_name(copy, part)) for part in (*ROW_TRIGGERS, TRUNCATES)),
            # A partition may have been dropped since, as partitions are.
            *(Change(f"DROP TRIGGER IF EXISTS {part_trigger} ON {qualified(part)}", lock) for part in copy.parts),
            Change(f"DROP FUNCTION {function_name(copy)}()"),
        )

    def switch(self, name: str, changes: Sequence[Change], order: Sequence[TableName], undo: Sequence[Step]) -> Step:
        views = dict.fromkeys(lock for change in changes for lock in change.locks if lock.by)
        locks = (*views, *(Lock(table, LockMode.ACCESS_EXCLUSIVE) for table in order))
        statements = tuple(change.sql for change in changes)
        return Transaction(name=name, statements=statements, locks=locks, undo=tuple(undo))

    def rebuild(
        self, table: Table, draft: TableName, made: TableName, wanted: Rebuilding
    ) -> tuple[Table, Changes, Sequence[Index]]:
        raise Refused(
            "RebuildTable is for MySQL and MariaDB; here each change of a table has an operation of its own",
            remedy="ChangeType, ChangePrimaryKeyType, AddPrimaryKey, SetNotNull, AddCheck or PartitionTable",
        )

    def exchange(self, table: TableName, aside: TableName, made: TableName) -> Changes:
        renames = ((table, aside), (made, table))
        return tuple(
            Change(
                f"ALTER TABLE {qualified(one)} RENAME TO {identifier(other.name)}",
                (Lock(one, LockMode.ACCESS_EXCLUSIVE),),
            )
            for one, other in renames
        )

    def level_numbers(self, table: TableName, made: TableName) -> Changes:
        return ()  # a sequence goes with its column

    def hand_over_sequence(self, giver: TableName, taker: TableName, column: Column) -> Changes:
        sequence, name = column.sequence, identifier(column.name)
        if sequence is None:
            return ()
        full = qualified(TableName(sequence.schema, sequence.name))
        if sequence.identity is None:
            return (Change(f"ALTER SEQUENCE {full} OWNED BY {qualified(taker)}.{name}"),)
        # An identity cannot change tables: a second one takes over name and position, the first goes.
        aside = names.owned("sequence", sequence.schema, sequence.name)
        generated = f"GENERATED {sequence.identity} AS IDENTITY (SEQUENCE NAME {full} {sequence.options})"
        last = qualified(TableName(sequence.schema, aside))
        return (
            Change(f"ALTER SEQUENCE {full} RENAME TO {identifier(aside)}"),
            Change(f"ALTER TABLE {qualified(taker)} ALTER COLUMN {name} ADD {generated}"),
            Change(f"SELECT pg_catalog.setval({literal(full)}, last_value, is_called) FROM {last}"),
            Change(f"ALTER TABLE {qualified(giver)} ALTER COLUMN {name} DROP IDENTITY"),
        )

    def adopt_foreign_key(self, table: TableName, partitions: Sequence[TableName], key: Constraint) -> Changes:
        locks = [Lock(each, LockMode.SHARE_ROW_EXCLUSIVE) for each in (table, *partitions)]
        if key.references is not None:
            # The triggers that the partitions have there become those of the whole.
            locks.append(Lock(key.references, LockMode.ACCESS_EXCLUSIVE))
        full, name = qualified(table), identifier(key.name)
        made = [Change(f"ALTER TABLE {full} ADD CONSTRAINT {name} {key.definition}", tuple(locks))]
        if key.comment is not None:
            made.append(Change(f"COMMENT ON CONSTRAINT {name} ON {full} IS {literal(key.comment)}"))
        return tuple(made)

    def analyze(self, table: TableName) -> Changes:
        return (Change(f"ANALYZE {qualified(table)}", (Lock(table, LockMode.SHARE_UPDATE_EXCLUSIVE),)),)

    def check_alone(self, gone: TableName, came: TableName) -> Changes:
        tables = {"gone": gone, "came": came}
        texts = {word: f"{literal(qualified(name))}::pg_catalog.regclass" for word, name in tables.items()}
        return (Change(f"DO /* refuse to leave anything behind */ {literal(FORGOTTEN_BODY.format(**texts))}"),)


def follow_texts(copy: TableCopy) -> dict[str, str]:
    rest = [column for column in copy.columns if column not in copy.key]
    update = f"DO UPDATE SET {assigned(rest, rest, 'EXCLUDED.')} WHERE {differing(rest, 'there.', rest, 'EXCLUDED.')}"
    return {
        "table": qualified(copy.table),
        "other": qualified(copy.other),
        "key": listed(copy.key),
        "columns": listed(copy.columns),
        "here_columns": ", ".join(f"here.{identifier(column)}" for column in copy.columns),
        "old_columns": ", ".join(f"OLD.{identifier(column)}" for column in copy.columns),
        "same_key": equal(copy.key, "there.", copy.key, "here."),
        "key_changed": differing(copy.key, "NEW.", copy.key, "OLD."),
        "there_is_old": equal(copy.key, "there.", copy.key, "OLD."),
        "here_is_old": equal(copy.key, "here.", copy.key, "OLD."),
        "here_is_new": equal(copy.key, "here.", copy.key, "NEW."),
        "in_line": update if rest else "DO NOTHING",
    }


def function_name(copy: TableCopy) -> str:
    table = copy.table
    return qualified(TableName(table.schema, names.owned("copy", table.schema, copy.other.name, table.name)))


def trigger_name(copy: TableCopy, part: str) -> str:
    return names.trigger(part, copy.table.schema, copy.other.name, copy.table.name)


def trigger(copy: TableCopy, part: str, table: TableName, events: str, each: str, argument: str = "") -> Change:
    name, call = identifier(trigger_name(copy, part)), f"{function_name(copy)}({argument})"
    sql = f"CREATE TRIGGER {name} {events} ON {qualified(table)} {each} EXECUTE FUNCTION {call}"
    return Change(sql, (Lock(copy.table, LockMode.SHARE_ROW_EXCLUSIVE),))
