"""Actions that make relations which are no tables, or which the text of the statement does not name."""

from __future__ import annotations

from linters.actions import Action, OfTable


class CreateSequence(OfTable):
    """A sequence, which takes a name that tables have, too."""


class Unlisted(Action):
    """Nobody waits for it; it makes relations that its text does not name."""

    what: str
