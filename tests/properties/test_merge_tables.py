"""Whatever two versions write to two tables or to one: the second table moves into the first, and loses nothing."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from phases.operations import MergeTables
from tests.properties.test_dual_write import Change, run
from tests.properties.test_split_table import (
    EXAMPLES,
    KINDS,
    NEW,
    OLD,
    ROWS,
    TRIGGERS,
    Split,
    World,
    live_through,
    statements,
    words,
)
from tests.properties.test_split_table import session as session

TWO, ONE = ("new", NEW), ("old", OLD)
"""The version with a table of addresses, and the one without, by their names where the table is split."""


class Apart(World):
    """The addresses are in a table of their own, whose trigger changes what is written."""

    def __init__(self, session, kind, before):
        super().__init__(session, kind, [])
        run(
            session,
            "DROP TRIGGER trimmed ON users",
            "ALTER TABLE users DROP street, DROP city",
            f"CREATE TABLE addresses (user_id int PRIMARY KEY REFERENCES users ON DELETE CASCADE ON UPDATE CASCADE,"
            f" street {kind.declaration}, city text)",
            TRIGGERS[1].replace("users", "addresses"),
        )
        for row, (street, city) in enumerate(before, 1):
            self.act("new", "insert both" if kind.allows(street, city) else "insert user", row, street, city, 0)

    def drop_trigger(self):
        """Before a contract, drop the trigger that goes with its table."""
        run(self.session, "DROP TRIGGER trimmed ON addresses")
        self.trims = False


class Merge(Split):
    def __init__(self, session):
        Change.__init__(self, session, MergeTables("users", "addresses", ["street", "city"], key="user_id"))


def written_early(action):
    """NULL cannot be told from a value that was not given, in a row that is not filled."""
    version, name, _, street, city, _ = action
    return version == "new" or name in ("delete", "rekey", "touch") or None not in (street, city)


both = st.one_of(statements(*TWO), statements(*ONE))


@pytest.mark.parametrize("name", KINDS)
@given(
    before=st.lists(st.tuples(words, words), max_size=ROWS),
    migrating=st.lists(both.filter(written_early), max_size=10),
    overlap=st.lists(both, max_size=25),
    contracted=st.lists(statements(*ONE), max_size=8),
    restoring=st.lists(statements(*ONE), max_size=8),
)
@example(
    before=[("a", "a"), ("a", "a")],
    migrating=[],
    overlap=[],
    contracted=[*[("old", "touch", 1, None, None, 1)] * 4, ("old", "delete", 2, None, None, 1)],
    restoring=[("old", "rekey", 1, None, None, 2)],
)
@EXAMPLES
def test_both_shapes_say_what_was_written_last(session, name, before, migrating, overlap, contracted, restoring):
    world = Apart(session, KINDS[name], before)
    change = Merge(session)
    for action in migrating:
        world.act(*action)
        world.check_new()
        change.batch()
    change.finish()
    change.verify()
    live_through(world, change, overlap, contracted, restoring, world.check_old)
