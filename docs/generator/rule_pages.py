"""The rules of the linter, written by running their bad and good scripts."""

from __future__ import annotations

from linters.dialects import all_rules
from linters.engine import Choice, Engine
from linters.findings import Category, Finding
from linters.reports.explaining import statements
from linters.rules import DEFAULT_RULES, Rule
from linters.session import Given, Session
from linters.source import Source

TITLES = {
    Category.HAZARD: "Hazards: somebody waits, or the statement fails",
    Category.COMPATIBILITY: "Compatibility: statements of the live old version fail",
    Category.UNANALYSED: "Not analysed: unknown is not safe",
    Category.STYLE: "Style, and comments that silence rules",
}
HEAD = """# Rules

What `migrator lint` looks for. Each rule was run on its two scripts, in the schema they start from, to write this page.
A rule is off where that is said; `--select RULE` or `style = true` asks it.
Silence one with `-- migrator: disable=RULE why it is safe here`, before a statement or on a line of it.
"""


def rules_page() -> str:
    parts = [HEAD]
    for category, title in TITLES.items():
        parts.append(f"## {title}\n")
        parts += [rule_part(rule) for rule in all_rules().values() if rule.category is category]
    return "\n".join(parts)


def rule_part(rule: Rule) -> str:
    where = f" In the {' and '.join(rule.harmless_in)} phase it is in order." if rule.harmless_in else ""
    off = "" if rule.default else ", off unless asked for"
    lines = [f"### {rule.id}\n", f"{rule.severity.value.capitalize()}{off}: {rule.condition}.{where}\n"]
    lines += [f"- effect: {rule.effect}", f"- safer: {rule.safer}\n"]
    lines += [script("schema", rule.given)] if rule.given else []
    lines += [script("bad", rule.bad), found(rule), script("good", rule.good)]
    return "\n".join(lines)


def script(title: str, text: str) -> str:
    return "\n".join(("```sql", f"-- {title}", *statements(text), "```\n"))


def found(rule: Rule) -> str:
    """What the rule says of its bad script."""
    finding = next(each for each in judged(rule, rule.bad) if each.rule == rule.id)
    lines = [f"{finding.line}:{finding.column} {finding.severity.value}: {finding.message}"]
    lines += [f"lock: {finding.lock} on {', '.join(finding.tables)}"] if finding.lock else []
    lines += [f"rewrites: {', '.join(finding.rewrites)}"] if finding.rewrites else []
    lines += [f"reads all of: {', '.join(finding.scans)}"] if finding.scans else []
    lines += [f"safer: {finding.safer}"] if finding.safer != rule.safer else []
    lines += [f"write: {finding.operation}"] if finding.operation else []
    return "\n".join(("```text", *lines, "```\n"))


def judged(rule: Rule, text: str) -> list[Finding]:
    given = Given(version=18, complete=True, timezone="UTC", dialect=rule.dialects[0])
    engine = Engine(Session(given), Choice(rules=DEFAULT_RULES | {rule.id}))
    engine.seed(Source("schema", rule.given.encode()))
    return list(engine.judge(Source("script", text.encode())))
