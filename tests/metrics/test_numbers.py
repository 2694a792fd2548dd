"""Instruments, what is read from entries, and how it is written down."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as plain

from overwinter.state.codec import dumps
from overwinter.telemetry.metrics import catalogue, prometheus
from overwinter.telemetry.metrics.entry import is_plain, parsed
from overwinter.telemetry.metrics.feed import Feed
from overwinter.telemetry.metrics.instruments import NAMES, OTHER, SERIES, Definition, Metrics

COUNTER = Definition("a.counter", "counter", "Things", ("one", "two"), "{thing}")
GAUGE = Definition("a.gauge", "gauge", "Things", ("one",), "By")
HISTOGRAM = Definition("a.duration", "histogram", 'Back\\slash, "quotes"\nand a line', ("one",), "s", (0.1, 1.0))


def counted(*entries: dict[str, Any], blobs: dict[str, bytes] | None = None) -> dict[str, dict[tuple[str, ...], float]]:
    """What a feed makes of the entries of one execution, by metric and label values."""
    metrics = Metrics(catalogue.ALL)
    feed = Feed(metrics)
    for entry in entries:
        feed.committed("e-1", "desk", [dumps(entry)], blobs or {}, first=False)
    return {
        reading.definition.name: {point.labels: sum(point.counts) or point.value for point in reading.points}
        for reading in metrics.read()
    }


def model(**more: Any) -> dict[str, Any]:
    return {"type": "model", "op": "t1.m1", "name": "openai/gpt-5-mini", "at": 1, "ms": 1200} | more


def test_nothing_that_an_answer_says_spoils_the_numbers_of_the_others() -> None:
    metrics = Metrics(catalogue.ALL)
    feed = Feed(metrics)
    odd = ["m/\ud800", "m/\r\n\x00", 'm/"} 1\nfake 2', "m/" + "x" * 100_000]
    for value in ({"usage": {"input": 10**400}, "cost": "1e400"}, {"usage": {"output": 10**30}, "cost": 1e300}):
        for name in odd:
            text = json.dumps(model(name=name, ms=10**400, value=value), separators=(",", ":"))
            feed.committed("e-1", "desk", [text, '{"type":"tool","value":' + "[" * 50_000], {}, first=False)
    for wanted, read in ((True, openmetrics), (False, plain)):
        text = prometheus.exposition(metrics.read(), openmetrics=wanted)
        assert len(text.encode()) < 200_000
        models = {
            sample.labels["model"]
            for family in read(text)
            for sample in family.samples
            if sample.name == "overwinter_tokens_total"
        }
        assert len(models) == len(odd) and "fake" not in {family.name for family in read(text)}


def test_no_name_from_outside_makes_a_process_grow() -> None:
    metrics = Metrics([COUNTER, HISTOGRAM, GAUGE])
    counter, histogram, gauge = metrics.counter(COUNTER), metrics.histogram(HISTOGRAM), metrics.gauge(GAUGE)
    for number in range(3 * NAMES):
        counter.add((f"f-{number}", "same"))
        histogram.observe((f"f-{number}",), 1)
    gauge.set({(f"f-{number}",): number for number in range(3 * NAMES)})
    found = {reading.definition.name: reading.points for reading in metrics.read()}
    assert len(found["a.counter"]) == len(found["a.duration"]) == len(found["a.gauge"]) == NAMES + 1
    assert {point.labels: point.value for point in found["a.counter"]}[OTHER, "same"] == 2 * NAMES
    assert {point.labels: point.value for point in found["a.gauge"]}[OTHER,] == 3 * NAMES - 1
    assert sum(sum(point.counts) for point in found["a.duration"]) == 3 * NAMES
    for number in range(SERIES * 2):
        counter.add((f"f-{number % NAMES}", f"g-{number // NAMES}"))
    (reading, *_) = metrics.read()
    assert len(reading.points) <= SERIES + 1
    assert sum(point.value for point in reading.points) == 3 * NAMES + SERIES * 2


@given(st.lists(st.floats(0, 3)))
def test_a_bucket_has_what_is_at_most_its_bound(values: list[float]) -> None:
    metrics = Metrics([HISTOGRAM])
    for value in values:
        metrics.histogram(HISTOGRAM).observe(("x",), value)
    points = [point for reading in metrics.read() for point in reading.points]
    ends = [sum(value <= bound for value in values) for bound in (0.1, 1.0)]
    assert [point.counts for point in points] == ([(ends[0], ends[1] - ends[0], len(values) - ends[1])] * bool(values))


@pytest.mark.parametrize("liked", [False, True])
def test_both_formats_are_read_by_prometheus_own_parsers(liked: bool) -> None:
    metrics = Metrics([COUNTER, GAUGE, HISTOGRAM])
    metrics.counter(COUNTER).add(('say "hi"\\', "line\nbreak"), Decimal("0.1"))
    metrics.counter(COUNTER).add(('say "hi"\\', "line\nbreak"), Decimal("0.2"))
    metrics.gauge(GAUGE).set({("",): 2.5})
    metrics.histogram(HISTOGRAM).observe(("x",), 0.1)
    text = prometheus.exposition(metrics.read(), openmetrics=liked)
    families = {family.name: family for family in (openmetrics if liked else plain)(text)}
    assert set(families) == {"a_counter", "a_gauge_bytes", "a_duration_seconds"}
    (sample,) = families["a_counter"].samples
    assert (sample.name, sample.value) == ("a_counter_total", 0.3)
    assert sample.labels == {"one": 'say "hi"\\', "two": "line\nbreak"}
    assert families["a_gauge_bytes"].samples[0].labels == {}
    found = {(one.name, one.labels.get("le")): one.value for one in families["a_duration_seconds"].samples}
    assert found == {
        ("a_duration_seconds_bucket", "0.1"): 1, ("a_duration_seconds_bucket", "1.0"): 1,
        ("a_duration_seconds_bucket", "+Inf"): 1, ("a_duration_seconds_sum", None): 0.1,
        ("a_duration_seconds_count", None): 1,
    }  # fmt: skip
    assert families["a_duration_seconds"].documentation == HISTOGRAM.about


@pytest.mark.parametrize(
    ("accept", "liked"),
    [
        ("", False),
        ("*/*", False),
        ("text/plain", False),
        ("application/openmetrics-text", True),
        ("application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.3,*/*;q=0.1", True),
        ("application/openmetrics-text;q=0.2,text/plain;q=0.8", False),
        ("application/openmetrics-text;q=0", False),
        ("application/openmetrics-text;q=odd", False),
    ],
)
def test_who_asks_for_openmetrics_gets_it(accept: str, liked: bool) -> None:
    assert prometheus.wants_openmetrics(accept) is liked


def test_no_two_metrics_have_a_name_in_common() -> None:
    names = [sample for one in catalogue.ALL for sample in prometheus.samples(one)]
    assert len(names) == len(set(names))
    assert len(set(catalogue.ALL)) == len(catalogue.ALL)


_values = st.recursive(
    st.none() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from("nea") | st.text(), inner),
)


@given(st.sampled_from(["step", "tool"]), st.text(), st.integers(1, 3), st.booleans(), st.booleans(), _values)
def test_a_step_is_plain_only_if_it_went_well_at_once(
    type: str, name: str, n: int, failed: bool, bare: bool, value: Any
) -> None:
    entry: dict[str, Any] = {"type": type, "op": "0", "name": name, "at": 1, "ms": 2}
    entry |= {} if n == 1 else {"n": n}
    entry |= {} if bare else {"args": "ce8be1cc17e9"}
    text = dumps(entry | ({"error": value} if failed else {"value": value}))
    assert is_plain(text) is (type == "step" and n == 1 and not failed)


def test_what_a_model_used_is_counted_once() -> None:
    usage = {"input": 100, "output": 20, "cache_read": 1000, "reasoning": 5}
    first = {"first": 1, "usage": {"input": 10, "output": 0}, "cost": "0.01"}
    later = {"first": 1, "usage": {"input": 30, "output": 0}, "cost": "0.03"}
    failed = {"kind": "builtins.OSError", "message": "", "data": {"billed": first}}
    answer = {"text": "hi", "usage": usage, "cost": "0.5", "billed": later}
    found = counted(
        {"type": "retrying", "op": "t1.m1", "name": "openai/gpt-5-mini", "at": 1, "n": 1, "until": 2, "error": failed},
        model(n=3, value=answer),
        model(op="t1.m2", name="hook/shield", value={"text": "no", "usage": usage}),
        {
            "type": "lost",
            "op": "t1.m3",
            "name": "openai/gpt-5-mini",
            "at": 1,
            "tokens": 7,
            "cost": "0.2",
            "model_calls": 1,
        },
    )
    name = ("desk", "openai/gpt-5-mini")
    assert found["overwinter.tokens"] == {
        (*name, "input"): 130, (*name, "output"): 20, (*name, "cache_read"): 1000, (*name, "reasoning"): 5,
        (*name, "lost"): 7,
    }  # fmt: skip
    assert found["overwinter.cost.dollars"] == {name: 0.73}
    assert found["overwinter.retries"] == {("desk",): 2}
    genai = ("chat", "openai", "openai/gpt-5-mini")
    assert found["gen_ai.client.operation.duration"] == {(*genai, ""): 1}
    assert found["gen_ai.client.token.usage"] == {(*genai, "input"): 1, (*genai, "output"): 1}


def test_an_answer_without_a_price_and_one_that_failed_are_told() -> None:
    failed = {"kind": "overwinter.state.errors.RateLimited", "message": "later"}
    found = counted(
        model(value={"text": "hi", "usage": {"input": 1, "output": 1}, "cost": None}), model(op="t1.m2", error=failed)
    )
    assert found["overwinter.answers.unpriced"] == {("openai/gpt-5-mini",): 1}
    assert found["gen_ai.client.operation.duration"] == {
        ("chat", "openai", "openai/gpt-5-mini", ""): 1,
        ("chat", "openai", "openai/gpt-5-mini", "RateLimited"): 1,
    }
    assert found["overwinter.operation.duration"] == {("model", "succeeded"): 1, ("model", "failed"): 1}


def test_an_answer_in_a_blob_is_counted_too() -> None:
    answer = {"text": "long", "usage": {"input": 3, "output": 4}, "cost": "1"}
    away = {"field": "value", "digest": "sha256:1", "size": 9}
    found = counted(model(blob=away), blobs={"sha256:1": json.dumps(answer).encode()})
    assert sum(found["overwinter.tokens"].values()) == 7


def test_what_happens_beside_calls_is_counted() -> None:
    found = counted(
        {"type": "doubt", "op": "1", "name": "pay", "n": 1, "at": 1, "since": 1, "key": "k"},
        {"type": "doubt", "op": "1", "name": "pay", "n": 1, "at": 1, "since": 1, "key": "k", "asked": 1},
        {"type": "ordered", "op": "2", "kind": "approval", "name": "refund", "at": 1},
        {"type": "ordered", "op": "3", "kind": "child", "name": "other", "at": 1},
        {"type": "decided", "op": "2", "approved": False, "by": "ana", "at": 1},
        {"type": "stuck", "at": 1, "error": "odd"},
        {"type": "reply", "at": 1, "to": "m", "error": {"kind": "x", "message": ""}},
        {"type": "failed", "at": 1, "error": {}, "lost": {"tokens": 5, "cost": "1", "model_calls": 1}},
        {"type": "terminated", "at": 1, "reason": "", "by": ""},
    )
    assert found["overwinter.doubts"] == {("desk",): 1}
    assert found["overwinter.approvals.asked"] == {("desk",): 1}
    assert found["overwinter.approvals.decided"] == {("desk", "denied"): 1}
    assert found["overwinter.stuck"] == {("desk",): 1}
    assert found["overwinter.turns"] == {("desk", "failed"): 1}
    assert found["overwinter.executions.ended"] == {("desk", "failed"): 1, ("desk", "terminated"): 1}
    assert found["overwinter.tokens"] == {("desk", "", "lost"): 5}


@given(
    st.text()
    | st.builds(
        json.dumps, _values | st.dictionaries(st.sampled_from(["type", "error", "value", "n", "lost"]), _values)
    )
)
def test_no_entry_can_break_it(text: str) -> None:
    feed = Feed(Metrics(catalogue.ALL))
    for type in ("model", "summary", "retrying", "failed", "tool"):
        for entry in (text, f'{{"type":"{type}",{text[1:]}'):
            feed.committed("e", "f", [entry], {}, first=False)
    assert parsed("{", {}) is None
