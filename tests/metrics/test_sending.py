"""Metrics sent by OTLP arrive as they are, and a receiver that is away or wrong costs nobody anything."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from overwinter import Context, Runtime, workflow
from overwinter.functions.metering.sending import Sending
from overwinter.functions.metering.switch import sends, wanted
from overwinter.orchestrator.engine import patience
from overwinter.state.errors import InvalidInput
from overwinter.telemetry.metrics.instruments import Reading

pytest.importorskip("opentelemetry.exporter.otlp.proto.http", reason="needs the extra otel")


async def fine() -> str:
    return "fine"


@workflow
async def working(ctx: Context, given: str) -> str:
    await ctx.step(fine)
    await ctx.step(fine)
    return given


class Receiver:
    """Keeps what is posted to /v1/metrics; answers with ``status``."""

    def __init__(self) -> None:
        self.status = 200
        self.bodies: list[bytes] = []
        self.headers: dict[str, str] = {}
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                body = gzip.decompress(body) if self.headers.get("content-encoding") == "gzip" else body
                if self.path == "/v1/metrics":
                    receiver.bodies.append(body)
                    receiver.headers = {name.lower(): value for name, value in self.headers.items()}
                self.send_response(receiver.status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = Thread(target=self.server.serve_forever, daemon=True)

    def told(self) -> dict[str, Any]:
        """The metrics of the last request, by name."""
        from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

        request = ExportMetricsServiceRequest.FromString(self.bodies[-1])
        (resource,) = request.resource_metrics
        self.resource = {one.key: one.value.string_value for one in resource.resource.attributes}
        (scope,) = resource.scope_metrics
        assert scope.scope.name == "overwinter"
        return {metric.name: metric for metric in scope.metrics}


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    one = Receiver()
    one.thread.start()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{one.server.server_port}")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-key=abc")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "shop")
    yield one
    one.server.shutdown()
    one.thread.join()
    one.server.server_close()


async def worked(times: int) -> None:
    async with Runtime([working], "memory://") as runtime:
        for _ in range(times):
            assert await (await runtime.start(working, "yes")).result() == "yes"


def _points(points: Any) -> dict[tuple[str, ...], Any]:
    return {tuple(one.value.string_value for one in point.attributes): point for point in points}


def test_what_was_counted_arrives_when_the_process_ends(receiver: Receiver) -> None:
    asyncio.run(worked(3))
    told = receiver.told()
    assert receiver.resource["service.name"] == "shop" and receiver.headers["x-key"] == "abc"
    started, ended = told["overwinter.executions.started"].sum, told["overwinter.executions.ended"].sum
    assert started.is_monotonic and started.aggregation_temporality == 2  # cumulative
    assert _points(started.data_points)["working",].as_int == 3
    assert _points(ended.data_points)["working", "completed"].as_int == 3
    (point,) = told["overwinter.activation.duration"].histogram.data_points
    assert point.count == 3 == sum(point.bucket_counts) and len(point.bucket_counts) == len(point.explicit_bounds) + 1
    assert 0 < point.start_time_unix_nano <= point.time_unix_nano
    assert not point.HasField("min")
    assert told["overwinter.activation.duration"].unit == "s"
    assert "overwinter.executions" not in told  # the store is closed by then


def test_it_is_sent_now_and_then(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_METRIC_EXPORT_INTERVAL", "1")

    async def main() -> None:
        async with Runtime([working], "memory://") as runtime:
            await (await runtime.start(working, "yes")).result()
            while not receiver.bodies:  # noqa: ASYNC110  # it comes from another thread
                await asyncio.sleep(0.01)
            assert receiver.told()["overwinter.store.up"].gauge.data_points[0].as_int == 1

    asyncio.run(asyncio.wait_for(main(), 60))
    assert _points(receiver.told()["overwinter.executions.ended"].sum.data_points)["working", "completed"].as_int == 1


@pytest.mark.filterwarnings("ignore")
def test_a_receiver_that_refuses_costs_nobody_anything(receiver: Receiver) -> None:
    receiver.status = 400
    asyncio.run(worked(2))
    assert receiver.bodies  # it was asked


@pytest.mark.filterwarnings("ignore")
def test_a_receiver_that_is_away_holds_no_process(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    receiver.status = 503  # to be tried again, for longer than a process that ends has time
    monkeypatch.setattr("overwinter.functions.metering.sending.FLUSH", 0.1)
    asyncio.run(worked(2))


@pytest.mark.parametrize(
    ("environment", "counts", "goes"),
    [
        ({}, False, False),
        ({"OVERWINTER_METRICS": "1"}, True, False),
        ({"OVERWINTER_METRICS": "off", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://x"}, False, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x"}, True, True),
        ({"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://x"}, True, True),
        ({"OTEL_METRICS_EXPORTER": "otlp"}, True, True),
        ({"OTEL_METRICS_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://x"}, False, False),
        ({"OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://x"}, False, False),
    ],
)
def test_the_environment_says_whether(environment: dict[str, str], counts: bool, goes: bool) -> None:
    assert (wanted(environment), sends(environment)) == (counts, goes)


def test_what_says_nothing_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidInput, match="OVERWINTER_METRICS is 'perhaps'; set it to 1 or 0"):
        wanted({"OVERWINTER_METRICS": "perhaps"})
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "otlp")
    monkeypatch.setenv("OTEL_METRIC_EXPORT_INTERVAL", "soon")
    with pytest.raises(InvalidInput, match="OTEL_METRIC_EXPORT_INTERVAL is 'soon'"):
        Runtime([working], "memory://")


def test_numbers_that_can_not_be_read_once_are_sent_the_next_time(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        failures = [RuntimeError("a defect")]

        async def read() -> list[Reading]:
            if failures:
                raise failures.pop()
            return []

        sending = Sending(read)
        sending.begin()
        while not receiver.bodies:  # noqa: ASYNC110  # it is another thread that takes them
            await asyncio.sleep(0.01)
        await sending.end()

    monkeypatch.setattr(patience, "_AGAIN", 0.01)
    monkeypatch.setenv("OTEL_METRIC_EXPORT_INTERVAL", "10")
    asyncio.run(asyncio.wait_for(main(), 30))
