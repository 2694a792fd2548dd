"""What has left the window of a conversation is shown in a line."""

from __future__ import annotations

from typing import Any

import pytest

from overwinter.cli.view.timeline import Timeline
from overwinter.cli.view.window import gone


@pytest.mark.parametrize(
    ("entry", "line"),
    [
        ({"turns": 7, "why": "41 of 40 messages"}, "turns up to 7 are outside (41 of 40 messages)"),
        ({"turns": 7, "summary": "S"}, "turns up to 7 are outside, a summary stands for them"),
        ({"steps": 1}, "answers up to 1 of the turn are outside"),
        ({"shortened": [3, 9], "keep": 9}, "2 long results shortened"),
        ({"from": "front"}, "from front"),
        (
            {"from": "front", "turns": 0, "steps": 1, "summary": "S"},
            "from front, turns up to 0 are outside, answers up to 1 of the turn are outside, a summary stands for them",
        ),
    ],
)
def test_it_says_what_is_outside_and_why(entry: dict[str, Any], line: str) -> None:
    assert gone(entry) == line


def test_a_summary_is_work_that_cost_something() -> None:
    timeline = Timeline()
    timeline.add(1, {"type": "message", "at": 1, "id": "m1", "content": "hello"})
    value = {"text": "In short.", "usage": {"input": 70, "output": 7}, "cost": "0.5"}
    rows = timeline.add(2, {"type": "summary", "op": "t1.m1.c1", "at": 9, "ms": 3, "name": "cheap", "value": value})
    rows += timeline.add(3, {"type": "compacted", "op": "t1.m1", "at": 9, "name": "cheap", "turns": 2})
    assert [(row.kind, row.name) for row in rows] == [("summary", "cheap"), ("compacted", "cheap")]
    assert rows[0].usage is not None and rows[0].usage.tokens == 77 and rows[1].value == "turns up to 2 are outside"


def test_a_handoff_is_a_row_that_says_who_has_the_conversation() -> None:
    timeline = Timeline()
    entry = {"type": "handoff", "op": "t1.m1.0", "at": 9, "name": "billing", "from": "front", "text": "Go on."}
    (row,) = timeline.add(1, entry)
    assert (row.kind, row.name, row.op, row.value) == ("handoff", "billing", "t1.m1.0", "from front")
