"""Steps survive the way through the ledger."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phases.encoding import decode, encode
from phases.model import BuildIndex, Fill, Lock, LockMode, Loss, RemoveIndex, TableName, Transaction, Verify

text = st.text(max_size=20)
texts = st.lists(text, max_size=3).map(tuple)
tables = st.builds(TableName, text, text)
locks = st.builds(Lock, tables, st.sampled_from(LockMode))
losses = st.none() | st.builds(Loss, text, text)
leaf = st.one_of(
    st.builds(Verify, name=text, table=tables, target=text, mismatch=text, key=texts),
    st.builds(
        Fill,
        name=text,
        table=tables,
        target=text,
        assignments=text,
        pending=text,
        stripe=st.none() | text,
        key=texts,
        repeat=st.booleans(),
    ),
    st.builds(RemoveIndex, name=text, table=tables, index=text, drop=text, drop_inside=text, state=text),
)
steps = st.recursive(
    leaf,
    lambda inner: st.one_of(
        st.builds(
            Transaction,
            name=text,
            statements=texts,
            locks=st.lists(locks, max_size=2).map(tuple),
            scans=st.booleans(),
            undo=st.lists(inner, max_size=2).map(tuple),
            loses=losses,
        ),
        st.builds(
            BuildIndex,
            name=text,
            table=tables,
            index=text,
            create=text,
            create_inside=text,
            drop=text,
            drop_inside=text,
            state=text,
            undo=st.lists(inner, max_size=2).map(tuple),
        ),
    ),
    max_leaves=6,
)


@given(steps)
def test_round_trip_through_json(step):
    assert decode(json.loads(json.dumps(encode(step)))) == step


def test_a_kind_of_a_newer_program_is_refused():
    with pytest.raises(ValueError, match="teleport"):
        decode({"kind": "teleport", "name": "x"})
