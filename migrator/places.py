"""Where in a revision file something stands: the calls that send a statement, and the comments to the linter."""

from __future__ import annotations

import io
import sys
import tokenize
from pathlib import Path
from types import FrameType

from linters.collected import Item
from linters.suppressions import MARK


def place_in(path: Path) -> tuple[int, int] | None:
    """Line and column, from 1, of the call in a file that led here; None where it did not come from there."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_filename == str(path):
            return position(frame)
        frame = frame.f_back
    return None


def position(frame: FrameType) -> tuple[int, int]:
    positions = list(frame.f_code.co_positions())
    line, _, column, _ = positions[frame.f_lasti // 2] if frame.f_lasti >= 0 else (None, None, None, None)
    return line or frame.f_lineno, (column or 0) + 1


def silencing(path: Path) -> list[Item]:
    """Comments to the linter, as those of SQL at the same place."""
    text = path.read_text(encoding="utf-8-sig")
    if MARK.decode() not in text:
        return []
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
    except (tokenize.TokenError, SyntaxError):
        return []
    comments = [token for token in tokens if token.type == tokenize.COMMENT and MARK.decode() in token.string]
    return [Item("--" + t.string.lstrip("#"), t.start[0], t.start[1] + 1) for t in comments]
