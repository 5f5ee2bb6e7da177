"""What `migrator rollout flags` prints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from migrator.cli.render import say

if TYPE_CHECKING:
    from migrator.flag_report import FlagReport


def show_flags(found: Sequence[FlagReport]) -> None:
    for flag in found:
        shares = ", ".join(f"{name} {share:g} %" for name, share in flag.shares.items() if share) or "not in the file"
        first = f"; segments: {', '.join(flag.segments)}" if flag.segments else ""
        since = f", since {flag.since:%Y-%m-%d %H:%M}" if flag.since is not None else ""
        of = f" ({flag.revision}: {flag.state})" if flag.revision else ""
        say(f"{flag.name}{of}: {shares}{first}{since}", bold=True)
        for finding in flag.findings:
            say(f"  {finding}", fg="yellow")
    if not any(flag.findings for flag in found):
        say("No flag has to go.")
