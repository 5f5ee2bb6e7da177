"""The chain of the audit log: each event has a hash of itself and of the one before.

Events of deployments, consumers and overrides carry the records as they were written, so a record that was changed by
hand differs from its event, and an event that was changed from its hash. Whoever may write everything can write the
chain anew from some point on; against that, keep the end of the chain (`migrator audit export`) somewhere else.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, insert, select, update

from migrator.ledger import dialect
from migrator.ledger.tables import approvals, chain, consumers, deployments, events, overrides

if TYPE_CHECKING:
    from sqlalchemy import Connection, Table

SINCE = 5
"""Version of the ledger that has a chain first."""
ACCEPTED = "audit accepted"
"""Kind of the event from which on the chain goes anew, with what was found before it."""
UPGRADED = "ledger upgraded"
GUARDED: Mapping[str, Table] = {table.name: table for table in (deployments, consumers, overrides, approvals)}
"""Tables whose rows are compared with their events."""
SHARED = ("at", "kind", "revision", "step", "actor", "detail")

Key = tuple[str, tuple[Any, ...]]


def plain(value: Any) -> Any:
    """A value as JSON has it, the same whatever the server and its time zone."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return value


def canonical(values: Mapping[str, Any]) -> str:
    data = {name: plain(value) for name, value in values.items()}
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def hashed(before: str, values: Mapping[str, Any]) -> str:
    """The hash of an event behind another."""
    text = before + canonical({name: values[name] for name in SHARED})
    return hashlib.sha256(text.encode()).hexdigest()


def digest(found: Iterable[Mapping[str, Any]]) -> str:
    """One hash of events as they are, whatever hashes they have."""
    made = hashlib.sha256()
    for event in found:
        made.update(canonical({name: event[name] for name in (*SHARED, "hash")}).encode() + b"\n")
    return made.hexdigest()


def begin(connection: Connection, *, upgraded: int | None = None) -> None:
    """Begin the chain behind the events that there are, where it has not begun.

    Args:
        upgraded: version of the ledger that was there before, whose records are taken as they are.
    """
    if connection.execute(select(func.count()).select_from(chain)).scalar_one():
        return
    connection.execute(insert(chain), {"id": 1, "events": 0, "hash": digest(everything(connection))})
    if upgraded is not None:
        take_over(connection, UPGRADED, {"from": upgraded})


def take_over(connection: Connection, kind: str, detail: Mapping[str, Any]) -> None:
    """Take all records as they are, with an event."""
    from migrator.ledger.store import record_event

    rows = [(GUARDED[name], dict(zip(names(GUARDED[name]), key, strict=True))) for name, key in present(connection)]
    record_event(connection, kind, detail={**detail, "took over": len(rows)}, rows=rows)


def hold(connection: Connection) -> tuple[str, int]:
    """The last hash and the number of events; nobody else adds one until this transaction ends."""
    dialect.wait_longer(connection)
    last, count = connection.execute(select(chain.c.hash, chain.c.events).with_for_update()).one()
    return last, count


def append(connection: Connection, values: Mapping[str, Any]) -> None:
    """Add an event behind the last; others who add one wait until this transaction ends.

    A ledger of an older version, which only a runner brings up to date, has no chain.
    """
    if not dialect.table_exists(connection, chain.name):
        plain_columns = {name: values[name] for name in SHARED}
        connection.execute(insert(events), plain_columns)
        return
    last, count = hold(connection)
    if values["kind"] == ACCEPTED:
        last = digest(everything(connection))
    made = hashed(last, {**values, "detail": json.loads(json.dumps(values["detail"]))})
    connection.execute(insert(events), {**values, "hash": made})
    connection.execute(update(chain).values(events=count + 1, hash=made))


def names(table: Table) -> tuple[str, ...]:
    return tuple(column.name for column in table.primary_key)


def snapshots(connection: Connection, rows: Sequence[tuple[Table, Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """Records as they are, by table and key."""
    found = []
    for table, key in rows:
        wanted = select(table).where(*(table.c[name] == value for name, value in key.items()))
        for row in connection.execute(wanted).mappings():
            found.append({"table": table.name, "row": {name: plain(value) for name, value in row.items()}})
    return found


def present(connection: Connection) -> dict[Key, dict[str, Any]]:
    """Every guarded record as it is."""
    found = {}
    for name, table in GUARDED.items():
        for row in connection.execute(select(table)).mappings():
            key = name, tuple(row[column] for column in names(table))
            found[key] = {column: plain(value) for column, value in row.items()}
    return found


def everything(connection: Connection) -> list[Mapping[str, Any]]:
    """Every event, oldest first."""
    wanted = select(*(events.c[name] for name in ("id", *SHARED, "hash"))).order_by(events.c.id)
    return [dict(row) for row in connection.execute(wanted).mappings()]


def head(connection: Connection) -> tuple[int, str]:
    """The end of the chain: how many events, and the hash of the last."""
    count, last = connection.execute(select(chain.c.events, chain.c.hash)).one()
    return count, last


def findings(connection: Connection) -> list[str]:
    """What somebody changed by hand, each in one sentence. Writes nothing."""
    found = everything(connection)
    broken, last, count, since = broken_links(found)
    expected_count, expected = head(connection)
    if count != expected_count:
        broken.append(f"the log has {count} events of its chain, and {expected_count} were written")
    elif not broken and last != expected:
        broken.append("the end of the chain is not that of the log")
    return broken + altered(recorded(found[since:]), present(connection))


def broken_links(found: Sequence[Mapping[str, Any]]) -> tuple[list[str], str, int, int]:
    """Events that are not as they were written; the last hash, how many have one, and where to read on from."""
    old = [event for event in found if event["hash"] is None]
    last, count, since, broken = digest(old), 0, 0, []
    for place, event in enumerate(found):
        if event["hash"] is None:
            if count:
                broken.append(f"event {event['id']} ({event['kind']}) was put in by hand")
            continue
        if event["kind"] == ACCEPTED and hashed(digest(found[:place]), event) == event["hash"]:
            broken, since = [], place
        elif hashed(last, event) != event["hash"]:
            broken.append(f"event {event['id']} ({event['kind']}) was changed, or one before it was, or was removed")
        last, count = event["hash"], count + 1
    return broken, last, count, since


def recorded(found: Iterable[Mapping[str, Any]]) -> dict[Key, dict[str, Any]]:
    """Every guarded record as the newest event that has it says."""
    kept: dict[Key, dict[str, Any]] = {}
    for event in found:
        rows = (event["detail"] or {}).get("rows")
        for item in rows if isinstance(rows, list) else ():  # of a repair it is how many
            table, row = item["table"], item["row"]
            if table in GUARDED:
                kept[table, tuple(row[name] for name in names(GUARDED[table]))] = row
    return kept


def altered(expected: Mapping[Key, Mapping[str, Any]], there: Mapping[Key, Mapping[str, Any]]) -> list[str]:
    said = []
    for key, row in expected.items():
        if key not in there:
            said.append(f"{label(key)} was removed: {shown(row)}")
            continue
        now = there[key]
        changed = [f"{name} is {now.get(name)}, was {was}" for name, was in row.items() if now.get(name) != was]
        said += [f"{label(key)} was changed: {', '.join(changed)}"] if changed else []
    added = [key for key in there if key not in expected]
    return said + [f"{label(key)} was put in by hand: {shown(there[key])}" for key in added]


def label(key: Key) -> str:
    table, values = key
    return f"record {' '.join(str(value) for value in values if value != '')} of {table}"


def shown(row: Mapping[str, Any]) -> str:
    wanted = ("application", "version", "environment", "status", "revision", "reason", "actor")
    return " ".join(str(row[name]) for name in wanted if row.get(name))


def newest(connection: Connection) -> datetime | None:
    """The newest moment that the log or a deployment has."""
    found = [connection.execute(select(func.max(events.c.at))).scalar()]
    for column in (deployments.c.started_at, deployments.c.finished_at):
        found.append(connection.execute(select(func.max(column))).scalar())
    return max((moment for moment in found if moment is not None), default=None)
