"""A shop behind HAProxy: processes of a version, a load balancer, a project, and clients that count."""

from __future__ import annotations

import itertools
import shutil
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import migrator
from migrator.embedded import free_port
from tests.plugins.servers import missing
from tests.plugins.waiting import until
from tests.rollouts import serve

POOLS = {"blue": ("b1", "b2"), "green": ("g1",)}

BALANCER = """\
global
  stats socket {folder}/admin.sock mode 600 level admin
  lua-load {folder}/migrator.lua
defaults
  mode http
  timeout connect 2s
  timeout client 20s
  timeout server 20s
  timeout check 5s
  retries 2
  option redispatch
frontend exporter
  bind 127.0.0.1:{exporter}
  http-request use-service prometheus-exporter
frontend shop
  bind 127.0.0.1:{front}
  log stdout format raw local0
  log-format '{{"at":%Ts.%ms,"status":%ST,"ms":%Ta,"pool":"%b","server":"%s","path":"%HP","uid":"%[var(txn.uid)]"}}'
  http-request set-var(txn.uid) req.cook(uid)
  http-request set-var(txn.mirror_pool) str(pool),map_str({folder}/mirror.map,none)
  http-request set-var(txn.mirror_share) str(share),map_str({folder}/mirror.map,0),add(0)
  http-request set-var(txn.mirror_dice) rand(1000)
  http-request lua.migrator_mirror if {{ method GET HEAD }} {{ var(txn.mirror_dice),sub(txn.mirror_share) lt 0 }}
  http-request lua.migrator_hold unless {{ str(until),map_str({folder}/hold.map,0) -m str 0 }}
  http-request set-var(txn.bucket) rand(1000)
  http-request set-var(txn.bucket) req.cook(uid),xxh32(7),mod(1000) if {{ req.cook(uid) -m found }}
  use_backend %[var(txn.bucket),map_int({folder}/split.map)]
{backends}
"""

COUNT = """\
import json, os, pathlib
until = float(os.environ["MIGRATOR_UNTIL"])
since = until - float(os.environ["MIGRATOR_SECONDS"])
arm = os.environ["MIGRATOR_SERVERS"].split()
rows = [json.loads(line) for line in pathlib.Path("access.json").read_text().splitlines() if line.endswith("}")]
ours = [row for row in rows if since <= row["at"] <= until and row["uid"] != "-" and row["server"] in arm]
found = {path: {row["uid"] for row in ours if row["path"] == path} for path in ("/", "/buy")}
print(json.dumps({"users": len(found["/"]), "conversions": len(found["/buy"] & found["/"])}))
"""
"""Counts users of an arm, and those who bought, in the load balancer's log."""


@dataclass
class Shop:
    """A project, its servers and what divides their traffic."""

    project: object
    folder: Path
    front: int
    exporter: int
    ports: dict[str, int]

    @property
    def url(self):
        return f"http://127.0.0.1:{self.front}/"

    def start(self, pool, version):
        for server in POOLS[pool]:
            script("start", self.ports[server], version, self.folder)

    def versions(self, requests=40):
        """The versions that answer users."""
        return Counter(ask(self.url) for _ in range(requests))

    def served(self):
        """The version that each server runs by itself; empty where nothing listens."""
        return {server: ask(f"http://127.0.0.1:{port}/") for server, port in self.ports.items()}

    def configure(self, strategy, analysis='source = "none"', ready="1500ms", arm="X-Version", extra="", **rules):
        pools = "".join(
            f"[rollout.pools.{pool}]\n" + "".join(f'{name} = "127.0.0.1:{self.ports[name]}"\n' for name in names)
            for pool, names in POOLS.items()
        )
        own = "\n".join(f"{key} = {value}" for key, value in rules.items())
        program = f"{sys.executable} {serve.__file__}"
        (self.folder / "rollout.toml").write_text(f"""\
[rollout]
app = "shop"
strategy = "{strategy}"
{own}
{pools}
[rollout.target]
kind = "haproxy"
socket = "admin.sock"
split_map = "{self.folder}/split.map"
mirror_map = "{self.folder}/mirror.map"
state_file = "states"
hold_map = "{self.folder}/hold.map"
[rollout.commands]
start = "{program} start {{port}} {{version}} {self.folder}"
stop = "{program} stop {{port}} {self.folder}"
checks = ["{sys.executable} -c pass"]
[rollout.ready]
url = "http://{{address}}/ready"
version_header = "X-Version"
timeout = "{ready}"
[rollout.drain]
timeout = "5s"
[rollout.probe]
url = "{self.url}"
every = "20ms"
arm_header = "{arm}"
[rollout.analysis]
{analysis}
{extra}
""")

    @contextmanager
    def clients(self, count=3):
        """Users who ask without pause; yields what they count."""
        seen, over, names = Seen(), threading.Event(), itertools.count()
        users = [threading.Thread(target=seen.ask, args=(self.url, over, names)) for _ in range(count)]
        for user in users:
            user.start()
        try:
            yield seen
        finally:
            over.set()
            for user in users:
                user.join(30)


@dataclass
class Seen:
    """What users saw: versions of good answers, and failures."""

    good: Counter = field(default_factory=Counter)
    failed: list[str] = field(default_factory=list)
    order: list[str] = field(default_factory=list)
    """The versions of all answers, from the first to the last."""

    def ask(self, url, over, users):
        """Ask as one user after another, each of whom stays who they are and buys where the version is 2.0."""
        while not over.is_set():
            uid = f"uid=u{next(users)}"
            if self.once(url, uid) == "2.0":
                self.once(f"{url}buy", uid)
            time.sleep(0.002)

    def once(self, url, cookie):
        """The version that answered well; empty where none did."""
        request = urllib.request.Request(url, headers={"Cookie": cookie})
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                version = answer.headers["X-Version"]
                self.good[version] += 1
                self.order.append(version)
                return version
        except urllib.error.HTTPError as problem:
            self.failed.append(f"{problem.code} {problem.headers['X-Version']}")
            self.order.append(problem.headers["X-Version"])
        except OSError as problem:
            self.failed.append(str(problem))
        return ""


def script(*words):
    """Run the deploy script."""
    subprocess.run([sys.executable, serve.__file__, *map(str, words)], check=True)


def ask(url):
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.headers["X-Version"]
    except urllib.error.HTTPError as problem:
        return problem.headers["X-Version"]
    except OSError:
        return ""


@pytest.fixture
def shop(database, project, tmp_path):
    """Blue runs version 1.0 and has all traffic; green is idle."""
    project.url = database.url
    program = shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin")
    if program is None:
        missing("no haproxy on this machine")
    ports = {name: free_port() for names in POOLS.values() for name in names}
    found = Shop(project, tmp_path, free_port(), free_port(), ports)
    backends = "\n".join(
        f"backend {pool}\n  option httpchk GET /ready\n"
        + "\n".join(f"  server {name} 127.0.0.1:{ports[name]} check inter 100ms fall 2 rise 1" for name in names)
        for pool, names in POOLS.items()
    )
    (tmp_path / "haproxy.cfg").write_text(BALANCER.format(**vars(found), backends=backends))
    (tmp_path / "hold.map").write_text("until 0\n")
    (tmp_path / "split.map").write_text("".join(f"{n} blue\n" for n in range(1000)))
    (tmp_path / "mirror.map").write_text("pool blue\nshare 0\n")
    lua = (Path(migrator.__file__).parent / "templates" / "haproxy.lua").read_text()
    (tmp_path / "migrator.lua").write_text(lua.replace("{hold_map}", str(tmp_path / "hold.map")))
    (tmp_path / "count.py").write_text(COUNT)
    found.start("blue", "1.0")
    with (tmp_path / "access.json").open("wb") as log:
        balancer = subprocess.Popen(
            [program, "-f", str(tmp_path / "haproxy.cfg")], stdout=log, stderr=subprocess.DEVNULL
        )
    try:
        until(lambda: ask(found.url) == "1.0")
        project.cli("deploy", "record", "--app", "shop", "--version", "1.0", "--shape", "none")
        yield found
    finally:
        for port in ports.values():
            script("stop", port, tmp_path)
        balancer.terminate()
        balancer.wait(10)
