"""What runs on servers: started, stopped and checked by the commands of the configuration."""

from __future__ import annotations

import http.client
import os
import shlex
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from migrator.errors import MigratorError
from migrator.rollouts.configuration import Configuration
from migrator.rollouts.plan import Server
from migrator.rollouts.running import CouldNotRun, run

EVERY = 0.1
BETWEEN_ATTEMPTS = 1.0


class InstanceFailed(MigratorError):
    """A command failed, or a server did not become what it should."""


@dataclass(frozen=True, slots=True)
class Ran:
    """A command that ended well. `said`: the last lines that it printed."""

    command: str
    seconds: float
    said: str


@dataclass(slots=True)
class Instances:
    """The servers of a configuration.

    Args:
        attending: called while a server is waited for: whether somebody has paused. What it raises ends the wait.
    """

    configuration: Configuration
    attending: Callable[[], bool] = lambda: False

    def start(self, server: Server, version: str, command: str = "") -> None:
        """Start a version, and wait until the server is ready and says that it is that version.

        Args:
            command: another one than that of the configuration.

        Raises:
            InstanceFailed: the command fails, or it does not come up.
        """
        self.run(command or self.configuration.commands.start, server, version)
        self.await_ready(server, version)

    def stop(self, server: Server) -> None:
        """Stop what runs there; succeeds where nothing does."""
        self.run(self.configuration.commands.stop, server, "")

    def check(self, server: Server, version: str) -> list[Ran]:
        """Run each check, as often as the configuration lets one fail.

        Raises:
            InstanceFailed: one fails every time, with the last lines that it printed.
        """
        done = []
        for command in self.configuration.commands.checks:
            for left in reversed(range(self.configuration.commands.attempts)):
                try:
                    ran = self.run(command, server, version)
                except InstanceFailed:
                    if not left:
                        raise
                    self._idle(BETWEEN_ATTEMPTS)
                else:
                    done += [ran] if ran else []
                    break
        return done

    def run(self, command: str, server: Server, version: str) -> Ran | None:
        """Run a command of the configuration; None where there is none.

        Raises:
            InstanceFailed: it fails, takes too long or cannot be run.
        """
        if not command:
            return None
        given = names(self.configuration, server, version)
        words = [word.format_map(given) for word in shlex.split(command)]
        environment = {**os.environ, **{f"MIGRATOR_{name.upper()}": value for name, value in given.items()}}
        begun = time.monotonic()
        try:
            done = run(words, self.configuration.folder, environment, self.configuration.commands.timeout)
        except CouldNotRun as problem:
            raise InstanceFailed(f"on {server.name}: {problem}") from None
        if done.code:
            raise InstanceFailed(f"{words[0]} on {server.name} ended with {done.code}: {done.said}")
        return Ran(shlex.join(words), round(time.monotonic() - begun, 3), done.said)

    def await_ready(self, server: Server, version: str) -> None:
        """Wait until a server answers its readiness URL with success, in the version that was started."""
        ready = self.configuration.ready
        if not ready.url:
            return
        url = ready.url.format_map(names(self.configuration, server, version))
        deadline = time.monotonic() + ready.timeout
        while True:
            said = answer(url, ready.version_header, version)
            if not said:
                return
            if time.monotonic() > deadline:
                raise InstanceFailed(f"{server.name} is not ready after {ready.timeout:g} s: {url} {said}")
            deadline += self._idle(EVERY)

    def _idle(self, seconds: float) -> float:
        """Wait a moment; how much of it does not count, because somebody has paused."""
        paused = self.attending()
        time.sleep(seconds)
        return seconds if paused else 0.0


def names(configuration: Configuration, server: Server, version: str) -> Mapping[str, str]:
    """What commands and URLs may name."""
    host, _, port = server.address.rpartition(":")
    return {
        "server": server.name,
        "pool": server.pool,
        "address": server.address,
        "host": host,
        "port": port,
        "version": version,
        "application": configuration.application,
    }


def answer(url: str, header: str, version: str) -> str:
    """Why an answer is none that a ready server of a version gives; empty where it is one."""
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            served = response.headers.get(header, "") if header else version
            return "" if served == version else f"is of version {served or 'unknown'}, not {version}"
    except urllib.error.HTTPError as problem:
        return f"answers {problem.code}"
    except (OSError, http.client.HTTPException) as problem:
        return f"does not answer: {problem}"
