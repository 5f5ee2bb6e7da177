"""What engines and connections are taught: where the ledger is, and that their statements are known for ours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

    from migrator.dialects.base import Family

LEDGER = "migrator"
"""Schema of the ledger, or prefix of its tables."""


def teach(target: Engine | Connection, kind: Family) -> None:
    """Let an engine or a connection find the ledger's tables, and mark its statements as ours."""
    from sqlalchemy import event

    if kind.commits_ddl:
        event.listen(target, "before_cursor_execute", with_prefix, retval=True)
    if kind.statistics.suffix:
        event.listen(target, "before_cursor_execute", marked(kind.statistics.suffix), retval=True)


def with_prefix(_connection: Any, _cursor: Any, statement: str, parameters: Any, context: Any, _many: bool) -> Any:
    """Give the ledger's tables a prefix where a schema is a database: `migrator_steps`, not `migrator.steps`."""
    if getattr(context, "compiled", None) is not None:
        statement = statement.replace(f"{LEDGER}.", f"{LEDGER}_")
    return statement, parameters


def marked(suffix: str) -> Any:
    """Put a comment behind every statement, by which it is known for ours in the server's statistics."""

    def mark(_connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, _many: bool) -> Any:
        return statement + suffix, parameters

    return mark
