"""A journal as spans: what hangs under what, where long waits cut, and what is told as an event."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overwinter.telemetry.spans.conventions import Conventions
from overwinter.telemetry.spans.fold import Fold, Traces
from overwinter.telemetry.spans.ids import Identity, context_of
from overwinter.telemetry.spans.sampling import Sampling, sampling_of
from overwinter.telemetry.spans.span import Span

MINUTE, DAY = 60_000, 86_400_000
T = 1_800_000_000_000
CALLER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def fold(kind: str = "workflow", traces: Traces | None = None) -> Fold:
    return Fold(Identity("x", T), "ticket", kind, traces or Traces())


def spans_of(entries: list[Any], kind: str = "workflow", one: Fold | None = None) -> list[Span]:
    one = one or fold(kind)
    return [span for entry in entries for span in one.take({"at": T, **entry})]


START: dict[str, Any] = {"type": "start", "input": 1, "caller": {"traceparent": CALLER}}


def step(op: str, at: int, **more: Any) -> dict[str, Any]:
    return {"type": "step", "op": op, "name": f"s{op}", "at": T + at, "ms": 100, "value": 1, **more}


def end(at: int, **more: Any) -> dict[str, Any]:
    return {"type": "completed", "at": T + at, "value": 1, **more}


def test_operations_have_their_own_times_and_hang_under_the_execution() -> None:
    one, other, whole = spans_of(
        [START, step("1", 100), step("2", 300, error={"kind": "m.E", "message": "no"}), end(400)]
    )
    assert (whole.trace_id, whole.parent_id) == ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7")
    assert (whole.start, whole.end, whole.error) == (T, T + 400, "")
    assert (one.start, one.end, one.parent_id) == (T, T + 100, whole.span_id)
    assert (other.start, other.error, other.attributes["error.type"]) == (T + 200, "no", "m.E")


@pytest.mark.parametrize(
    ("entry", "cut"),
    [
        ({"type": "timer", "op": "2", "kind": "sleep", "name": "", "at": T + DAY}, True),
        ({"type": "timer", "op": "2", "kind": "sleep", "name": "", "at": T + MINUTE}, False),
        ({"type": "timer", "op": "2", "kind": "sleep", "due": T + 1000, "at": T + DAY}, False),  # nobody looked
        ({"type": "event", "id": "e", "name": "paid", "at": T + DAY}, True),
        ({"type": "step", "op": "2", "name": "slow", "ms": DAY - 100, "at": T + DAY}, False),  # somebody was at work
        ({"type": "step", "op": "2", "name": "late", "ms": 1, "at": T + DAY}, False),  # nobody waited: it was down
    ],
)
def test_a_long_wait_ends_a_span(entry: Any, cut: bool) -> None:
    found = spans_of([START, step("1", 100), entry, step("3", DAY + 200), end(DAY + 300)])
    roots = [span for span in found if span.name == "invoke_workflow ticket"]
    assert len(roots) == 1 + cut
    if cut:
        before, after = roots
        assert (before.end, after.start, after.end) == (T + 100, T + DAY, T + DAY + 300)
        assert after.links[0].span_id == before.span_id != after.span_id
        assert (after.trace_id, after.parent_id) == (before.trace_id, before.parent_id)
        (waited,) = after.events
        assert waited.name == "waited" and waited.attributes["overwinter.ms"] == DAY - 100
        last = next(span for span in found if span.name == "s3")
        assert last.parent_id == after.span_id


def test_who_begins_to_read_at_a_checkpoint_comes_to_the_same() -> None:
    entries: list[Any] = [
        START,
        step("1", 100),
        {"type": "checkpoint", "input": 2, "first": 2, "caller": START["caller"], "at": T + 200},
        step("2", 400),
        {"type": "timer", "op": "3", "kind": "sleep", "name": "", "at": T + DAY},
        end(DAY + 100),
    ]
    whole = spans_of(entries)
    late = spans_of(entries[2:], one=Fold(Identity("x", T), "ticket", "workflow", Traces(), 2))
    assert late == whole[2:]
    assert whole[1].links[0].span_id == late[1].span_id


def test_a_child_that_is_waited_for_for_long_is_told_once() -> None:
    ordered = {"type": "ordered", "op": "1", "kind": "child", "name": "part", "id": "x/1", "at": T}
    ended = {"type": "child", "op": "1", "id": "x/1", "status": "completed"}
    child, _ = spans_of([START, ordered, {**ended, "at": T + 500}, end(600)])
    assert (child.name, child.start, child.end) == ("child part", T, T + 500)
    child, before, after = spans_of([START, ordered, {**ended, "at": T + DAY}, end(DAY)])
    assert (child.name, child.end, before.end) == ("child part", T, T)
    assert [event.name for event in after.events] == ["waited", "child.ended"]


def test_what_happens_within_is_told_as_events() -> None:
    error = {"kind": "m.E", "message": "no"}
    entries: list[Any] = [
        START,
        {"type": "retrying", "op": "1", "name": "s1", "n": 1, "until": T + 500, "error": error, "at": T + 100},
        step("1", 700, n=2),
        {"type": "ordered", "op": "2", "kind": "approval", "name": "refund", "role": "desk", "at": T + 700},
        {"type": "decided", "op": "2", "approved": False, "by": "ann", "reason": "", "at": T + 800},
        {"type": "warned", "op": "3", "budget": "tokens", "share": 0.8, "at": T + 800},
        {"type": "doubt", "op": "4", "name": "pay", "n": 1, "since": T, "at": T + 800},
        {"type": "hook", "op": "t1.m1.0.b1", "name": "guard", "value": {"refuse": "no"}, "at": T + 900},
        {"type": "hook", "op": "t1.m1.0.b2", "name": "other", "value": None, "at": T + 900},
        {"type": "failed", "error": error, "at": T + 900},
    ]
    one, guard, other, whole = spans_of(entries)
    assert (guard.name, other.name, guard.parent_id) == ("hook guard", "hook other", whole.span_id)
    assert [event.name for event in one.events] == ["retry"]
    assert one.attributes["overwinter.attempts"] == 2
    names = ["approval.requested", "approval.decided", "budget.warning", "in_doubt", "hook"]
    assert [event.name for event in whole.events] == names
    assert whole.events[1].attributes["overwinter.approved"] is False
    assert whole.events[4].attributes["overwinter.verdict"] == "refuse"
    assert whole.error == "no"


def test_what_is_done_again_after_a_retry_is_another_span() -> None:
    error = {"message": "no"}
    entries = [START, step("1", 100, error=error), {"type": "failed", "error": error}, {"type": "retry", "at": T + DAY}]
    first, failed, second, whole = spans_of([*entries, step("1", DAY + 100), end(DAY + 100)])
    assert first.span_id != second.span_id and failed.span_id != whole.span_id
    assert second.parent_id == whole.span_id
    assert whole.links[0].span_id == failed.span_id


def test_tokens_of_a_model_are_summed_as_the_convention_has_it() -> None:
    usage = {"input": 800, "output": 30, "cache_read": 4000, "cache_write": 50, "reasoning": 20}
    value = {"text": "hi", "model": "gpt-5-mini-2026", "usage": usage, "cost": "0.25", "finish": "length"}
    model = {"type": "model", "op": "t1.m1", "name": "openai/gpt-5-mini", "ms": 10, "value": value, "at": T + 10}
    chat, whole = spans_of([{"type": "start", "input": "?"}, model, end(10)], "agent")
    said = chat.attributes
    assert (chat.name, chat.kind, said["gen_ai.provider.name"]) == ("chat gpt-5-mini", "client", "openai")
    assert said["gen_ai.usage.input_tokens"] == 4850
    assert said["gen_ai.usage.output_tokens"] == 50
    assert said["gen_ai.usage.cache_read.input_tokens"] == 4000
    assert (said["gen_ai.response.model"], said["gen_ai.response.finish_reasons"]) == ("gpt-5-mini-2026", ("length",))
    assert whole.attributes["overwinter.cost"] == 0.25
    assert whole.trace_id == Identity("x", T).trace_id and whole.parent_id == ""
    assert int(whole.trace_id[:8], 16) == T // 1000


def test_context_that_is_none_is_not_gone_on_with() -> None:
    assert context_of({"traceparent": CALLER}) == context_of({"traceparent": f"cc{CALLER[2:]}-more"})
    for wrong in ("", f"ff{CALLER[2:]}", CALLER.replace("4bf92f3577b34da6a3ce929d0e0e4736", "0" * 32), CALLER[:-1]):
        assert context_of({"traceparent": wrong}) is None


def test_who_is_sampled_is_the_same_everywhere_and_follows_the_parent() -> None:
    sampling = sampling_of({"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.25"})
    ids = [Identity(f"x{number}", T).trace_id for number in range(2000)]
    taken = sum(sampling.takes(id, None) for id in ids)
    assert 420 < taken < 580
    parent = context_of({"traceparent": CALLER})
    assert parent is not None
    assert all(sampling.takes(id, parent) and not sampling.takes(id, parent._replace(sampled=False)) for id in ids)
    assert not Sampling(0.0, by_parent=False).takes(parent.trace_id, parent)


def test_content_is_bounded() -> None:
    traces = Traces(conventions=Conventions(content=True))
    one, _ = spans_of(
        [START, {"type": "tool", "op": "1", "name": "t", "value": "x" * 99999}, end(1)], one=fold(traces=traces)
    )
    assert len(str(one.attributes["gen_ai.tool.call.result"])) == 8192


_ops = st.sampled_from(["0", "1", "2", "3"])
_times = st.integers(0, 3 * MINUTE).map(lambda at: T + at)

_steps = st.fixed_dictionaries(
    {"type": st.just("step"), "op": _ops, "name": st.sampled_from(["a", "b"]), "at": _times},
    optional={
        "ms": st.integers(0, 2 * MINUTE) | st.just(True) | st.none(),
        "args": st.just("0a"),
        "value": st.dictionaries(st.just("cost"), st.just("0.5")) | st.integers(),
        "link": st.just("l"),
        "error": st.just({"kind": "m.E", "message": "no"}),
        "n": st.just(2),
        "branch": st.just("left"),
    },
)
_others = st.one_of(
    st.fixed_dictionaries({"type": st.just("retrying"), "op": _ops, "at": _times, "n": st.just(1)}),
    st.fixed_dictionaries({"type": st.sampled_from(["begun", "doubt"]), "op": _ops, "at": _times}),
    st.fixed_dictionaries({"type": st.just("ordered"), "op": _ops, "kind": st.just("child"), "id": _ops, "at": _times}),
    st.fixed_dictionaries({"type": st.just("child"), "op": _ops, "id": _ops, "at": _times}),
    st.fixed_dictionaries({"type": st.just("timer"), "op": _ops, "kind": st.just("sleep"), "at": _times}),
    st.fixed_dictionaries({"type": st.sampled_from(["completed", "failed", "retry"]), "at": _times}),
)


@given(st.lists(_steps | _others, max_size=12))
def test_plain_steps_become_what_the_others_do(entries: list[dict[str, Any]]) -> None:
    """They go a shorter way; one more field, that says nothing, sends them round by the long one."""
    short, long = fold(), fold()
    for entry in ({**START, "at": T}, *entries):
        assert short.take(entry) == long.take({**entry, "unknown": 1})
        assert (short.root is None) == (long.root is None)
    if short.root is not None and long.root is not None:
        assert (short.root.last, short.root.done, short.root.cost) == (long.root.last, long.root.done, long.root.cost)
