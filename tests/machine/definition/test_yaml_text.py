"""YAML is read as JSON with another look: only what JSON has, at its place, and never without end."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from overwinter.orchestrator.machine.definition.document import Mark, Unreadable
from overwinter.orchestrator.machine.definition.reading import guessed, read
from overwinter.state.errors import InvalidInput

# Numbers to YAML 1.2, and so here; PyYAML, which speaks 1.1, takes them for text and leaves out the quotes.
NUMBERS_SINCE = re.compile(r"[-+]?(?:0[0-9]+|[0-9.]+[eE][-+]?[0-9]+)")
PRINTABLE = st.text(
    st.characters(min_codepoint=32, max_codepoint=0x2FFF, exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=12
).filter(lambda text: not NUMBERS_SINCE.fullmatch(text))
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | PRINTABLE,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(PRINTABLE.filter(lambda key: key != "<<"), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(VALUES)
def test_json_is_yaml(value: Any) -> None:
    text = json.dumps(value, indent=1, ensure_ascii=True)
    assert read(text, "yaml").value == value


@given(VALUES)
def test_what_was_written_as_yaml_comes_back(value: Any) -> None:
    assert read(yaml.safe_dump(value), "yaml").value == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("null", None), ("~", None), ("", None), ("true", True), ("False", False), ("yes", "yes"), ("on", "on"),
        ("12", 12), ("-3", -3), ("+3", 3), ("010", 10), ("0x10", "0x10"), ("1_000", "1_000"), ("1.5", 1.5),
        ("1e3", 1000.0), (".5", 0.5), ("1.", 1.0), ("1:30", "1:30"), ("2026-01-01", "2026-01-01"), ("'12'", "12"),
        ('"true"', "true"), ("!!str 12", "12"), ('!!int "12"', 12), ("=", "="), ("$.a", "$.a"),
        ('"{% $x %}"', "{% $x %}"), ("|\n  a\n  b", "a\nb"), (">\n  a\n  b", "a b"),
    ],
)  # fmt: skip
def test_words_mean_what_json_has(text: str, value: Any) -> None:
    found = read(f"key: {text}", "yaml").value["key"]
    assert found == value and type(found) is type(value)


def test_parts_have_their_places() -> None:
    document = read(
        "StartAt: A\nStates:\n  A:\n    Type: Choice\n    Choices:\n      - Next: B\n      - Next: C\n", "yaml"
    )
    assert document.marks[("States", "A", "Type")] == Mark(4, 5)
    assert document.marks[("States", "A", "Choices", 1)] == Mark(7, 9)
    assert document.marks[()] == Mark(1, 1)


def test_aliases_are_followed_and_stand_where_they_are_used() -> None:
    document = read("a: &x\n  b: [1]\nc: *x\n", "yaml")
    assert document.value == {"a": {"b": [1]}, "c": {"b": [1]}}
    assert document.marks[("c",)] == Mark(3, 1)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [1", "expected"),
        ("a: 1\na b", "could not find|expected"),
        ("a: !Sub b", "the tag !Sub"),
        ("a: *b", "no anchor &b"),
        ("a: &x [*x]", "128 levels"),
        ("a: {<<: {b: 1}}", "merge keys"),
        ("1: a", "a key must be text"),
        ("[a]: b", "a key must be text"),
        ("a: 1\n---\nb: 2", "more than one document"),
        ("a: 1e999", "larger"),
        ("a: .nan", "no number"),
        ("a: .inf", "no number"),
        ("a: " + "9" * 5000, "4,300 digits"),
        ("# nothing", "there is nothing"),
        ("a: \x01", "no YAML|not allowed"),
        ("{a: " * 200 + "1" + "}" * 200, "128 levels"),
        ("[" * 100_000, "128 levels"),
    ],
)
def test_what_is_no_definition_is_refused(text: str, said: str) -> None:
    with pytest.raises(Unreadable, match=said):
        read(text, "yaml")


def test_aliases_of_aliases_end() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    with pytest.raises(Unreadable, match="aliases"):
        read("\n".join(lines), "yaml")


def test_keys_that_stand_twice_are_found() -> None:
    document = read("a: 1\nb:\n  c: 1\n  c: 2\na: 3\n", "yaml")
    assert [(one.pointer, one.mark.line) for one in document.duplicates] == [(("b", "c"), 4), (("a",), 5)]


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    for form in ("json", "yaml"):
        try:
            read(text, form)
        except Unreadable as error:
            assert str(error)


def test_without_pyyaml_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(InvalidInput, match=r"overwinter\[machine\]"):
        read("a: 1", "yaml")
    assert read('{"a": 1}').value == {"a": 1}


def test_the_form_is_seen() -> None:
    assert guessed(' \n{"a": 1}') == "json" and guessed("[]") == "json" and guessed('"a"') == "json"
    assert guessed("StartAt: A") == "yaml" and guessed("# a\n{a: 1}") == "yaml"
