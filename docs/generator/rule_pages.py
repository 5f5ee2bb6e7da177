"""The rules of the linter, written by running their bad and good scripts."""

from __future__ import annotations

from linters.dialects import every_rule
from linters.engine import Choice, Engine
from linters.findings import Category, Finding
from linters.reports.explaining import servers, statements
from linters.rules import Rule
from linters.session import Given, Session
from linters.source import Source

TITLES = {
    Category.HAZARD: "Hazards: somebody waits, or the statement fails",
    Category.COMPATIBILITY: "Compatibility: statements of the live old version fail",
    Category.UNANALYSED: "Not analysed: unknown is not safe",
    Category.STYLE: "Style, and comments that silence rules",
}
NEWEST = {"postgresql": 18, "mysql": (9, 7), "mariadb": (11, 8)}
HEAD = """# Rules

What `migrator lint` looks for. Each rule was run on its two scripts, in the schema they start from, to write this page.
A rule is off where that is said; `--select RULE` or `style = true` asks it.
Silence one with `-- migrator: disable=RULE why it is safe here`, before a statement or on a line of it.
"""


def rules_page() -> str:
    """Those of PostgreSQL by category, then those of MySQL and MariaDB."""
    rules = every_rule()
    parts = [HEAD]
    for category, title in TITLES.items():
        parts.append(f"## {title}\n")
        parts += [rule_part(r) for r in rules if r.category is category and "postgresql" in r.dialects]
    parts.append("## MySQL and MariaDB\n")
    others = sorted((r for r in rules if "postgresql" not in r.dialects), key=lambda r: list(TITLES).index(r.category))
    return "\n".join((*parts, *map(rule_part, others)))


def rule_part(rule: Rule) -> str:
    where = f" In the {' and '.join(rule.harmless_in)} phase it is in order." if rule.harmless_in else ""
    off = "" if rule.default else ", off unless asked for"
    kind = rule.severity.value.capitalize()
    kind += "" if "postgresql" in rule.dialects else f", {rule.category.value}, {servers(rule)}"
    lines = [f"### {rule.id}\n", f"{kind}{off}: {rule.condition}.{where}\n"]
    lines += [f"- effect: {rule.effect}", f"- safer: {rule.safer}\n"]
    lines += [script("schema", rule.given)] if rule.given else []
    lines += [script("bad", rule.bad), found(rule), script("good", rule.good)] if rule.bad else []
    return "\n".join(lines)


def script(title: str, text: str) -> str:
    return "\n".join(("```sql", f"-- {title}", *statements(text), "```\n"))


def found(rule: Rule) -> str:
    """What the rule says of its bad script."""
    finding = next(each for each in judged(rule, rule.bad) if each.rule == rule.id)
    lines = [f"{finding.line}:{finding.column} {finding.severity.value}: {finding.message}"]
    on = f" on {', '.join(finding.tables)}" if finding.tables else ""
    lines += [f"lock: {finding.lock}{on}"] if finding.lock else []
    lines += [f"rewrites: {', '.join(finding.rewrites)}"] if finding.rewrites else []
    lines += [f"reads all of: {', '.join(finding.scans)}"] if finding.scans else []
    lines += [f"safer: {finding.safer}"] if finding.safer != rule.safer else []
    lines += [f"write: {finding.operation}"] if finding.operation else []
    return "\n".join(("```text", *lines, "```\n"))


def judged(rule: Rule, text: str) -> list[Finding]:
    complete = rule.category is not Category.UNANALYSED  # which is about what is not known
    version = rule.version or NEWEST[rule.dialects[0]]
    given = Given(version=version, complete=complete, timezone="UTC", dialect=rule.dialects[0])
    engine = Engine(Session(given), Choice(also=frozenset({rule.id})))
    engine.seed(Source("schema", rule.given.encode()))
    return list(engine.judge(Source("script", text.encode())))
