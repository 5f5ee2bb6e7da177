"""An experiment, run: whatever happens, what was disturbed is put back before this returns or raises."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

from migrator.chaos.addresses import address, place, through
from migrator.chaos.commands import Command
from migrator.chaos.faults import UNDO
from migrator.chaos.faults.base import Fault, Ground
from migrator.chaos.machine import experiment as machine_of
from migrator.chaos.machine import held
from migrator.chaos.model import (
    Action,
    Again,
    Answers,
    Await,
    Experiment,
    Finish,
    Happened,
    Inject,
    Launch,
    Look,
    Outcome,
    Report,
    Restore,
    Told,
    Verdict,
)
from migrator.chaos.probes import Stage
from migrator.chaos.proxy import Proxy
from migrator.chaos.undo import Entry, UndoLog
from migrator.errors import MigratorError, UsageError

EVERY = 0.02
STOPS = (signal.SIGTERM, signal.SIGHUP)


class Conductor:
    """Runs one experiment.

    Args:
        url: of the database; empty where none is needed.
        log: where what has to be put back is kept; its lock is held.
        told: of everything that happens.
    """

    def __init__(self, experiment: Experiment, url: str, log: UndoLog, told: Told) -> None:
        self.experiment, self.url, self.log, self.told = experiment, url, log, told
        self.begun, self.began_at = time.monotonic(), now()
        self.timeline: list[Happened] = []
        self.seen: dict[str, Mapping[str, Answers]] = {}
        self.commands: list[Mapping[str, Any]] = []
        self.restored: list[Mapping[str, Any]] = []
        self.touched: dict[int, int] = {}
        self.under_way: list[int] = []
        self.entries: dict[int, tuple[Entry, ...]] = {}
        self.command: Command | None = None

    def run(self) -> Report:
        """Run it to its end.

        Raises:
            UsageError: the proxy cannot listen where it should.
            MigratorError: an earlier experiment has left something to put back.
        """
        refuse_unfinished(self.log)
        verdict = Verdict("interrupted", "the experiment was interrupted")
        with ExitStack() as stack, stoppable():
            try:
                self._prepare(stack)
                verdict = self._conduct()
            except KeyboardInterrupt:
                self._happened("interrupted")
            finally:
                with uninterrupted():
                    wrong = [reason for number in reversed(self.under_way) if (reason := self._restore(number).reason)]
                    if self.command is not None:
                        self.command.close()
        if wrong and verdict.status != "not_restored":
            verdict = Verdict("not_restored", "; ".join(wrong))
        return self._report(verdict)

    def _prepare(self, stack: ExitStack) -> None:
        proxy = None
        if any(fault.through_proxy for fault in self.experiment.faults):
            proxy = stack.enter_context(Proxy(address(self.url), self.experiment.listen))
        self.through = through(self.url, proxy.port) if proxy else self.url
        held = stack.enter_context(ExitStack())
        self.ground = Ground(self.experiment.folder, self.experiment.instances, self.url, proxy, held)

    def _conduct(self) -> Verdict:
        given = self.experiment
        machine = machine_of(len(given.faults), command=bool(given.command), afterwards=bool(given.afterwards))
        try:
            action = next(machine)
            while True:
                action = machine.send(self._tried(action))
        except StopIteration as over:
            verdict: Verdict = over.value
            return verdict

    def _tried(self, action: Action) -> Outcome:
        try:
            return self._perform(action)
        except MigratorError as problem:
            return Outcome(ok=False, reason=problem.message)

    def _perform(self, action: Action) -> Outcome:
        match action:
            case Look(stage):
                return self._look(stage)
            case Launch():
                return self._launch()
            case Await():
                return self._await()
            case Inject(number):
                return self._inject(number)
            case Restore(number):
                return self._restore(number)
            case Finish():
                return self._finish()
            case Again():
                return self._again()

    def _look(self, stage: str) -> Outcome:
        given = self.experiment
        probes = tuple(probe for probe in given.probes if stage in probe.stages)
        asked = Stage(probes, given.folder, self.url, once_good=stage == "after")
        seconds = {"baseline": given.baseline, "fault": given.duration, "after": given.recovery}[stage]
        self._happened(f"looking: {stage}")
        command = self.command
        asked.look(seconds, lambda: stage == "fault" and command is not None and command.ended)
        self.seen[stage] = asked.answers
        return held(stage, probes, asked.answers, asked.recovered)

    def _launch(self) -> Outcome:
        self.command = Command(self.experiment.command, self.experiment.folder, self.through)
        self._happened(f"started: {self.experiment.command}")
        return Outcome(ok=True)

    def _await(self) -> Outcome:
        """Wait for the moment of the fault; not ok where the command ends before it."""
        given = self.experiment
        end = time.monotonic() + (given.timeout if given.begin_when else given.begin_after)
        with self._asking() as due:
            while not due():
                if self.command is not None and self.command.ended:
                    return Outcome(ok=False, reason="the command ended before the fault could begin")
                if time.monotonic() >= end:
                    late = f"the moment for the fault did not come: {given.begin_when}"
                    return Outcome(ok=not given.begin_when, reason=late if given.begin_when else "")
                time.sleep(EVERY)
        return Outcome(ok=True)

    @contextmanager
    def _asking(self) -> Iterator[Callable[[], bool]]:
        """What says whether the moment has come that `begin_when` describes."""
        from migrator.database import connect

        asked = self.experiment.begin_when
        if not asked:
            yield lambda: False
            return
        with connect(self.url, "chaos") as session:

            def due() -> bool:
                with suppress(MigratorError):  # a table that is not there yet, and the like
                    rows = session.query(asked)
                    return bool(rows and rows[0][0])
                return False

            yield due

    def _inject(self, number: int) -> Outcome:
        fault = self.experiment.faults[number]
        try:
            self.entries[number] = fault.prepare(self.ground)
            self.log.add(self.entries[number])
            self.under_way.append(number)
            self.touched[number] = fault.begin(self.ground, self.entries[number])
        except MigratorError as problem:
            return Outcome(ok=False, reason=f"{fault.words()}: {problem.message}", facts={"next": problem.next_step})
        self._happened(f"fault: {fault.words()}")
        return Outcome(ok=True)

    def _restore(self, number: int) -> Outcome:
        """Take a fault away; one that never began is none to take away."""
        if number not in self.under_way:
            return Outcome(ok=True)
        fault, begun = self.experiment.faults[number], time.monotonic()
        wrong = self._taken_away(fault, number)
        self.under_way.remove(number)
        seconds = round(time.monotonic() - begun, 3)
        self.restored.append({"fault": fault.words(), "ok": not wrong, "reason": wrong, "seconds": seconds})
        self._happened(f"{'not restored' if wrong else 'restored'}: {fault.words()}{': ' + wrong if wrong else ''}")
        facts = {"touched": self.touched.get(number, 1), "what": fault.words()}
        return Outcome(ok=not wrong, reason=f"{fault.words()}: {wrong}" if wrong else "", facts=facts)

    def _taken_away(self, fault: Fault, number: int) -> str:
        try:
            self.touched[number] = max(self.touched.get(number, 0), fault.end(self.ground))
            for entry in reversed(self.entries.get(number, ())):
                UNDO[entry["kind"]](entry)
                self.log.remove(entry)
        except MigratorError as problem:
            return problem.message
        return ""

    def _finish(self) -> Outcome:
        assert self.command is not None, "a command that was started is waited for"
        return self._ended(self.command, self.experiment.exits)

    def _again(self) -> Outcome:
        self._happened(f"started: {self.experiment.afterwards}")
        command = Command(self.experiment.afterwards, self.experiment.folder, self.url)
        try:
            return self._ended(command, (0,))
        finally:
            command.close()

    def _ended(self, command: Command, exits: tuple[int, ...]) -> Outcome:
        code = command.finish(self.experiment.timeout)
        found = command.report(exits)
        self.commands.append(found)
        self._happened(f"ended with {code}: {command.command}" if code is not None else f"ended: {command.command}")
        if code is None:
            return Outcome(ok=False, reason=f"`{command.command}` took longer than {self.experiment.timeout:g} s")
        last = f": {found['output'][-1]}" if found["output"] else ""
        wrong = "" if code in exits else f"`{command.command}` ended with {code}{last}"
        return Outcome(ok=not wrong, reason=wrong)

    def _happened(self, what: str) -> None:
        happened = Happened(round(time.monotonic() - self.begun, 3), what)
        self.timeline.append(happened)
        self.told(happened)

    def _report(self, verdict: Verdict) -> Report:
        given = self.experiment
        return Report(
            title=given.title,
            verdict=verdict,
            database=place(self.url) if self.url else "",
            seed=given.seed,
            began_at=self.began_at,
            ended_at=now(),
            command=given.command,
            hypothesis=tuple(probe.name for probe in given.probes),
            faults=tuple(fault.words() for fault in given.faults),
            timeline=tuple(self.timeline),
            seen=self.seen,
            commands=tuple(self.commands),
            restored=tuple(self.restored),
        )


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def refuse_unfinished(log: UndoLog) -> None:
    """Refuse to begin where an experiment was killed that has left something to put back.

    Raises:
        UsageError: saying what.
    """
    left = log.entries()
    if left:
        kinds = ", ".join(f"{entry['kind']} {entry.get('instance', entry.get('file', ''))}" for entry in left)
        raise UsageError(f"an experiment was killed, and left: {kinds}", next_step="migrator chaos restore")


@contextmanager
def stoppable() -> Iterator[None]:
    """Let whoever asks this process to end interrupt it, so that it puts everything back first."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = {which: signal.signal(which, interrupt) for which in STOPS}
    try:
        yield
    finally:
        for which, handler in before.items():
            signal.signal(which, handler)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Let nobody interrupt what puts things back."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {which: signal.signal(which, signal.SIG_IGN) for which in (signal.SIGINT, *STOPS)}
    try:
        yield
    finally:
        for which, handler in before.items():
            signal.signal(which, handler)
