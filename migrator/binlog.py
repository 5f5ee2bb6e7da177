"""What a run writes to the binary log of the rows it changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from migrator.errors import NotSupportedHere
from migrator.events import LoggedAsSet, Observer

if TYPE_CHECKING:
    from migrator.database import Session


def shorten(session: Session, image: str, observer: Observer) -> None:
    """Have the rows that a session changes logged by their key and what has changed, where that is allowed.

    Args:
        image: `minimal`, or `server` for what the server is set to.
        observer: told where the role may not.
    """
    statement = session.family.logs_less()
    if image != "minimal" or not statement:
        return
    try:
        with session.transaction():
            session.execute(statement)
    except NotSupportedHere as refused:
        observer(LoggedAsSet(f"{refused.message}; {session.family.may_log_less}"))
