"""A small web application in versions, started and stopped as a deploy script would.

serve.py start PORT VERSION FOLDER; serve.py stop PORT FOLDER

A version whose name begins with `bad` fails most requests, though it says that it is ready; one with `unready`
never is. One with `greedy` keeps the others waiting while it gets copies. `/slow` takes a second. One with
`flagged` asks a feature flag which shape to read.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Handler(BaseHTTPRequestHandler):
    version = ""
    busy = Path()
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path == "/slow":
            time.sleep(1)
        if self.version.startswith("greedy") and "X-Migrator-Mirror" in self.headers:
            self.busy.touch()
        elif self.busy.exists() and time.time() - self.busy.stat().st_mtime < 0.5:
            time.sleep(0.1)
        failing = self.version.startswith("bad") if self.path != "/ready" else self.version.startswith("unready")
        body = self.version.encode()
        self.send_response(500 if failing else 200)
        self.send_header("X-Version", self.version)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = False
    request_queue_size = 128


def serve(port, version, folder):
    handler = Handler
    if version.startswith("flagged"):
        import flag_app

        handler = flag_app.watching(folder)
    handler.version, handler.busy = version, Path(folder, "busy")
    server = Server(("127.0.0.1", int(port)), handler)
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    server.serve_forever(0.05)
    os._exit(0)


def start(port, version, folder):
    process = subprocess.Popen(
        [sys.executable, __file__, "serve", port, version, folder],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    Path(folder, f"{port}.pid").write_text(str(process.pid))


def stop(port, folder):
    path = Path(folder, f"{port}.pid")
    if not path.exists():
        return
    pid = int(path.read_text())
    try:
        os.kill(pid, signal.SIGTERM)
        for _ in range(200):
            os.kill(pid, 0)
            if Path(f"/proc/{pid}/stat").read_text().split(") ")[1].startswith("Z"):
                break
            time.sleep(0.02)
    except (ProcessLookupError, FileNotFoundError):
        pass
    path.unlink()


if __name__ == "__main__":
    {"start": start, "stop": stop, "serve": serve}[sys.argv[1]](*sys.argv[2:])
