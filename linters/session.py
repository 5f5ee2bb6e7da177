"""The state a script is judged in: what exists, which transaction is open, what it holds, what is set.

It is what one session would see. Every change is written to a journal first, so
that ROLLBACK takes it back.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from linters.frozen import Frozen, changed
from linters.values import (
    UNKNOWN_TYPE,
    Column,
    Constraint,
    Domain,
    Index,
    Labels,
    Mode,
    Name,
    Relation,
    Routine,
)

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")
UNITS = {"": 1, "us": 0.001, "ms": 1, "s": 1000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}


class Registry(Generic[Key, Value]):
    """Values by name, with a journal of what they were before."""

    def __init__(self, journal: list[tuple[dict[Any, Any], Any, Any]]) -> None:
        self.values: dict[Key, Value] = {}
        self.journal = journal

    def get(self, key: Key) -> Value | None:
        return self.values.get(key)

    def put(self, key: Key, value: Value) -> None:
        self.journal.append((self.values, key, self.values.get(key)))
        self.values[key] = value

    def remove(self, key: Key) -> None:
        if key in self.values:
            self.journal.append((self.values, key, self.values[key]))
            del self.values[key]


class Held(Frozen):
    """A lock of the open transaction, and the line of the statement that took it.

    `renamed`: it was taken under another name, under which it is held, too.
    """

    mode: Mode
    line: int
    renamed: bool = False


@dataclass(frozen=True, slots=True)
class Given:
    """What is known of the server before the first statement.

    Args:
        version: major version of the server; of MySQL and MariaDB more of it, `(8, 0, 36)`.
        schema: where unqualified names live.
        complete: the schema is known in full, so what is not in it does not exist.
        timezone: of the sessions that run the script.
        lock_timeout: milliseconds that are set for them, 0 for none.
        in_transaction: whoever runs a script puts it in one transaction, unless said otherwise of the script.
        dialect: `postgresql`, `mysql` or `mariadb`.
        unreleased: no version of the application uses what a script creates before the script is over.
    """

    version: int | tuple[int, ...] = 17
    schema: str = "public"
    complete: bool = False
    timezone: str | None = None
    lock_timeout: float = 0
    in_transaction: bool = False
    dialect: str = "postgresql"
    unreleased: bool = False

    @property
    def release(self) -> tuple[int, ...]:
        return self.version if isinstance(self.version, tuple) else (self.version,)


class Session:
    """One session that runs a script."""

    def __init__(self, given: Given) -> None:
        self.given = given
        self.journal: list[tuple[dict[Any, Any], Any, Any]] = []
        self.relations: Registry[Name, Relation] = Registry(self.journal)
        self.indexes: Registry[Name, Index] = Registry(self.journal)
        self.domains: Registry[str, Domain] = Registry(self.journal)
        self.enums: Registry[str, Labels] = Registry(self.journal)
        self.routines: Registry[str, Routine] = Registry(self.journal)
        self.settings: Registry[str, str | None] = Registry(self.journal)
        self.local_settings: dict[str, str | None] = {}
        # Who may belong to a table; whoever asks looks whether it still does, so nothing is ever taken out.
        self.heirs: dict[Name, dict[Name, None]] = {}
        self.referrers: dict[Name, dict[Name, None]] = {}
        self.index_names: dict[Name, dict[Name, None]] = {}
        self.readers: dict[Name, dict[Name, None]] = {}
        self.held: dict[Name, Held] = {}
        self.explicit = False
        self.wrapped = given.in_transaction
        self.era = 1
        self.script = 0
        self.marks: list[tuple[str, int, dict[Name, Held]]] = []
        self.new_values: set[str] = set()
        self.turns = 0
        self.costed: tuple[Any, tuple[int, int], Any] | None = None
        # Something was run of which nobody knows what it has made.
        self.doubtful = False

    def copy(self) -> Session:
        """Another session that knows the same, between two scripts."""
        made = Session(self.given)
        for name in ("relations", "indexes", "domains", "enums", "routines"):
            getattr(made, name).values.update(getattr(self, name).values)
        for name in ("heirs", "referrers", "index_names", "readers"):
            getattr(made, name).update({key: dict(found) for key, found in getattr(self, name).items()})
        made.era, made.script, made.doubtful = self.era, self.script, self.doubtful
        return made

    @property
    def version(self) -> int:
        return self.given.release[0]

    @property
    def moment(self) -> tuple[int, int]:
        """Equal at two times between which nothing that is known or set has changed."""
        return self.turns, len(self.journal)

    @property
    def in_transaction(self) -> bool:
        return self.explicit or self.wrapped

    def start_script(self, in_transaction: bool | None = None) -> None:
        """Another script begins: what earlier ones created is there, and no transaction of theirs is open.

        Args:
            in_transaction: whoever runs it puts it in one transaction; None as for all scripts.
        """
        self.end()
        self.wrapped = self.given.in_transaction if in_transaction is None else in_transaction
        self.era += 1
        self.script += 1
        self.turns += 1
        self.settings.values.clear()

    def resolve(self, name: Name) -> Name:
        if name.schema:
            return name
        if ("pg_temp", name.name) in self.relations.values:
            return Name("pg_temp", name.name)
        return Name(self.search_path(), name.name)

    def search_path(self) -> str:
        given = self.setting("search_path")
        if given is None:
            return self.given.schema
        parts = [part.strip(' "') for part in given.split(",")]
        return next((part for part in parts if part and not part.startswith("$")), self.given.schema)

    def relation(self, name: Name) -> Relation:
        """What is known of a relation; of an unknown one, that it may have rows and readers."""
        known = self.resolve(name)
        found = self.relations.values.get(known)
        return found if found is not None else Relation(known)

    def knows(self, name: Name) -> bool:
        return self.relations.get(self.resolve(name)) is not None

    def column(self, table: Name, name: str) -> Column:
        return self.relation(table).column(name) or Column(name, UNKNOWN_TYPE)

    def is_new(self, name: Name) -> bool:
        """Whether no other session can have a relation in use: this transaction creates it, or it is temporary."""
        found = self.relations.values.get(self.resolve(name))
        return found is not None and (found.temporary or found.born == self.era)

    def put(self, relation: Relation) -> None:
        self.relations.put(relation.name, relation)
        for parent in relation.parents:
            self.heirs.setdefault(parent, {})[relation.name] = None
        for constraint in relation.constraints:
            if constraint.references is not None:
                self.referrers.setdefault(constraint.references, {})[relation.name] = None
        for table, _ in relation.reads:
            self.readers.setdefault(table, {})[relation.name] = None

    def put_index(self, index: Index) -> None:
        self.indexes.put(index.name, index)
        self.index_names.setdefault(index.table, {})[index.name] = None

    def indexes_of(self, name: Name) -> list[Index]:
        table = self.resolve(name)
        found = [self.indexes.get(name) for name in self.index_names.get(table, ())]
        return [index for index in found if index is not None and index.table == table]

    def children(self, name: Name) -> Iterator[Relation]:
        """Partitions and inheritors of a table, and theirs."""
        parent = self.resolve(name)
        for heir in list(self.heirs.get(parent, ())):
            relation = self.relations.get(heir)
            if relation is not None and parent in relation.parents:
                yield relation
                yield from self.children(heir)

    def referencing(self, name: Name) -> Iterator[tuple[Relation, Constraint]]:
        """Foreign keys of other tables to this one."""
        target = self.resolve(name)
        for other in list(self.referrers.get(target, ())):
            relation = self.relations.get(other)
            for constraint in relation.constraints if relation is not None and other != target else ():
                if constraint.references == target:
                    yield relation, constraint  # type: ignore[misc]

    def needing(self, name: Name, key: Constraint) -> Iterator[tuple[Relation, Constraint]]:
        """Foreign keys of other tables that reference what a key of this one makes unique."""
        for other, constraint in self.referencing(name):
            if set(constraint.referenced_columns or key.columns) == set(key.columns):
                yield other, constraint

    def setting(self, name: str) -> str | None:
        if name in self.local_settings:
            return self.local_settings[name]
        return self.settings.get(name)

    def milliseconds(self, name: str) -> float | None:
        """A timeout that the script has set; None where it has not."""
        value = self.setting(name)
        if value is None:
            return None
        found = re.fullmatch(r"\s*(-?[\d.]+)\s*([a-z]*)\s*", value.lower())
        return float(found[1]) * UNITS.get(found[2], 1) if found else None

    @property
    def lock_timeout(self) -> float:
        """Milliseconds after which a statement stops waiting for a lock; 0 for never."""
        given = self.milliseconds("lock_timeout")
        return self.given.lock_timeout if given is None else max(given, 0)

    def begin(self) -> None:
        if self.in_transaction:  # begins nothing: what came before is in the same one
            return
        self.explicit = True
        self.turns += 1
        self.journal.clear()
        self.marks.clear()

    def end(self) -> None:
        """COMMIT. What the transaction created is in use from then on."""
        if self.in_transaction and not self.given.unreleased:
            self.era += 1
        self.turns += 1
        self.explicit = self.wrapped = False
        self.held.clear()
        self.new_values.clear()
        self.local_settings.clear()
        self.journal.clear()
        self.marks.clear()

    def rollback(self, savepoint: str = "") -> None:
        if not self.in_transaction:
            return
        mark, held = 0, dict[Name, Held]()
        if savepoint:
            found = next((m for m in reversed(self.marks) if m[0] == savepoint), None)
            if found is None:
                return
            mark, held = found[1], found[2]
        for values, key, was in reversed(self.journal[mark:]):
            if was is None:
                values.pop(key, None)
            else:
                values[key] = was
        self.turns += 1
        del self.journal[mark:]
        if savepoint:
            self.held = dict(held)
        else:
            self.end()

    def mark(self, name: str) -> None:
        self.marks.append((name, len(self.journal), dict(self.held)))

    def hold(self, name: Name, mode: Mode, line: int) -> None:
        table = self.resolve(name)
        before = self.held.get(table)
        if before is None or before.mode < mode:
            self.held[table] = Held(mode, line)

    def change(self, name: Name, **values: Any) -> None:
        """Replace facts of a relation; what is not known before is from then on."""
        self.put(changed(self.relation(name), **values))
