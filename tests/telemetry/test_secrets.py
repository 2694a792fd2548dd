"""A secret stands where nobody expects one: in names, ids and labels. It leaves by no span, no number and no line."""

from __future__ import annotations

import io
import logging
from collections.abc import Sequence
from typing import Any

import pytest

from overwinter import Agent, Context, Retry, Runtime, Scripted, call, tool, workflow
from overwinter.cli.logs import call_ids
from overwinter.cli.view.text import clean_lines
from overwinter.security import redaction
from overwinter.telemetry.logs.formats import Human, JsonLines
from overwinter.telemetry.logs.ids import Identified
from overwinter.telemetry.metrics import prometheus
from overwinter.telemetry.metrics.instruments import LONGEST, Definition, Metrics
from overwinter.telemetry.spans import cleaning, ids
from overwinter.telemetry.spans.batch import Batch
from overwinter.telemetry.spans.cleaning import without_secrets
from overwinter.telemetry.spans.span import Link, Span, SpanEvent, Step, whole
from overwinter.tests.apart.place import on_a_loop
from overwinter.tests.telemetry.xray.daemon import Daemon

from .receiver import Receiver

SECRET = "way-too-secret-4711"
PLAIN = Span("1" * 32, "2" * 16, "3" * 16, "charge", "internal", 1, 2, {"overwinter.operation": "0", "n": 3})
NAME = f"look_{SECRET.replace('-', '_')}"
log = logging.getLogger("shop.secrets")


@tool(name=NAME)
async def look(order: str) -> str:
    """Look it up."""
    log.warning("looking")
    return "found"


@workflow
async def ticket(ctx: Context, order: str) -> str:
    await ctx.step(charge, name=f"charge {SECRET}", retry=Retry(attempts=2, first="1ms"))
    await ctx.publish(f"order.{SECRET}", {"order": order})
    return await ctx.call(desk, "Where is it?")


tried: list[int] = []


async def charge() -> str:
    tried.append(1)
    log.warning("charging")
    if len(tried) == 1:
        raise ConnectionError(f"no {SECRET}")
    return "paid"


desk = Agent("desk", Scripted([call(NAME, order="A-1"), "Found."]), tools=[look])


@pytest.fixture(autouse=True)
def _known(monkeypatch: pytest.MonkeyPatch) -> None:
    tried.clear()
    monkeypatch.setenv("CARRIER_TOKEN", SECRET)
    monkeypatch.setenv("DESK_TOKEN", SECRET.replace("-", "_"))


async def done(runtime: Runtime) -> None:
    handle = await runtime.start(ticket, "A-1", id=f"t-{SECRET}", user=SECRET, tenant=f"north-{SECRET}")
    assert await handle.result("20s") == "Found."


def holds(told: object) -> bool:
    return SECRET in str(told) or SECRET.replace("-", "_") in str(told)


@on_a_loop
async def test_it_leaves_by_no_span(monkeypatch: pytest.MonkeyPatch) -> None:
    with Receiver() as receiver:
        monkeypatch.setenv("OVERWINTER_TRACES", receiver.url)
        async with Runtime([ticket, desk, look], "memory://") as runtime:
            await done(runtime)
        assert not holds(receiver.spans)
        names = {span.name for span in receiver.spans}
        assert {"charge ***", "send order.***", "execute_tool look_***"} <= names
        assert receiver.named("invoke_workflow ticket").attributes["overwinter.execution"] == "t-***"
    with Daemon() as daemon:
        tried.clear()
        monkeypatch.setenv("OVERWINTER_TRACES", "xray")
        monkeypatch.setenv("AWS_XRAY_DAEMON_ADDRESS", daemon.address)
        async with Runtime([ticket, desk, look], "memory://") as runtime:
            await done(runtime)
        documents = daemon.documents()
    assert documents and not holds(documents)


@on_a_loop
async def test_it_leaves_by_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OVERWINTER_METRICS", "1")
    async with Runtime([ticket, desk, look], "memory://") as runtime:
        await done(runtime)
        meter = runtime.meter
        assert meter is not None
        told = prometheus.exposition(await meter.read(), openmetrics=True)
    assert 'tool="look_***"' in told and not holds(told)


@pytest.mark.parametrize("form", [JsonLines(), Human(clean_lines)], ids=["json", "human"])
@on_a_loop
async def test_it_leaves_by_no_line(form: logging.Formatter) -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(form)
    handler.addFilter(Identified([call_ids]))
    log.addHandler(handler)
    try:
        async with Runtime([ticket, desk, look], "memory://") as runtime:
            await done(runtime)
        log.warning("by hand", extra={f"of {SECRET}": 1, "execution": SECRET})
    finally:
        log.removeHandler(handler)
    told = stream.getvalue()
    assert "charging" in told and "t-***" in told and not holds(told)


ODD = (
    PLAIN._replace(name=f"charge {SECRET}"),
    PLAIN._replace(error=SECRET),
    PLAIN._replace(attributes={"x": SECRET}),
    PLAIN._replace(attributes={"x": ("fine", SECRET)}),
    PLAIN._replace(events=(SpanEvent(SECRET, 1),)),
    PLAIN._replace(events=(SpanEvent("fine", 1, {"x": SECRET}),)),
    PLAIN._replace(links=(Link("1" * 32, "2" * 16, {"x": SECRET}),)),
)


@pytest.mark.parametrize("odd", ODD)
def test_wherever_in_a_span_it_stands_and_of_the_others_nothing_is_lost(odd: Span) -> None:
    first, second, third = map(whole, without_secrets([PLAIN, odd, PLAIN]))
    assert first == third == PLAIN
    assert "***" in str(second) and not holds(second)
    assert (second.trace_id, second.span_id, second.start) == (odd.trace_id, odd.span_id, odd.start)


def test_in_a_step_told_in_short_it_is_found_too() -> None:
    step = Step(ids.Context("1" * 32, "2" * 16, sampled=True), b"3" * 8, "pay", "1", 5, 6)
    for odd in (step._replace(name=SECRET), step._replace(op=SECRET)):
        first, second = map(whole, without_secrets([step, odd]))
        assert first == step.span
        assert "***" in str(second) and not holds(second)


def test_a_batch_without_one_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []

    def redacted(text: str) -> str:
        looked.append(text)
        return redaction.redacted(text)

    monkeypatch.setattr(cleaning, "redacted", redacted)
    spans = [PLAIN._replace(span_id=f"{number:016x}") for number in range(500)]
    assert without_secrets(spans) is spans
    assert len(looked) == 1


def test_what_exporters_are_given_holds_none() -> None:
    taken: list[Span] = []

    class Kept:
        def export(self, spans: Sequence[Span]) -> bool:
            taken.extend(spans)
            return True

        def close(self) -> None: ...

    batch = Batch(Kept())
    batch.put(ODD)
    batch.close(20)
    assert len(taken) == len(ODD) and not holds(taken)


def test_labels_of_all_kinds_of_metrics() -> None:
    kinds: Any = ("counter", "gauge", "histogram")
    metrics = Metrics(Definition(f"a.{kind}", kind, "Things", ("one",), "1", (1.0,)) for kind in kinds)
    long = "x" * (LONGEST - 5) + SECRET  # half of it would fit
    for label in (SECRET, f"a {SECRET}", long, SECRET):
        for reading in (Definition(f"a.{kind}", kind, "Things", ("one",)) for kind in kinds):
            if reading.kind == "counter":
                metrics.counter(reading).add((label,))
            elif reading.kind == "gauge":
                metrics.gauge(reading).set({(label,): 1, ("b",): 2})
            else:
                metrics.histogram(reading).observe((label,), 0.5)
    told = metrics.read()
    assert len(told) == 3 and "way-" not in str(told)
    (counter,) = (one for one in told if one.definition.kind == "counter")
    assert {point.labels[0]: point.value for point in counter.points}["***"] == 2
