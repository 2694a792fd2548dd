"""What is written can be read, however it is wrapped; what can't be is refused by name or mended where it enters."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overwinter.state.codec import DEPTH, clean, cleaned, copied, dumps, loads, readable
from overwinter.state.errors import InvalidInput, PayloadTooLarge


def nested(levels: int, inside: Any = None) -> Any:
    for level in range(levels):
        inside = [inside] if level % 2 else {"a": inside}
    return inside


def test_the_deepest_value_is_read_in_every_wrapping() -> None:
    value = nested(DEPTH)
    assert readable(dumps(value)) == value
    for _ in range(36):
        value = {"value": [value]}
    assert loads(dumps(value)) == value, "no answer or fact wraps a value this often"


@pytest.mark.parametrize("levels", [DEPTH + 1, 199, 200, 201, 202, 254])
def test_a_deeper_one_is_refused_by_name(levels: int) -> None:
    with pytest.raises(InvalidInput, match=f"more than {DEPTH} levels"):
        readable(dumps(nested(levels)))


@pytest.mark.parametrize("value", [[{}] * 900, {"a": "[" * 900}, "{[" * 900, [[], [[]]] * 300])
def test_many_brackets_are_not_depth(value: Any) -> None:
    assert readable(dumps(value)) == value


def test_an_integer_that_no_reader_takes_is_refused_by_name() -> None:
    assert readable(dumps(10**4000)) == 10**4000
    with pytest.raises(InvalidInput, match="4,300 digits"):
        readable(dumps([10**5000]))


def test_the_limit_counts_bytes() -> None:
    assert readable(dumps("äää"), 8) == "äää"
    with pytest.raises(PayloadTooLarge, match="8 bytes, the limit is 7"):
        readable(dumps("äää"), 7)


@pytest.mark.parametrize(
    ("text", "mended"),
    [
        ("plain", "plain"),
        ("größer 😀", "größer 😀"),
        ("cut \ud83d", "cut \ufffd"),
        ("\ude00 cut", "\ufffd cut"),
        ("\ud83d\ude00 joined", "😀 joined"),
        ("\ud83d\ud83d\ude00", "\ufffd😀"),
        ("😀\ud83dx", "😀\ufffdx"),
    ],
)
def test_half_a_surrogate_pair_is_replaced(text: str, mended: str) -> None:
    assert clean(text) == mended
    assert cleaned({text: [text, (text,)], "n": 1}) == {mended: [mended, [mended]], "n": 1}


@given(st.text(st.characters()))
def test_a_clean_text_can_be_stored(text: str) -> None:
    assert loads(dumps(clean(text))) == clean(text)
    assert clean(clean(text)) == clean(text)


def test_a_copy_is_an_object_of_its_own() -> None:
    value = {"a": [1]}
    assert copied(value) == value
    assert copied(value)["a"] is not value["a"]
    assert copied("text") == "text"
