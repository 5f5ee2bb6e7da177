"""`migrator lint --shadow`: scripts run on a scratch database, and what of it the linter did not say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

from linters.collected import Collected
from linters.engine import SHOWN, Engine, fingerprint
from linters.findings import Finding, Severity
from linters.parsing import enum_name, parse
from linters.reports import Observed
from linters.rules import SHADOW
from linters.source import Piece, Source
from migrator.errors import DatabaseError, UsageError
from migrator.linting.options import Options
from migrator.linting.servers import chosen_dialect, release
from migrator.setting_values import mask
from migrator.shadow import Difference, Observation, Scratch, compare
from migrator.shadow.comparing import CONFIRMED, MISMATCH, OBSERVED_ONLY, REFUSALS, in_words

if TYPE_CHECKING:
    from migrator.linting.shadowing_mysql import MySQLShadow
    from migrator.shadow.mysql import MySQLScratch

EMBEDDED = "embedded"
LEFT_OUT = ("copy_stmt", "alter_owner_stmt", "grant_stmt", "alter_default_privileges_stmt")
"""Statements of a dump that need its rows or its roles."""
KEPT = ("search_path", "check_function_bodies", "xmloption")
"""Settings of a dump that decide how it is read; a server of another version may not know the others."""
REFUSING = ("42", "25", "55", "0A", "2B")
"""Classes of errors that are about the statement; others are about the rows, which are samples, or the machine."""
OF_OTHERS = ("42501", "55P03")
"""Errors that come from roles and from other sessions."""
UNDEFINED = ("42P01", "42703", "42704", "42883", "3F000", "42P07", "42701", "42710")
"""What a statement names is not there, or is there already."""


def opened(server: str, options: Options, major: Any) -> AbstractContextManager[Scratch | MySQLScratch]:
    """A scratch database of the dialect of the scripts, gone in the end; what may be raised as `opened_postgresql`."""
    if chosen_dialect(options.dialect) == "postgresql":
        return opened_postgresql(server, options, major)
    from migrator.linting.shadowing_mysql import opened as opened_mysql

    return opened_mysql(server, options)


@contextmanager
def opened_postgresql(server: str, options: Options, major: int | None) -> Iterator[Scratch]:
    """A scratch database, gone in the end.

    Args:
        server: a URL, or `embedded` for a server of our own.
        major: version of the database that the schema is read from; None where there is none.

    Raises:
        UsageError: the scripts are for another kind of server, or for another version of it.
        ConnectionFailed: the server is not there, or lets nobody create a database.
    """
    given = release(options.server_version, "postgresql")
    wanted = given if isinstance(given, int) else major
    if server == EMBEDDED:
        from migrator.embedded import EmbeddedServer
        from migrator.own_server import fast_folder

        with (
            EmbeddedServer(binaries(wanted), parent=fast_folder()) as own,
            Scratch(own.url(), options.timezone or "UTC") as scratch,
        ):
            yield scratch
        return
    if not server.startswith(("postgresql://", "postgresql+", "postgres://")):
        raise UsageError(
            f"--shadow {mask(server)} is no PostgreSQL server", next_step="--shadow postgresql://… or embedded"
        )
    with Scratch(server, options.timezone or "UTC") as scratch:
        if wanted not in (None, scratch.version):
            raise UsageError(
                f"the server of --shadow is PostgreSQL {scratch.version}, and the scripts are for {wanted}",
                next_step=f"--server-version {scratch.version}, or --shadow with a server of version {wanted}",
            )
        yield scratch


def binaries(major: int | None) -> Any:
    """The embedded server of a version, or the newest.

    Raises:
        UsageError: it is not installed here.
    """
    from migrator.embedded import all_binaries, newest_binaries

    if major is None:
        return newest_binaries()
    found = all_binaries()
    if major not in found:
        here = ", ".join(map(str, sorted(found))) or "none"
        raise UsageError(
            f"PostgreSQL {major} is not installed here; versions that are: {here}", next_step="--shadow URL of a server"
        )
    return found[major]


def shadow_of(
    scratch: Scratch | MySQLScratch, engine: Engine, schema: Source | None, options: Options
) -> Shadow | MySQLShadow:
    """What runs the scripts on a scratch database.

    Raises:
        UsageError: the schema cannot be created.
    """
    if isinstance(scratch, Scratch):
        return Shadow(scratch, engine, schema, options)
    from migrator.linting.shadowing_mysql import MySQLShadow

    return MySQLShadow(scratch, engine, schema, options)


class Shadow:
    """Runs scripts one after another on a scratch database.

    Args:
        engine: what the linter says, in the state before the first script.
        schema: SQL that makes what the first script finds; None for nothing.

    Attributes:
        observed: what each statement did.

    Raises:
        UsageError: the schema cannot be created.
    """

    def __init__(self, scratch: Scratch, engine: Engine, schema: Source | None, options: Options) -> None:
        self.scratch, self.engine = scratch, engine
        self.asked = options.choice().asks(SHADOW)
        self.severity = options.severities.get(SHADOW.id, SHADOW.severity)
        self.server = f"PostgreSQL {scratch.version}"
        self.observed: list[Observed] = []
        # Once something did not run, what others need may be missing.
        self.known = engine.session.given.complete
        if schema is not None:
            prepare(scratch, schema)

    def judge(self, source: Source, in_transaction: bool) -> list[Finding]:
        """Run a script; a finding for each difference from what the linter says of it."""
        said = list(self.engine.unsilenced(source, in_transaction))
        seen = self.run(source, in_transaction)
        usual = [each for each in seen if not each.error or self.tells(each, said, source)]
        self.known = self.known and not any(each.error for each in seen)
        pieces = {source.place(piece.start)[0]: piece for piece in reversed(list(source.statements()))}
        differences = [each for each in compare(said, usual) if each.label != CONFIRMED] if self.asked else []
        return [self.finding(each, source, pieces[each.line]) for each in differences]

    def follow(self, source: Source, in_transaction: bool) -> None:
        """Run a script that nobody asks about: the next ones build on it."""
        self.engine.seed(source)
        seen = self.run(source, in_transaction)
        self.known = self.known and not any(each.error for each in seen)

    def run(self, source: Source, in_transaction: bool) -> list[Observation]:
        reason = unreadable(source)
        if reason:
            self.known = False
            self.observed.append(Observed(self.server, source.name, 1, "", error=reason, words=reason))
            return []
        self.scratch.fill()
        seen = list(self.scratch.run(source, in_transaction))
        self.observed += [self.shown(each, source.name) for each in seen]
        return seen

    def tells(self, seen: Observation, said: Sequence[Finding], source: Source) -> bool:
        """Whether an error is the statement's own, and not that of sample rows or of what is not known to be there."""
        if any(finding.line == seen.line and finding.rule in REFUSALS for finding in said):
            return True
        if not seen.code.startswith(REFUSING) or seen.code in OF_OTHERS:
            return False
        if seen.code in UNDEFINED:
            return self.known and not isinstance(source, Collected)
        return not seen.statement.upper().startswith("CREATE EXTENSION")

    def shown(self, seen: Observation, file: str) -> Observed:
        locks = {table: str(mode) for table, mode in seen.locks.items()}
        return Observed(
            self.server, file, seen.line, mask(seen.statement), locks, seen.rewrites, seen.scans, seen.builds,
            max(seen.rows, 0), mask(seen.error), seen.code, mask(in_words(seen)),
        )  # fmt: skip

    def finding(self, found: Difference, source: Source, piece: Piece) -> Finding:
        return difference_finding(found, source, piece, self.server, self.severity)


def difference_finding(found: Difference, source: Source, piece: Piece, server: str, severity: Severity) -> Finding:
    """A difference as a finding; less severe where the server was not seen to do what was said."""
    seen = found.seen or "nothing that anybody waits for"
    message = f"{found.label}: {server} showed {seen}; the linter says {found.said or 'nothing'}"
    severe = found.label in (MISMATCH, OBSERVED_ONLY)
    statement = " ".join(found.statement.split())
    line, column = source.place(piece.start)
    return Finding(
        SHADOW.id, SHADOW.category, severity if severe else Severity.NOTICE, message, SHADOW.effect,
        SHADOW.safer, source.name, line, column, statement[:SHOWN] + ("…" if len(statement) > SHOWN else ""),
        fingerprint=fingerprint(SHADOW.id, source.name, statement), last_line=source.place(piece.end)[0],
    )  # fmt: skip


def unreadable(source: Source) -> str:
    """Why a script is not run: what is in it is not all known, or is put in by a driver or by psql."""
    problem = next((piece.problem for piece in source.statements() if piece.node is None), "")
    if not problem and not isinstance(source, Collected):
        try:
            parse(source.readable().decode())
        except ValueError:
            problem = "there are variables in it"
    return f"not run: {problem}" if problem else ""


def prepare(scratch: Scratch, schema: Source) -> None:
    """Create what the first script finds.

    Raises:
        UsageError: the server refuses it.
    """
    try:
        scratch.prepare(";\n".join(runnable(schema)))
    except DatabaseError as problem:
        raise UsageError(
            f"{schema.name} on the server of --shadow: {problem.message}",
            next_step="a dump by pg_dump --schema-only --no-owner --no-privileges, or a server with what is missing",
        ) from problem


def runnable(schema: Source) -> Iterator[str]:
    """The statements of a dump that make its schema."""
    yield "SET check_function_bodies = off"
    for piece in schema.statements():
        kind = piece.node.WhichOneof("node") if piece.node is not None else ""
        setting = piece.node.variable_set_stmt.name if kind == "variable_set_stmt" else ""
        commands = piece.node.alter_table_stmt.cmds if kind == "alter_table_stmt" else ()
        owner = any(enum_name(each.alter_table_cmd, "subtype") == "AT_ChangeOwner" for each in commands)
        if kind and kind not in LEFT_OUT and setting in ("", *KEPT) and not owner:
            yield schema.text(piece).rstrip("; \n")
