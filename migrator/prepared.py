"""Sessions that may hold prepared statements, which a change of type under a name would break.

PostgreSQL refuses a statement that was prepared before the type of one of its
result columns changed ("cached plan must not change result type"), on that
session for ever; nobody but the session itself can see or drop what it prepared.
So the change waits until every session is of a kind that holds none.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from migrator.dialects import postgresql
from migrator.errors import NotYet

if TYPE_CHECKING:
    from sqlalchemy import Connection

MARK = "unprepared"
"""An application name that ends with this word, set apart by a blank, promises that nothing is prepared."""
OURS = "migrator"
SHOWN = 5


def may_hold(name: str, unprepared: Iterable[str]) -> bool:
    """Whether a session of this application name may hold prepared statements."""
    words = name.split()
    if words and (words[-1] == MARK or words[0] == OURS):
        return False
    return not any(fnmatchcase(name, pattern) for pattern in unprepared)


def refuse_prepared(connection: Connection, step: str, unprepared: Sequence[str]) -> None:
    """Refuse while a session is there that may hold prepared statements.

    Raises:
        NotYet: naming the sessions, and how they say that they hold none.
    """
    rows = connection.exec_driver_sql(postgresql.SESSIONS).all()
    found = [f'pid {pid} "{name}" (role {role})' for pid, name, role in rows if may_hold(name, unprepared)]
    if not found:
        return
    more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    raise NotYet(
        f"{step}: sessions may hold prepared statements that the change of type would break:\n  "
        + "\n  ".join(found[:SHOWN])
        + more,
        next_step="start them without server-side prepared statements, and say so: migrator.app.unprepared(engine)"
        f' in the application, or an application name that ends with " {MARK}", or'
        ' unprepared_applications = ["name"] in [tool.migrator]; or give the column a second name (to=…)',
        conditions=["no session holds prepared statements"],
        sessions=found,
    )
