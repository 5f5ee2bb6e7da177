"""What statements do that only MySQL and MariaDB have, as frozen values beside `linters.actions`."""

from __future__ import annotations

from linters.actions import Action, OfTable
from linters.values import Column


class AlterTable(OfTable):
    """A statement of MySQL or MariaDB that changes one table: its parts are done together, by one algorithm.

    Args:
        algorithm, lock: what the statement asks for, empty for the server's choice.
        wait: seconds it waits for its lock, None for what the session has set.
    """

    parts: tuple[Action, ...] = ()
    algorithm: str = ""
    lock: str = ""
    wait: float | None = None
    is_copy: bool = False


class ModifyColumn(OfTable):
    """MODIFY or CHANGE: everything about a column is said again, `to.name` may be another one."""

    column: str
    to: Column
    position: str = ""


class ConvertCharset(OfTable):
    """CONVERT TO CHARACTER SET: every column of text, and the default."""

    charset: str
    collation: str = ""


class TableOptions(OfTable):
    """Options of a table: names in capitals, values as they are written."""

    options: tuple[tuple[str, str], ...]


class AlterPartitions(OfTable):
    """`what`: ADD, DROP, TRUNCATE, REORGANIZE, EXCHANGE, BY, REMOVE and so on."""

    what: str
    with_values: bool = False
    checked: bool = True


class EnforceCheck(OfTable):
    name: str
    enforced: bool


class ImplicitCommit(Action):
    """The statement that follows ends the transaction it stands in."""

    what: str
