"""Comments that silence rules: what they have to say, and when they silence nothing."""

from __future__ import annotations

from collections.abc import Iterator

from linters.actions import Action
from linters.findings import Severity
from linters.rules.base import STYLE, At, Found, rule
from linters.suppressions import EXPIRED, UNUSED, WITHOUT_REASON

EVERY_SERVER = ("postgresql", "mysql", "mariadb")
T = "CREATE TABLE t (id bigint PRIMARY KEY, a int);"


class Comment(Action):
    """Stands for a comment; no statement is one, so the checks are never asked. The engine reads the comments."""


def by_the_engine(_: At) -> Iterator[Found]:
    return iter(())


rule(
    WITHOUT_REASON,
    STYLE,
    Comment,
    condition="a comment silences a rule and does not say why",
    effect="it silences nothing: whoever reads it later cannot tell whether it still holds",
    safer="-- migrator: disable=RULE why it is safe here",
    dialects=EVERY_SERVER,
    given=T,
    bad="-- migrator: disable=drop-column\nALTER TABLE t DROP COLUMN a",
    good="-- migrator: disable=drop-column nothing has read it since 2.3\nALTER TABLE t DROP COLUMN a",
)(by_the_engine)
rule(
    UNUSED,
    STYLE,
    Comment,
    condition="a comment silences a rule that finds nothing there, that does not exist, or is not understood",
    effect="what it would hide later was never looked at",
    safer="take the comment away",
    severity=Severity.WARNING,
    dialects=EVERY_SERVER,
    given=T,
    bad="-- migrator: disable=drop-column nothing reads it\nALTER TABLE t ADD COLUMN b int",
    good="ALTER TABLE t ADD COLUMN b int",
)(by_the_engine)
rule(
    EXPIRED,
    STYLE,
    Comment,
    condition="the date of a comment that silences a rule is past",
    effect="it silences nothing any more",
    safer="look again whether it is safe, and give a later date or mend it",
    severity=Severity.WARNING,
    dialects=EVERY_SERVER,
    given=T,
    bad="-- migrator: disable=drop-column nothing reads it until=2001-01-31\nALTER TABLE t DROP COLUMN a",
    good="-- migrator: disable=drop-column nothing reads it until=2999-12-31\nALTER TABLE t DROP COLUMN a",
)(by_the_engine)
