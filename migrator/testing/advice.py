"""What to do about a statement that a migration makes fail: by version, stretch and kind of error."""

from __future__ import annotations

from collections.abc import Mapping

CODES: Mapping[str, frozenset[str]] = {
    "missing": frozenset({"42703", "42P01", "42883", "1054", "1146"}),
    "no value": frozenset({"23502", "1048", "1364"}),
    "check": frozenset({"23514", "3819", "4025"}),
    "unique": frozenset({"23505", "1062"}),
    "reference": frozenset({"23503", "1451", "1452"}),
    "type": frozenset({"42804", "22P02", "22001", "22003", "22007", "1264", "1265", "1292", "1366", "1406"}),
    "wait": frozenset({"55P03", "1205"}),
    "deadlock": frozenset({"40P01", "1213"}),
    "plan": frozenset({"0A000"}),
    "result": frozenset({"result", "assertion"}),
}
"""Kinds of errors, by what PostgreSQL (SQLSTATE) and MySQL and MariaDB (numbers) call them."""

OLD = {
    "missing": "an old build uses this name until its last process is gone: RenameColumn, RenameTable, TransformColumns"
    " and DropColumn keep it working until the contract, plain SQL in expand or migrate does not",
    "no value": "an old build does not write this column: SetNotNull demands a value in the contract only, and fills it"
    " for old writers where it has fill=…; plain SQL demands it at once",
    "check": "an old build still writes such values: release a build that does not, and put the constraint into a later"
    " revision; or give the operation a fill, where it takes one",
    "unique": "an old build still writes such a value twice: release a build that does not, and put the constraint into"
    " a later revision",
    "reference": "an old build still writes rows that refer to nothing, or deletes what is referred to: release a build"
    " that does not, and put the foreign key into a later revision",
    "type": "an old build still writes such values: ChangeType with up= and down= lets it, until the contract",
    "result": "the statement is run, and reads something else than before: what the old version writes has to come back"
    " to it as it was, which up= and down= of the operation say",
    "plan": "the driver keeps prepared statements, and one of them no longer fits: RenameColumn, and ChangeType with"
    " to=, leave the old column in place; else release a build whose engine is given to migrator.app.unprepared first",
}
NEW = {
    "missing": "what the new version uses is not there yet, or not any more: a build may be released when its shape is"
    " complete, after migrate, and may use nothing that the contract takes away",
    "no value": "the new version does not write a column that has to have a value: it has to write it, or the operation"
    " needs a fill or a default that lasts",
    "result": "the statement is run, and reads something else than it has to: what the old version wrote reaches the"
    " new shape by up= of the operation, or by its fill",
}
BOTH = {
    "wait": "the statement waited longer for a lock than it may: a step, or a statement of the other version, holds"
    " rows or the table for too long; keep long work out of RunSQL (Backfill has batches), and transactions short",
    "deadlock": "two transactions wait for each other: let both versions lock rows in the same order",
}
OTHER = {
    "old": "old builds are live until the gate opens: no step before the contract may make a statement of theirs fail."
    " Release a build first that does without the statement, or split the revision so that the step comes later",
    "new": "new builds are live from their release on: the statement has to work from there to the purge. Mend the"
    " statement, or the operation",
}


def kind_of(code: str) -> str:
    """The kind of an error; empty where it is of none that we have advice for."""
    return next((kind for kind, codes in CODES.items() if code in codes), "")


def advice(version: str, code: str) -> str:
    """What to do where a statement of the `old` or the `new` version fails with an error."""
    kind = kind_of(code)
    own = OLD if version == "old" else NEW
    return own.get(kind) or BOTH.get(kind) or OTHER[version]
