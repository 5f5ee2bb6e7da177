"""Cases for linters, and how their truth follows from what a server did. See tests/linters/corpus/README.md."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from linters.source import Source
from migrator.shadow import Observation, Scratch

CORPUS = Path(__file__).parent.parent / "tests" / "linters" / "corpus"
FIRST, LAST = 12, 18
HEAD = re.compile(r"^-- (schema|case): (\S+)[ \t]*$", re.M)
NOTE = re.compile(r"^-- (given|old|truth|versions): ?(.*)\n?", re.M)
SAFE, BROKEN = "safe", "compatibility"
LONGEST_TIMEOUT = 10_000
SAMPLE = 3

QUEUES = re.compile(
    r"^(CREATE|DROP) .*\bTRIGGER\b|(EN|DIS)ABLE .*TRIGGER|\bPOLICY\b|ROW LEVEL SECURITY|^CREATE RULE"
    r"|^ALTER TYPE .*\bCASCADE|^LOCK\b|^TRUNCATE\b|^DROP INDEX|DETACH PARTITION|PARTITION OF\b",
    re.I,
)
"""Statements that are judged by their lock alone."""
ALWAYS = re.compile(r"^LOCK\b|^TRUNCATE\b|^DROP INDEX|DETACH PARTITION|PARTITION OF\b", re.I)
"""Those that no lock_timeout makes harmless."""
BUILDS = re.compile(r"^CREATE (UNIQUE )?INDEX CONCURRENTLY|VALIDATE CONSTRAINT", re.I)
AGAIN = re.compile(r"INDEX CONCURRENTLY IF NOT EXISTS", re.I)
VACUUM_OFF = re.compile(r"autovacuum_enabled\s*=\s*(false|off)", re.I)
LISTED = re.compile(r"^INSERT\b.*\bVALUES\b|^CREATE (MATERIALIZED VIEW|TEMP)", re.I | re.S)
"""Statements that write the rows they name, or what nobody else sees."""


@dataclass(frozen=True, slots=True)
class Case:
    """One script that a linter is asked about.

    Args:
        given: SQL of the schema it finds.
        old: statements of the version that is live; all of them work before the script.
        versions: first and last major version of the server it is for.
        truth: recorded: `safe`, or why it is not.
    """

    id: str
    given: str
    script: str
    old: tuple[str, ...] = ()
    versions: tuple[int, int] = (FIRST, LAST)
    truth: tuple[str, ...] = ()
    file: Path = field(default_factory=Path)

    @property
    def unsafe(self) -> bool:
        return self.truth != (SAFE,)

    @property
    def hazard(self) -> bool:
        return bool({*self.truth} - {SAFE, BROKEN})

    @property
    def breaks(self) -> bool:
        return BROKEN in self.truth

    @property
    def words(self) -> str:
        """The script, however it is laid out."""
        return " ".join(self.script.lower().split())

    def is_for(self, version: int) -> bool:
        return self.versions[0] <= version <= self.versions[1]


def load(dialect: str = "postgresql") -> list[Case]:
    """All cases of a dialect.

    Raises:
        ValueError: two cases have one id, or one names a schema that is not there.
    """
    cases: dict[str, Case] = {}
    for file in sorted((CORPUS / dialect).glob("*.sql")):
        for case in cases_of(file):
            if case.id in cases:
                raise ValueError(f"two cases are called {case.id}")
            cases[case.id] = case
    return list(cases.values())


def decidable(cases: list[Case]) -> list[Case]:
    """Cases that a script alone decides.

    Where a script is unsafe under one schema and safe under another, a linter that has no schema has to call it
    unsafe, and is not asked about the other; but where the server does no more than refuse it, it may be silent.
    """
    safe = {case.words for case in cases if not case.unsafe}
    harmful = {case.words for case in cases if case.unsafe and not (case.truth == ("error",) and case.words in safe)}
    return [case for case in cases if case.unsafe == (case.words in harmful)]


def blocks(text: str) -> Iterator[tuple[str, str, str]]:
    heads = list(HEAD.finditer(text))
    for head, following in zip(heads, [*heads[1:], None], strict=True):
        yield head[1], head[2], text[head.end() + 1 : following.start() if following else len(text)]


def cases_of(file: Path) -> Iterator[Case]:
    schemas: dict[str, str] = {"nothing": ""}
    default = "nothing"
    for kind, name, body in blocks(file.read_text()):
        if kind == "schema":
            schemas[name] = body.strip()
            default = name
            continue
        notes: dict[str, list[str]] = {"given": [], "old": [], "truth": [], "versions": []}
        for note in NOTE.finditer(body):
            notes[note[1]].append(note[2].strip())
        base, *more = notes["given"] if notes["given"] and notes["given"][0] in schemas else [default, *notes["given"]]
        yield Case(
            name,
            "\n".join([schemas[base], *more]),
            NOTE.sub("", body).strip() + "\n",
            tuple(notes["old"]),
            span(notes["versions"]),
            tuple(notes["truth"][0].split()) if notes["truth"] else (),
            file,
        )


def span(notes: Sequence[str]) -> tuple[int, int]:
    """`14-`, `-17` or `14-17`."""
    if not notes:
        return FIRST, LAST
    low, _, high = notes[0].partition("-")
    return int(low or FIRST), int(high or LAST)


def record(case: Case, truth: Sequence[str]) -> None:
    """Write the truth of a case into its file."""
    text = case.file.read_text()
    start = re.search(rf"^-- case: {re.escape(case.id)}[ \t]*\n", text, re.M)
    if start is None:
        raise ValueError(f"there is no case {case.id} in {case.file}")
    rest = re.sub(r"\A((?:-- (?:given|old|versions): .*\n)*)-- truth: .*\n", r"\1", text[start.end() :])
    case.file.write_text(f"{text[: start.end()]}-- truth: {' '.join(truth)}\n{rest}")


def try_out(case: Case, scratch: Scratch) -> tuple[str, ...]:
    """Run a case in an empty database, and say what is true of it.

    Raises:
        ValueError: a statement of the old version does not work before the script.
    """
    try:
        scratch.prepare(case.given)
        for statement in case.old:
            if problem := scratch.works(statement):
                raise ValueError(f"{case.id}: {statement} fails before the script: {problem}")
        seen = list(scratch.run(Source(case.id, case.script.encode())))
        is_open = scratch.inside()
        words = hazards(seen, case.script)
        if is_open and "error" not in words:
            words.append("unclosed")
        if any(scratch.works(statement) for statement in (*case.old,)):
            words.append(BROKEN)
        return tuple(dict.fromkeys(words)) or (SAFE,)
    finally:
        scratch.clean()


def hazards(seen: Sequence[Observation], script: str) -> list[str]:
    """Why a script is hazardous, from what was observed; one word for each reason, as the corpus README has them."""
    words: list[str] = []
    useless = re.search(r"\bSET\b.*\block_timeout\b *(=|TO) *[^D\s]", script, re.I) is not None
    before: set[str] = set()
    for one in seen:
        text = " ".join(one.statement.split())
        blocking = {t for t in one.locks if one.blocked(t)}
        taken = {t for t in one.taken if one.blocked(t)}
        bounded = 0 < one.lock_timeout <= LONGEST_TIMEOUT
        words += ["error"] if one.error else []
        words += ["rewrite"] if {*one.rewrites} & blocking else []
        words += ["scan"] if {*one.scans} & blocking - {*one.rewrites, *one.builds} else []
        words += ["build"] if {*one.builds} & blocking - {*one.rewrites} else []
        words += ["queue"] if blocking and queues(text, taken, bounded) else []
        words += ["timeout"] if taken and useless and not bounded else []
        words += ["timeout"] if BUILDS.search(text) and one.statement_timeout else []
        words += ["several"] if before and taken - {*before} else []
        words += ["rows"] if one.rows >= SAMPLE and not LISTED.search(text) else []
        words += ["unclosed"] if one.in_transaction and text.upper().startswith(("BEGIN", "START TRANSACTION")) else []
        words += ["again"] if AGAIN.search(text) and not one.error else []
        words += ["bloat"] if VACUUM_OFF.search(text) and not one.error else []
        before = blocking if one.in_transaction else set()
    return words


def queues(text: str, taken: set[str], bounded: bool) -> bool:
    """Whether a statement is hazardous by the lock it waits for, however brief it is once granted."""
    # DETACH … CONCURRENTLY locks the partition in its last moment, which is seen or not.
    if not taken or re.search(r"\bDETACH\b.*\bCONCURRENTLY\b", text, re.I):
        return False
    if QUEUES.search(text):
        return not bounded or ALWAYS.search(text) is not None
    if re.match(r"CREATE TABLE", text, re.I):
        return not bounded
    dropped = re.match(r"DROP TABLE|ALTER TABLE .*\bDROP (CONSTRAINT|COLUMN)", text, re.I)
    return dropped is not None and len(taken) > 1 and not bounded
