"""Run our command line, and Alembic's, in processes that need not import everything again.

A server process imports them once and forks for every call, so what runs is a process
of its own, with its own folder, environment and files. Start-up itself is tested with
real starts (tests/migrator/cli/test_main.py).

`python warm.py SOCKET` is the server; `Warm.run` the client.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import pkgutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

LIMIT = 1 << 16

OTHERS = ("migrator.__main__", "migrator.app", "migrator.testing")
"""What no verb is: it runs when it is imported, or belongs to applications and to their tests."""


class Warm:
    """A server process, and calls of it.

    Args:
        root: folder that is imported from.
    """

    def __init__(self, root: Path) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="warm")
        self.path = str(Path(self.folder.name) / "socket")
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__)), self.path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(root)},
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == b"ready\n"

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()
        self.folder.cleanup()

    def run(
        self,
        words: Sequence[str],
        cwd: Path,
        environment: Mapping[str, str],
        *,
        program: str = "migrator.cli.main",
        seconds: float = 120,
    ) -> subprocess.CompletedProcess[str]:
        """Run `main` of a module to its end, without input.

        Raises:
            TimeoutError: it takes longer than `seconds`.
        """
        with contextlib.ExitStack() as stack:
            output, errors = (stack.enter_context(tempfile.TemporaryFile()) for _ in range(2))
            nothing = stack.enter_context(open(os.devnull))  # noqa: PTH123
            client = stack.enter_context(socket.socket(socket.AF_UNIX))
            client.settimeout(seconds)
            client.connect(self.path)
            call = {"program": program, "words": list(words), "cwd": str(cwd), "environment": dict(environment)}
            request = json.dumps(call).encode()
            files = [nothing.fileno(), output.fileno(), errors.fileno()]
            socket.send_fds(client, [len(request).to_bytes(4, "big")], files)
            client.sendall(request)
            code = int(client.recv(16))
            for file in (output, errors):
                file.seek(0)
            return subprocess.CompletedProcess(list(words), code, output.read().decode(), errors.read().decode())


def serve(path: str) -> None:
    """Answer each call in a child that forks the command line and waits for it."""
    for name in all_modules():
        importlib.import_module(name)
    importlib.import_module("linters.library").library()
    for url in ("postgresql+psycopg://", "mysql+pymysql://"):
        importlib.import_module("sqlalchemy").create_engine(url)
    # What no child collects, no child copies.
    gc.collect()
    gc.freeze()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen(64)
        print("ready", flush=True)  # noqa: T201
        while True:
            client, _ = server.accept()
            if os.fork() == 0:
                server.close()
                answer(client)
                os._exit(0)
            client.close()
            with contextlib.suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass


def all_modules() -> list[str]:
    """What any verb may import: verbs import when they are called, and most of their time would go there."""
    drivers = [f"sqlalchemy.dialects.{name}" for name in ("postgresql.psycopg", "mysql.pymysql")]
    found = ["alembic.command", "alembic.config", "alembic.autogenerate", *drivers, "psycopg", "pymysql"]
    for package in map(importlib.import_module, ("migrator", "linters", "phases")):
        found += [item.name for item in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")]
    return [name for name in found if not name.startswith(OTHERS)]


def answer(client: socket.socket) -> None:
    header, files, _, _ = socket.recv_fds(client, 4, 3)
    size, data = int.from_bytes(header, "big"), b""
    while len(data) < size:
        data += client.recv(LIMIT)
    child = os.fork()
    if child == 0:
        client.close()
        run(files, **json.loads(data))
    for file in files:
        os.close(file)
    _, status = os.waitpid(child, 0)
    client.sendall(str(os.waitstatus_to_exitcode(status)).encode())


def run(files: Sequence[int], program: str, words: Sequence[str], cwd: str, environment: Mapping[str, str]) -> None:
    """Be what `python -m PROGRAM WORDS` would be."""
    for number, file in enumerate(files):
        os.dup2(file, number)
    os.closerange(3, 64)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    # `-m` puts the current folder first.
    sys.path[0] = cwd
    sys.argv = [program, *words]
    code: object = 1
    try:
        importlib.import_module(program).main()
        code = 0
    except SystemExit as ended:
        code = 0 if ended.code is None else ended.code
    except BaseException:
        sys.excepthook(*sys.exc_info())  # type: ignore[arg-type]
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else 1)


if __name__ == "__main__":
    serve(sys.argv[1])
