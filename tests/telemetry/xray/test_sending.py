"""Spans reach a daemon by UDP: of workflows and agents, all in one trace; and functions elsewhere get the header."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from overwinter import Agent, Context, Runtime, Scripted, call, tool, workflow
from overwinter.functions import tracing
from overwinter.functions.invocation import sending
from overwinter.state.errors import InvalidInput
from overwinter.telemetry.xray.daemon import Xray
from overwinter.telemetry.xray.header import header_of
from overwinter.tests.apart.place import on_a_loop
from overwinter.tests.servers.moto import Moto

from .daemon import Daemon

TRACE, PARENT = "65a1b2c30123456789abcdef01234567", "0123456789abcdef"
CALLER = f"00-{TRACE}-{PARENT}-01"


@tool
async def look_up(order: str) -> str:
    """Look it up."""
    return f"{order} is on its way"


def say(messages: list[object], tools: object) -> object:
    return "It is." if len(messages) > 2 else call("look_up", order="A-1")


@workflow
async def ticket(ctx: Context, order: str) -> str:
    await ctx.step(look_up, order)
    return await ctx.call(support, f"Where is {order}?")


support = Agent("support", Scripted([call("look_up", order="A-1"), "On its way."]), tools=[look_up])


@on_a_loop
async def test_a_conversation_is_one_trace_of_valid_documents(monkeypatch: pytest.MonkeyPatch) -> None:
    with Daemon() as daemon:
        monkeypatch.setenv("OVERWINTER_TRACES", "xray")
        monkeypatch.setenv("AWS_XRAY_DAEMON_ADDRESS", daemon.address)
        async with Runtime([ticket, support, look_up], "memory://") as runtime:
            handle = await runtime.start(ticket, "A-1", id="t", trace={"traceparent": CALLER})
            assert await handle.result("20s") == "On its way."
        documents = daemon.documents()
    assert {document["trace_id"] for document in documents} == {"1-65a1b2c3-0123456789abcdef01234567"}
    ids = {document["id"] for document in documents}
    assert len(ids) == len(documents) >= 6
    (first,) = [document for document in documents if document["parent_id"] == PARENT]
    assert first["name"] == "ticket" and "type" not in first
    assert all(document["parent_id"] in {*ids, PARENT} for document in documents)
    chats = [document for document in documents if document.get("namespace") == "remote"]
    assert chats and all(document["type"] == "subsegment" for document in chats)
    assert {document["annotations"].get("overwinter_execution") for document in documents} >= {"t"}


@on_a_loop
async def test_the_service_takes_the_documents_as_the_daemon_forwards_them(
    moto: Moto, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The daemon itself puts what it gets into PutTraceSegments, as it is."""
    import boto3  # type: ignore[import-untyped]  # pyright: ignore[reportMissingTypeStubs]

    with Daemon() as daemon:
        monkeypatch.setenv("OVERWINTER_TRACES", "xray")
        monkeypatch.setenv("AWS_XRAY_DAEMON_ADDRESS", daemon.address)
        async with Runtime([ticket, support, look_up], "memory://") as runtime:
            trace = {"traceparent": f"00-65a1b2c4{TRACE[8:]}-{PARENT}-01"}
            assert await (await runtime.start(ticket, "A-1", trace=trace)).result("20s") == "On its way."
        documents = daemon.documents()
    client: Any = boto3.client("xray", endpoint_url=moto.url, region_name="eu-central-1")
    answer = client.put_trace_segments(TraceSegmentDocuments=[json.dumps(one) for one in documents])
    assert answer["UnprocessedTraceSegments"] == []
    (kept,) = client.batch_get_traces(TraceIds=[documents[0]["trace_id"]])["Traces"]
    assert {one["Id"] for one in kept["Segments"]} == {one["id"] for one in documents}
    client.close()


def test_a_wrong_address_and_a_missing_extra_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    for wrong in ("nowhere", "127.0.0.1:x", "127.0.0.1:99999", "a b c"):
        monkeypatch.setenv("AWS_XRAY_DAEMON_ADDRESS", wrong)
        with pytest.raises(InvalidInput, match="no address of an X-Ray daemon"):
            Xray()
    monkeypatch.delenv("AWS_XRAY_DAEMON_ADDRESS")
    monkeypatch.setitem(sys.modules, "aws_xray_sdk", None)
    monkeypatch.setitem(sys.modules, "aws_xray_sdk.core.emitters.udp_emitter", None)
    monkeypatch.delitem(sys.modules, "overwinter.telemetry.xray.daemon")
    with pytest.raises(InvalidInput, match=r"overwinter\[xray\]"):
        tracing.from_environment({"OVERWINTER_TRACES": "xray"})


@pytest.mark.parametrize("address", ["nowhere", "", "a b c"])
def test_a_wrong_address_is_said_though_the_sdk_looks_at_it_first(address: str) -> None:
    code = (
        "from overwinter.functions import tracing\nfrom overwinter.state.errors import InvalidInput\n"
        "try:\n    tracing.from_environment({'OVERWINTER_TRACES': 'xray'})\n"
        "except InvalidInput as error:\n    print(error)"
    )
    environment = os.environ | {"AWS_XRAY_DAEMON_ADDRESS": address}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    assert "no address of an X-Ray daemon" in done.stdout


@pytest.mark.parametrize("first", ["", "import aws_xray_sdk.core\n"])
def test_the_sockets_of_the_sdk_are_closed_at_the_end_unless_the_program_has_opened_them(first: str) -> None:
    code = (
        f"{first}import atexit, gc, os, socket\nfrom overwinter.telemetry.xray.daemon import Xray, xray_recorder\n"
        "Xray('127.0.0.1:2000').close()\n"
        "assert xray_recorder.emitter._socket.fileno() >= 0\n"  # others may send by it as long as they run
        "atexit._run_exitfuncs()\n"
        "print([one.fileno() for one in gc.get_objects() if isinstance(one, socket.socket) and one.fileno() >= 0])"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert (done.stdout.strip() == "[]") is not bool(first)
    assert first or "ResourceWarning" not in done.stderr


def test_functions_elsewhere_get_the_header_when_it_is_on(monkeypatch: pytest.MonkeyPatch) -> None:
    body = {"call": {"traceparent": CALLER}}
    assert sending._trace_in(body) == {"traceparent": CALLER}
    monkeypatch.setenv("OVERWINTER_TRACES", "xray")
    assert sending._trace_in(body) == {"traceparent": CALLER, "x-amzn-trace-id": header_of(CALLER)}
    assert sending._trace_in({"call": {}}) == {}


def test_documents_of_nobody_are_lost_and_nobody_is_harmed() -> None:
    with Daemon() as daemon:
        address = daemon.address
    exporter = Xray(address)
    assert exporter.export([]) is True
    exporter.close()
    assert json.dumps(address)
