"""The id of an event says how far its reader is: it comes back as it went out, and nothing else is one."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overwinter import InvalidInput
from overwinter.orchestrator.streaming.position import Position, order, position

_numbers = st.integers(0, 10**9 - 1)
_ops = st.builds(
    lambda turn, call, other: f"t{turn}.m{call}" + (f".r{other}" if other else ""),
    st.integers(1, 10**6), st.integers(1, 999), st.integers(0, 9),
)  # fmt: skip
_plain = st.tuples(st.integers(0, 10**12), st.integers(0, 10**5)).map(lambda fields: Position(*fields))
_called = st.tuples(
    st.integers(0, 10**12), st.integers(0, 10**5), _ops, st.text("0123456789abcdef", max_size=8), _numbers,
    _numbers, _numbers, st.integers(0, 2**32 - 1), st.booleans(),
).map(lambda fields: Position(*fields))  # fmt: skip


@given(st.one_of(_plain, _called))
def test_an_id_comes_back_as_it_went_out(at: Position) -> None:
    assert position(str(at)) == at
    assert str(at).isascii() and str(at).isprintable() and " " not in str(at), "it stands in a header as it is"


@given(st.one_of(_called.map(str), st.text(max_size=40)), st.data())
def test_what_is_no_id_is_refused_and_never_raises_otherwise(id: str, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(id)))
    broken = id[:place] + data.draw(st.sampled_from(["~", "x", "٣", "-1", "\n", ""])) + id[place + 1 :]
    try:
        at = position(broken)
    except InvalidInput as error:
        assert "Last-Event-ID" in str(error)
    else:
        assert at == Position() or re.fullmatch(r"[0-9][^\n]*", broken)


@given(st.text(max_size=60), st.lists(st.integers(0, 60), max_size=4))
def test_a_text_begins_with_what_was_told_of_it(text: str, cuts: list[int]) -> None:
    at, before = Position(op="t1.m1"), 0
    for cut in sorted({*cuts, len(text)}):
        at, before = at.said(text[before:cut]), max(cut, before)
        assert at.begins(text)
    assert not text or not at.begins("x" + text[:-1] if text[0] != "x" else "y" + text[1:])
    assert not text or not at.begins(text[:-1])


@pytest.mark.parametrize(("earlier", "later"), [("t1.m1", "t1.m2"), ("t1.m9", "t1.m10"), ("t1.m1", "t1.m1.r1"),
                                               ("t9.m9.r9", "t10.m1"), ("", "t1.m1")])  # fmt: skip
def test_model_calls_have_an_order(earlier: str, later: str) -> None:
    assert order(earlier) < order(later)
