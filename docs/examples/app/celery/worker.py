"""A worker of version 1.0: it has a version of its own, and may live longer than the web processes beside it."""

import os
import socket

from celery import Celery
from celery.signals import worker_init, worker_process_init, worker_shutdown
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session

from migrator.app import register
from migrator.errors import MigratorError

app = Celery("shop", broker=os.environ.get("BROKER", "memory://"), backend="cache+memory://")
# A message that was fetched is given back when the worker is told to end, and the next build has it.
app.conf.update(task_acks_late=True, worker_prefetch_multiplier=1, worker_max_tasks_per_child=1000)
engine = create_engine(os.environ["DATABASE_URL"])


@worker_init.connect
def say_which_build_this_is(**_: object) -> None:
    try:
        register(
            engine,
            app="shop-worker",
            version=os.environ.get("VERSION", "1.0"),
            instance=socket.gethostname(),
            heartbeat=30.0,
        )
    except MigratorError as problem:
        # Celery logs the errors of a signal, and goes on; this one ends the worker.
        raise SystemExit(f"{problem.message}; next: {problem.next_step}") from problem


@worker_process_init.connect
def forked(**_: object) -> None:
    engine.dispose(close=False)  # connections of the parent process are its own


@worker_shutdown.connect
def end(**_: object) -> None:
    engine.dispose()


@app.task
def rename(user: int, full_name: str) -> str:
    with Session(engine) as session, session.begin():
        changed = text("UPDATE users SET full_name = :name WHERE id = :user")
        session.execute(changed, {"name": full_name, "user": user})
        return str(session.scalar(text("SELECT full_name FROM users WHERE id = :user"), {"user": user}))
