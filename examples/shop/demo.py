"""A rename goes live under load: a bad build is taken back by itself, then a good one stays (`make demo-rollout`).

What is typed here can be typed by hand, too: `demo.py --by-hand` starts the stage, and waits for Ctrl-C.
"""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import subprocess
import sys
import time
from contextlib import suppress

from clients import Answer, Clients
from stage import HERE, Stage, Unfit, stage

from migrator import api
from migrator.errors import MigratorError
from migrator.ledger.rollouts import RolloutRecord

BAD, GOOD = "2.0-rc1", "2.0"
RELEASE_BAD = f"migrator release head --to {BAD}"
RELEASE = f"migrator release head --to {GOOD}"
RESUME = "migrator rollout resume"
VERIFY = "migrator verify"
GATE = "migrator gate head"
INTERRUPTED = 130


class Unexpected(Exception):
    """A command did not end as it had to."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", choices=["postgresql", "mariadb"], default="postgresql")
    parser.add_argument("--stay", action="store_true", help="leave everything running in the end, until Ctrl-C")
    parser.add_argument("--by-hand", action="store_true", help="the same, and type nothing before")
    given = parser.parse_args()
    for end in (signal.SIGINT, signal.SIGTERM):
        signal.signal(end, signal.default_int_handler)
    sys.stdout.reconfigure(line_buffering=True)
    try:
        print("Starting a database, the shop behind HAProxy, Prometheus and clients …")
        with stage(given.database) as running:
            code = 0 if given.by_hand else play(running)
            if given.by_hand or given.stay:
                stay(running)
            return code
    except Unfit as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2
    except MigratorError as problem:
        print(f"error: {problem.message}\nnext:  {problem.next_step}", file=sys.stderr)
        return 2
    except Unexpected as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ninterrupted; everything is stopped")
        return INTERRUPTED


def play(running: Stage) -> int:
    """Type the commands, and say what the clients saw of it."""
    typed(RELEASE_BAD, "expand, migrate, and a canary that fails for users with one name", expected=1)
    bad = newest(running)
    typed(RELEASE, "the build that is right; nothing is left to migrate", killed=running.clients)
    typed(RESUME, "the one who drove it is gone, so somebody else goes on")
    good = newest(running)
    typed(VERIFY, "what both versions have written")
    code = report(running, bad, good)
    typed(GATE, "whether the old column may go", expected=3)
    return code


def typed(command: str, why: str, expected: int = 0, killed: Clients | None = None) -> None:
    """Run a command as if it were typed.

    Args:
        killed: it is ended by kill -9 once these clients have met the good build.

    Raises:
        Unexpected: it ended with another code.
    """
    print(f"\n$ {command}   # {why}")
    # A session of its own: a Ctrl-C is ours, and is passed on.
    with subprocess.Popen(shlex.split(command), start_new_session=True) as process:
        try:
            if killed is not None:
                kill(process, killed)
                expected = -signal.SIGKILL
            code = process.wait()
        except BaseException:
            process.send_signal(signal.SIGINT)
            process.wait()
            raise
    if code != expected:
        raise Unexpected(f"{command} ended with {code}, and not with {expected}")


def kill(process: subprocess.Popen[bytes], clients: Clients) -> None:
    while process.poll() is None and len(clients.by(GOOD)) < 20:
        time.sleep(0.05)
    process.kill()
    print(f"\n$ kill -9 {process.pid}   # in the middle of its canary")


def newest(running: Stage) -> RolloutRecord:
    found = api.rollout_status(running.settings)
    assert found is not None
    return found.record


def report(running: Stage, bad: RolloutRecord, good: RolloutRecord) -> int:
    """Print what was measured; 0 where it is what was promised."""
    clients = running.clients
    answers, failed = list(clients.answers), clients.failures()
    elsewhere = [answer for answer in failed if answer.version != BAD]
    step, exposed = bad.plan["plan"]["rules"]["steps"][0]["weight"], bad.facts["exposed_percent"]
    met, meanwhile = len(clients.by(BAD)), len(clients.while_live(BAD))
    print(f"\nMeasured on {running.server} by clients that count every request, for {seconds(answers):.0f} s")
    print(f"requests:     {len(answers)}, the longest took {longest(answers) * 1000:.0f} ms")
    print(f"failed:       {len(failed)}: {len(failed) - len(elsewhere)} at shop {BAD}, {len(elsewhere)} elsewhere")
    print(f"shop {BAD}: {bad.status}: {bad.said}")
    print(f"  exposed to: {exposed:g} % of the traffic, its step is {step:g} %; {met} of {meanwhile} requests then")
    print(f"  taken back: {bad.facts.get('rollback_seconds', 0) * 1000:.0f} ms after the verdict")
    print(f"shop {GOOD}:     {good.status}")
    print(f"  switched:   in {good.facts['switch_seconds'] * 1000:.0f} ms, the slowest change of shares")
    for answer in elsewhere[:5]:
        print(f"  failed at shop {answer.version or '?'}: {answer.said}")
    kept = not elsewhere and exposed <= step and (bad.status, good.status) == ("rolled_back", "succeeded")
    return 0 if kept else 1


def seconds(answers: list[Answer]) -> float:
    return max(answer.at for answer in answers) - min(answer.at for answer in answers)


def longest(answers: list[Answer]) -> float:
    return max(answer.seconds for answer in answers)


def stay(running: Stage) -> None:
    """Wait for Ctrl-C."""
    print(f"\nThe shop is at {running.shop}, Prometheus at {running.prometheus}. In another terminal, in {HERE}:")
    print(f"export SHOP_DATABASE_URL={shlex.quote(os.environ['SHOP_DATABASE_URL'])}")
    with suppress(KeyboardInterrupt):
        print("Ctrl-C ends it.")
        while True:
            time.sleep(1)
    failed = len(running.clients.failures())
    print(f"\n{len(running.clients.answers)} requests, {failed} failed; everything is stopped")


if __name__ == "__main__":
    sys.exit(main())
