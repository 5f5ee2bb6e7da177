"""What a server is asked in a dual write, in the words of each: what its triggers ask, too."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Boolean, ColumnElement, types
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

Expression = ColumnElement[Any]


class Differs(FunctionElement[bool]):
    """Two values are not the same, of a type whose equal values are the same bytes; NULL is a value."""

    type = Boolean()
    inherit_cache = True


class TextDiffers(Differs):
    """Two texts are not the same bytes, whatever a collation says."""

    inherit_cache = True


class RecordDiffers(Differs):
    """Two values are not the same bytes, of a type that calls different bytes equal."""

    inherit_cache = True


class DocumentDiffers(RecordDiffers):
    """The same of JSON, and of texts with a collation of their own."""

    inherit_cache = True


class OldInsists(FunctionElement[bool]):
    """The session says that the old side wins, and it was written: over the value and the column of it, if any."""

    type = Boolean()
    inherit_cache = True


class Blank(FunctionElement[bool]):
    """A column has no value yet, where triggers know who writes NULL to such a row."""

    type = Boolean()
    inherit_cache = True


class OfType(FunctionElement[Any]):
    """A parameter whose type the server could not tell where it stands; drivers say it of some types only."""

    inherit_cache = True

    def __init__(self, value: Expression) -> None:
        super().__init__(value)
        self.type = value.type


EXACT = (types.Integer, types.Boolean, types.Date, types.DateTime, types.Time, types.LargeBinary, types.Uuid)


def differs(column: Expression, left: Expression, right: Expression) -> Differs:
    """Condition under which two values of a column's type are not the same."""
    type_ = column.type
    if isinstance(type_, types.String):
        return (DocumentDiffers if type_.collation else TextDiffers)(left, right)
    if isinstance(type_, types.JSON):
        return DocumentDiffers(left, right)
    return (Differs if isinstance(type_, EXACT) else RecordDiffers)(left, right)


def sides(element: FunctionElement[Any], compiler: Any, **options: Any) -> list[str]:
    return [compiler.process(clause.self_group(), **options) for clause in element.clauses.clauses]


@compiles(Differs)
def distinct(element: Differs, compiler: Any, **options: Any) -> str:
    left, right = sides(element, compiler, **options)
    return f"(({left}) IS DISTINCT FROM ({right}))"


@compiles(RecordDiffers, "postgresql")
def distinct_records(element: Differs, compiler: Any, **options: Any) -> str:
    left, right = sides(element, compiler, **options)
    return f"(ROW({left})::record OPERATOR(pg_catalog.*<>) ROW({right})::record)"


@compiles(Differs, "mysql", "mariadb")
def not_null_safe_equal(element: Differs, compiler: Any, **options: Any) -> str:
    left, right = sides(element, compiler, **options)
    return f"(NOT (({left}) <=> ({right})))"


@compiles(TextDiffers, "mysql", "mariadb")
@compiles(DocumentDiffers, "mysql", "mariadb")
def distinct_bytes(element: Differs, compiler: Any, **options: Any) -> str:
    found = sides(element, compiler, **options)
    left, right = (f"CAST(CONVERT({side} USING utf8mb4) AS BINARY)" for side in found)
    return f"(NOT ({left} <=> {right}))"


@compiles(OldInsists, "postgresql")
def setting_says_old(element: OldInsists, compiler: Any, **options: Any) -> str:
    said = "(coalesce(pg_catalog.current_setting('migrator.writes', true), '') = 'old')"
    written = sides(element, compiler, **options)
    return f"({' AND '.join([said, *written])})"


@compiles(OldInsists, "mysql", "mariadb")
def variable_says_old(_element: OldInsists, _compiler: Any, **_options: Any) -> str:
    # The column may have been assigned in this statement: what it had before cannot be asked for.
    return "(COALESCE(@migrator_writes, '') = 'old')"


@compiles(Blank, "postgresql")
def is_blank(element: Blank, compiler: Any, **options: Any) -> str:
    (column,) = sides(element, compiler, **options)
    return f"({column} IS NULL)"


@compiles(Blank, "mysql", "mariadb")
def never_known(_element: Blank, _compiler: Any, **_options: Any) -> str:
    return "(FALSE)"


@compiles(OfType)
def told_by_its_place(element: OfType, compiler: Any, **options: Any) -> str:
    return sides(element, compiler, **options)[0]


@compiles(OfType, "postgresql")
def cast_to_type(element: OfType, compiler: Any, **options: Any) -> str:
    (value,) = sides(element, compiler, **options)
    # A text is not cut to its length without a word, as a cast would do.
    if isinstance(element.type, types.String):
        return value
    return f"CAST({value} AS {compiler.dialect.type_compiler_instance.process(element.type)})"
