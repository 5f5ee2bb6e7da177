"""Which lines of a script have come since a commit."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

from migrator.errors import UsageError

HUNK = re.compile(rb"^@@ -\S+ \+(\d+)(?:,(\d+))? @@", re.M)
Lines = list[tuple[int, int]]
EVERYTHING: Lines = [(1, 1 << 60)]


def git(folder: Path, *words: str) -> bytes:
    """What git answers.

    Raises:
        UsageError: git is not installed, or refuses.
    """
    try:
        done = subprocess.run(["git", "-C", str(folder), *words], capture_output=True, check=False)
    except FileNotFoundError:
        raise UsageError("--diff needs git, which is not installed", next_step="lint without --diff") from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines() or ["git failed"]
        raise UsageError(
            f"git {words[0]}: {said[0]}", next_step="give a commit that is there: git fetch origin main, in CI"
        )
    return done.stdout


class Changes:
    """What has come since a commit, or since the branch left it.

    Raises:
        UsageError: there is no such commit, or the folder is in no repository.
    """

    def __init__(self, reference: str, folder: Path) -> None:
        if reference.startswith("-"):
            raise UsageError(f"{reference} is no commit", next_step="migrator lint --diff origin/main")
        commit = git(folder, "rev-parse", "--verify", "--end-of-options", f"{reference}^{{commit}}").decode().strip()
        self.root = Path(git(folder, "rev-parse", "--show-toplevel").decode().rstrip("\n"))
        self.commit = branched_off(self.root, commit)
        self.tracked = names(git(self.root, "ls-files", "-z"))
        self.changed = names(git(self.root, "diff", "--name-only", "--no-renames", "-z", self.commit))

    def lines_of(self, path: Path) -> Lines:
        """Lines of a file that are new, first and last of each run."""
        name = path.resolve().relative_to(self.root.resolve()) if self.holds(path) else None
        if name is None or name.as_posix() not in self.tracked:
            return EVERYTHING
        if name.as_posix() not in self.changed:
            return []
        options = ("--unified=0", "--no-color", "--no-ext-diff", "--no-renames", "--text")
        shown = git(self.root, "diff", *options, self.commit, "--", f":(top,literal){name.as_posix()}")
        return [run for found in HUNK.finditer(shown) for run in added(found)]

    def holds(self, path: Path) -> bool:
        return path.resolve().is_relative_to(self.root.resolve())


def branched_off(folder: Path, commit: str) -> str:
    """Where the branch left the commit's, so that what others did there since is not ours."""
    try:
        return git(folder, "merge-base", commit, "HEAD").decode().strip()
    except UsageError:  # a shallow clone does not know
        return commit


def names(listed: bytes) -> frozenset[str]:
    return frozenset(name.decode(errors="surrogateescape") for name in listed.split(b"\0") if name)


def added(found: re.Match[bytes]) -> Iterable[tuple[int, int]]:
    first, count = int(found[1]), int(found[2]) if found[2] is not None else 1
    return [(first, first + count - 1)] if count else []
