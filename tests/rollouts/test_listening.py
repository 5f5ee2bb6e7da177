"""What somebody asks of a rollout is heard while it waits for a server; and nothing stops it on its way back."""

from __future__ import annotations

import signal
import sys

import pytest

from tests.plugins.waiting import until

WORDS = ("--config", "rollout.toml")


@pytest.fixture
def waiting(shop):
    """A shop whose rollout waits for a server that never is ready, for much longer than a test."""
    shop.configure("rolling", ready="200s")
    return shop


def asked_for(shop):
    return {server for server, version in shop.served().items() if version.startswith("unready")}


def test_an_abort_and_ctrl_c_are_heard_while_a_server_is_awaited(waiting):
    run = ("rollout", "run", *WORDS, "--version", "unready-2.0")
    with waiting.clients(1) as seen:
        with waiting.project.begun(*run) as runner:
            until(lambda: asked_for(waiting), 90)
            runner.send_signal(signal.SIGINT)
            assert runner.wait(60) == 130
            assert "migrator rollout resume; or: migrator rollout abort" in runner.stdout.read()
        with waiting.project.begun("rollout", "resume", *WORDS) as runner:
            assert "again" in runner.stdout.readline()
            until(lambda: asked_for(waiting), 90)
            assert waiting.project.cli("rollout", "abort", "--reason", "enough", *WORDS).returncode == 0
            assert runner.wait(60) == 1
    assert seen.failed == []
    assert set(waiting.served().values()) == {"1.0", ""}
    assert "abort: enough" in waiting.project.cli("rollout", "status", *WORDS).stdout


def test_a_pause_does_not_stop_a_rollout_on_its_way_back(shop):
    """The deploy script itself pauses it, when the former version is started again."""
    shop.configure("rolling")
    pausing = shop.folder / "start.py"
    pausing.write_text("""\
import subprocess, sys
_, program, port, version, folder = sys.argv
if version == "1.0":
    words = [sys.executable, "-m", "migrator", "rollout", "pause", "--config", f"{folder}/rollout.toml"]
    subprocess.run(words, check=True, cwd=folder)
subprocess.run([sys.executable, program, "start", port, version, folder], check=True)
""")
    config = shop.folder / "rollout.toml"
    program = config.read_text().split('start = "')[1].split()[1]
    started = f'start = "{sys.executable} {pausing} {program} {{port}} {{version}} {shop.folder}"'
    lines = [started if line.startswith("start = ") else line for line in config.read_text().splitlines()]
    config.write_text("\n".join(lines))
    with shop.clients(1) as seen:
        done = shop.project.cli("rollout", "run", *WORDS, "--version", "unready-2.0")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "rolled_back" in done.stdout
    assert seen.failed == []
    assert set(shop.served().values()) == {"1.0", ""}
