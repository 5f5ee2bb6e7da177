"""What haproxy.cfg says for the pools of a configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources

from migrator.rollouts.targets.routing import BUCKETS, SAFE, Layout, Route

SCRIPT = "migrator.lua"


@dataclass(frozen=True, slots=True)
class Files:
    """Where HAProxy and we meet; empty: not used."""

    socket: str
    split: str
    mirror: str
    hold: str
    states: str


def rendered(layout: Layout, backends: Mapping[str, str], files: Files, folder: str) -> dict[str, str]:
    """The configuration, and at their paths what it reads when it starts: maps, states, script."""
    sections = [
        head(files, folder),
        frontend(layout, backends, files),
        *(backend(layout, pool, name) for pool, name in backends.items()),
    ]
    made = {"haproxy.cfg": "\n".join(sections)}
    if files.split:
        name = backends[layout.first]
        made[files.split] = "".join(f"{number} {name}\n" for number in range(BUCKETS))
    if files.mirror:
        made[files.mirror] = f"pool {backends[layout.first]}\nshare 0\n"
    if files.hold:
        made[files.hold] = "until 0\n"
    if files.states:
        made[files.states] = ""
    if files.mirror or files.hold:
        script = (resources.files("migrator") / "templates" / "haproxy.lua").read_text()
        made[f"{folder}/{SCRIPT}"] = script.replace("{hold_map}", files.hold)
    return made


def head(files: Files, folder: str) -> str:
    lines = ["global", f"  stats socket {files.socket} mode 600 level admin expose-fd listeners"]
    if files.states:
        lines.append(f"  server-state-file {files.states}")
    if files.mirror or files.hold:
        lines.append(f"  lua-load {folder}/{SCRIPT}")
    lines += ["defaults", "  mode http", "  timeout connect 2s", "  timeout client 60s", "  timeout server 60s"]
    # Else a check may take no longer than from one to the next, and a lock that a migration waits for is longer.
    lines.append("  timeout check 2s")
    # Without a limit of its own a tunnel ends where server and client say nothing for a minute.
    lines += ["  timeout tunnel 1h", "  retries 2", "  option redispatch"]
    if files.states:
        lines.append("  load-server-state-from-file global")
    return "\n".join(lines)


def frontend(layout: Layout, backends: Mapping[str, str], files: Files) -> str:
    lines = [f"frontend {layout.application}", f"  bind {layout.listen}"]
    if files.hold:
        lines.append(f"  http-request lua.migrator_hold unless {{ str(until),map_str({files.hold},0) -m str 0 }}")
    if files.mirror:
        # The map has texts, too; an addition makes a number of what it says.
        share = f"str(share),map_str({files.mirror},0),add(0)"
        lines.append(f"  http-request set-var(txn.mirror_pool) str(pool),map_str({files.mirror},none)")
        lines.append(f"  http-request set-var(txn.mirror_share) {share}")
        lines.append("  http-request set-var(txn.mirror_dice) rand(1000)")
        drawn = "{ var(txn.mirror_dice),sub(txn.mirror_share) lt 0 }"
        if set(layout.copied) - set(SAFE):
            lines.insert(2, "  option http-buffer-request")
        lines.append(f"  http-request lua.migrator_mirror if {{ method {' '.join(layout.copied)} }} {drawn}")
    chosen = [used(route, backends[route.pool]) for route in layout.routes]
    if files.split:
        unit = f"req.hdr({layout.header})" if layout.header else f"req.cook({layout.cookie})"
        lines.append(f"  http-request set-var(txn.bucket) rand({BUCKETS})")
        lines.append(f"  http-request set-var(txn.bucket) {unit},xxh32(7),mod({BUCKETS}) if {{ {unit} -m found }}")
        chosen.append(f"  use_backend %[var(txn.bucket),map_int({files.split},{backends[layout.first]})]")
    else:
        chosen.append(f"  default_backend {backends[layout.first]}")
    return "\n".join([*lines, *chosen])


def used(route: Route, backend: str) -> str:
    """A route; one to a pool without a server that is up is none."""
    test = {
        "header": f"req.hdr({route.name}) -m str {route.value}",
        "cookie": f"req.cook({route.name}) -m str {route.value}",
        "source": f"src {route.value}",
    }[route.by]
    return f"  use_backend {backend} if {{ {test} }} {{ nbsrv({backend}) gt 0 }}"


def backend(layout: Layout, pool: str, name: str) -> str:
    lines = [f"backend {name}", f"  option httpchk GET {layout.check}"]
    check = f"check inter {round(layout.check_every * 1000)}ms fall 2 rise 1"
    lines += [f"  server {server.name} {server.address} {check}" for server in layout.pools[pool]]
    return "\n".join(lines) + "\n"
