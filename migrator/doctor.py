"""Look for what would stop a migration: server, privileges, settings, leftovers."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from migrator.database import Session, connect, refuse_shared_backend
from migrator.errors import NotSupportedHere
from migrator.planning import finished
from phases.encoding import encode
from phases.names import PREFIX, TRIGGER_PREFIX

if TYPE_CHECKING:
    from migrator.settings import Settings

NEWEST_TESTED = {"postgresql": (18, 99), "mysql": (9, 99, 99), "mariadb": (11, 99, 99)}
DIGEST = re.compile(r"_([0-9a-f]{8})_")
"""The part of our names that tells them apart (`phases.names`)."""

OWNED = """
SELECT count(*) FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'migrator')
  AND NOT pg_catalog.pg_has_role(c.relowner, 'USAGE')
"""
CREATE = """
SELECT n.nspname FROM pg_catalog.pg_namespace n WHERE n.nspname = current_schema()
  AND NOT pg_catalog.has_schema_privilege(n.oid, 'CREATE')
"""
CREATE_SCHEMA = "SELECT pg_catalog.has_database_privilege(current_database(), 'CREATE')"
SEES_OTHERS = "SELECT pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE')"
OLD_TRANSACTIONS = """
SELECT pid, coalesce(application_name, ''), extract(epoch FROM clock_timestamp() - xact_start)::int
FROM pg_catalog.pg_stat_activity WHERE xact_start < clock_timestamp() - interval '1 minute'
  AND pid <> pg_catalog.pg_backend_pid() AND backend_type = 'client backend' ORDER BY 3 DESC LIMIT 5
"""
INVALID = """
SELECT i.indexrelid::regclass::text FROM pg_catalog.pg_index i WHERE NOT i.indisvalid
"""
LEFTOVERS = f"""
SELECT 'trigger ' || tgname || ' on ' || tgrelid::regclass FROM pg_catalog.pg_trigger
WHERE starts_with(tgname::text, '{TRIGGER_PREFIX}')
UNION ALL
SELECT 'function ' || oid::regprocedure FROM pg_catalog.pg_proc WHERE starts_with(proname::text, '{PREFIX}')
UNION ALL
SELECT 'column ' || attrelid::regclass || '.' || attname FROM pg_catalog.pg_attribute
WHERE starts_with(attname::text, '{PREFIX}') AND NOT attisdropped
UNION ALL
SELECT 'table ' || oid::regclass FROM pg_catalog.pg_class WHERE relkind = 'r' AND starts_with(relname::text, '{PREFIX}')
"""


@dataclass(frozen=True, slots=True)
class Finding:
    """`level` is `ok`, `warning` or `problem`."""

    level: str
    about: str
    text: str
    remedy: str = ""


def examine(settings: Settings) -> list[Finding]:
    """Look at the server a URL leads to. Writes nothing."""
    url = settings.require_url()
    with connect(url, "doctor") as session:
        return [
            *server(session),
            *pooler(url, session),
            *LOOKS[session.server.family](session, settings),
            *limits(settings),
        ]


def postgresql(session: Session, _: Settings) -> Iterator[Finding]:
    yield from privileges(session)
    yield from activity(session)
    yield from leftovers(session)


def mysql(session: Session, settings: Settings) -> Iterator[Finding]:
    from migrator import doctor_mysql

    for level, about, text, remedy in doctor_mysql.look(session, settings):
        yield Finding(level, about, text, remedy)
    yield from lost_and_found([row[0] for row in session.query(doctor_mysql.LEFTOVERS)], session)


LOOKS: dict[str, Callable[[Session, Settings], Iterator[Finding]]] = {
    "postgresql": postgresql,
    "mysql": mysql,
    "mariadb": mysql,
}


def server(session: Session) -> Iterator[Finding]:
    facts = session.facts
    level = "ok" if facts.server.version <= NEWEST_TESTED[facts.server.family] else "warning"
    yield Finding(level, "server", f"{facts.server}, database {facts.database}, role {facts.user}")
    if facts.in_recovery:
        yield Finding("problem", "server", "this is a read-only replica", "give the URL of the primary")
    elif facts.read_only:
        yield Finding("problem", "server", "transactions of this role are read-only")


def pooler(url: str, session: Session) -> Iterator[Finding]:
    try:
        refuse_shared_backend(url, session)
    except NotSupportedHere as shared:
        yield Finding("problem", "pooler", shared.message, shared.next_step)
    else:
        yield Finding("ok", "pooler", "the connection has a server session of its own")


def privileges(session: Session) -> Iterator[Finding]:
    foreign = session.query(OWNED)[0][0]
    if foreign:
        yield Finding(
            "warning",
            "privileges",
            f"{foreign} tables belong to roles this one is no member of; they cannot be migrated",
            "connect as their owner, or GRANT the owner's role",
        )
    for (schema,) in session.query(CREATE):
        yield Finding("problem", "privileges", f'no CREATE on schema "{schema}"', f'GRANT CREATE ON SCHEMA "{schema}"')
    if not session.query(CREATE_SCHEMA)[0][0]:
        yield Finding(
            "warning",
            "privileges",
            "no CREATE on the database: the ledger's schema has to exist beforehand",
            "CREATE SCHEMA migrator AUTHORIZATION … as an administrator",
        )
    if not session.query(SEES_OTHERS)[0][0]:
        yield Finding(
            "warning",
            "privileges",
            "other roles' sessions are seen without state and query, so blockers are named but not explained,"
            " and no batch waits for a replica",
            "GRANT pg_read_all_stats",
        )
    elif not foreign:
        yield Finding("ok", "privileges", "tables can be altered, and blockers are seen")


def activity(session: Session) -> Iterator[Finding]:
    for pid, name, seconds in session.query(OLD_TRANSACTIONS):
        yield Finding(
            "warning",
            "activity",
            f'pid {pid} "{name}" has been in a transaction for {seconds} s: locks and index builds wait for it',
        )


def leftovers(session: Session) -> Iterator[Finding]:
    for (index,) in session.query(INVALID):
        yield Finding(
            "warning",
            "indexes",
            f"{index} is invalid: writes maintain it and no query uses it",
            f"REINDEX INDEX CONCURRENTLY {index}, or drop it",
        )
    yield from lost_and_found([row[0] for row in session.query(LEFTOVERS)], session)


def lost_and_found(found: Sequence[str], session: Session) -> Iterator[Finding]:
    """Helper objects, and whether a revision in flight knows them."""
    known = statements_in_flight(session)
    lost = [name for name in found if not any(digest in known for digest in DIGEST.findall(name))]
    if lost:
        listed = ", ".join(lost)
        yield Finding("problem", "leftovers", f"of no revision in flight: {listed}", "look at them, and drop them")
    elif found:
        yield Finding("ok", "leftovers", f"{len(found)} helper objects of revisions in flight")
    else:
        yield Finding("ok", "leftovers", "none")


def statements_in_flight(session: Session) -> str:
    """What revisions that are not finished have sent or will send, as one text."""
    from migrator.ledger import schema, store

    with session.transaction() as connection:
        if schema.installed(connection) is None:
            return ""
        steps = store.all_steps(connection)
        unfinished = [
            name for name, record in store.revisions(connection).items() if not finished(record, steps.get(name, ()))
        ]
    return json.dumps([encode(record.step) for name in unfinished for record in steps.get(name, ())])


def limits(settings: Settings) -> Iterator[Finding]:
    source = settings.source("lock_timeout")
    text = f"lock_timeout {settings.lock_timeout:g} s ({source})"
    if settings.lock_timeout > 2:
        yield Finding(
            "warning",
            "settings",
            f"{text}: users wait as long as that behind a lock we wait for",
            "500ms is usual",
        )
    else:
        yield Finding("ok", "settings", text)
