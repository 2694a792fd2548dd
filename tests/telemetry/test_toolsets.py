"""Services of others learn in which trace they are called: real servers note what came, and it is the span exported."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from overwinter import Agent, Runtime, Scripted, StateMachine, call
from overwinter.functions.foreign import Endpoint, ForeignAgent
from overwinter.functions.toolset import MCP, OpenAPI
from overwinter.tests.apart.place import on_a_loop
from overwinter.tests.servers.ports import free_port

from .receiver import Received, Receiver

pytest.importorskip("mcp")
from overwinter.tests.servers import recorder

PROGRAM = [sys.executable, str(Path(recorder.__file__))]
TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
CALLER = {"traceparent": f"00-{TRACE}-{PARENT}-01", "tracestate": "shop=1", "baggage": "tenant=north"}
OPERATION: dict[str, Any] = {
    "parameters": [
        {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}},
        {"name": "Baggage", "in": "header", "schema": {"type": "string"}},
    ]
}
DOCUMENT: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "Shop", "version": "1"},
    "paths": {
        "/orders/{id}": {"get": {"operationId": "look", **OPERATION}, "post": {"operationId": "pay", **OPERATION}},
    },
}


@contextmanager
def started(record: Path) -> Generator[str]:
    """The program; its address."""
    port = free_port()
    process = subprocess.Popen([*PROGRAM, str(port)], env={"RECORD": str(record), "PYTHONPATH": ":".join(sys.path)})
    try:
        while process.poll() is None:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


async def asked(*script: Any, tools: list[Any], trace: dict[str, str] = CALLER) -> None:
    """Have an agent use them."""
    agent = Agent("desk", Scripted([*script, "done"]), tools=tools)
    async with Runtime([agent], "memory://") as runtime:
        assert await (await runtime.send(agent, "s", "?", trace=trace)).reply() == "done"
        for tool in tools:
            if isinstance(tool, MCP):
                await tool.close()


def noted(record: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in record.read_text().splitlines()]


def traced(said: dict[str, Any]) -> dict[str, str]:
    return {name: said[name] for name in CALLER if name in said}


def told(span: Received) -> dict[str, str]:
    """What a service is told that is called by it."""
    return CALLER | {"traceparent": f"00-{span.trace}-{span.id}-01"}


@on_a_loop
async def test_operations_of_a_service_are_called_in_the_span_of_their_call(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    record = tmp_path / "record"
    with started(record) as url, Receiver() as receiver:
        monkeypatch.setenv("OVERWINTER_TRACES", receiver.url)
        shop = OpenAPI(DOCUMENT, url=url, headers={"Tracestate": "by=hand"})
        await asked(call("look", id="1"), call("pay", id="2", Baggage="by=model"), tools=[shop])
    look, pay = receiver.named("execute_tool look"), receiver.named("execute_tool pay")
    assert {look.trace, pay.trace} == {TRACE}
    first, second = noted(record)
    assert (first["what"], second["what"]) == ("GET /orders/1", "POST /orders/2")
    assert traced(first["headers"]) == told(look) | {"tracestate": "by=hand"}
    assert traced(second["headers"]) == told(pay) | {"tracestate": "by=hand", "baggage": "by=model"}


@on_a_loop
async def test_a_server_of_tools_is_told_by_headers_and_in_the_request_itself(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    record = tmp_path / "record"
    with started(record) as url, Receiver() as receiver:
        monkeypatch.setenv("OVERWINTER_TRACES", receiver.url)
        server = MCP("notes", f"{url}/mcp", effect="pure", headers={"baggage": "by=hand"})
        await asked(call("note"), call("again"), tools=[server])  # over one connection
    spans = receiver.named("execute_tool note"), receiver.named("execute_tool again")
    for said, span in zip(noted(record), spans, strict=True):
        assert traced(said["meta"]) == told(span)
        assert traced(said["headers"]) == told(span) | {"baggage": "by=hand"}
        assert said["meta"]["io.overwinter/idempotency-key"]


@on_a_loop
async def test_a_program_is_told_in_the_request(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    record = tmp_path / "record"
    with Receiver() as receiver:
        monkeypatch.setenv("OVERWINTER_TRACES", receiver.url)
        await asked(call("note"), tools=[MCP("notes", PROGRAM, effect="pure", env={"RECORD": str(record)})])
    (said,) = noted(record)
    assert traced(said["meta"]) == told(receiver.named("execute_tool note"))


@on_a_loop
async def test_spans_of_the_sdk_hang_under_the_call(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A program that exports what the MCP SDK tells by OpenTelemetry's API."""
    sdk = pytest.importorskip("opentelemetry.sdk.trace")
    export = pytest.importorskip("opentelemetry.sdk.trace.export.in_memory_span_exporter")
    simple = pytest.importorskip("opentelemetry.sdk.trace.export")
    memory, provider = export.InMemorySpanExporter(), sdk.TracerProvider()
    provider.add_span_processor(simple.SimpleSpanProcessor(memory))
    monkeypatch.setattr("mcp.shared._otel._tracer", provider.get_tracer("test"))
    record = tmp_path / "record"
    with Receiver() as receiver:
        monkeypatch.setenv("OVERWINTER_TRACES", receiver.url)
        await asked(call("note"), tools=[MCP("notes", PROGRAM, effect="pure", env={"RECORD": str(record)})])
    used = receiver.named("execute_tool note")
    listed = next(span for span in memory.get_finished_spans() if span.name == "MCP send tools/list")
    assert f"{listed.parent.span_id:016x}" == receiver.named("listed notes").id
    assert f"{listed.context.trace_id:032x}" == TRACE
    (sent,) = (span for span in memory.get_finished_spans() if span.name == "MCP send tools/call note")
    assert f"{sent.parent.span_id:016x}" == used.id and f"{sent.context.trace_id:032x}" == used.trace
    (said,) = noted(record)
    assert said["meta"]["traceparent"] == f"00-{TRACE}-{sent.context.span_id:016x}-01"


@on_a_loop
async def test_an_agent_elsewhere_is_asked_in_the_span_of_its_step(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    record = tmp_path / "record"
    with started(record) as url, Receiver() as receiver:
        monkeypatch.setenv("OVERWINTER_TRACES", receiver.url)
        far = ForeignAgent("far", Endpoint(f"{url}/orders/9", headers={"baggage": "by=hand"}), output=dict)
        async with Runtime([far], "memory://") as runtime:
            for trace in (CALLER, {}, {"traceparent": f"00-{'1' * 32}-{'2' * 16}-01"}):
                assert await (await runtime.send(far, "s", "?", trace=trace)).reply("20s") == {"ok": True}
    steps = [span for span in receiver.spans if span.name.startswith("ask ")]
    said = [traced(one["headers"]) for one in noted(record)]
    assert said[0] == told(steps[0]) | {"baggage": "by=hand"}
    assert [one["traceparent"] for one in said] == [f"00-{span.trace}-{span.id}-01" for span in steps]
    assert steps[0].trace == TRACE and steps[2].trace == "1" * 32 and len({span.trace for span in steps}) == 3


@on_a_loop
async def test_what_a_state_machine_asks_for_is_asked_in_the_span_of_its_task(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    record = tmp_path / "record"
    with started(record) as url, Receiver() as receiver:
        monkeypatch.setenv("OVERWINTER_TRACES", receiver.url)
        asked = {"Method": "GET", "ApiEndpoint": f"{url}/orders/7", "Headers": {"Baggage": "by=hand"}}
        task = {"Type": "Task", "Resource": "arn:aws:states:::http:invoke", "Parameters": asked, "End": True}
        machine = StateMachine("look", {"StartAt": "Ask", "States": {"Ask": task}})
        async with Runtime([machine], "memory://") as runtime:
            handle = await runtime.start(machine, {}, id="x", trace=CALLER)
            assert (await handle.result("20s"))["StatusCode"] == 200
    said = traced(noted(record)[0]["headers"])
    (span,) = [span for span in receiver.spans if span.id in said["traceparent"]]
    assert span.name == "http:invoke" and span.trace == TRACE
    assert said == told(span) | {"baggage": "by=hand"}


@on_a_loop
async def test_nobody_is_told_anything_while_traces_are_off(tmp_path: Path) -> None:
    record = tmp_path / "record"
    with started(record) as url:
        shop, server = OpenAPI(DOCUMENT, url=url), MCP("notes", f"{url}/mcp", effect="pure")
        program = MCP("program", PROGRAM, effect="pure", env={"RECORD": str(record)}).prefixed("its")
        await asked(call("look", id="1"), call("note"), call("its_note"), tools=[shop, server, program])
        await program.servers[0].close()  # type: ignore[attr-defined]  # the MCP that it was made of
    assert [said["what"] for said in noted(record)] == ["GET /orders/1", "note", "note"]
    assert [traced(said["headers"]) | traced(said["meta"]) for said in noted(record)] == [{}, {}, {}]
