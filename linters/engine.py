"""Judge scripts statement by statement, in the state that the ones before have left."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from functools import partial
from typing import Any

from linters import actions
from linters.absent import is_idle
from linters.costs import Cost
from linters.dialects import dialect
from linters.findings import Category, Finding, Severity
from linters.rules import At, Found, Rule
from linters.session import Session
from linters.source import Piece, Source
from linters.suppressions import MARK, suppressed
from linters.values import Mode, Name

Script = list[tuple[Piece, tuple[actions.Action, ...]]]
REFUSED = "statement-fails"
DEEPEST = 10
"""Calls within calls that are followed."""
SHOWN = 200
"""Characters of a statement in a finding."""
SMALL = 10 * 1024 * 1024
"""Bytes below which a scan or a rewrite of a table takes no time that matters."""
UPGRADE = re.compile(rb"^-- Running (?:upgrade|downgrade) ", re.M)
"""Where `alembic upgrade --sql` begins another revision: what the one before created is in use from there on."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Which rules are asked, and how severe what they find is.

    Args:
        rules: ids of the rules that are on; None for those that are by themselves.
        also, but: ids of rules that are on, or off, besides.
        severities: severities other than the rules' own.
        phase: `expand`, `migrate` or `contract` for a part of a revision, else empty.
        today: the day by which comments that silence a rule may have expired.
    """

    rules: frozenset[str] | None = None
    also: frozenset[str] = frozenset()
    but: frozenset[str] = frozenset()
    severities: dict[str, Severity] = field(default_factory=dict)
    phase: str = ""
    today: date = field(default_factory=date.today)

    def asks(self, rule: Rule) -> bool:
        on = rule.default if self.rules is None else rule.id in self.rules
        return (on or rule.id in self.also) and rule.id not in self.but and self.phase not in rule.harmless_in


DEFAULT = Choice()


class Engine:
    """Judges scripts one after another in one state.

    Args:
        session: the state before the first script; each script changes it.

    Attributes:
        pieces: the statements of the script that was judged last.
    """

    def __init__(self, session: Session, choice: Choice = DEFAULT) -> None:
        self.session, self.choice = session, choice
        self.dialect = dialect(session.given.dialect)
        self.pieces: list[Piece] = []
        self.on: set[str] = set()
        self.general: list[Rule] = []
        self.by_action: dict[type, list[Rule]] = {}
        for rule in self.dialect.rules.values():
            if choice.asks(rule):
                self.on.add(rule.id)
                for kind in rule.on:
                    self.by_action.setdefault(kind, []).append(rule)
                if not rule.on:
                    self.general.append(rule)
        for rules in self.by_action.values():
            rules += self.general

    def seed(self, source: Source) -> list[Piece]:
        """Take a script as done: a dump of the schema, or a revision of long ago. Returns what cannot be read in it."""
        unread: list[Piece] = []
        for piece in self.dialect.split(source, self.session):
            if piece.node is None:
                unread.append(piece)
                self.session.doubtful = True
                continue
            for action in self.dialect.read(piece.node):
                self.dialect.apply(action, self.session)
        self.session.start_script()
        return unread

    def judge(self, source: Source, in_transaction: bool | None = None) -> Iterator[Finding]:
        """Findings of a script, in the order of its statements, without those that a comment silences.

        Args:
            in_transaction: whoever runs the script puts it in one transaction; None as for all scripts.
        """
        found = self.unsilenced(source, in_transaction)
        return found if MARK not in source.data else iter(self.silenced(source, list(found)))

    def silenced(self, source: Source, found: list[Finding]) -> list[Finding]:
        left, complaints = suppressed(source, found, self.pieces, self.on, self.dialect.rules, self.choice.today)
        for complaint in complaints:
            if complaint.rule in self.on:
                rule, said = self.dialect.rules[complaint.rule], Found(complaint.message)
                left.append(self.finding(rule, said, source, complaint.piece, Cost(), None))
        return sorted(left, key=lambda finding: finding.line)

    def unsilenced(self, source: Source, in_transaction: bool | None) -> Iterator[Finding]:
        self.session.start_script(in_transaction)
        self.pieces = []
        borders = [found.start() for found in UPGRADE.finditer(source.data)]
        script: Script = []
        for piece in self.dialect.split(source, self.session):
            self.pieces.append(piece)
            script.append((piece, self.actions_of(piece)))
        for number, (piece, parts) in enumerate(script):
            while borders and piece.start > borders[0]:
                borders.pop(0)
                self.session.era += 1
            yield from self.statement(source, piece, parts, partial(self.ahead, script, number))
        if self.session.explicit and "unclosed-transaction" in self.on:
            end = Piece(max(len(source.data.rstrip()) - 1, 0), len(source.data))
            found = Found("the script ends inside a transaction, whose work is undone")
            yield self.finding(self.dialect.rules["unclosed-transaction"], found, source, end, Cost(), None)
        self.session.end()

    def actions_of(self, piece: Piece) -> tuple[actions.Action, ...]:
        return (actions.Opaque(piece.problem),) if piece.node is None else tuple(self.dialect.read(piece.node))

    def ahead(self, script: Script, number: int) -> Iterator[actions.Action]:
        """What follows a statement in its transaction."""
        for following in range(number + 1, len(script) if self.session.in_transaction else 0):
            for action in script[following][1]:
                if isinstance(action, actions.Commit | actions.Rollback):
                    return
                yield action

    def called(self, found: Iterable[actions.Action], depth: int = 0) -> Iterator[actions.Action]:
        """The actions of a statement, and those of the procedures it calls whose bodies are known."""
        for action in found:
            yield action
            names = [action.name] if isinstance(action, actions.CallRoutine) else getattr(action, "calls", ())
            for name in names if self.session.routines.values and depth < DEEPEST else ():
                routine = self.session.routines.get(name.rpartition(".")[2])
                if routine is not None and routine.body:
                    yield from self.called(self.dialect.routine(routine.body), depth + 1)

    def statement(
        self, source: Source, piece: Piece, found: tuple[actions.Action, ...], ahead: Callable[[], Any]
    ) -> Iterator[Finding]:
        if self.session.routines.values:
            found = tuple(self.called(found))
        locks = self.own_locks(found) if len(found) > 1 else {}
        line = source.place(piece.start)[0] if self.session.in_transaction else 0
        for action in found:
            cost = self.dialect.cost_of(action, self.session)
            at = At(
                action, cost, self.session, line, lambda: source.text(piece), found, locks, self.choice.phase, ahead
            )
            for rule in () if is_idle(action, at.statement, self.session) else self.rules_for(action, piece):
                for each in rule.check(at):
                    yield self.finding(rule, each, source, piece, cost, at)
            self.after(action, cost, source, piece)
        if not self.session.in_transaction:
            self.session.held.clear()

    def rules_for(self, action: actions.Action, piece: Piece) -> list[Rule]:
        rules = self.by_action.get(type(action), self.general)
        # Who asks the database first does not run what it would refuse.
        return [rule for rule in rules if rule.id != REFUSED] if piece.supposed else rules

    def own_locks(self, found: Iterable[actions.Action]) -> dict[Any, Mode]:
        """The locks of all parts of a statement: the server takes the strongest for the whole of it."""
        locks: dict[Any, Mode] = {}
        for action in found:
            if isinstance(action, actions.OfTable):
                for name, mode in self.dialect.cost_of(action, self.session).locks.items():
                    locks[name] = max(mode, locks.get(name, Mode.NONE))
        return locks

    def after(self, action: actions.Action, cost: Cost, source: Source, piece: Piece) -> None:
        if self.session.in_transaction:
            line = source.place(piece.start)[0]
            for name, mode in cost.locks.items():
                self.session.hold(name, mode, line)
        self.dialect.apply(action, self.session)

    def finding(self, rule: Rule, found: Found, source: Source, piece: Piece, cost: Cost, at: At | None) -> Finding:
        line, column = source.place(piece.start)
        statement = " ".join(source.text(piece).split())
        modes = {name: at.mode(name) for name in cost.locks if at.in_use(name)} if at else {}
        strongest = max(modes.values(), default=Mode.NONE)
        tables = found.tables or tuple(modes)
        return Finding(
            rule=rule.id,
            category=rule.category,
            severity=self.choice.severities.get(rule.id) or self.severity(rule, found, cost, modes),
            message=found.message,
            effect=found.effect or rule.effect,
            safer=found.safer or rule.safer,
            file=source.name,
            line=line,
            column=column,
            statement=statement[:SHOWN] + ("…" if len(statement) > SHOWN else ""),
            lock=cost.level or (str(strongest) if strongest else ""),
            tables=tuple(str(name) for name in tables),
            rewrites=tuple(str(name) for name in dict.fromkeys(cost.rewrites)),
            scans=tuple(str(name) for name in dict.fromkeys((*cost.scans, *cost.builds))),
            operation=found.operation,
            assumed=cost.assumed,
            fingerprint=fingerprint(rule.id, source.name, statement),
            last_line=source.place(piece.end)[0],
        )

    def severity(self, rule: Rule, found: Found, cost: Cost, modes: Mapping[Name, Mode]) -> Severity:
        """A degree less where work is done on tables that are known to be small: it is over in a moment."""
        severity = found.severity or rule.severity
        sizes = [self.session.relation(name).bytes for name in {*modes, *cost.scans, *cost.rewrites, *cost.builds}]
        brief = rule.category is Category.HAZARD and cost.works and not cost.error
        if brief and sizes and max(map(known_size, sizes)) < SMALL:
            return Severity.WARNING if severity is Severity.ERROR else Severity.NOTICE
        return severity


def known_size(size: int | None) -> int:
    return SMALL if size is None else size


def fingerprint(rule: str, file: str, statement: str) -> str:
    """The same as long as rule, file and statement are, wherever in the file the statement stands."""
    import hashlib

    return hashlib.sha256("\0".join((rule, file, statement)).encode()).hexdigest()[:32]


def distinct(findings: Iterable[Finding]) -> list[Finding]:
    """Findings with fingerprints of their own: the second of the same statement is numbered."""
    seen: dict[str, int] = {}
    made = []
    for finding in findings:
        number = seen[finding.fingerprint] = seen.get(finding.fingerprint, 0) + 1
        made.append(replace(finding, fingerprint=f"{finding.fingerprint}-{number}") if number > 1 else finding)
    return made


def lint(text: str, session: Session | None = None, choice: Choice = DEFAULT, name: str = "-") -> list[Finding]:
    """Findings of one script.

    Raises:
        ValueError: the text is no SQL script at all.
    """
    from linters.session import Given

    engine = Engine(session or Session(Given()), choice)
    return distinct(engine.judge(Source(name, text.encode())))


Judge = Callable[[Source], Iterator[Finding]]
__all__ = ["Category", "Choice", "Engine", "Judge", "distinct", "lint"]
