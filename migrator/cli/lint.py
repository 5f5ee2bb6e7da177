"""`migrator lint`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from migrator.cli.commands import COMMANDS
from migrator.cli.options import example

F = TypeVar("F", bound=Callable[..., Any])
FORMATS = ("text", "json", "github", "gitlab", "sarif", "junit")
EXAMPLES = example("""
migrator lint                                          the paths of [tool.migrator.lint], or the script directory
migrator lint migrations/ hotfix.sql                   folders and files, in the order their tool runs them
pg_dump -s shop > schema.sql && migrator lint --schema schema.sql migrations/V12__fax.sql
psql-script | migrator lint --assume-transaction -     what comes in by standard input
migrator lint --server-version 14 --timezone UTC migrations/
migrator lint --database-url postgresql://reader@replica/shop migrations/
migrator lint --diff origin/main --format github       what this branch adds, as annotations
migrator lint --write-baseline                         accept what is there; fail by what comes
migrator lint --baseline migrator-lint-baseline.json --fail-on error
migrator lint --select hazard --ignore lock-table --format sarif --output lint.sarif
migrator lint --fix --dry-run migrations/V12__index.sql  the safe form of what has a mechanical one, as a diff
migrator lint --schema schema.sql --shadow embedded hotfix.sql  what a real server does with it, beside the verdict
migrator lint --schema schema.sql --shadow mysql://root@test-server hotfix.sql  the algorithm and lock it accepts
migrator lint --phase contract drop_fax.sql            nobody uses the old shape any more
migrator lint --explain drop-column
migrator lint --list-rules
""")
EPILOG = f"""{EXAMPLES}

\b
Exit codes: 0 nothing at or above --fail-on, 1 something, 2 wrong usage or a script that cannot be judged.
"""


def judging(function: F) -> F:
    """The options that say what is judged, and how."""
    severity = click.Choice(["error", "warning", "notice"])
    for option in (
        click.option("--fail-on", type=severity, help="Exit 1 from this severity on; warning unless set."),
        click.option("--ignore", metavar="RULES", multiple=True, help="Rules or categories not to ask: a,b."),
        click.option("--select", metavar="RULES", multiple=True, help="Rules or categories to ask, and no others."),
        click.option("--dry-run", is_flag=True, help="With --fix: print the difference, and write nothing."),
        click.option("--fix", is_flag=True, help="Rewrite .sql files where a safe form is a mechanical matter."),
        click.option(
            "--shadow", metavar="URL", help="Run the scripts on a scratch database there, too; or `embedded`."
        ),
        click.option("--write-baseline", is_flag=True, help="Write what is found to the baseline, and exit 0."),
        click.option("--baseline", metavar="FILE", help="Leave out what is in this file."),
        click.option("--diff", metavar="REF", help="Report only statements that have come since a commit of git."),
        click.option(
            "--phase", type=click.Choice(["expand", "migrate", "contract"]), help="Judge as part of this phase."
        ),
        click.option(
            "--assume-transaction/--assume-no-transaction",
            default=None,
            help="Whoever runs a script puts it in one transaction, or does not; else as its tool does.",
        ),
        click.option("--timezone", metavar="ZONE", help="Time zone of the sessions that run the scripts."),
        click.option("--database-url", metavar="URL", help="Read schema and sizes there; no connection without it."),
        click.option("--schema", metavar="FILE", help="A dump of the schema, as pg_dump --schema-only writes it."),
        click.option("--server-version", metavar="VERSION", help="Version of the server the scripts are for."),
        click.option("--dialect", type=click.Choice(["postgresql", "mysql", "mariadb"]), help="Family of the server."),
    ):
        function = option(function)
    return function


@click.command("lint", help=COMMANDS["lint"], epilog=EPILOG)
@click.argument("paths", nargs=-1)
@judging
@click.option("--format", "form", type=click.Choice(FORMATS), default="text", help="How to print.")
@click.option("--output", metavar="FILE", help="Print to a file.")
@click.option("--explain", metavar="RULE", help="Say what a rule finds, with a bad and a good script.")
@click.option("--list-rules", is_flag=True, help="Name every rule.")
@click.option(
    "--config",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="TOML file to read instead of the nearest pyproject.toml.",
)
def command(
    paths: tuple[str, ...], form: str, output: str | None, explain: str | None, list_rules: bool,
    config: Path | None, database_url: str | None, diff: str | None, write_baseline: bool, shadow: str | None,
    fix: bool, dry_run: bool, **given: Any,
) -> int:  # fmt: skip
    if explain or list_rules:
        return show_rules(explain, given["dialect"], form)
    from migrator.linting.invocation import refuse_together

    refuse_together(fix, dry_run, write_baseline)
    if fix:
        from migrator.linting.invocation import options_from
        from migrator.linting.judging import Request

        options = options_from(config, paths, database_url, given, shadow)
        return fixed(Request(options, diff or "", database_url or "", shadow=shadow or ""), form, output, dry_run)
    from migrator import api

    asked: dict[str, Any] = {"config": config, "database_url": database_url, "diff": diff, "shadow": shadow}
    found = api.lint(*paths, accept=not write_baseline, **asked, **given)
    if write_baseline:
        accept(found)
    else:
        emit(found.report, form, output)
    for line in found.notes:
        say_note(line)
    if found.report.problems:
        return 2
    return 1 if found.failing and not write_baseline else 0


def accept(found: Any) -> None:
    """Write what is found to the baseline."""
    from migrator.linting import baselines

    place = Path(found.baseline or baselines.DEFAULT)
    say_note(f"{baselines.write(place, found.report.findings)} findings are accepted in {place}")
    say_note(f"next: migrator lint --baseline {place}")


def fixed(request: Any, form: str, output: str | None, dry_run: bool) -> int:
    """Rewrite the scripts, or show how, and report what is left; standard input is answered on standard output."""
    from dataclasses import replace

    from migrator.linting import rewriting
    from migrator.linting.invocation import warn
    from migrator.linting.judging import fails, judged, run

    rewriting.check(request.options)
    piped = "-" in request.options.paths
    if piped:
        request = replace(request, standard_input=sys.stdin.buffer.read())
    report, scripts = judged(replace(request, shadow=""))
    changes = list(rewriting.rewritten(report, scripts))
    for line in rewriting.said(report, changes, dry_run):
        say_note(line)
    if dry_run:
        click.echo("".join(each.diff() for each in changes), nl=False)
    else:
        for each in changes:
            each.save()
        if piped:
            request = replace(request, standard_input=next((c.after for c in changes), request.standard_input))
            click.echo(request.standard_input, nl=False)
        report = run(request)
    if output or not dry_run:
        emit(report, form, output, aside=piped)
    for line in warn(report, request.options):
        say_note(line)
    return 2 if report.problems else int(fails(report, request.options.fail_on))


def say_note(text: str) -> None:
    from migrator.cli.render import note

    note(text)


def emit(report: Any, form: str, output: str | None, aside: bool = False) -> None:
    """Print a report, `aside` to standard error, or write it to a file."""
    from dataclasses import replace

    from linters.reports import writer
    from migrator.cli.render import coloured
    from migrator.errors import UsageError

    terminal = output is None and not aside and coloured() is not False and sys.stdout.isatty()
    text = writer(form)(replace(report, colour=form == "text" and terminal))
    if output is None:
        click.echo(text, color=True if terminal else None, err=aside)
        return
    try:
        Path(output).write_text(text + "\n", encoding="utf-8")
    except OSError as problem:
        raise UsageError(f"{output} cannot be written: {problem.strerror}", next_step="another --output") from None


def show_rules(explain: str | None, dialect: str | None, form: str) -> int:
    """Print the rules of one name, or name all; of one server, or of all."""
    from linters.dialects import all_rules, every_rule
    from linters.reports.explaining import explained, listed, rule_data
    from migrator.cli.render import print_json, say
    from migrator.errors import UsageError
    from migrator.linting.options import near_rule

    shown = [rule for rule in every_rule() if explain in (None, rule.id) and (not dialect or dialect in rule.dialects)]
    if explain is not None and not shown:
        if explain in all_rules():
            raise UsageError(f"{explain} is no rule for {dialect}", next_step=f"migrator lint --explain {explain}")
        raise UsageError(f'there is no rule "{explain}"', next_step=near_rule(explain))
    if form == "json":
        print_json({"rules": [rule_data(rule) for rule in shown]})
    else:
        say("\n\n".join(map(explained, shown)) if explain is not None else listed(shown))
    return 0
