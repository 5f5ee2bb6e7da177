"""The demo of a rollout does what its page says, and leaves nothing behind."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from migrator.embedded import free_port
from migrator.rollouts.analysis.statistics import chance
from tests.docs.test_documents import BLOCK, environment
from tests.plugins.projects import ROOT
from tests.rollouts.benches import program

PAGE = (ROOT / "docs" / "how-to" / "see-a-rollout.md").read_text()
CONFIGURED = ("pyproject.toml", "prometheus.yml", "haproxy-metrics.cfg")


def on_free_ports(folder):
    """A copy of the example that keeps out of the way of others."""
    copy = folder / "shop"
    shutil.copytree(ROOT / "examples" / "shop", copy)
    texts = {name: (copy / name).read_text() for name in CONFIGURED}
    for port in sorted(set(re.findall(r"127\.0\.0\.1:(180\d\d)", "".join(texts.values())))):
        chosen = str(free_port())
        texts = {name: text.replace(port, chosen) for name, text in texts.items()}
    for name, text in texts.items():
        (copy / name).write_text(text)
    return copy


def at_work_in(folder):
    """The command lines of processes whose working directory is a folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").readlink() == folder:
                found.append((process / "cmdline").read_text())
        except OSError:
            continue
    return found


def test_a_bad_build_is_taken_back_a_good_one_stays_and_nothing_is_left(tmp_path):
    for name in ("haproxy", "prometheus", "curl"):
        program(name)
    folder, said = on_free_ports(tmp_path), []
    words = [sys.executable, "demo.py", "--stay"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with subprocess.Popen(words, cwd=folder, env=environment(), **pipes) as demo:
        for line in demo.stdout:
            said.append(line)
            if line.startswith("Ctrl-C"):
                assert any("gunicorn" in each for each in at_work_in(folder))
                demo.send_signal(signal.SIGINT)
    text = "".join(said)
    assert demo.returncode == 0, text
    (typed,) = [block for kind, block in BLOCK.findall(PAGE) if kind == "console"]
    commands = re.findall(r"^\$ (migrator .*?) +#|^\$ (migrator .*)$", typed, re.M)
    assert re.findall(r"^\$ (migrator .*?)   #", text, re.M) == [first or second for first, second in commands]
    failed, at_bad = re.search(r"^failed: +(\d+): (\d+) at shop 2.0-rc1, 0 elsewhere", text, re.M).groups()
    assert failed == at_bad != "0"
    exposed = r"exposed to: 20 % of the traffic, its step is 20 %; (\d+) of (\d+) requests then"
    met, meanwhile = map(int, re.search(exposed, text).groups())
    assert chance(met, meanwhile, 0.2) > 1e-6
    assert at_work_in(folder) == []
    assert not (folder / "run").exists()
