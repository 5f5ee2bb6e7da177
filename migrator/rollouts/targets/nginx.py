"""nginx, through an include that is replaced and a reload.

The include has a server of its own, which says what the process has loaded: that is
what is read back, and what every change starts from. A change is written beside the
include, put in its place, tested with `nginx -t`, loaded, and taken back where the
process does not say that it has it. Measured facts behind the rules: nginx 1.22.1.

- Workers of the former configuration finish what they work on and end. Which server
  that is for, nginx does not tell: while one is left, every server that is out of the
  traffic counts as busy.
- A client that keeps its connection may see it closed by a reload as it sends a request.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from migrator.rollouts.configuration import Configuration, fields_of, text
from migrator.rollouts.targets import nginx_config as written
from migrator.rollouts.targets.base import ServerState, Target, TargetFailed, TrafficState
from migrator.rollouts.targets.files import read_file, replace_file
from migrator.rollouts.targets.nginx_config import Wanted
from migrator.rollouts.targets.processes import processes, run
from migrator.rollouts.targets.routing import COMMON, layout, token

READERS = {**COMMON, "include": text, "status": token, "test": text, "reload": text, "access_log": token}
EVERY = 0.05


class Nginx(Target):
    """A running nginx on this machine.

    Raises:
        ValueError: a setting is wrong.
    """

    kind = "nginx"
    can = frozenset({"drain", "cut", "split", "sticky", "mirror"})

    def __init__(self, configuration: Configuration) -> None:
        given = fields_of("the target", configuration.target, READERS)
        if "include" not in given:
            raise ValueError('does not say which file is included: include = "/etc/nginx/conf.d/migrator.conf"')
        self.folder = configuration.folder
        self.include = self.folder / given["include"]
        self.status = given.get("status", "127.0.0.1:8081")
        self.test, self.reload = given.get("test", "nginx -t"), given.get("reload", "nginx -s reload")
        self.access_log = given.get("access_log", "")
        self.timeout = float(given.get("timeout", 10.0))
        self.layout = layout(configuration, given)
        for name in (self.layout.cookie, *(route.name for route in self.layout.routes if route.by == "cookie")):
            if not name.replace("_", "a").isalnum():
                raise ValueError(f"nginx has no variable for a cookie named {name!r}: use letters, digits and _")
        self.fleet = {server.name: server for server in configuration.fleet}

    def files(self) -> Mapping[str, str]:
        return {
            "nginx.conf": written.main(self.layout, str(self.include), self.access_log),
            str(self.include): self._rendered(written.initial(self.layout)),
        }

    def _rendered(self, wanted: Wanted) -> str:
        return written.include(self.layout, wanted, self.status)

    def look(self) -> TrafficState:
        worker, wanted = self._loaded()
        content = read_file(self.include)
        if content != self._rendered(self._said(content) or wanted):
            raise TargetFailed(
                f"{self.include} has been changed by somebody else",
                next_step="put back what it was, or have it written again: migrator rollout abort",
            )
        left = len(self._workers(worker, leaving=True))
        servers = {
            name: ServerState(server.pool, state, 0 if state == "ready" else left, state == "ready")
            for name, server in self.fleet.items()
            for state in [wanted.states.get(name, "maint")]
        }
        shares = {pool: float(wanted.shares.get(pool, 0)) for pool in self.layout.pools}
        return TrafficState(servers, shares, wanted.mirrored)

    def _said(self, content: str) -> Wanted | None:
        """What the first line of an include says; None where it is none of ours."""
        with suppress(ValueError, KeyError, TypeError):
            return written.wanted_from(json.loads(content.splitlines()[0].removeprefix(written.STATE)))
        return None

    def _loaded(self) -> tuple[int, Wanted]:
        """A worker, and what it works by."""
        try:
            with urllib.request.urlopen(f"http://{self.status}/migrator", timeout=self.timeout) as answer:
                said: dict[str, Any] = json.load(answer)
                return int(said["worker"]), written.wanted_from(said["wanted"])
        except (OSError, http.client.HTTPException, ValueError, KeyError) as problem:
            raise TargetFailed(
                f"nginx does not say at {self.status} what it has loaded: {problem}",
                next_step=f"start it with {self.include} included: migrator rollout config",
            ) from None

    def _workers(self, worker: int, *, leaving: bool) -> list[int]:
        """Siblings of a worker: those that only finish what they work on, or the others."""
        found = processes()
        master = next((process.parent for process in found if process.pid == worker), None)
        same = [process for process in found if process.parent == master and "worker process" in process.title]
        return [process.pid for process in same if ("shutting down" in process.title) == leaving]

    def admit(self, server: str) -> None:
        """Let a server have traffic once it answers: nginx itself asks no server whether it is ready."""
        own = self.fleet[server]
        deadline = time.monotonic() + self.timeout
        while said := unready(f"http://{own.address}{self.layout.check}", self.timeout):
            if time.monotonic() > deadline:
                raise TargetFailed(f"{server} is not let in: {said}")
            deadline += self.idle(EVERY)
        self._state(server, "ready")

    def drain(self, server: str) -> None:
        self._state(server, "drain")

    def remove(self, server: str) -> None:
        self._state(server, "maint")

    def cut(self, server: str) -> None:
        """End what is left of former configurations, whichever server it is for."""
        worker, _ = self._loaded()
        for pid in self._workers(worker, leaving=True):
            try:
                os.kill(pid, signal.SIGTERM)
            except ProcessLookupError:
                continue
            except PermissionError:
                raise TargetFailed(f"worker {pid} of nginx may not be ended by this user") from None

    def split(self, shares: Mapping[str, float]) -> None:
        whole = {pool: float(share) for pool, share in shares.items()}
        whole |= dict.fromkeys(self.layout.pools.keys() - whole, 0.0)
        self._change(lambda now: replace(now, shares=whole, salt=self.layout.salt))

    def mirror(self, pool: str, percent: float) -> None:
        self._change(lambda now: replace(now, mirrored={pool: float(percent)}))

    def _state(self, server: str, state: str) -> None:
        self._change(lambda now: replace(now, states={**now.states, server: state}))

    def _change(self, changed: Any) -> None:
        """Load what is at work with a change to it; where that does not go well, the file is what it was."""
        _, now = self._loaded()
        wanted: Wanted = changed(now)
        former, content = read_file(self.include), self._rendered(wanted)
        if wanted == now and former == content:
            return
        before = None
        replace_file(self.include, content)
        try:
            run(self.test, self.folder, self.timeout)
            before = self._workers(self._loaded()[0], leaving=False)
            run(self.reload, self.folder, self.timeout)
            self._until_loaded(wanted, before)
        except TargetFailed:
            replace_file(self.include, self._rendered(now) if self._said(former) else former)
            if before is not None:
                with suppress(TargetFailed):  # the first problem is the one to tell
                    run(self.reload, self.folder, self.timeout)
            raise

    def _until_loaded(self, wanted: Wanted, before: list[int]) -> None:
        """Wait until no worker takes a request by another configuration."""
        deadline = time.monotonic() + self.timeout
        while True:
            worker, now = self._loaded()
            if now == wanted and not set(before) & set(self._workers(worker, leaving=False)):
                return
            if time.monotonic() > deadline:
                raise TargetFailed(f"nginx has not loaded {self.include} after {self.timeout:g} s: see its error log")
            time.sleep(EVERY)


def unready(url: str, seconds: float) -> str:
    """Why a server is not ready; empty where it is."""
    try:
        with urllib.request.urlopen(url, timeout=seconds):
            return ""
    except urllib.error.HTTPError as problem:
        return f"{url} answers {problem.code}"
    except (OSError, http.client.HTTPException) as problem:
        return f"{url} does not answer: {problem}"
