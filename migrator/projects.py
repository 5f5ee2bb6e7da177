"""Set up a project, adopt an Alembic one, write revision files."""

from __future__ import annotations

import copy
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from migrator.errors import UsageError
from migrator.revisions import VERSION_LENGTH
from migrator.settings import alembic_location

if TYPE_CHECKING:
    from alembic.script import ScriptDirectory

    from migrator.settings import Settings

TABLE = """\
[tool.migrator]
# The URL comes from --database-url, MIGRATOR_DATABASE_URL or DATABASE_URL.
# lock_timeout = "500ms"    # how long one try for a lock may hold others up
# retention = "7d"          # how long a quarantined column or table is kept before a purge
"""

ADOPTED = """\
In {env}, let `alembic check` and autogenerate know what a migration in
flight has put aside, and write operations:

    from migrator.alembic_plugin import options
    context.configure(..., **options())

A database whose schema is that of the newest revision, but that Alembic has not
stamped, is taken over with: migrator baseline
"""


@dataclass(frozen=True, slots=True)
class Setup:
    """What `init` would write: texts to append or create, by path; and what is left to the user."""

    adopts: bool
    writes: dict[Path, str]
    advice: str = ""


def template(name: str) -> str:
    return (resources.files("migrator") / "templates" / name).read_text()


def plan_setup(folder: Path, location: str = "migrations") -> Setup:
    """Work out what a folder lacks. Writes nothing."""
    pyproject = folder / "pyproject.toml"
    text = pyproject.read_text() if pyproject.is_file() else ""
    ini = folder / "alembic.ini"
    adopts = ini.is_file() or "[tool.alembic]" in text
    place = alembic_location(pyproject if text else None, folder) if adopts else location
    scripts = folder / place
    writes: dict[Path, str] = {}
    tables = "" if "[tool.migrator]" in text else TABLE
    if not adopts:
        tables += f'\n[tool.alembic]\nscript_location = "%(here)s/{location}"\nprepend_sys_path = ["%(here)s"]\n'
    if ":" not in place:  # else a folder inside a package, which is somebody else's
        configured = text + (ini.read_text() if ini.is_file() else "")
        elsewhere = re.search(r"^\s*version_locations\s*=", configured, re.M) is not None
        writes |= missing_files(scripts, versions=not elsewhere)
    if tables:
        writes[pyproject] = ("\n" if text and not text.endswith("\n\n") else "") + tables
    env = scripts / "env.py"
    knows_us = env in writes or (env.is_file() and "alembic_plugin" in env.read_text(encoding="utf-8"))
    return Setup(adopts, writes, ADOPTED.format(env=env) if adopts and not knows_us else "")


def missing_files(scripts: Path, *, versions: bool) -> dict[Path, str]:
    """What a script directory lacks.

    Args:
        versions: whether revision files are kept in its folder `versions`.
    """
    sources = (("env.py", "env.py.txt"), ("script.py.mako", "script.py.mako"))
    writes = {scripts / name: template(source) for name, source in sources if not (scripts / name).exists()}
    if versions and not (scripts / "versions").is_dir():
        writes[scripts / "versions" / ".gitkeep"] = ""
    return writes


def write_setup(setup: Setup) -> None:
    """Create what is missing; pyproject.toml is appended to, nothing is overwritten."""
    for path, text in setup.writes.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as file:
            file.write(text)


def revision_id(message: str) -> str:
    """A readable id: six random digits, and the first words of the message that Alembic has room for."""
    name = secrets.token_hex(3)
    for word in re.findall(r"[a-z0-9]+", message.lower()):
        if len(name) + 1 + len(word) > VERSION_LENGTH:
            break
        name += f"_{word}"
    return name


def check_message(message: str) -> None:
    """Refuse an empty message.

    Raises:
        UsageError: it is one.
    """
    if not message.strip():
        raise UsageError("the message is empty", next_step='migrator new "Rename users.full_name to users.name"')


def write_revision(
    settings: Settings,
    message: str,
    *,
    head: str = "head",
    branch_label: str | None = None,
    depends_on: Sequence[str] = (),
    splice: bool = False,
    arguments: Mapping[str, str] = MappingProxyType({}),
) -> Path:
    """Write a revision file in our form into the script directory, whatever its own template is.

    Args:
        arguments: what the template is told besides, such as the operations.

    Raises:
        UsageError: the head is not there, or there are several and none is named.
    """
    from alembic.util import CommandError

    from migrator.revisions import RevisionGraph

    check_message(message)
    graph = RevisionGraph.load(settings)
    try:
        script = with_our_template(graph.directory).generate_revision(
            revision_id(message),
            docstring(message.strip()),
            head=head,
            splice=splice,
            branch_labels=branch_label,
            depends_on=list(depends_on) or None,
            **arguments,
        )
    except CommandError as problem:
        raise UsageError(str(problem), next_step="name one with --head") from None
    if script is None or script.path is None:
        raise UsageError("Alembic wrote no file", next_step="migrator init")
    # Alembic would add the message to the file's name; the id has it already.
    return Path(script.path).rename(Path(script.path).with_name(f"{script.revision}.py"))


def with_our_template(directory: ScriptDirectory) -> ScriptDirectory:
    """The same revisions in the same folders, but our script.py.mako: Alembic looks for it in `dir`."""
    ours = copy.copy(directory)
    ours.version_locations = directory.version_locations or [str(Path(directory.dir) / "versions")]
    ours.dir = str(resources.files("migrator") / "templates")
    return ours


def docstring(message: str) -> str:
    """A message that can stand between three double quotes."""
    return message.replace("\\", "\\\\").replace('"""', "'''")
