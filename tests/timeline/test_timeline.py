"""A timeline is made of any journal, whatever is in it; rows are in order, and pages hold all of them once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from overwinter.orchestrator.timeline.fold import Fold
from overwinter.orchestrator.timeline.story import Story
from overwinter.orchestrator.timeline.timeline import Timeline, timeline
from overwinter.state.records import Head

Entry = dict[str, Any]
TYPES = [*Fold.TYPES, "beat", "unheard-of"]
OPS = st.sampled_from(["", "0", "1", "2", "2.0", "2.0.1", "2.10.0", "3~2", "t1", "t1.m1", "t1.m1.0", "t2.m1", "x.."])
ERROR: Entry = {"kind": "builtins.ValueError", "message": "no"}


def head(status: str = "waiting", kind: str = "workflow", awaits: str = "", updated: int = 0) -> Head:
    return Head("x", "f", kind, status, 1, 9, 1, 0, None, None, None, 0, updated, awaits, "", "")


def told(entries: Sequence[Entry], status: str = "waiting", now: int = 1_000_000, **more: Any) -> Timeline:
    numbered = list(enumerate(entries, 1))
    last = max((entry["at"] for entry in entries if isinstance(entry.get("at"), int)), default=0)
    return timeline(Story(head(status, updated=last, **more), 1, numbered, 0, []), now)


@st.composite
def journals(draw: st.DrawFn) -> list[Entry]:
    at, entries = 0, list[Entry]()
    for _ in range(draw(st.integers(0, 12))):
        at += draw(st.sampled_from([0, 1, 900, 60_000]))
        entry: Entry = {"type": draw(st.sampled_from(TYPES)), "at": at, "op": draw(OPS)}
        entry |= {"name": draw(st.sampled_from(["", "pay"])), "n": draw(st.integers(1, 3))}
        entry |= draw(st.sampled_from([{"value": 1}, {"error": ERROR}, {"error": "text"}, {}]))
        entry |= draw(st.sampled_from([{"ms": 5}, {"until": at + 5_000}, {"id": "m"}, {"to": "m"}, {"ms": "odd"}]))
        entry["kind"] = draw(st.sampled_from(["sleep", "event", "approval", "child", "callback", "timer", "odd"]))
        if draw(st.integers(0, 9)) == 0:
            entry["at"] = draw(st.sampled_from([None, "x", -5]))
        entries.append(entry)
    return entries


@settings(max_examples=300, deadline=None)
@given(
    journals(),
    st.sampled_from(["waiting", "completed", "idle", "paused", "stuck"]),
    st.sampled_from(["workflow", "agent"]),
)
def test_any_journal_has_a_timeline(entries: list[Entry], status: str, kind: str) -> None:
    found = told(entries, status, kind=kind)
    document = json.loads(json.dumps(found.as_json()))
    assert document["count"] == len(document["rows"]) and document["next"] is None
    for number, row in enumerate(document["rows"]):
        assert row["end"] is None or row["begin"] <= row["end"], row
        if row["parent"]:
            above = next(one for one in reversed(document["rows"][:number]) if one["depth"] == row["depth"] - 1)
            assert above["op"] == row["parent"]
        else:
            assert row["depth"] == 0
    for one, other in zip(found.folds, found.folds[1:], strict=False):
        assert one.end <= other.begin
    assert all(one.end - one.begin > 10_000 for one in found.folds)


def test_a_damaged_entry_is_a_row_and_hides_no_other() -> None:
    found = told([
        {"type": "start", "at": 100},
        {"type": "damaged", "error": "entry 2 can't be read: odd"},
        {"type": "step", "op": "0", "name": "pay", "at": 900, "ms": "long"},
        {"type": "step", "op": "1", "name": "pay", "at": 1_000, "ms": 50, "value": 1},
    ])  # fmt: skip
    assert [(bar.kind, bar.status, bar.entry) for bar in found.rows] == [
        ("start", "info", 1),
        ("damaged", "failed", 2),
        ("damaged", "failed", 3),
        ("step", "done", 4),
    ]
    assert "entry 2 can't be read" in found.rows[1].error and "entry 3 can't be read" in found.rows[2].error


def test_a_call_in_doubt_rests_and_says_so() -> None:
    doubt: Entry = {"type": "doubt", "op": "0", "name": "pay", "at": 2_000, "since": 2_000, "n": 1, "error": ERROR}
    found = told([{"type": "start", "at": 0}, {"type": "begun", "op": "0", "name": "pay", "n": 1, "at": 0}, doubt])
    bar = found.rows[-1]
    assert (bar.status, bar.wait, bar.end) == ("in-doubt", True, None)
    assert [fold.why for fold in found.folds] == ["step pay"]


def test_what_an_end_gives_up_ends_with_it() -> None:
    ordered: Entry = {"type": "ordered", "op": "0", "kind": "approval", "name": "refund", "at": 10}
    found = told([{"type": "start", "at": 0}, ordered, {"type": "terminated", "at": 500}], "terminated")
    assert [(bar.kind, bar.end, bar.status) for bar in found.rows[1:]] == [
        ("approval", 500, "dropped"),
        ("terminated", 500, "failed"),
    ]
    assert found.end == 500


def test_a_message_without_an_answer_ends_with_its_session() -> None:
    entries = [
        {"type": "start", "at": 0},
        {"type": "message", "at": 10, "id": "m", "content": "hi"},
        {"type": "terminated", "at": 500, "by": "ann"},
    ]
    found = told(entries, "terminated", kind="agent")
    (turn,) = (bar for bar in found.rows if bar.kind == "turn")
    assert (turn.begin, turn.end, turn.status, found.end) == (10, 500, "dropped", 500)


def test_nothing_ends_before_it_began_though_clocks_differ() -> None:
    entries = [
        {"type": "start", "at": 1000},
        {"type": "ordered", "at": 1100, "op": "0", "kind": "approval", "name": "pay"},
        {"type": "begun", "at": 1100, "op": "1", "n": 1},
        {"type": "decided", "at": 1050, "op": "0", "approved": True},  # by a process whose clock is behind
        {"type": "retrying", "at": 1050, "op": "1", "n": 1, "until": 1060, "error": ERROR},
        {"type": "step", "at": 1070, "op": "1", "n": 2, "ms": 5, "value": 1},
        {"type": "completed", "at": 1080, "value": 1},
    ]
    found = told(entries, "completed")
    spans = [(bar.begin, bar.end) for bar in found.rows]
    spans += [(one.begin, one.end) for bar in found.rows for one in bar.attempts if one.begin is not None]
    assert all(end is not None and begin <= end <= found.end for begin, end in spans), spans


def test_pages_hold_every_row_once() -> None:
    steps = [{"type": "step", "op": str(n), "name": "s", "at": n + 1, "ms": 1, "value": n} for n in range(250)]
    found = told(steps)
    rows: list[Any] = []
    after: int | None = 0
    while after is not None:
        page = found.as_json(after, 60)
        rows, after = rows + page["rows"], page["next"]
    assert [row["op"] for row in rows] == [str(n) for n in range(250)]


def test_cost_grows_exactly_and_many_points_are_thinned() -> None:
    answer = {"usage": {"input": 1, "output": 1}, "cost": "0.1"}
    calls = [{"type": "model", "op": str(n), "name": "m", "at": n + 1, "ms": 1, "value": answer} for n in range(3_000)]
    found = told(calls)
    assert len(found.grew) <= 1_001 and found.grew[-1][1:] == (6_000, Decimal(300))
    assert [str(cost) for _, _, cost in told(calls[:3]).grew] == ["0.1", "0.2", "0.3"]
