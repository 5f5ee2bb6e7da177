"""A platform of its own, which stands for any that a team has, and its command line.

platform_server.py FOLDER serves; `python -IS platform_server.py FOLDER tell` sends what the environment says.
"""

import os
import socket
import sys


def tell(folder):
    """Have it done; its answer, and exit code 1 where it was not."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(f"{folder}/platform.sock")
        told = [f"{name}={value}" for name, value in os.environ.items() if name.startswith("MIGRATOR_")]
        connection.sendall("\n".join(told).encode())
        connection.shutdown(socket.SHUT_WR)
        said = b"".join(iter(lambda: connection.recv(65536), b"")).decode()
    (sys.stdout if said.startswith("{") else sys.stderr).write(said)
    return 1 if said and not said.startswith("{") else 0


def serve(folder):
    import json
    from pathlib import Path

    from migrator.rollouts import configuration as configuring
    from migrator.rollouts.targets import target_of

    target = target_of(configuring.read(json.loads((Path(folder) / "platform.json").read_text()), Path(folder)))
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{folder}/platform.sock")
        listener.listen()
        while True:
            connection, _ = listener.accept()
            with connection:
                told = b"".join(iter(lambda taken=connection: taken.recv(65536), b"")).decode().splitlines()
                connection.sendall(done(target, dict(line.split("=", 1) for line in told)).encode())


def done(target, told):
    import json
    from dataclasses import asdict

    from migrator.errors import MigratorError

    try:
        match told["MIGRATOR_VERB"]:
            case "look":
                return json.dumps(asdict(target.look()))
            case "split":
                target.split(json.loads(told["MIGRATOR_SHARES"]))
            case "mirror":
                target.mirror(told["MIGRATOR_POOL"], float(told["MIGRATOR_PERCENT"]))
            case "hold":
                target.hold(float(told["MIGRATOR_SECONDS"]))
            case "admit" | "drain" | "remove" | "cut" as verb:
                getattr(target, verb)(told["MIGRATOR_SERVER"])
    except MigratorError as problem:
        return problem.message
    return ""


if __name__ == "__main__":
    sys.exit(tell(sys.argv[1]) if "tell" in sys.argv else serve(sys.argv[1]))
