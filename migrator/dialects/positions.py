"""Up to where a server has written, and whether a replica of it has come that far."""

from __future__ import annotations

import abc
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Protocol

from migrator.dialects.postgresql import WAL_POSITION
from migrator.errors import DatabaseError
from phases.replication import reachable

Ask = Callable[[str], Sequence[Mapping[str, Any]]]
"""Asks a server; answers rows by the names of their columns."""


class Positions(Protocol):
    """What one kind of servers answers. Positions are texts."""

    proves: str
    """What a comparison on a replica leaves open, for people."""
    remedy: str
    """What lets positions be read, for people."""

    def written(self, ask: Ask) -> str:
        """Up to where the server has written; empty where it keeps no log that could be replayed."""

    def stranger(self, ask: Ask, replica: Ask) -> str:
        """Why the other one is no replica of the server; empty where it is one."""

    def replayed(self, replica: Ask, position: str) -> bool: ...


class PostgreSQLPositions:
    """LSNs. A streaming replica has the same bytes, so the address of a row is the same on both."""

    proves = "rows written after it have not been compared"
    remedy = "grant pg_monitor to the role"
    SYSTEM = "SELECT system_identifier::text AS system FROM pg_catalog.pg_control_system()"
    MAY_ASK = "SELECT pg_catalog.has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE') AS may"

    def written(self, ask: Ask) -> str:
        inserted, page = ask(WAL_POSITION)[0].values()
        found = reachable(inserted, page)
        return f"{found >> 32:X}/{found & 0xFFFFFFFF:X}"

    def stranger(self, ask: Ask, replica: Ask) -> str:
        if not replica("SELECT pg_catalog.pg_is_in_recovery() AS standby")[0]["standby"]:
            return "it is not in recovery: only a streaming replica has each row where its primary has it"
        if not (ask(self.MAY_ASK)[0]["may"] and replica(self.MAY_ASK)[0]["may"]):
            return ""
        own, other = ask(self.SYSTEM)[0]["system"], replica(self.SYSTEM)[0]["system"]
        return "" if own == other else f"it is of system {other}, and not of {own}"

    def replayed(self, replica: Ask, position: str) -> bool:
        found = replica(f"SELECT pg_catalog.pg_last_wal_replay_lsn() >= '{position}'::pg_lsn AS there")
        return bool(found[0]["there"])


class LoggedPositions(abc.ABC):
    """What MySQL and MariaDB share: rows are replayed by what the log says of them, and may be others by now."""

    proves = (
        "rows written after it have not been compared, and rows that are not the same on the replica as on its source"
        " may differ there"
    )
    remedy = "GRANT REPLICATION CLIENT ON *.* TO … (MariaDB: BINLOG MONITOR, and REPLICA MONITOR on the replica)"
    status: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()

    @abc.abstractmethod
    def own_id(self, ask: Ask) -> str:
        """What a server calls itself, as its replicas say it of their source."""

    def _status(self, replica: Ask) -> Sequence[Mapping[str, Any]]:
        for statement in self.status[:-1]:
            with suppress(DatabaseError):  # an older server knows the last of them only
                return replica(statement)
        return replica(self.status[-1])

    def stranger(self, ask: Ask, replica: Ask) -> str:
        rows = self._status(replica)
        if not rows:
            return "it follows no server"
        follows = {str(row[name]) for row in rows for name in self.sources if row.get(name)}
        own = self.own_id(ask)
        return "" if own in follows else f"it follows {', '.join(sorted(follows)) or 'somebody else'}, and not {own}"


class MySQLPositions(LoggedPositions):
    """Sets of GTIDs, or else file and offset."""

    status = ("SHOW REPLICA STATUS", "SHOW SLAVE STATUS")
    sources = ("Source_UUID", "Master_UUID")
    GTIDS = "SELECT @@global.gtid_mode AS mode, @@global.gtid_executed AS executed, @@global.log_bin AS logged"

    def own_id(self, ask: Ask) -> str:
        return str(ask("SELECT @@server_uuid AS id")[0]["id"])

    def written(self, ask: Ask) -> str:
        found = ask(self.GTIDS)[0]
        if not found["logged"]:
            return ""
        if found["mode"] == "ON":
            return str(found["executed"]).replace("\n", "")
        version = tuple(map(int, re.findall(r"\d+", str(ask("SELECT VERSION() AS v")[0]["v"]))[:2]))
        (row,) = ask("SHOW BINARY LOG STATUS" if version >= (8, 2) else "SHOW MASTER STATUS")
        return f"{row['File']}:{row['Position']}"

    def replayed(self, replica: Ask, position: str) -> bool:
        if not re.fullmatch(r"\S+\.\d+:\d+", position):
            return bool(replica(f"SELECT GTID_SUBSET('{position}', @@global.gtid_executed) AS there")[0]["there"])
        return any(
            place(f"{row.get('Relay_Source_Log_File')}:{row.get('Exec_Source_Log_Pos')}") >= place(position)
            for row in self._status(replica)
        )


class MariaDBPositions(LoggedPositions):
    """The last GTID of each domain."""

    status = ("SHOW ALL SLAVES STATUS",)
    sources = ("Master_Server_Id",)

    def own_id(self, ask: Ask) -> str:
        return str(ask("SELECT @@server_id AS id")[0]["id"])

    def written(self, ask: Ask) -> str:
        return str(ask("SELECT @@global.gtid_binlog_pos AS position")[0]["position"])

    def replayed(self, replica: Ask, position: str) -> bool:
        there = domains(str(replica("SELECT @@global.gtid_slave_pos AS position")[0]["position"]))
        return all(there.get(domain, -1) >= number for domain, number in domains(position).items())


def place(position: str) -> tuple[int, int]:
    """Number of the file and offset in it; before everything where it cannot be read."""
    found = re.fullmatch(r"\S+\.(\d+):(\d+)", position)
    return (int(found[1]), int(found[2])) if found else (-1, -1)


def domains(position: str) -> dict[str, int]:
    """The last number of each domain: `0-1-270,1-2-30`."""
    parts = [part.strip().split("-") for part in position.split(",") if part.strip()]
    return {domain: int(number) for domain, _, number in parts}


POSITIONS: Mapping[str, Positions] = {
    "postgresql": PostgreSQLPositions(),
    "mysql": MySQLPositions(),
    "mariadb": MariaDBPositions(),
}
