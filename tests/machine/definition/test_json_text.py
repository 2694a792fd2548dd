"""JSON is read as elsewhere, with the place of every part; what is no JSON is refused at the place where it ends to
be."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overwinter.orchestrator.machine.definition.document import Mark, Pointer, Unreadable, location, rfc6901
from overwinter.orchestrator.machine.definition.reading import read

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)


def parts(value: Any, pointer: Pointer = ()) -> list[Pointer]:
    found = [pointer]
    if isinstance(value, dict):
        for key, item in value.items():
            found += parts(item, (*pointer, key))
    if isinstance(value, list):
        for index, item in enumerate(value):
            found += parts(item, (*pointer, index))
    return found


@given(VALUES, st.sampled_from([None, 1, 3]), st.booleans())
def test_values_are_those_of_the_standard_library(value: Any, indent: int | None, ascii: bool) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ascii)
    document = read(text, "json")
    assert document.value == value and repr(document.value) == repr(value)
    assert set(document.marks) == set(parts(value))
    assert document.size == len(text.encode())


@given(VALUES)
def test_a_mark_is_where_the_part_stands(value: Any) -> None:
    text = json.dumps(value, indent=2)
    lines = text.split("\n")
    document = read(text, "json")
    for pointer, mark in document.marks.items():
        rest = lines[mark.line - 1][mark.column - 1 :]
        if pointer and isinstance(pointer[-1], str):
            assert rest.startswith(json.dumps(pointer[-1]) + ":")
        else:
            assert rest and not rest[0].isspace()


@given(VALUES, st.data())
def test_what_others_refuse_is_refused(value: Any, data: st.DataObject) -> None:
    text = json.dumps(value)
    at = data.draw(st.integers(0, len(text)))
    broken = (
        text[:at] + data.draw(st.sampled_from(["", "}", ",", '"', "\\", "x", "[", "0", " ", "\x01"])) + text[at + 1 :]
    )
    try:
        expected, refused = json.loads(broken), False
    except ValueError:
        expected, refused = None, True
    try:
        document = read(broken, "json")
    except Unreadable as error:
        assert refused or "pair" in str(error) or "larger" in str(error)
        return
    assert not refused and document.value == expected


@pytest.mark.parametrize(
    ("text", "line", "column", "said"),
    [
        ('{"a": 1,\n "b" 2}', 2, 6, "a colon"),
        ('{"a": 1\n "b": 2}', 2, 2, "a comma or }"),
        ("[1,\n2\n3]", 3, 1, "a comma or ]"),
        ('{"a": 1,}', 1, 9, "a key in double quotes"),
        ("{'a': 1}", 1, 2, "a key in double quotes"),
        ('{"a": True}', 1, 11, "no JSON value"),
        ('{"a": 01}', 1, 7, "no number"),
        ('{"a": 1e400}', 1, 7, "larger"),
        ('{"a": ' + "9" * 5000 + "}", 1, 7, "4,300 digits"),
        ('{"a": "b\n"}', 1, 7, "not ended"),
        ('{"a": "\\x"}', 1, 7, "not ended"),
        ('{"a": 1} {', 1, 10, "there is more"),
        ('{"a": 1 // why\n}', 1, 9, "a comma or }"),
        ('\ufeff{"a": 1}', 1, 1, "byte order mark"),
        ('{"a": ', 1, 7, "the text ends"),
        ("[" * 129, 1, 129, "128 levels"),
    ],
)
def test_the_place_of_what_is_wrong(text: str, line: int, column: int, said: str) -> None:
    with pytest.raises(Unreadable, match=said) as refused:
        read(text, "json")
    assert refused.value.mark == Mark(line, column)


def test_a_long_string_without_an_end_takes_no_time() -> None:
    with pytest.raises(Unreadable):
        read('{"a": "' + "b" * 200_000, "json")


def test_keys_that_stand_twice_are_found_and_the_last_counts() -> None:
    document = read('{"a": 1, "b": {"c": 1,\n "c": 2},\n "a": 3}', "json")
    assert document.value == {"a": 3, "b": {"c": 2}}
    assert [(one.pointer, one.mark) for one in document.duplicates] == [(("b", "c"), Mark(2, 2)), (("a",), Mark(3, 2))]


def test_a_part_that_is_not_there_stands_where_the_next_around_it_does() -> None:
    document = read('{\n"a": {\n"b": 1}}', "json")
    assert document.mark(("a", "x", 1)) == Mark(2, 1) and document.mark(("y",)) == Mark(1, 1)


def test_pointers_are_written_both_ways() -> None:
    assert rfc6901(()) == "" and location(()) == "/"
    assert rfc6901(("States", "a/b~c", "Choices", 0)) == "/States/a~1b~0c/Choices/0"
    assert location(("States", "a/b~c", "Choices", 0, "Next")) == "/States/a/b~c/Choices[0]/Next"
