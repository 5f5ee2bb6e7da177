"""How migration tools name their scripts, in which order they run them, and in which transactions."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

DIESEL = re.compile(r"\d{4}-?\d{2}-?\d{2}-?\d{6}_.+|\d+_.+")
FLYWAY = re.compile(r"(?:[VUB](?P<version>\d+(?:[._]\d+)*)|R)__(?P<name>.*)\.sql", re.I)
PAIR = re.compile(r".+\.(up|down)\.sql", re.I)
NUMBERED = re.compile(r"\d+[_.-].*\.sql", re.I)
SECTIONS = {
    "dbmate": re.compile(rb"^--[ \t]*migrate:(up|down)\b[^\n]*", re.M | re.I),
    "goose": re.compile(rb"^--[ \t]*\+goose[ \t]+(up|down)\b[^\n]*", re.M | re.I),
    "sql-migrate": re.compile(rb"^--[ \t]*\+migrate[ \t]+(up|down)\b[^\n]*", re.M | re.I),
}
"""Where the way forward and the way back begin, for tools that keep both in one file."""
WITHOUT_TRANSACTION = re.compile(
    rb"^--[ \t]*(?:\+goose[ \t]+no[ \t]+transaction|migrate:up\b[^\n]*\btransaction:[ \t]*false"
    rb"|\+migrate[ \t]+up\b[^\n]*\bnotransaction|atlas:txmode[ \t]+none|no-transaction|transactional:[ \t]*false)\b",
    re.M | re.I,
)
WITHOUT_TRANSACTION_NAMES = re.compile(r"\.(?:autocommit|nontransactional|no[_-]?transaction)\.", re.I)
ONE_TRANSACTION = frozenset({"flyway", "diesel", "goose", "dbmate", "sql-migrate", "sqlx", "atlas"})
"""Tools that put each script in a transaction of its own."""


def natural(text: str) -> tuple[tuple[int, int, str], ...]:
    """A key that sorts `V2` before `V10`."""
    return tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"(\d+)", text) if part)


def tool_of(path: Path) -> str:
    """The tool whose names these are; empty for plain names."""
    name, folder = path.name, path.parent
    if name in ("up.sql", "down.sql") and DIESEL.fullmatch(folder.name):
        return "diesel"
    if name == "migration.sql" and DIESEL.fullmatch(folder.name):
        return "prisma"
    if FLYWAY.fullmatch(name):
        return "flyway"
    if (folder / "atlas.sum").is_file():
        return "atlas"
    if PAIR.fullmatch(name):
        return (
            "sqlx" if any((above / "Cargo.toml").is_file() for above in path.absolute().parents) else "golang-migrate"
        )
    return ""


def tool_in(data: bytes) -> str:
    """The tool whose comments these are; empty where there are none."""
    return next((tool for tool, mark in SECTIONS.items() if mark.search(data)), "")


def goes_back(path: Path) -> bool:
    """Whether a script undoes another, so that nobody runs it on the way forward."""
    name, tool = path.name.lower(), tool_of(path)
    if tool == "flyway":
        return name.startswith("u")
    return (tool == "diesel" and name == "down.sql") or name.endswith(".down.sql")


def forward_part(data: bytes, tool: str) -> bytes:
    """A script with its way back blanked out, byte for byte, so that every position stays what it is."""
    mark = SECTIONS.get(tool)
    if mark is None:
        return data
    parts, place, back = [], 0, False
    for found in mark.finditer(data):
        part = data[place : found.start()]
        parts.append(blank(part) if back else part)
        place, back = found.start(), found[1].lower() == b"down"
    parts.append(blank(data[place:]) if back else data[place:])
    return b"".join(parts)


def blank(data: bytes) -> bytes:
    return re.sub(rb"[^\n]", b" ", data)


def in_transaction(path: Path, data: bytes, tool: str) -> bool:
    """Whether the tool puts the script in one transaction, or the script or a file beside it says otherwise."""
    if WITHOUT_TRANSACTION.search(data) or WITHOUT_TRANSACTION_NAMES.search(path.name):
        return False
    if tool == "diesel":
        given = table_of(path.parent / "metadata.toml").get("run_in_transaction", True)
        return given is not False
    if tool == "flyway":
        return flyway_transaction(path)
    return tool in ONE_TRANSACTION


def table_of(path: Path) -> dict[str, object]:
    """A TOML file beside a script; empty where there is none that can be read."""
    import tomllib

    try:
        return tomllib.loads(path.read_text())
    except (OSError, ValueError):
        return {}


def flyway_transaction(path: Path) -> bool:
    """`executeInTransaction` of the script's own .conf, else of the project's flyway.conf or flyway.toml."""
    above = [folder for folder in list(path.absolute().parents)[:4] if folder.is_dir()]
    files = [path.with_name(path.name + ".conf"), path.with_suffix(".conf"), *(f / "flyway.conf" for f in above)]
    for file in files:
        if file.is_file():
            text = file.read_text(errors="replace")
            found = re.search(r"^[ \t]*(?:flyway\.)?executeInTransaction[ \t]*=[ \t]*(\w+)", text, re.M)
            if found:
                return found[1].lower() != "false"
    for folder in above:
        table = table_of(folder / "flyway.toml").get("flyway", {})
        if isinstance(table, dict) and "executeInTransaction" in table:
            return table["executeInTransaction"] is not False
    return True


def group_of(path: Path) -> Path:
    """The folder whose scripts are one history."""
    return path.parent.parent if tool_of(path) in ("diesel", "prisma") else path.parent


def place_of(path: Path) -> tuple[int, tuple[int, ...], tuple[tuple[int, int, str], ...]]:
    """Where a script stands in its history. Repeatable ones of Flyway come last, by description."""
    found = FLYWAY.fullmatch(path.name)
    if found is None:
        return 0, (), natural(path.parent.name if group_of(path) != path.parent else path.name)
    version = [int(part) for part in re.split(r"[._]", found["version"])] if found["version"] else []
    while version and version[-1] == 0:  # V1 and V1.0 are one version
        version.pop()
    return int(found["version"] is None), tuple(version), natural(found["name"])


def ordered(paths: Iterable[Path]) -> list[Path]:
    """Scripts in the order in which their tool runs them; plain names stay as they are given.

    Histories stay in the order in which they are first met.
    """
    histories: dict[Path, list[Path]] = {}
    for path in paths:
        histories.setdefault(group_of(path), []).append(path)
    for history in histories.values():
        if all(tool_of(path) or NUMBERED.fullmatch(path.name) for path in history):
            history.sort(key=place_of)
    return [path for history in histories.values() for path in history]


def found_in(folder: Path) -> list[Path]:
    """Every script below a folder, in the order in which its tool runs them."""
    paths = [path for path in folder.rglob("*.sql") if path.is_file() and not hidden(path.relative_to(folder))]
    if paths and all(FLYWAY.fullmatch(path.name) for path in paths):  # one history, whatever folders it is kept in
        return sorted(paths, key=place_of)
    return ordered(sorted(paths, key=lambda path: [natural(part) for part in path.relative_to(folder).parts]))


def hidden(path: Path) -> bool:
    skipped = ("node_modules", "__pycache__", "site-packages")
    return any(part.startswith(".") or part in skipped for part in path.parts)
