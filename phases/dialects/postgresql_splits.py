"""Columns in two tables on PostgreSQL: AFTER ROW triggers on both, which write what the other lacks.

A trigger never copies NEW. It brings the other table in line with the row as it
is by then, and writes nothing where both say the same already. So it does not
matter what fires between or how deep it is nested, and the two triggers cannot
chase each other: the second finds nothing to do.

They write as the owner of both tables, because whoever may change a column of
the first table need not have the right to make rows of the second. For that
reason every operator in them is named with its schema, and nothing is looked up
where the caller can put things.

Rows are locked in one order, that of the first table before that of the second.
Whoever writes to the first does so by himself. Whoever writes to the second has
its row locked before any trigger is asked, but the executor evaluates CHECK
constraints before it locks the row that an UPDATE replaces (ExecUpdate; a BEFORE
ROW UPDATE trigger turns that around, so none is made here). So a CHECK of the
second table calls a function that locks the row of the first. Nothing that knows
the row runs before a DELETE locks it: there the order cannot be had.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from phases import names
from phases.catalog import Table
from phases.dialects.base import Change, Changes
from phases.dual_write import SplitWrite
from phases.model import Fill, Lock, LockMode, Step, TableName
from phases.sql import identifier, listed, literal, qualified

FIRST_BODY = """
BEGIN
  IF TG_OP = 'TRUNCATE' THEN
    TRUNCATE {other};
    RETURN NULL;
  END IF;
  IF TG_OP = 'UPDATE' AND {key_changed} THEN
    UPDATE {other} AS there SET {moved} FROM {table} AS here
    WHERE {there_is_old} AND {here_is_new}{if_given};
  END IF;
  IF TG_OP = 'DELETE' OR TG_OP = 'UPDATE' AND {key_changed} THEN
    DELETE FROM {other} AS there
    WHERE {there_is_old} AND NOT EXISTS (SELECT FROM {table} AS here WHERE {here_is_old});
  END IF;
  IF TG_OP IN ('INSERT', 'UPDATE') THEN
    {emptied}
    INSERT INTO {other} AS there ({other_columns})
    SELECT {here_columns} FROM {table} AS here WHERE {here_is_new} AND NOT ({here_empty})
    ON CONFLICT ({other_key}) DO UPDATE SET {excluded} WHERE {there_not_excluded};
    -- Triggers of the second table may have made something else of it.
    UPDATE {table} AS here SET {from_there} FROM {other} AS there
    WHERE {here_is_new} AND {same_key} AND {differ} AND NOT ({here_empty});
  END IF;
  RETURN NULL;
END
"""

SECOND_BODY = """
BEGIN
  IF TG_OP = 'TRUNCATE' THEN
    UPDATE {table} AS here SET {nothing} WHERE NOT ({here_empty});
    RETURN NULL;
  END IF;
  IF TG_WHEN = 'BEFORE' THEN
    PERFORM 1 FROM {table} AS here WHERE {here_is_there_new} FOR NO KEY UPDATE;
    IF NOT FOUND THEN
      {orphan}
    END IF;
    RETURN NEW;
  END IF;
  IF TG_OP = 'DELETE' OR TG_OP = 'UPDATE' AND {there_key_changed} THEN
    UPDATE {table} AS here SET {nothing}
    WHERE {here_is_there_old} AND NOT ({here_empty})
      AND NOT EXISTS (SELECT FROM {other} AS there WHERE {there_is_there_old});
  END IF;
  IF TG_OP IN ('INSERT', 'UPDATE') THEN
    UPDATE {table} AS here SET {from_there} FROM {other} AS there
    WHERE {there_is_there_new} AND {same_key} AND {differ};
    -- What the triggers of the first table make of it is what counts.
    UPDATE {other} AS there SET {from_here} FROM {table} AS here
    WHERE {there_is_there_new} AND {same_key} AND {differ}{if_given};
    IF TG_OP = 'UPDATE' AND {there_key_changed}
       AND NOT EXISTS (SELECT FROM {table} AS here WHERE {here_is_there_new})
    THEN
      {orphan}
    END IF;
  END IF;
  RETURN NULL;
END
"""

# No row: it was deleted meanwhile, and the second has none then either. A BEFORE trigger refuses INSERT.
LOCK_BODY = """
BEGIN
  PERFORM 1 FROM {table} AS here WHERE {here_is_given} FOR NO KEY UPDATE;
  RETURN true;
END
"""

FETCH_BODY = """
BEGIN
  UPDATE {table} AS here SET {from_there} FROM {other} AS there
  WHERE {here_is_new} AND {same_key} AND {differ};
  UPDATE {table} AS here SET {nothing}
  WHERE {here_is_new} AND NOT ({here_empty})
    AND NOT EXISTS (SELECT FROM {other} AS there WHERE {same_key});
  RETURN NULL;
END
"""

EMPTIED = "UPDATE {other} AS there SET {nothing} FROM {table} AS here\n    WHERE {rest} AND NOT ({there_empty});"
REMOVED = "DELETE FROM {other} AS there USING {table} AS here\n    WHERE {rest};"


class PostgreSQLSplits:
    """The part of the PostgreSQL dialect that keeps two tables in step."""

    __slots__ = ()

    def split_differs(self, link: SplitWrite) -> str:
        texts = texts_of(link, here=qualified(link.table))
        found = f"SELECT FROM {qualified(link.other)} AS there WHERE {texts['same_key']}"
        same = f"EXISTS ({found} AND NOT ({texts['differ']}))"
        return f"NOT {same} AND (NOT ({texts['here_empty']}) OR EXISTS ({found}))"

    def without_parent(self, link: SplitWrite) -> str:
        texts = texts_of(link, there=qualified(link.other))
        return f"NOT EXISTS (SELECT FROM {qualified(link.table)} AS here WHERE {texts['same_key']})"

    def split_twin(self, link: SplitWrite) -> tuple[str, ...]:
        olds, news = [old for old, _ in link.key], [new for _, new in link.key]
        moved = [column.name for column in link.columns]
        sides = []
        for table, key in ((link.table, olds), (link.other, news)):
            sides += [hashed([*key, *moved]), f"NOT ({empty(link, f'{qualified(table)}.')})"]
        return (link.other.schema, link.other.name, *sides, *map(identifier, news))

    def copy_rows(self, table: Table, link: SplitWrite, *, target: str) -> Step:
        texts = texts_of(link, here=qualified(link.table))
        columns, moved = [old for old, _ in link.key], [column.name for column in link.columns]
        head = f"INSERT INTO {texts['other']} ({texts['other_columns']}) SELECT {listed([*columns, *moved])}"
        tail = f"ON CONFLICT ({texts['other_key']}) DO NOTHING"
        found = f"SELECT FROM {texts['other']} AS there WHERE {texts['same_key']}"
        pending = f"NOT ({texts['here_empty']}) AND NOT EXISTS ({found})"
        return Fill(
            name=f"backfill {target}",
            table=table.name,
            target=target,
            assignments=", ".join(f"{identifier(name)} = {identifier(name)}" for name in moved),
            pending=pending,
            key=tuple(identifier(column) for column in columns),
            # An UPDATE of other columns fires no trigger, and may move a row away from the walk.
            repeat=True,
            single_statement=f"{head} FROM {texts['table']} WHERE {pending} {tail}",
            copy=(head, tail),
        )

    def feed_second(self, link: SplitWrite) -> Changes:
        columns = [*(old for old, _ in link.key), *(column.name for column in link.columns)]
        changed = differing(columns, "NEW.", columns, "OLD.")
        inserts, updates, deletes, truncates = FIRST_TRIGGERS
        return (
            *function(link, "old", FIRST_BODY),
            trigger(link, inserts, "old", link.table, "AFTER INSERT", f"NOT ({empty(link, 'NEW.')})"),
            trigger(link, updates, "old", link.table, "AFTER UPDATE", changed),
            trigger(link, deletes, "old", link.table, "AFTER DELETE"),
            trigger(link, truncates, "old", link.table, "AFTER TRUNCATE", each="STATEMENT"),
        )

    def drop_feed_second(self, link: SplitWrite) -> Changes:
        triggers = (dropped(link.table, trigger_name(link, part)) for part in FIRST_TRIGGERS)
        return (*triggers, drop_function(link, "old"))

    def feed_first(self, link: SplitWrite) -> Changes:
        before, after, truncates = SECOND_TRIGGERS
        return (
            *function(link, "new", SECOND_BODY),
            # Before the row is there: so an INSERT locks both rows in the order in which writers of the first do.
            trigger(link, before, "new", link.other, "BEFORE INSERT"),
            trigger(link, after, "new", link.other, "AFTER INSERT OR UPDATE OR DELETE"),
            trigger(link, truncates, "new", link.other, "AFTER TRUNCATE", each="STATEMENT"),
            *locking(link),
        )

    def drop_feed_first(self, link: SplitWrite) -> Changes:
        triggers = (dropped(link.other, trigger_name(link, part)) for part in SECOND_TRIGGERS)
        return (*unlocking(link), *triggers, drop_function(link, "new"))

    def deadlocks(self, first: TableName, second: TableName, holding: Sequence[str]) -> tuple[str, ...]:
        triggers = f"any UPDATE of it (BEFORE trigger {', '.join(holding)}), " if holding else ""
        return (
            f'until the contract these can deadlock with a transaction that writes the same row of "{first}": DELETE'
            f' and TRUNCATE of "{second}", UPDATE of its key, {triggers}SELECT … FOR UPDATE of it before writing to'
            f' either, and TRUNCATE of "{first}"; lock the row of "{first}" first, or try again after 40P01',
        )

    def fetched(self, link: SplitWrite) -> Mapping[str, str]:
        # What is set matters not: the trigger fetches what the second table has when the row is locked.
        return {column.name: identifier(column.name) for column in link.columns}

    def fetch_second(self, link: SplitWrite) -> Changes:
        # Whoever does not name the columns has nothing to fetch.
        events = f"UPDATE OF {listed(column.name for column in link.columns)}"
        return (
            *function(link, "fetch", FETCH_BODY),
            trigger(link, "fetch", "fetch", link.table, f"AFTER {events}"),
        )

    def drop_fetch_second(self, link: SplitWrite) -> Changes:
        return dropped(link.table, trigger_name(link, "fetch")), drop_function(link, "fetch")


# With its owner's rights, so nothing in it may be looked up where the caller can put things.
OPTIONS = "SECURITY DEFINER SET search_path TO pg_catalog, pg_temp"
FIRST_TRIGGERS = ("old_a", "old_b", "old_c", "old_d")
SECOND_TRIGGERS = ("new_a", "new_b", "new_c")


def texts_of(link: SplitWrite, here: str = "here", there: str = "there") -> dict[str, str]:
    """What the statements are made of; `here` is the first table in them, `there` the second."""
    here, there = f"{here}.", f"{there}."
    olds, news = [old for old, _ in link.key], [new for _, new in link.key]
    moved = [column.name for column in link.columns]
    nothing = ", ".join(f"{identifier(name)} = NULL" for name in moved)
    texts = {
        "table": qualified(link.table),
        "other": qualified(link.other),
        "other_columns": listed([*news, *moved]),
        "other_key": listed(news),
        "here_columns": ", ".join(f"{here}{identifier(name)}" for name in (*olds, *moved)),
        "here_empty": empty(link, here),
        "nothing": nothing,
        "moved": assigned([*news, *moved], [*olds, *moved], here),
        "from_there": assigned(moved, moved, there),
        "from_here": assigned(moved, moved, here),
        "excluded": assigned(moved, moved, "EXCLUDED."),
        "same_key": equal(news, there, olds, here),
        "differ": differing(moved, here, moved, there),
        "there_not_excluded": differing(moved, there, moved, "EXCLUDED."),
        "key_changed": differing(olds, "NEW.", olds, "OLD."),
        "there_key_changed": differing(news, "NEW.", news, "OLD."),
        "here_is_new": equal(olds, here, olds, "NEW."),
        "here_is_old": equal(olds, here, olds, "OLD."),
        "there_is_new": equal(news, there, olds, "NEW."),
        "there_is_old": equal(news, there, olds, "OLD."),
        "here_is_there_new": equal(olds, here, news, "NEW."),
        "here_is_there_old": equal(olds, here, news, "OLD."),
        "there_is_there_new": equal(news, there, news, "NEW."),
        "there_is_there_old": equal(news, there, news, "OLD."),
        "orphan": orphan(link),
    }
    rest = f"{texts['here_is_new']} AND {texts['same_key']} AND ({texts['here_empty']})"
    # A row that has to have a value cannot stay without one; any other stays, for whoever knows that it is there.
    emptied = REMOVED if link.required else EMPTIED
    texts["emptied"] = emptied.format(**texts, rest=rest, there_empty=empty(link, there))
    texts["if_given"] = f" AND NOT ({texts['here_empty']})" if link.required else ""
    return texts


def empty(link: SplitWrite, row: str) -> str:
    # Unlike IS NULL this tells a composite value whose fields are all NULL from NULL.
    return " AND ".join(f"{row}{identifier(column.name)} IS NOT DISTINCT FROM NULL" for column in link.columns)


def assigned(targets: Sequence[str], sources: Sequence[str], row: str) -> str:
    pairs = zip(targets, sources, strict=True)
    return ", ".join(f"{identifier(target)} = {row}{identifier(source)}" for target, source in pairs)


def equal(left: Sequence[str], row: str, right: Sequence[str], other: str) -> str:
    pairs = zip(left, right, strict=True)
    return " AND ".join(f"{row}{identifier(a)} OPERATOR(pg_catalog.=) {other}{identifier(b)}" for a, b in pairs)


def differing(left: Sequence[str], row: str, right: Sequence[str], other: str) -> str:
    """Whether two rows are not the same bytes, without any operator of the types themselves."""
    mine, theirs = (", ".join(f"{r}{identifier(c)}" for c in cs) for r, cs in ((row, left), (other, right)))
    return f"ROW({mine})::record OPERATOR(pg_catalog.*<>) ROW({theirs})::record"


def hashed(columns: Sequence[str]) -> str:
    """A whole number that is made of all that some columns say.

    Of their texts: hashes of the types themselves take for the same what `=` takes for the same, and json has none.
    """
    return f'pg_catalog.hashtextextended(ROW({listed(columns)})::text COLLATE "C", 0)'


def orphan(link: SplitWrite) -> str:
    """Raise what the foreign key raises that the second table gets in the contract."""
    news = listed(new for _, new in link.key)
    said = f'row of "{link.other}" has no row in "{link.table}" with the same {news}'
    return (
        f"RAISE EXCEPTION USING ERRCODE = 'foreign_key_violation', MESSAGE = {literal(said)},"
        f" SCHEMA = {literal(link.other.schema)}, TABLE = {literal(link.other.name)};"
    )


def function_name(link: SplitWrite, part: str) -> str:
    name = names.owned(f"split_{part}", link.table.schema, link.table.name, link.other.name)
    return qualified(TableName(link.table.schema, name))


def lock_name(link: SplitWrite) -> str:
    return names.owned("split_lock", link.table.schema, link.table.name, link.other.name)


def trigger_name(link: SplitWrite, part: str) -> str:
    return names.trigger(f"split_{part}", link.table.schema, link.table.name, link.other.name)


def function(link: SplitWrite, part: str, body: str, **more: str) -> Changes:
    name, text = function_name(link, part), literal(body.format(**texts_of(link), **more))
    made = f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql {OPTIONS} AS {text}"
    return Change(made), Change(f"ALTER FUNCTION {name}() OWNER TO {link.owner}")


def locking(link: SplitWrite) -> Changes:
    """A CHECK of the second table that is always true, and locks the row of the first."""
    function, news = function_name(link, "lock"), [new for _, new in link.key]
    given = [f"${number}" for number, _ in enumerate(link.key, 1)]
    pairs = zip((old for old, _ in link.key), given, strict=True)
    locked = " AND ".join(f"here.{identifier(old)} OPERATOR(pg_catalog.=) {value}" for old, value in pairs)
    body = literal(LOCK_BODY.format(table=qualified(link.table), here_is_given=locked))
    made = f"CREATE FUNCTION {function}({', '.join(link.types)}) RETURNS boolean LANGUAGE plpgsql {OPTIONS} AS {body}"
    name = identifier(lock_name(link))
    check = f"ADD CONSTRAINT {name} CHECK ({function}({listed(news)})) NOT VALID"
    return (
        Change(made),
        Change(f"ALTER FUNCTION {function} OWNER TO {link.owner}"),
        # Unlike a trigger's function it is called with the rights of the writer.
        Change(f"GRANT EXECUTE ON FUNCTION {function} TO PUBLIC"),
        Change(f"ALTER TABLE {qualified(link.other)} {check}", (Lock(link.other, LockMode.ACCESS_EXCLUSIVE),)),
    )


def unlocking(link: SplitWrite) -> Changes:
    lock = Lock(link.other, LockMode.ACCESS_EXCLUSIVE)
    return (
        Change(f"ALTER TABLE {qualified(link.other)} DROP CONSTRAINT {identifier(lock_name(link))}", (lock,)),
        Change(f"DROP FUNCTION {function_name(link, 'lock')}"),
    )


def drop_function(link: SplitWrite, part: str) -> Change:
    return Change(f"DROP FUNCTION {function_name(link, part)}()")


def trigger(
    link: SplitWrite, part: str, call: str, table: TableName, events: str, when: str = "", *, each: str = "ROW"
) -> Change:
    condition = f" WHEN ({when})" if when else ""
    sql = (
        f"CREATE TRIGGER {identifier(trigger_name(link, part))} {events} ON {qualified(table)}"
        f" FOR EACH {each}{condition} EXECUTE FUNCTION {function_name(link, call)}()"
    )
    return Change(sql, (Lock(table, LockMode.SHARE_ROW_EXCLUSIVE),))


def dropped(table: TableName, name: str) -> Change:
    return Change(f"DROP TRIGGER {identifier(name)} ON {qualified(table)}", (Lock(table, LockMode.ACCESS_EXCLUSIVE),))
