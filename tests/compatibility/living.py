"""The life of a change while both versions of an application are at work, the same on every server."""

from __future__ import annotations

from dataclasses import dataclass

from migrator.events import StepFinished
from tests.plugins.applications import Shape, is_shared, one_round
from tests.plugins.families import application

Statements = str | tuple[str, ...]


@dataclass(frozen=True)
class Case:
    """An operation, and the two shapes of the application.

    `wrong` counts rows that are not as they must be, asked while both versions are there; `given` alters the
    tables first. `every`: both give rows other keys, too. `in_place`: a server builds the table again in place.
    """

    operation: str
    old: Shape
    new: Shape
    wrong: str = "SELECT 0"
    given: Statements = ()
    every: bool = False
    in_place: bool = False


class Watched(list):
    """A list of events that calls a function with each."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def append(self, event):
        super().append(event)
        self.function(event)


def survive(case, database, project, connections):
    """Live through a change, with a round of every statement after each of its steps.

    No statement may fail, and no row may be lost.
    """
    project.url = database.url
    revision = project.revision("change", case.operation)
    old = application(database, "old", case.old, connections, every=case.every, in_place=case.in_place)
    new = application(database, "new", case.new, connections, every=case.every, in_place=case.in_place)

    def after_each_step(event):
        if isinstance(event, StepFinished):
            one_round(old, new)

    project.seen = Watched(after_each_step)
    try:
        live(project, revision, old, new, lambda: agree(database, case))
    finally:
        old.stop()
        new.stop()
    assert old.failures == []
    assert new.failures == []
    assert lost(database, new) == []


def agree(database, case):
    assert database.rows(case.wrong) == [(0,)]


def live(project, revision, old, new, check):
    """The life of a change, with the versions that may live in each part of it."""
    old.start()
    one_round(old)
    project.apply()
    project.abort(revision, discard=True)
    one_round(old)

    project.apply("expand")
    new.start(reading=False)
    project.apply("migrate")
    new.stop()
    new.start()
    one_round(new)
    check()
    old.stop()

    if "contract" in {step.phase for step in project.plan(revision)}:
        project.apply("contract", revision)
        project.restore(revision)
        old.start()
        one_round(old, new)
        check()
        old.stop()
        project.apply("contract", revision)
        if "purge" in {step.phase for step in project.plan(revision)}:
            project.apply("purge", revision)
    one_round(new)
    new.stop()


def lost(database, application):
    """Rows whose values are not what their only writer wrote last."""
    shape, found = application.shape, []
    rows = {row[0]: row[1:] for row in database.rows(f"SELECT id, {', '.join(shape.columns)} FROM {shape.table}")}
    for row_id, values in application.journal.items():
        if is_shared(row_id):
            continue
        expected = tuple(values.values()) if values is not None else None
        if rows.get(row_id) != expected:
            found.append((row_id, rows.get(row_id), expected))
    return found
