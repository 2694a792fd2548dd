"""An OpenTelemetry collector, where the machine has it: it takes what is sent, and hands on the same to the last
attribute; metrics of a process arrive behind it with their sums."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from overwinter import Agent, Context, Runtime, Scripted, call, workflow
from overwinter.functions.tracing import from_environment
from overwinter.state.errors import ExecutionFailed
from overwinter.state.records import EVERYTHING
from overwinter.telemetry.spans.otlp import Otlp
from overwinter.telemetry.spans.span import Span
from overwinter.telemetry.spans.tracing import Tracing
from overwinter.tests.apart.place import on_a_loop
from overwinter.tests.servers.observers import Collector
from overwinter.tests.telemetry.receiver import Receiver

from .orders import lookup, lost, parcel, tell

CALLER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
clerk = Agent("clerk", Scripted([call("lookup", order="A-1"), "It is packed."]), tools=[lookup])


@workflow
async def order(ctx: Context, order: str) -> str:
    await ctx.child(parcel, order)
    return str(await ctx.call(clerk, f"Where is {order}?"))


class Both:
    """An exporter to two places."""

    def __init__(self, *places: str) -> None:
        self._places = [Otlp(endpoint=f"{place}/v1/traces") for place in places]

    def export(self, spans: Sequence[Span]) -> bool:
        return all([place.export(spans) for place in self._places])

    def close(self) -> None:
        for place in self._places:
            place.close()


async def work(runtime: Runtime) -> None:
    begun = await runtime.start(order, "A-1", id="o", trace={"traceparent": CALLER, "tracestate": "shop=1,bank=2"})
    assert await begun.result("30s") == "It is packed."
    with pytest.raises(ExecutionFailed):
        await (await runtime.start(lost, "A-1")).result("30s")
    async for head in runtime.all(EVERYTHING):
        if head.function == "tell":
            await runtime.result(head.id, "30s")


@pytest.mark.parametrize("compression", ["none", "gzip"])
@on_a_loop
async def test_spans_arrive_behind_a_collector_as_they_were_sent(
    compression: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", compression)
    with Receiver() as behind, Collector(behind.url) as collector, Receiver() as beside:
        telemetry = Tracing(Both(collector.otlp, beside.url))
        async with Runtime([order, parcel, tell, clerk, lookup, lost], "memory://", telemetry=telemetry) as runtime:
            await work(runtime)
        collector.until(lambda: len(behind.spans) >= len(beside.spans), "all has gone through")
    assert len(beside.spans) == 14
    assert sorted(behind.spans, key=lambda span: span.id) == sorted(beside.spans, key=lambda span: span.id)
    assert {span.failed for span in behind.spans} == {True, False} and any(span.links for span in behind.spans)


@on_a_loop
async def test_metrics_and_spans_go_to_one_address(monkeypatch: pytest.MonkeyPatch) -> None:
    with Receiver() as behind, Collector(behind.url) as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.otlp)
        assert from_environment() is not None
        async with Runtime([order, parcel, tell, clerk, lookup, lost], "memory://") as runtime:
            await work(runtime)
        collector.until(lambda: behind.metrics and behind.spans, "both have gone through")
    ended = behind.metrics["overwinter.executions.ended"].sum
    assert ended.is_monotonic
    told = {tuple(one.value.string_value for one in point.attributes): point.as_int for point in ended.data_points}
    assert {name: count for name, count in told.items() if count and not name[0].startswith("overwinter/")} == {
        ("clerk", "completed"): 1, ("lost", "failed"): 1, ("order", "completed"): 1, ("parcel", "completed"): 1,
        ("tell", "completed"): 1,
    }  # fmt: skip
    (point,) = behind.metrics["gen_ai.client.operation.duration"].histogram.data_points
    assert point.count == 2
