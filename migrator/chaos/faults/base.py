"""What every fault answers."""

from __future__ import annotations

import abc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from migrator.errors import MigratorError

if TYPE_CHECKING:
    from contextlib import ExitStack

    from migrator.chaos.model import Instance
    from migrator.chaos.proxy import Proxy
    from migrator.chaos.undo import Entry

Readers = Mapping[str, Callable[[object], Any]]


class FaultFailed(MigratorError):
    """A fault could not begin, or what it did could not be put back."""


@dataclass(slots=True)
class Ground:
    """What faults reach.

    Args:
        url: of the database, directly; empty where there is none.
        proxy: in front of it; None where no fault needs one.
        held: closed at the end of the experiment, whatever happens.
    """

    folder: Path
    instances: Mapping[str, Instance]
    url: str
    proxy: Proxy | None
    held: ExitStack


class Fault(abc.ABC):
    """Something that can go wrong, as a frozen value.

    First it says what will undo it, which is kept on disk; then it begins. What the
    undo log can do is done from there, also by another process. `end` is for what
    lives in this one and ends with it.
    """

    kind: ClassVar[str]
    readers: ClassVar[Readers]
    through_proxy: ClassVar[bool] = False
    needs_database: ClassVar[bool] = False

    @abc.abstractmethod
    def words(self) -> str:
        """It, for people."""

    def prepare(self, ground: Ground) -> tuple[Entry, ...]:
        """What undoes it; changes nothing yet.

        Raises:
            MigratorError: it cannot be done here.
        """
        return ()

    @abc.abstractmethod
    def begin(self, ground: Ground, entries: Sequence[Entry]) -> int:
        """Do it.

        Returns:
            How many processes, connections or files felt it so far.
        """

    def end(self, ground: Ground) -> int:
        """End what lives in this process; may be asked for twice.

        Returns:
            How many felt it, where that is known only then.
        """
        return 0
