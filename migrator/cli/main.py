"""Entry point: finds the verb, and turns errors into messages and exit codes."""

from __future__ import annotations

import importlib
import itertools
import os
import sys
from typing import Any

import click

from migrator import __version__
from migrator.cli.commands import COMMANDS
from migrator.errors import Interrupted, MigratorError, UsageError


class Verbs(click.Group):
    """A group whose commands are imported when they are used, not to list them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"migrator.cli.{name}").command
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            import difflib

            near = difflib.get_close_matches(args[0], list(COMMANDS), n=1)
            hint = f" Did you mean '{near[0]}'?" if near else ""
            ctx.fail(f"No such command '{args[0]}'.{hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


EPILOG = """\b
Examples:
  migrator new "Rename users.full_name to users.name"
  migrator plan
  migrator apply
  migrator deploy record --app shop --version 2.0
  migrator gate
  migrator apply --phase contract

\b
Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not yet, 4 a lock was not to be had, 130 interrupted.
"""


@click.group(cls=Verbs, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="migrator")
def verbs() -> None:
    """Change the schema of a live database: expand, migrate, contract."""


def main(args: list[str] | None = None) -> None:
    """Run the command line and exit."""
    words = sys.argv[1:] if args is None else args
    try:
        code = verbs.main(args=words, prog_name="migrator", standalone_mode=False)
    except BaseException as problem:
        code = exit_code(problem, words)
    sys.exit(code if isinstance(code, int) else 0)


def exit_code(problem: BaseException, words: list[str]) -> int:
    """Show a problem as the user asked for it, and say with which code to exit."""
    from migrator.cli.render import show_error

    as_json = wants_json(words)
    if isinstance(problem, SystemExit):
        return problem.code if isinstance(problem.code, int) else 1
    if isinstance(problem, KeyboardInterrupt | click.Abort):
        # Click turns Ctrl-C into Abort, at a prompt without naming the cause.
        causes = (problem, problem.__cause__, problem.__context__)
        stopped = any(isinstance(cause, KeyboardInterrupt) for cause in causes)
        message = "interrupted" if stopped else "nothing was done: no answer, or the answer was no"
        hint = "run the same command again; it continues" if stopped else "to answer beforehand: --yes"
        show_error((Interrupted if stopped else MigratorError)(message, next_step=hint), as_json)
        return Interrupted.exit_code if stopped else 1
    if isinstance(problem, click.exceptions.Exit):
        return problem.exit_code
    if isinstance(problem, click.exceptions.NoArgsIsHelpError):
        problem.show()
        return problem.exit_code
    if isinstance(problem, click.ClickException):
        usage = problem.format_message()
        show_error(UsageError(usage, next_step="migrator --help"), as_json)
        return problem.exit_code
    if isinstance(problem, BrokenPipeError):
        # Whoever read our output has stopped; there is nobody left to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    if isinstance(problem, MigratorError):
        show_error(problem, as_json)
        return problem.exit_code
    return unexpected(problem, as_json)


def unexpected(problem: BaseException, as_json: bool) -> int:
    from migrator.cli.render import note, show_error

    if os.environ.get("MIGRATOR_DEBUG"):
        import traceback

        note("".join(traceback.format_exception(problem)))
    message = f"{type(problem).__name__}: {problem}"
    show_error(MigratorError(message, next_step="this is a bug; MIGRATOR_DEBUG=1 shows where"), as_json)
    return 1


def wants_json(words: list[str]) -> bool:
    return "--format=json" in words or any(pair == ("--format", "json") for pair in itertools.pairwise(words))
