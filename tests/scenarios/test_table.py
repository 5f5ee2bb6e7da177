"""The table of scenarios is whole, and every test it names is there."""

from __future__ import annotations

import re

from tests.plugins.projects import ROOT

ALL = [
    [cell.strip() for cell in line.split("|")[1:-1]]
    for line in (ROOT / "docs" / "explanation" / "scenarios.md").read_text().splitlines()
    if re.match(r"\| [BM]?\d", line)
]
ROWS = [row for row in ALL if row[0].isdigit()]
LISTS = {letter: [row for row in ALL if row[0].startswith(letter)] for letter in "BM"}
PREFIXES = {"": "", "backfill_": "B", "mysql_": "M"}
OTHERS = ("MySQL", "SQLite")
FILES = {path: path.read_text() for path in (ROOT / "tests").rglob("test_*.py")}


def test_every_scenario_is_in_the_table_with_a_test_or_the_reason():
    assert [int(row[0]) for row in ROWS] == list(range(1, 58))
    for number, _, answer, shown in ROWS:
        assert shown or answer.startswith((*OTHERS, "open:")), number
    for letter, rows in LISTS.items():
        assert [row[0] for row in rows] == [f"{letter}{number}" for number in range(1, 36)]
        for number, _, answer, shown in rows:
            assert shown or "open:" in answer.lower() or answer.startswith(OTHERS), number


def test_every_test_of_the_table_exists():
    for number, *_, shown in ALL:
        for name, case in re.findall(r"`(\w+)(?:\[([^\]]+)\])?`", shown):
            homes = [text for text in FILES.values() if f"def {name}(" in text]
            assert homes, f"scenario {number}: there is no {name}"
            assert not case or any(f'"{case}"' in text for text in homes), f"scenario {number}: {name}[{case}]"


def test_every_test_with_a_number_is_in_the_table():
    shown = {row[0]: row[3] for row in ALL}
    for text in FILES.values():
        for name, prefix, number in re.findall(r"^def (test_(mysql_|backfill_|)(\d\d)_\w+)\(", text, re.M):
            assert f"`{name}" in shown[f"{PREFIXES[prefix]}{int(number)}"], name
