"""A mapped column that may not be in the database yet, or no longer."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import MappedColumn, mapped_column
from sqlalchemy.types import TypeEngine, to_instance


def ignored_column(name_or_type: Any, type_: Any = None, **options: Any) -> MappedColumn[Any]:
    """Map a column that no statement names unless the application does: in place of `mapped_column`.

    SELECT, INSERT of one or many, UPDATE, refresh and merge leave it out, so a build that has it works before it is
    added and after it is dropped. Code that knows it is there may set it, filter by it and load it with
    `undefer(User.full_name)`; reading it where it is not loaded raises `InvalidRequestError`.

    Args:
        name_or_type: the type; or the name of the column, where it is another than the attribute's, and then the type.
        type_: the type, where the name is given.
        options: as for `mapped_column`. What makes SQLAlchemy write or read the column by itself is refused.

    Raises:
        TypeError: there is no type, or `options` has a default, `nullable=False` or another way to load.
    """
    name, type_ = (name_or_type, type_) if isinstance(name_or_type, str) else (None, name_or_type)
    if type_ is None or not isinstance(to_instance(type_), TypeEngine):
        raise TypeError('ignored_column needs the type: ignored_column(String(80)), ignored_column("name", String(80))')
    refused = {"default", "default_factory", "insert_default", "server_default", "onupdate", "server_onupdate"}
    refused |= {"deferred", "deferred_raiseload", "primary_key", "nullable"}
    if found := sorted(refused & options.keys()):
        raise TypeError(f"ignored_column is given {found[0]}=, which would make statements name the column")
    # A type that takes None for a value is not sent one by the unit of work where nobody has set it.
    made = to_instance(type_).evaluates_none()
    given = (made,) if name is None else (name, made)
    return mapped_column(*given, nullable=True, deferred=True, deferred_raiseload=True, **options)
