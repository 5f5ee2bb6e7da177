"""Frozen values: what they take, when two are equal, and that nothing changes one."""

from __future__ import annotations

import copy
import pickle

import pytest

from linters.actions import AddIdentity, Begin, Commit, DropColumn, SetNotNull
from linters.frozen import changed
from linters.values import Column, Expression, Name, Relation, Type

T = Name("public", "t")


def test_values_are_equal_where_kind_and_fields_are():
    assert DropColumn(T, "a") == DropColumn(table=T, column="a", cascade=False)
    assert DropColumn(T, "a") != DropColumn(T, "a", cascade=True)
    assert SetNotNull(T, "a") != AddIdentity(T, "a")
    assert Begin() == Begin() != Commit()
    assert len({SetNotNull(T, "a"), SetNotNull(T, "a"), SetNotNull(T, "b")}) == 2


def test_expressions_are_equal_to_themselves_only():
    one = Expression(lambda: "now()")
    assert one == one
    assert one != Expression(one.write)


@pytest.mark.parametrize(
    "make",
    [
        lambda: DropColumn(T),
        lambda: DropColumn(T, cascade=True),
        lambda: DropColumn(T, "a", False, True),
        lambda: DropColumn(T, "a", columns=()),
        lambda: DropColumn(T, "a", column="b"),
        lambda: changed(DropColumn(T, "a"), columns=()),
    ],
)
def test_a_field_that_is_missing_or_that_is_none_is_refused(make):
    with pytest.raises(TypeError, match="DropColumn"):
        make()


def test_nothing_changes_a_value():
    column = Column("a", Type("int4"))
    with pytest.raises(AttributeError):
        column.not_null = True
    with pytest.raises(AttributeError):
        del column.name
    assert changed(column, not_null=True) == Column("a", Type("int4"), not_null=True)
    assert not column.not_null


def test_a_value_is_shown_and_copied_with_all_of_its_fields():
    assert repr(DropColumn(T, "a")) == f"DropColumn(table={T!r}, column='a', cascade=False)"
    relation = Relation(T, columns=(Column("a", Type("int4")),))
    assert copy.deepcopy(relation) == relation == pickle.loads(pickle.dumps(relation))
