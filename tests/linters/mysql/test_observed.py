"""What is written down of each case, and what the rules say of their scripts, is what a real server does."""

from __future__ import annotations

import contextlib

import pytest

from benchmarks.lint_corpus_mysql import recorded
from linters.dialects import dialect
from linters.engine import Engine
from linters.mysql.alterations import AlterTable
from linters.session import Given, Session
from linters.source import Source
from migrator.shadow.asking import version_of
from tests.linters.mysql.corpus import label
from tests.linters.mysql.observing import observe
from tests.linters.mysql.servers import connection_to

NAMES = ("mysql", "mariadb")


@pytest.fixture(scope="module")
def servers():
    """Connections by dialect, each made when it is first asked for."""
    with contextlib.ExitStack() as stack:
        made = {}

        def connection(name):
            if name not in made:
                made[name] = stack.enter_context(connection_to(name))
            return made[name]

        yield connection


def release_of(connection):
    major, minor, _ = version_of(connection.get_server_info())
    return f"{major}.{minor}"


@pytest.mark.parametrize("name", NAMES)
def test_the_truth_of_every_case_is_what_the_server_does(name, servers):
    connection = servers(name)
    release = release_of(connection)
    differ, tried = [], 0
    for case in recorded(name):
        if release in case.truth:
            tried += 1
            found = observe(connection, case.schema, case.statement)
            if found.partition(":")[0] != case.truth[release]:
                differ.append((str(case), case.truth[release], found))
    assert differ == []
    if not tried:
        pytest.skip(f"nothing is written down of {name} {release}")


def alters(script, rule, name, session):
    """ALTERs of a script with what the linter says of them, each in the state before it."""
    engine = Engine(session)
    engine.seed(Source("schema", rule.given.encode()))
    before = statements(rule.given, name, session)
    used = dialect(name)
    for piece in used.split(Source("script", script.encode()), session):
        text = script.encode()[piece.start : piece.end].decode()
        for action in used.read(piece.node) if piece.node else ():
            if isinstance(action, AlterTable) and not action.algorithm and not action.lock:
                yield text, list(before), used.cost_of(action, session)
            used.apply(action, session)
        before.append(text)


def statements(script, name, session):
    data = script.encode()
    return [data[p.start : p.end].decode() for p in dialect(name).split(Source("x", data), session)]


@pytest.mark.parametrize("name", NAMES)
def test_what_is_said_of_the_scripts_of_every_rule_is_what_the_server_does(name, servers):
    connection = servers(name)
    release = tuple(map(int, release_of(connection).split(".")))
    differ = []
    for rule in dialect(name).rules.values():
        if rule.version and rule.version[0] != release[0]:
            continue
        for script in (rule.bad, rule.good):
            session = Session(Given(version=release, dialect=name, complete=True))
            for text, before, cost in alters(script, rule, name, session):
                if "PARTITION" in text.upper():
                    continue  # partition commands take no ALGORITHM on MariaDB
                found = observe(connection, before, text)
                if label(cost) != ("error" if found.startswith("error") else found):
                    differ.append((rule.id, text, label(cost), found))
    assert differ == []
