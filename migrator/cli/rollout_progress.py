"""What a rollout shows while it runs: a line for each action and each verdict."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from migrator.cli.render import note

if TYPE_CHECKING:
    from migrator.events import Event, Observer


def observer_for(form: str) -> Observer:
    """The observer that suits how the result is printed."""
    from migrator.events import ignore

    return ignore if form == "json" else line


@contextmanager
def going_on_later() -> Iterator[None]:
    """Say, where somebody interrupts it, how a rollout is gone on with.

    Raises:
        Interrupted: somebody has pressed Ctrl-C.
    """
    from migrator.errors import Interrupted

    try:
        yield
    except KeyboardInterrupt:
        raise Interrupted(
            "interrupted; the traffic stays where it is",
            next_step="migrator rollout resume; or: migrator rollout abort",
        ) from None


def line(event: Event) -> None:
    from migrator import events

    match event:
        case events.RolloutJudged():
            said = f"{event.verdict.replace('_', ' ')}: {event.reason}"
            note(f"     {event.arm}: {said}", fg=None if event.verdict == "pass" else "yellow")
        case events.RolloutStep(state="begun"):
            note(f"{event.number:>3}. {event.words}{' (again: a run was killed here)' if event.again else ''}")
        case events.RolloutStep(state="failed"):
            note(f"     failed after {event.seconds:.1f} s: {event.reason}", fg="red")
        case events.RolloutStep(reason=reason) if reason:
            note(f"     {reason}")
