"""Sessions have names by which the gate tells whose they are, and that no server cuts."""

from __future__ import annotations

import pytest

from migrator.app.tagging import session_name
from migrator.errors import UsageError
from phases.sessions import LONGEST, build_of, without_instance


@pytest.mark.parametrize(
    ("app", "version", "instance"),
    [
        ("shop", "2.0", ""),
        ("shop", "2.0", "web-3"),
        ("shop worker", "v2.0-rc.1+b5", "web-3"),
        ("shop", "3f9c1d7e2a4b", "a-name-of-a-pod-that-is-much-longer-than-there-is-room-for-7d9f-xk2v"),
        ("shop", "x" * 47, "web-3"),
        ("shop", "2.0", "köln #1"),
    ],
)
def test_the_gate_reads_the_build_out_of_the_name_of_a_session(app, version, instance):
    name = session_name(app, version, instance)
    assert len(name.encode()) <= LONGEST
    assert name.isascii()
    for marked in (name, f"{name[: LONGEST - 11]} unprepared"):
        assert build_of(marked, {app: {}}) == (app, version)
    assert without_instance(name) == f"{app}/{version}"


@pytest.mark.parametrize(
    ("app", "version", "said"),
    [
        ("shop", "x" * 48, "53 bytes"),
        ("shop", "sha256:" + "f" * 64, "the most that servers keep whole"),
        ("shop", "", "version is empty"),
        ("shop", "2.0 rc", "cannot stand in the name"),
        ("shop", "2.0#1", "cannot stand in the name"),
        ("shöp", "2.0", "'ö'"),
        ("shop@eu", "2.0", "'@'"),
        ("migrator apply", "2.0", "taken for those of the command line"),
    ],
)
def test_what_a_server_would_cut_or_nobody_could_read_is_refused(app, version, said):
    with pytest.raises(UsageError, match=said):
        session_name(app, version)
