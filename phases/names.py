"""Names we own in the database.

PostgreSQL cuts identifiers at 63 bytes without an error, so two long names can
silently become one. Every name made here is cut by us, with a hash of the whole
in it, and recognisable by its prefix.
"""

from __future__ import annotations

import hashlib

MAX_BYTES = 63
PREFIX = "_migrator_"
TRIGGER_PREFIX = "~migrator_"
QUARANTINE_PREFIX = "_migrator_quarantine_"


def fit(text: str, limit: int = MAX_BYTES) -> str:
    """Cut `text` to at most `limit` bytes of UTF-8, never inside a character."""
    return text.encode()[:limit].decode(errors="ignore")


def digest(*parts: str) -> str:
    """Eight hexadecimal digits that tell these parts from any others."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:8]


def owned(kind: str, *parts: str) -> str:
    """Name a helper object: prefix, kind, hash of all parts, readable tail.

    >>> owned("check", "public", "users", "name")
    '_migrator_check_7a5272ab_name'
    """
    return fit(f"{PREFIX}{kind}_{digest(kind, *parts)}_{parts[-1]}")


def trigger(kind: str, *parts: str) -> str:
    """Name a trigger so that it fires after the user's own, and after ours of kinds that sort before.

    Triggers of one event fire in order of name, compared byte by byte
    (PostgreSQL manual, CREATE TRIGGER); `~` is the last printable ASCII byte.
    """
    return fit(f"{TRIGGER_PREFIX}{kind}_{digest(kind, *parts)}_{parts[-1]}")


def behind(kind: str, *parts: str) -> str:
    """Name a table of ours so that it sorts behind those of the user's.

    MySQL and MariaDB lock the names of a RENAME in their order: who writes to a table, and by its triggers to
    one of these, has to have locked them in the same order, or it is taken for the victim of a deadlock.
    Shorter than other names: a server may name conditions after the table, `<table>_chk_1`.
    """
    return fit(trigger(kind, *parts), MAX_BYTES - len("_chk_123"))


def quarantine(*parts: str) -> str:
    """Name under which a removed column or table waits to be purged."""
    return fit(f"{QUARANTINE_PREFIX}{digest(*parts)}_{parts[-1]}")


def composed(*words: str) -> str:
    """Name of a thing of the user's that was given none, with a hash where it would be too long.

    >>> composed("users", "email", "idx")
    'users_email_idx'
    """
    full = "_".join(words)
    if len(full.encode()) <= MAX_BYTES:
        return full
    end = f"_{digest(*words)}_{words[-1]}"
    return fit(full, MAX_BYTES - len(end)) + end


def renamed(name: str, old: str, new: str) -> str:
    """Name of an index or constraint after its column is renamed.

    The column's name is replaced where it stands as a whole word between
    underscores; a name that does not contain it stays as it is.
    """
    changed = f"_{name}_".replace(f"_{old}_", f"_{new}_")[1:-1]
    return fit(changed)
