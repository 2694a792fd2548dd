"""Journals folded into rows: what belongs together becomes one row, whatever order and gaps the entries have."""

from __future__ import annotations

import unicodedata
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overwinter.cli.view.condense import Gap, condense
from overwinter.cli.view.lines import columns, line
from overwinter.cli.view.text import clean, excerpt, json_text
from overwinter.cli.view.timeline import Timeline
from overwinter.orchestrator.timeline.row import DONE, DROPPED, FAILED, OPEN, Row

Entry = dict[str, Any]
ERROR: Entry = {"kind": "builtins.ValueError", "message": "no"}


def fold(*entries: Entry) -> Timeline:
    timeline = Timeline()
    for number, entry in enumerate(entries, 1):
        timeline.add(number, {"at": number * 100, **entry})
    return timeline


def only(timeline: Timeline) -> Row:
    (row,) = timeline.rows()
    return row


def test_what_was_spent_is_summed_exactly() -> None:
    spent = [{"type": "model", "op": str(n), "ms": 1, "value": {"cost": "0.1"}} for n in range(3)]
    assert fold(*spent).totals.cost == Decimal("0.3")


def test_retries_and_the_end_are_one_row() -> None:
    again: Entry = {"type": "retrying", "op": "1", "name": "pay", "n": 2, "until": 9000, "error": ERROR}
    waiting = fold(again)
    assert (only(waiting).state, only(waiting).attempts, only(waiting).until) == (OPEN, 3, 9000)
    ended = fold(again, {"type": "step", "op": "1", "name": "pay", "ms": 5, "n": 3, "value": 1})
    row = only(ended)
    assert (row.state, row.attempts, row.until, row.error, row.ms) == (DONE, 3, None, None, 100)
    assert ended.waiting == {} and ended.totals.retries == 2


def test_a_begun_call_is_open_until_it_ends() -> None:
    timeline = fold({"type": "begun", "op": "1", "name": "pay", "n": 1})
    assert only(timeline).state == OPEN
    timeline.add(2, {"type": "tool", "at": 300, "op": "1", "name": "pay", "ms": 1, "error": ERROR})
    assert (only(timeline).kind, only(timeline).state) == ("tool", FAILED)


def test_a_child_is_found_by_its_id() -> None:
    ordered: Entry = {"type": "ordered", "op": "1", "kind": "child", "name": "billing", "id": "t/1"}
    row = only(fold(ordered, {"type": "sent", "op": "1"}, {"type": "child", "id": "t/1", "value": "fine"}))
    assert (row.state, row.value, row.ms) == (DONE, "fine", 200)


def test_a_detached_child_is_not_waited_for() -> None:
    timeline = fold({"type": "ordered", "op": "1", "kind": "child", "name": "b", "id": "t/1", "detached": True})
    assert timeline.waiting == {}


@pytest.mark.parametrize(("approved", "state"), [(True, DONE), (False, FAILED)])
def test_a_decision_closes_its_approval_and_the_call_is_a_row_of_its_own(approved: bool, state: str) -> None:
    approval: Entry = {"type": "ordered", "op": "1", "kind": "approval", "name": "refund"}
    timeline = fold(approval, {"type": "decided", "op": "1", "approved": approved, "by": "ann", "reason": "r"})
    assert (only(timeline).state, only(timeline).kind) == (state, "approval")
    timeline.add(3, {"type": "tool", "at": 400, "op": "1", "name": "refund", "ms": 5, "value": 1})
    assert [row.kind for row in timeline.rows()] == ["approval", "tool"]


@pytest.mark.parametrize("type_", ["timer", "observed"])
def test_an_approval_may_expire(type_: str) -> None:
    timeline = fold({"type": "ordered", "op": "1", "kind": "approval"}, {"type": type_, "op": "1", "text": "late"})
    assert timeline.rows()[0].state == FAILED and timeline.waiting == {}


def test_a_late_answer_is_a_row_and_not_an_error() -> None:
    for type_ in ("decided", "callback", "child"):
        assert len(fold({"type": type_, "op": "9", "id": "x", "value": 1}).rows()) == 1


def test_what_is_open_at_the_end_is_dropped() -> None:
    timeline = fold({"type": "ordered", "op": "1", "kind": "callback", "name": "c"}, {"type": "completed", "value": 1})
    assert [row.state for row in timeline.rows()] == [DROPPED, DONE]
    assert timeline.waiting == {}


def test_usage_is_summed_and_nonsense_counts_nothing() -> None:
    timeline = fold(
        {"type": "model", "op": "1", "ms": 1, "value": {"usage": {"input": 10, "output": 5}, "cost": "0.25"}},
        {"type": "model", "op": "2", "ms": 1, "value": {"usage": {"input": "many", "output": None}, "cost": None}},
        {"type": "model", "op": "3", "ms": 1, "value": "just text"},
        {"type": "model", "op": "4", "ms": 1, "error": ERROR},
    )
    assert (timeline.totals.tokens, timeline.totals.cost, timeline.totals.models) == (15, Decimal("0.25"), 4)


@pytest.mark.parametrize("type_", ["reply", "completed"])
def test_an_answer_may_name_the_model_call_whose_text_it_is(type_: str) -> None:
    message: Entry = {"type": "message", "id": "m", "content": "hi"}
    model: Entry = {"type": "model", "op": "t1.m1", "ms": 1, "value": {"text": "hello"}}
    assert fold(message, model, {"type": type_, "to": "m", "said": "t1.m1"}).rows()[-1].value == "hello"
    assert fold(message, model, {"type": type_, "to": "m", "said": "t9"}).rows()[-1].value is None


def test_condensing_keeps_the_first_the_last_and_the_failed() -> None:
    steps: list[Entry] = [
        {"type": "step", "op": f"1.{item}", "name": "s", "ms": 1, **({"error": ERROR} if item == 50 else {"value": 0})}
        for item in range(100)
    ]
    rows = fold(*steps).rows()
    shown = condense(rows)
    kept = [row.op for row in shown if isinstance(row, Row)]
    assert kept[0] == "1.0" and kept[-1] == "1.99" and "1.50" in kept
    assert sum(row.hidden for row in shown if isinstance(row, Gap)) + len(kept) == 100
    assert condense(rows[:8]) == rows[:8]


BIDIRECTIONAL = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
KNOWN = [*Timeline.TYPES, "unheard-of"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 10**6) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
ENTRIES = st.fixed_dictionaries(
    {"type": st.sampled_from(KNOWN), "at": st.integers(0, 10**6)},
    optional={
        "op": st.sampled_from(["1", "1.0", "2"]),
        "ms": st.integers(0, 10**6),
        "n": st.integers(1, 9),
        "kind": st.sampled_from(["child", "approval", "callback"]),
        "name": st.text(max_size=30),
        "value": JSON,
        "content": JSON,
        "input": JSON,
        "what": JSON,
        "error": st.text(max_size=20) | st.fixed_dictionaries({"kind": st.text(max_size=9), "message": st.text()}),
        "until": st.none() | st.integers(0, 10**7),
        "id": st.sampled_from(["a", "b"]),
        "approved": st.booleans(),
    },
)


@given(st.lists(ENTRIES, max_size=25), st.sampled_from([40, 80, 120]))
def test_any_journal_is_shown_in_safe_lines_that_fit(entries: list[Entry], width: int) -> None:
    timeline = fold(*entries)
    rows = condense(timeline.rows())
    shape = columns(rows, width)
    for row in rows:
        text = line(row, shape, 0, now=500)
        assert not [c for c in text.plain if unicodedata.category(c) in ("Cc", "Cs") or c in BIDIRECTIONAL]
        assert text.cell_len <= max(width, 72)


@given(st.text())
def test_clean_text_is_one_printable_line_and_json_stays_the_same_value(text: str) -> None:
    import json

    cleaned = clean(text)
    assert not any(ord(char) < 32 or 0x7F <= ord(char) < 0xA0 for char in cleaned)
    assert json.loads(json_text({"a": text})) == {"a": text}


@given(JSON, st.integers(1, 100))
def test_an_excerpt_is_short(value: Any, limit: int) -> None:
    assert len(excerpt(value, limit)) <= limit


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ({"text": "Yes.", "usage": {}}, "Yes."),
        ({"text": "Yes.", "reasoning": "Let me see.", "usage": {}}, "Yes. (11 characters of reasoning)"),
        ({"text": "Yes.", "opaque": {"reasoning_content": "Let me see."}}, "Yes. (11 characters of reasoning)"),
        ({"reasoning": "x" * 1234, "usage": {}}, "an empty answer (1,234 characters of reasoning)"),
        ({"refusal": "No.", "usage": {}}, "refused: No."),
        ({"usage": {"input": 3}, "cost": "0"}, "an empty answer"),
        ({"other": 1}, "other: 1"),
    ],
)
def test_reasoning_is_counted_beside_an_answer(value: Entry, shown: str) -> None:
    row = only(fold({"type": "model", "op": "t1.m1", "name": "m", "ms": 1, "value": value}))
    assert shown in line(row, columns([row], 200), 0, now=500).plain
