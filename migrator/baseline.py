"""Take over a database whose schema is there already, and whose history Alembic has not recorded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from migrator.alembic_support import include_object, stamped, version_context
from migrator.environment import environment_of
from migrator.errors import UsageError
from migrator.introspection import read_catalog
from migrator.runs import load_graph, looking, recorded, running

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from migrator.database import Session
    from migrator.revisions import RevisionGraph
    from migrator.settings import Settings

COMPARED_OPTIONS = ("include_name", "include_object", "include_schemas", "compare_type", "compare_server_default")


@dataclass(frozen=True, slots=True)
class Baseline:
    """What a baseline stamps.

    Args:
        revisions: what Alembic's version table will hold.
        covered: how many revisions count as applied from then on.
        already: it holds just that.
        compared: the schema was compared with the metadata of `env.py`.
        differences: what the metadata has otherwise, one line each.
    """

    revisions: tuple[str, ...]
    covered: int
    already: bool = False
    compared: bool = False
    differences: tuple[str, ...] = ()


def look(settings: Settings, revision: str | None = None) -> Baseline:
    """Say what a baseline would do. Writes nothing.

    Args:
        revision: the revision whose schema the database has; every head where not given.

    Raises:
        UsageError: Alembic or the ledger say something else already, or the database is empty.
    """
    graph = load_graph(settings)
    with looking(settings, "baseline") as session:
        return considered(session, graph, revision)


def write(settings: Settings, revision: str | None = None, *, accept: bool = False) -> Baseline:
    """Stamp the database.

    Args:
        accept: also where the schema differs from the metadata.

    Raises:
        UsageError: as `look`, or the schema differs.
    """
    from migrator.ledger import schema, store

    graph = load_graph(settings)
    with running(settings, "baseline") as session:
        found = considered(session, graph, revision)
        if found.differences and not accept:
            raise differs(found)
        if found.already:
            return found
        with session.transaction() as connection:
            context = version_context(connection, graph)
            for name in found.revisions:
                context.stamp(graph.directory, name)
            if schema.installed(connection) is not None:
                store.record_event(connection, "baseline", detail={"revisions": list(found.revisions)})
        return found


def differs(found: Baseline) -> UsageError:
    lines = "".join(f"\n  {line}" for line in found.differences)
    return UsageError(
        f"the schema is not that of {', '.join(found.revisions)}, as env.py describes it:{lines}",
        next_step="name the revision it is at (migrator baseline REVISION), mend the schema,"
        " or say that these do not matter: --accept-differences",
        differences=list(found.differences),
    )


def considered(session: Session, graph: RevisionGraph, revision: str | None) -> Baseline:
    heads = (graph.resolve(revision),) if revision else tuple(sorted(graph.heads))
    if not heads:
        raise UsageError("there are no revisions", next_step='migrator new "…"')
    covered = frozenset().union(*(graph.ancestors(name) for name in heads))
    if started := recorded(session, graph).revisions:
        names = ", ".join(started)
        raise UsageError(
            f"this database is managed already; its ledger has revision {names}", next_step="migrator status"
        )
    with session.transaction() as connection:
        present = stamped(connection, graph)
        if present and set(present) != set(heads):
            raise UsageError(
                f"Alembic has recorded {', '.join(sorted(present))} for this database, not {', '.join(heads)}",
                next_step="run what is missing: migrator apply",
            )
        compared = set(heads) == set(graph.heads) and environment_of(graph).metadata is not None
        differences = tuple(compare(connection, graph)) if compared else ()
        refuse_empty(connection, graph)
    return Baseline(heads, len(covered), bool(present), compared, differences)


def refuse_empty(connection: Connection, graph: RevisionGraph) -> None:
    """Refuse a database without tables: it is at no revision at all."""
    catalog = read_catalog(connection)
    context = version_context(connection, graph)
    if all(name.name == context.version_table for name in catalog.tables):
        raise UsageError("there are no tables in this database", next_step="create them: migrator apply")


def compare(connection: Connection, graph: RevisionGraph) -> list[str]:
    """What Alembic's autogenerate would change to make the schema that of the metadata."""
    from alembic.autogenerate import compare_metadata
    from alembic.runtime.migration import MigrationContext

    environment = environment_of(graph)
    configured = environment.options
    options = {name: configured[name] for name in COMPARED_OPTIONS if configured.get(name) is not None}
    options = {"include_object": include_object, **options, **environment.version_options}
    context = MigrationContext.configure(connection, opts=options)
    return [said(change) for change in flat(compare_metadata(context, environment.metadata))]


def flat(changes: Any) -> list[Any]:
    """Alembic puts the changes of one column into a list of their own."""
    return [inner for change in changes for inner in (change if isinstance(change, list) else [change])]


def said(change: Any) -> str:
    """One change in words: `add column users.age`."""
    kind, *rest = change
    words = kind.replace("_", " ")
    if kind in ("add_column", "remove_column"):
        return f"{words} {rest[1]}.{rest[2].name}"
    if kind.startswith("modify_"):
        return f"{words} of {rest[1]}.{rest[2]}: {rest[-2]} -> {rest[-1]}"
    thing = rest[0]
    table = getattr(getattr(thing, "table", None), "name", None)
    name = getattr(thing, "name", None) or ""
    return f"{words} {name}".rstrip() + (f" of {table}" if table else "")
