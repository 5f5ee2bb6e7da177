"""The PostgreSQL server of our own."""

from __future__ import annotations

import pytest

from migrator.embedded import EmbeddedServer, all_binaries
from migrator.errors import ConnectionFailed
from tests.plugins.servers import missing


def test_a_server_whose_port_another_one_has_is_not_taken_for_it():
    found = all_binaries()
    if not found:
        missing("no PostgreSQL server on this machine")
    with EmbeddedServer(found[max(found)]) as other:
        late = EmbeddedServer(found[max(found)])
        late.port = other.port
        with pytest.raises(ConnectionFailed, match="did not come up"), late:
            pass
        assert not late.folder.exists()
