"""Pages of public modules: what their names, signatures and docstrings say."""

from __future__ import annotations

import dataclasses
import enum
import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from migrator import api, testing

from .signatures import listed

WIDTH = 100

API = """\
# Python API

`migrator.api` has every verb of the command line as a function of [settings](settings.md) that returns a frozen value;
the command line parses, calls one of them, and prints. A function is imported when it is first used: who only lints
imports no SQLAlchemy, and `import migrator.api` imports next to nothing.

```python
--8<-- "docs/examples/api/apply.py"
```

Errors are those of `migrator.errors`: each has a `message`, a `next_step` and its `facts`; `exit_code` is what the
command exits with. Functions that only look hold no lock and write nothing. Functions that change something hold the
runner lock, and tell an `observer`, a function of one argument, what happens: the values of `migrator.events`.

What is written into files or shown to people has no function: `init`, `convert`, `demo`.
"""

API_NAMES: Mapping[str, Sequence[str]] = {
    "Settings": ("load_settings", "Settings"),
    "Look": ("plan", "estimate", "status", "gate", "check", "lint", "doctor"),
    "Change the schema": (
        "apply",
        "retry",
        "verify",
        "abort",
        "restore",
        "release",
        "baseline",
        "baseline_look",
        "new",
    ),
    "Backfills under way": ("pause", "resume", "throttle"),
    "Deployments": (
        *("deploy_check", "deploy_start", "deploy_finish", "deploy_record", "deploy_stop", "deploy_import"),
        *("import_job", "deployments"),
    ),
    "Before a deployment or a contract": (
        *("checklist", "checklist_record", "checklist_waive", "chaos_run", "chaos_restore", "chaos_experiment"),
    ),
    "Rollouts": ("rollout_run", "rollout_status", "rollout_ask", "rollout_go_on", "rollout_flags", "rollout_files"),
    "The gate": (
        *("observe", "consumers", "consumer_add", "consumer_retire"),
        *("overrides", "override_request", "override_approve", "audit_verify", "audit_accept", "audit_export"),
    ),
    "Values": (
        *("Plan", "PlanEstimate", "Status", "Verdict", "Comparison", "Linted", "Applied", "Verified", "Released"),
        *("Baseline", "Asked", "Build", "Lived", "Checked", "Imported", "Given", "Rollout", "Look", "Observed"),
        *("Override", "Audit", "Listed", "Found", "FlagReport", "Phase"),
    ),
}
"""Every public name of `migrator.api`, by what somebody wants who looks for one."""

TESTING = """\
# migrator.testing

How it is used is told in [test your migrations](../app/testing.md). The fixtures `migrator_database` and
`migrator_template`, the marker `migrator` and the settings of pytest are those of the plugin.
"""

TESTING_NAMES: Mapping[str, Sequence[str]] = {
    "Assertions": ("assert_compatible", "assert_lint_clean", "assert_two_ways_one_schema"),
    "Helpers": ("upgrade",),
    "Values": ("Statement", "Compatible", "Database", "Incompatible", "LintFailed", "DifferentSchemas"),
}


def api_page() -> str:
    return page(API, api, API_NAMES)


def testing_page() -> str:
    return page(TESTING, testing, TESTING_NAMES)


def page(head: str, module: object, names: Mapping[str, Sequence[str]]) -> str:
    parts = [head]
    for title, group in names.items():
        parts.append(f"## {title}\n")
        parts += [part(name, getattr(module, name)) for name in group]
    return "\n".join(parts)


def part(name: str, found: object) -> str:
    """What is said of one name."""
    text = inspect.getdoc(found) or ""
    about, sections = sectioned(text)
    lines = [f"### {name}\n", f"```python\n{signature(name, found)}\n```\n"]
    lines += [f"{about}\n"] if about else []
    lines += [listed(sections["Args"])] if "Args" in sections else []
    lines += [f"Raises {raised(sections['Raises'])}\n"] if "Raises" in sections else []
    return "\n".join(lines)


def sectioned(text: str) -> tuple[str, dict[str, str]]:
    """A docstring without its sections, and those."""
    about, *rest = re.split(r"^(Args|Raises|Returns):$", text, flags=re.M)
    return about.strip(), dict(zip(rest[::2], rest[1::2], strict=True))


def raised(text: str) -> str:
    """The errors of a docstring as one sentence."""
    found = re.findall(r"^(\w[\w, ]*): (.*(?:\n {2,}.*)*)", inspect.cleandoc(text), re.M)
    return "; ".join(f"`{name}`: {' '.join(said.split()).rstrip('.')}" for name, said in found) + "."


def signature(name: str, found: object) -> str:
    if inspect.isclass(found) and issubclass(found, enum.Enum):
        return "\n".join(f"{name}.{member.name} = {member.value!r}" for member in found)
    if inspect.isclass(found) and not dataclasses.is_dataclass(found):
        return f"class {name}({found.__bases__[0].__name__})"
    assert callable(found)
    return laid_out(name, found)


def laid_out(name: str, found: Callable[..., object]) -> str:
    """A signature on one line, or with a line for each argument."""
    given = inspect.signature(found)
    arguments = list(shown(given))
    answer = "" if inspect.isclass(found) else f" -> {plain(given.return_annotation)}"
    line = f"{name}({', '.join(arguments)}){answer}"
    if len(line) <= WIDTH:
        return line
    rows = "".join(f"    {argument},\n" for argument in arguments)
    return f"{name}(\n{rows}){answer}"


def shown(given: inspect.Signature) -> Iterator[str]:
    """The arguments as they are written in code, with the mark before those that have to be named."""
    marked = False
    for each in given.parameters.values():
        if each.kind is each.VAR_POSITIONAL:
            marked = True
        if each.kind is each.KEYWORD_ONLY and not marked:
            marked = True
            yield "*"
        stars = {each.VAR_POSITIONAL: "*", each.VAR_KEYWORD: "**"}.get(each.kind, "")
        default = "" if each.default is each.empty else f" = {value(each.default)}"
        yield f"{stars}{each.name}: {plain(each.annotation)}{default}"


def plain(annotation: object) -> str:
    return str(getattr(annotation, "__name__", annotation)).replace("'", "")


def value(default: object) -> str:
    """A default as code; a function by its name, what has no short form as dots."""
    if inspect.isfunction(default):
        return default.__name__
    if isinstance(default, enum.Enum):
        return f"{type(default).__name__}.{default.name}"
    text = repr(default)
    return "…" if text.startswith(("<", "mappingproxy")) else text.replace("'", '"')
