"""The plugin of pytest, under the name `migrator`; `-p no:migrator` leaves it out.

It imports nothing but pytest until a test asks for a database.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from migrator.testing.defaults import RUN

if TYPE_CHECKING:
    from migrator.testing.databases import Database

SERVERS = "what migrator_database is on, one after another: postgresql, postgresql-16, mysql, mariadb"
PROJECT = "the folder that migrator is run in, from the root of the tests; that root where not given"
MARKER = (
    "migrator(before=REVISION, at=REVISION): the schema of migrator_database: right before a revision, or at one;"
    " the newest where not said, 'base' is an empty database"
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini("migrator_servers", SERVERS, type="args", default=[])
    parser.addini("migrator_project", PROJECT, default="")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", MARKER)
    RUN.project = config.rootpath / config.getini("migrator_project")
    RUN.servers = tuple(config.getini("migrator_servers"))


def pytest_unconfigure() -> None:
    databases = sys.modules.get("migrator.testing.databases")
    if databases is not None:
        databases.shared().close()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "migrator_database" in metafunc.fixturenames and len(RUN.servers) > 1:
        metafunc.parametrize("migrator_database", RUN.servers, indirect=True)


@pytest.fixture(scope="session")
def migrator_template() -> Callable[[str], None] | None:
    """What fills the template of `migrator_database`: a function that is given the URL of an empty database.

    Define a fixture of this name to fill it otherwise than with the revisions of the project.
    """
    return None


@pytest.fixture
def migrator_database(
    request: pytest.FixtureRequest, migrator_template: Callable[[str], None] | None
) -> Iterator[Database]:
    """A database for one test, with the schema of the newest revision; `pytest.mark.migrator` says otherwise."""
    from migrator.testing.databases import fresh_database
    from migrator.testing.defaults import project_of, usual_server
    from migrator.testing.upgrading import filled

    project = project_of(None)
    server = getattr(request, "param", None) or usual_server(project)
    marker = request.node.get_closest_marker("migrator")
    given = dict(marker.kwargs) if marker else {}
    own = migrator_template if not given else None
    fill, key = (own, own) if own is not None else filled(project, **given)
    with fresh_database(server, fill, key) as made:
        yield made
