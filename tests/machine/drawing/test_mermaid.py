"""Diagrams: every state and every way of a machine is there, and no name is taken for words of Mermaid."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overwinter.orchestrator.machine.definition.machine import build
from overwinter.orchestrator.machine.drawing.mermaid import mermaid
from overwinter.orchestrator.machine.drawing.sketch import sketch
from overwinter.tests.machine.definitions import ORDER, QUERY, RIGHT

STATE = re.compile(r' *state "([^"\n]*)" as (s\d+)')
ARROW = re.compile(r" *(\[\*\]|s\d+) --> (\[\*\]|s\d+)(?: : ([^\n]*))?")
OPEN, SHUT, BESIDE = re.compile(r" *state (s\d+) \{"), re.compile(r" *\}"), re.compile(r" *--")


def drawn(value: Any) -> tuple[dict[str, str], list[tuple[str, str, str]]]:
    """States by id, and arrows with labels; every line must be one of Mermaid's."""
    first, *lines = mermaid(sketch(build(value))).splitlines()
    assert first == "stateDiagram-v2"
    names: dict[str, str] = {}
    arrows: list[tuple[str, str, str]] = []
    depth = 0
    for line in lines:
        if found := STATE.fullmatch(line):
            assert found[2] not in names
            names[found[2]] = found[1]
        elif found := ARROW.fullmatch(line):
            arrows.append((found[1], found[2], found[3] or ""))
        else:
            depth += bool(OPEN.fullmatch(line)) - bool(SHUT.fullmatch(line))
            assert OPEN.fullmatch(line) or SHUT.fullmatch(line) or BESIDE.fullmatch(line), line
    assert depth == 0
    return names, arrows


def count(value: Any) -> int:
    """How many states there are, also inside of others."""
    if isinstance(value, dict):
        states = value.get("States")
        return (len(states) if isinstance(states, dict) else 0) + sum(map(count, value.values()))
    return sum(map(count, value)) if isinstance(value, list) else 0


@pytest.mark.parametrize("name", RIGHT)
def test_every_state_is_there(name: str) -> None:
    names, arrows = drawn(RIGHT[name])
    assert len(names) == count(RIGHT[name])
    assert {end for arrow in arrows for end in arrow[:2]} - {"[*]"} == set(names)


def test_ways_say_when_they_are_taken() -> None:
    names, arrows = drawn(ORDER)
    ways = {(names.get(begin, begin), names.get(end, end), label) for begin, end, label in arrows}
    assert {
        ("[*]", "Check", ""),
        ("Check", "Enough?", ""),
        ("Check", "Lost", "on Gone"),
        ("Enough?", "Both", "$.sure = true"),
        ("Enough?", "Nothing", "otherwise"),
        ("Both", "Lost", "on States.ALL"),
        ("Lost", "[*]", ""),
        ("[*]", "Left", ""),
        ("Right", "[*]", ""),
    } <= ways
    names, arrows = drawn(QUERY)
    assert ("Which", "Pause", "$answer.ok and $n #62; 3") in {
        (names[a], names.get(b, b), label) for a, b, label in arrows if a in names
    }


def test_branches_stand_beside_each_other() -> None:
    text = mermaid(sketch(build(ORDER)))
    inside = text[text.index("state s6 {") : text.index("}", text.index("state s6 {"))]
    assert inside.count("--\n") == 1 and inside.count("[*] -->") == 2


@given(st.lists(st.text(min_size=1, max_size=20), min_size=1, max_size=4, unique=True))
def test_names_are_never_read_as_more_than_names(names: list[str]) -> None:
    states = {name: {"Type": "Succeed"} for name in names}
    rules = [{"Variable": "$.a", "StringEquals": name, "Next": name} for name in names]
    value = {"StartAt": "\x00start", "States": {"\x00start": {"Type": "Choice", "Choices": rules}, **states}}
    found, arrows = drawn(value)
    assert len(found) == len(names) + 1 and len(arrows) == 2 * len(names) + 1


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ('a "b"; #c', "a #34;b#34;#59; #35;c"),
        ("<<choice>>", "#60;#60;choice#62;#62;"),
        ("go direction LR", "go #100;irection LR"),
        ("Direction  TB", "#68;irection TB"),
        ("a\nb\u202ec\x1b", "a b\ufffdc\ufffd"),
        ("x" * 70, "x" * 59 + "…"),
    ],
)
def test_words_that_mermaid_would_obey(name: str, label: str) -> None:
    names, _ = drawn({"StartAt": name, "States": {name: {"Type": "Succeed"}}})
    assert names == {"s1": label}
