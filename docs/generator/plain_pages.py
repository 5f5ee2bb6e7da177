"""Reference pages that need no server: the commands and the settings."""

from __future__ import annotations

import dataclasses
import importlib

import click

from migrator import checklist_settings
from migrator.cli.commands import COMMANDS
from migrator.setting_values import SIZES, UNITS, share, size
from migrator.settings import READERS, Settings, setting_names

from .module_pages import api_page, testing_page
from .rule_pages import rules_page

ABOUT = {
    "database_url": "The database; in a committed file without a password.",
    "database_url_env": "Name of the environment variable that has the URL.",
    "script_location": "Alembic's script directory; its own configuration is read where there is one.",
    "lock_timeout": "How long one try for a lock may wait, and others queue behind it.",
    "lock_retries": "Tries for a lock before giving up.",
    "lock_give_up": "How long to go on trying in all.",
    "batch_target": "How long one transaction of a backfill should take.",
    "workers": "Sessions that walk a table at a time; `auto`: one more as long as all together are faster for it.",
    "replica_lag": "How far behind a replica may be before batches pause; `0` looks at no replica at all.",
    "reconnect": "How long to try for a connection that was lost in the middle of a step; 0: not at all.",
    "verify_replica": "URL of a replica that `migrator verify` compares rows on.",
    "replicas": "URLs of replicas of MySQL and MariaDB that batches wait for; `[]`: none has to be waited for.",
    "poolers": "URLs of the consoles of PgBouncers, whose clients `migrator observe` looks at.",
    "binlog_row_image": "`minimal` where no reader of MySQL's binary log needs whole rows; `server` leaves it as set.",
    "archive_backlog": "How much WAL may wait to be archived before batches pause; `0` does not look.",
    "slot_backlog": "How much WAL may be kept for a replication slot before batches pause; `0` does not look.",
    "dead_rows": "Dead rows, as a share of the live ones, above which batches wait for a vacuum; `0`: never.",
    "history_length": "Transactions that InnoDB may have to purge before batches pause; `0` does not look.",
    "disk_reserve": "Bytes of the server's disk that stay free, `20GB`, else batches pause; by default 1 GB, or 2 % of"
    " a small disk, where the server runs on this machine; `0` does not look.",
    "long_transaction": "How old a transaction of others may be that keeps old rows, before batches pause; `0` does not"
    " look.",
    "max_latency": "How long a look at the table may take for others while a backfill runs, before it slows down;"
    " `auto`: five times as long as before it, or 50 ms; `0` does not look.",
    "unprepared_applications": "Application names, perhaps with `*`, whose sessions hold no prepared statements.",
    "set_aside_limit": "Rows a backfill may set aside because they fail, before it stops; 0 stops at the first.",
    "precheck_timeout": "How long one question about existing rows may take before a revision begins.",
    "gate_hours": "Hours without an old build before a contract; 24 at least.",
    "policy": "What shuts the contract gate: `standard`: what was seen; `strict`: also what could not be looked at.",
    "clean_deployments": "Successful deployments of builds that survive a contract, of each consumer, before it.",
    "override_approvals": "Approvals of others that an override of the gate takes.",
    "contract_requires": "Items of `migrator checklist` that the contract gate requires: `probes`, `smoke`, `budget`,"
    " `backup`.",
    "free_disk": "Bytes free on the server's disk, `20GB`; a plan that needs more is refused.",
    "retention": "How long a quarantined column or table is kept before a purge.",
}

CHECKLIST = {
    "ready": "URL that answers 2xx while a server may have requests.",
    "live": "URL that answers 2xx while a process need not be restarted, whatever the database does.",
    "command": "Run without a shell in the folder of the settings; of `smoke` only to record it. Its last line is the"
    " share that is left (`budget`), or when the backup was made.",
    "prometheus": "URL of a Prometheus.",
    "query": "Gives the share of the error budget that is left, of one.",
    "token_env": "Name of the environment variable that has the token for it.",
    "min": "Share of the error budget that has to be left, as `20%`; any by default.",
    "timeout": "How long a URL, the query or the command may take; `60s` by default.",
    "max_age": "How old what was found may be; `24h` by default, of `budget` `1h`.",
}


def commands_page() -> str:
    parts = ["# Commands\n"]
    for name in COMMANDS:
        command = importlib.import_module(f"migrator.cli.{name}").command
        parts.append(f"## migrator {name}\n\n```text\n{help_of(command, f'migrator {name}')}\n```\n")
        for inner in sorted(getattr(command, "commands", {})):
            shown = help_of(command.commands[inner], f"migrator {name} {inner}")
            parts.append(f"### migrator {name} {inner}\n\n```text\n{shown}\n```\n")
    return "\n".join(parts)


def help_of(command: click.Command, path: str) -> str:
    names = ["-h", "--help"]  # as below `migrator`; whoever asks a command first decides what it says
    context = click.Context(command, info_name=path, terminal_width=100, max_content_width=100, help_option_names=names)
    return "\n".join(line.rstrip() for line in command.get_help(context).splitlines())


def settings_page() -> str:
    defaults = {field.name: field.default for field in dataclasses.fields(Settings)}
    rows = [
        "# Settings\n",
        "In `[tool.migrator]` of `pyproject.toml`, as `MIGRATOR_…` in the environment, or as a flag.",
    ]
    rows += ["A flag beats the environment, the environment beats the file. Durations are `500ms`, `5m`, `7d`.\n"]
    rows += ["| setting | variable | default | meaning |", "| --- | --- | --- | --- |"]
    for name in setting_names():
        rows.append(f"| `{name}` | `MIGRATOR_{name.upper()}` | {shown(name, defaults[name])} | {ABOUT[name]} |")
    rows += ["", "## The checklist\n", "In `[tool.migrator.checklist]`: `app`, whose application the rest is of, and\n"]
    rows += ["| setting | meaning |", "| --- | --- |"]
    for key, meaning in CHECKLIST.items():
        of = ", ".join(f"`{item}.{key}`" for item, readers in checklist_settings.ITEMS.items() if key in readers)
        rows.append(f"| {of} | {meaning} |")
    return "\n".join(rows) + "\n"


def shown(name: str, default: object) -> str:
    """A default as a user would write it."""
    if READERS[name] is share:
        return f"`{100 * float(str(default)):g}%`"
    if READERS[name] is size and default is not None:
        return f"`{int(str(default)) // SIZES['GB']}GB`"
    if isinstance(default, float) and name != "gate_hours":
        unit, long = next((unit, long) for unit, long in reversed(UNITS.items()) if default >= long)
        return f"`{default / long:g}{unit}`"
    return "" if default in (None, ()) else f"`{default}`"


PAGES = {
    "commands.md": commands_page,
    "settings.md": settings_page,
    "rules.md": rules_page,
    "api.md": api_page,
    "testing.md": testing_page,
}
