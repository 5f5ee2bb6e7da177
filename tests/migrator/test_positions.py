"""Positions of logs: up to where a server has written, and whether a replica has come that far."""

from __future__ import annotations

import pytest

from migrator.dialects.positions import POSITIONS

STATUS = {"Relay_Source_Log_File": "log.000010", "Exec_Source_Log_Pos": 200, "Source_UUID": "a-b"}


def answering(**columns):
    """A server that answers every question with one row, or with none where no column is given."""
    return lambda _: [columns] if columns else []


@pytest.mark.parametrize(
    ("family", "position", "answer", "there"),
    [
        ("mysql", "log.000009:900", STATUS, True),
        ("mysql", "log.000010:200", STATUS, True),
        ("mysql", "log.000010:201", STATUS, False),
        ("mysql", "log.000011:4", STATUS, False),
        ("mysql", "log.000011:4", {}, False),
        ("mariadb", "0-1-270", {"position": "0-1-270"}, True),
        ("mariadb", "0-1-270,1-4-3", {"position": "0-2-300,1-4-2"}, False),
        ("mariadb", "0-1-270,1-4-3", {"position": "0-2-300"}, False),
        ("mariadb", "0-1-270", {"position": ""}, False),
    ],
)
def test_a_replica_has_a_position_once_it_has_all_before_it(family, position, answer, there):
    assert POSITIONS[family].replayed(answering(**answer), position) is there


@pytest.mark.parametrize(
    ("answer", "why"),
    [(STATUS, ""), ({**STATUS, "Source_UUID": "c-d"}, "it follows c-d, and not a-b"), ({}, "it follows no server")],
)
def test_who_follows_another_server_is_no_replica_of_this_one(answer, why):
    assert POSITIONS["mysql"].stranger(answering(id="a-b"), answering(**answer)) == why
