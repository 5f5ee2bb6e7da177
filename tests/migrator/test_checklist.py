"""The checklist on real servers; what it makes of what it finds is in tests/phases/test_checklist.py."""

from __future__ import annotations

import http.server
import json
import sys
import threading
from datetime import timedelta
from typing import ClassVar

import pytest

from migrator import api, settings
from migrator.api import Build, Found
from migrator.database import connect
from migrator.errors import NotYet, SettingsError, UsageError
from migrator.ledger import store
from phases.model import Phase
from tests.plugins.aging import age
from tests.plugins.families import MYSQL, POSTGRESQL, named, servers

NEWEST = [(POSTGRESQL, servers(POSTGRESQL)[0]), *((MYSQL, family) for family in servers(MYSQL))]
everywhere = pytest.mark.parametrize("server_database", NEWEST, indirect=True, ids=lambda param: named(*param))

SETTINGS = """
[tool.migrator]
contract_requires = ["backup", "smoke"]
[tool.migrator.checklist]
app = "shop"
probes = {{ ready = "{url}/ready", live = "{url}/live", timeout = "5s" }}
budget = {{ prometheus = "{url}", query = "budget", min = "20%" }}
backup = {{ command = "{python} newest.py" }}
"""


class Answers(http.server.BaseHTTPRequestHandler):
    """An application, and a Prometheus beside it."""

    said: ClassVar[dict[str, tuple[int, str]]] = {}

    def do_GET(self):
        status, body = self.said.get(self.path.split("?")[0], (404, ""))
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_):
        pass


def budget(share):
    return 200, json.dumps({"data": {"resultType": "scalar", "result": [0, str(share)]}})


@pytest.fixture
def said():
    """What is answered, by path; and where."""
    Answers.said = {"/ready": (200, "ready"), "/live": (200, "up"), "/api/v1/query": budget(0.4)}
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield Answers.said, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def shop(server_database, project, said):
    """A table whose column is renamed, everything but the contract done; two builds have been deployed."""
    server_database.run("CREATE TABLE users (id int PRIMARY KEY, full_name varchar(50) NOT NULL)")
    project.url = server_database.url
    (project.folder / "pyproject.toml").write_text(SETTINGS.format(url=said[1], python=sys.executable))
    project.revision("first", 'CreateTable("other", Column("id", "int", primary_key=True))')
    project.revision("change", 'RenameColumn("users", "full_name", "name")')
    project.apply()
    api.deploy_record(project.settings, Build("shop", "1.0", shape="first"))
    api.deploy_record(project.settings, Build("shop", "2.0"))
    return project


def results(shop, revision=None):
    """Items that have not passed."""
    listed = api.checklist(shop.settings, revision)
    return {item.name: item.result.value for item in listed.checklist.items if item.result != "passed"}


def failing(shop):
    return [condition.name for condition in api.gate(shop.settings, "change")["change"].failing]


def python(code):
    return Found(command=f"{sys.executable} -c '{code}'")


def now(shop):
    with connect(shop.url, "test") as session, session.transaction() as connection:
        return store.clock(connection)


@everywhere
def test_a_contract_that_requires_a_backup_and_a_smoke_test_begins_with_both(shop):
    (shop.folder / "newest.py").write_text("print('there is none')")
    assert results(shop) == {"smoke": "not known", "backup": "not known"}
    assert failing(shop) == ["backup", "smoke", "24 hours without an old build"]
    (ran,) = api.checklist_record(shop.settings, "smoke", python('print("checkout: 500"); raise SystemExit(4)'))
    assert (ran.ok, ran.exit_code) == (False, 4)
    assert "ended with 4" in ran.said
    assert "checkout: 500" in ran.said
    assert results(shop)["smoke"] == "failed"
    (ran,) = api.checklist_record(shop.settings, "smoke", python('print("12 passed")'))
    assert ran.ok
    assert results(shop) == {"backup": "not known"}
    made = (now(shop) - timedelta(hours=1)).isoformat()
    (shop.folder / "newest.py").write_text(f"print('{made}')")
    assert results(shop) == {}
    assert failing(shop)[0] == "backup"  # was seen, and not recorded: nobody is asked while deployments wait
    api.checklist_record(shop.settings, "backup", Found())
    assert failing(shop) == ["24 hours without an old build"]
    age(shop.url, 25)
    assert failing(shop) == ["backup", "smoke"]
    with pytest.raises(NotYet, match="no override lets the contract of change through"):
        api.override_request(shop.settings, "change", reason="in a hurry")
    api.checklist_record(shop.settings, "backup", Found("restored to staging", at=now(shop)))
    api.checklist_record(shop.settings, "smoke", Found("run 9 of the pipeline", version="2.0"))
    assert api.audit_verify(shop.settings).findings == ()
    assert api.apply(shop.settings, phase=Phase.CONTRACT, to="change").states["change"] == "contracted"


@pytest.mark.parametrize("server_database", NEWEST[:1], indirect=True, ids=lambda param: named(*param))
def test_the_command_says_what_is_missing_and_keeps_who_did_without_it(shop, said):
    answers, url = said
    (shop.folder / "newest.py").write_text("raise SystemExit('no backup in the bucket')")
    answers["/live"] = (200, '{"database": "up"}')
    answers["/api/v1/query"] = budget(0.1)
    done = shop.cli("checklist")
    assert done.returncode == 3
    assert done.stdout.startswith("not met: probes, smoke, budget, backup\n")
    assert f"the answer of {url}/live speaks of the database (database)" in done.stdout
    assert "10 % is left, and 20 % is the least" in done.stdout
    assert "no backup in the bucket" in done.stdout
    assert "which proves no backup: archive_mode is off" in done.stdout
    assert shop.cli("checklist", "record", "smoke", "--command", "false").returncode == 1
    assert shop.cli("checklist", "record", "smoke", "--command", f"{sys.executable} -c pass").returncode == 0
    assert shop.cli("checklist", "record", "probes", "--evidence", "looked at it").returncode == 0
    assert shop.json("checklist")["checklist"]["unmet"] == ["probes", "budget", "backup"]  # asked at this moment
    waived = shop.cli("checklist", "waive", "budget", "--reason", "the fix", "--for", "1h", MIGRATOR_ACTOR="ann")
    assert waived.returncode == 0
    answers["/live"] = (200, "up")
    listed = shop.json("checklist", "change")["checklist"]
    assert (listed["met"], listed["revision"], listed["unmet"]) == (False, "change", ["backup", "gate"])
    (budgeted,) = (item for item in listed["items"] if item["name"] == "budget")
    assert (budgeted["result"], budgeted["waiver"]["actor"]) == ("waived", "ann")
    kinds = [event["kind"] for event in shop.json("audit", "export")["events"]]
    assert (kinds.count("checklist recorded"), kinds.count("checklist waived")) == (4, 1)


REFUSED = {
    "an item that is none": (lambda s: api.checklist_record(s, "bakup", Found("x")), 'did you mean "backup"'),
    "nothing to show": (lambda s: api.checklist_record(s, "smoke", Found()), "there is no evidence of smoke"),
    "a blank": (lambda s: api.checklist_record(s, "smoke", Found("  ")), "there is no evidence of smoke"),
    "a backup of no time": (lambda s: api.checklist_record(s, "backup", Found("x")), "when the backup was made"),
    "a backup that does not say when": (
        lambda s: api.checklist_record(s, "backup", python("print(1)")),
        "its last line is no moment",
    ),
    "how much is left": (lambda s: api.checklist_record(s, "budget", Found("x")), "--left 42%"),
    "a waiver without a reason": (lambda s: api.checklist_waive(s, "smoke", reason=" "), "needs a reason"),
    "a waiver for ever": (lambda s: api.checklist_waive(s, "smoke", reason="x", seconds=1e9), "30 days at most"),
    "a waiver of a fact": (lambda s: api.checklist_waive(s, "rows", reason="x"), "cannot be waived"),
}


def test_nothing_is_recorded_without_evidence(project):
    project.url = "postgresql://nobody@127.0.0.1:1/nothing"  # which is not even asked
    for name, (call, says) in REFUSED.items():
        with pytest.raises(UsageError) as refused:
            call(project.settings)
        assert says in f"{refused.value.message} {refused.value.next_step}", name


WRONG = {
    "[tool.migrator.checklist]\nbakup = {}": '"bakup" of [tool.migrator.checklist]; did you mean "backup"?',
    '[tool.migrator.checklist.backup]\nmaxage = "1h"': 'backup: unknown setting "maxage"',
    '[tool.migrator.checklist.backup]\nmax_age = "1 day"': "backup: max_age: '1 day' is not a duration",
    '[tool.migrator.checklist.probes]\nready = "localhost"': "probes: ready: 'localhost' is no URL",
    '[tool.migrator.checklist.budget]\nquery = "x"': "budget: prometheus and query belong together",
    "[tool.migrator]\nchecklist = 3": "must be a table",
    '[tool.migrator]\ncontract_requires = ["smok"]': 'did you mean "smoke"?',
    "[tool.migrator]\ncontract_requires = 3": "is not a list of items",
}


@pytest.mark.parametrize("text", WRONG)
def test_settings_that_cannot_be_meant(text, tmp_path):
    (tmp_path / "pyproject.toml").write_text(f"{text}\n")
    with pytest.raises(SettingsError) as refused:
        settings.load(environ={}, directory=tmp_path)
    assert WRONG[text] in refused.value.message
