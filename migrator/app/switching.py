"""One name for two columns: the old one until the new one may be read."""

from __future__ import annotations

from inspect import signature
from typing import Any

from sqlalchemy import ColumnElement, inspect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import Mapper, column_property, object_session
from sqlalchemy.sql.visitors import InternalTraversal

from migrator.app.deciding import Choice, Flag, Source, add_source, current, decided
from migrator.app.dual_writing import column_of
from migrator.app.phases import Phase
from migrator.errors import UsageError


class Switched(ColumnElement[Any]):
    """One of two columns; which, is known when the statement that has it is compiled."""

    __visit_name__ = "migrator_switched"
    inherit_cache = True
    _traverse_internals = [  # noqa: RUF012
        ("old", InternalTraversal.dp_clauseelement),
        ("new", InternalTraversal.dp_clauseelement),
        ("place", InternalTraversal.dp_plain_obj),
        ("reads_new", InternalTraversal.dp_boolean),
    ]

    def __init__(self, old: Any, new: Any, source: Source) -> None:
        self.old, self.new, self.place, self.type = old, new, source, old.type

    def self_group(self, against: Any = None) -> Any:
        return self

    @property
    def reads_new(self) -> bool:
        """Part of what a compiled statement is found by."""
        return current().of(self.place).reads_new

    @property
    def _from_objects(self) -> Any:
        return self.old._from_objects


@compiles(Switched)
def one_of(element: Switched, compiler: Any, **options: Any) -> str:
    return str(compiler.process(element.new if element.reads_new else element.old, **options))


def read_switch(
    model: type[Any],
    name: str,
    *,
    old: Any,
    new: Any,
    revision: str = "",
    flag: Flag | None = None,
    assume: Phase = Phase.ABSENT,
) -> None:
    """Give a model an attribute that reads and writes one of two columns.

    Reads, filters and ordering follow the phase of a revision, a flag, or both: with both, the flag chooses while
    both columns are filled, and the phase does before and after. It is decided once for each transaction of a
    session, and a look that fails changes nothing. What is set, or given in `update()` and bulk operations, goes to
    the column that is read, and from there into the other by the triggers of the revision or by `dual_write`; with a
    flag alone it goes to both.

    Map the columns with `ignored_column` where the build has to run before the one is added or after the other is
    dropped: the attribute loads the right one of them with the object.

    Args:
        model: a mapped class.
        name: of the attribute.
        old, new: attributes of the model, each one column of its table, of one type.
        revision: full name of the revision that replaces the column. Its phase is asked in the background.
        flag: says whether the new column is read, `flag_of("read-name")` for one of OpenFeature.
        assume: how far the revision is, where the ledger does not know it (see `phase_of`).

    Raises:
        UsageError: neither revision nor flag is given, or the columns are not two of one type in the model's table.
    """
    if not revision and flag is None:
        raise UsageError("read_switch needs to be told when to switch", next_step='give revision="…", flag=…, or both')
    columns = column_of(old), column_of(new)
    if columns[0].table is not columns[1].table or columns[0] is columns[1]:
        raise UsageError(f"{columns[0]} and {columns[1]} are not two columns of one table")
    if columns[0].type._type_affinity is not columns[1].type._type_affinity:
        raise UsageError(f"{columns[0]} and {columns[1]} are of different types, so one name cannot stand for both")
    source = Source(f"{model.__name__}.{name}", model, revision, flag, assume)
    keys, loaded = (old.key, new.key), f"_{name}_as_decided"
    element = Switched(*columns, source)
    add_source(source)
    if any(attribute.property.deferred for attribute in (old, new)):
        mapper_of(model).add_property(loaded, column_property(element))
    setattr(model, name, switch_attribute(name, keys, loaded, source))


def switch_attribute(name: str, keys: tuple[str, str], loaded: str, source: Source) -> Any:
    """The attribute itself, for instances, for classes and for statements that write."""

    def get(self: Any) -> Any:
        reads_new = decided(object_session(self)).of(source).reads_new
        key, other = keys[reads_new], keys[not reads_new]
        values = self.__dict__
        if key in values:
            return values[key]
        if self._sa_instance_state.key:
            return getattr(self, loaded if hasattr(type(self), loaded) else key)
        # There is nothing to load, and it may have been set when the other column was read.
        return getattr(self, other if other in values else key)

    def put(self: Any, value: Any) -> None:
        for key in written(keys, decided(object_session(self)).of(source)):
            setattr(self, key, value)

    made: dict[Any, Switched] = {}

    def expression(cls: Any) -> Any:
        found = made.get(cls)
        if found is None:
            old, new = (getattr(cls, key).__clause_element__() for key in keys)
            found = Switched(old, new, source)
            if isinstance(cls, type):  # an alias is for one statement
                made[cls] = found
        return found

    def assign(cls: Any, value: Any) -> Any:
        return [(getattr(cls, key), value) for key in written(keys, current().of(source))]

    def assign_row(_cls: Any, row: Any, value: Any) -> None:
        for key in written(keys, current().of(source)):
            row[key] = value

    get.__name__ = name
    known = signature(hybrid_property.__init__).parameters
    bulk: dict[str, Any] = {"bulk_dml_setter": assign_row} if "bulk_dml_setter" in known else {}  # SQLAlchemy 2.1
    return hybrid_property(get, put, expr=expression, update_expr=assign, **bulk)


def mapper_of(model: type[Any]) -> Mapper[Any]:
    found: Mapper[Any] = inspect(model)
    return found


def written(keys: tuple[str, str], choice: Choice) -> list[str]:
    return [key for key, writes in zip(keys, (choice.writes_old, choice.writes_new), strict=True) if writes]
