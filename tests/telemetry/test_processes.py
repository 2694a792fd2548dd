"""Traces and baggage from one real process to another: through Functions Framework as users start it, sync and aio."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from overwinter import Context, tool, workflow
from overwinter.tests.apart.place import PATIENCE, on_a_loop, served
from overwinter.tests.servers.ports import free_port

from .receiver import Receiver

ROOT = Path(__file__).parents[2]
TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
CALLER = {"traceparent": f"00-{TRACE}-{PARENT}-01", "tracestate": "shop=1", "baggage": "tenant=north,desk=7"}
SHOP = '''
import json
import os
from pathlib import Path
from typing import Any

from overwinter import current_call, tool, workflow


@tool
async def look(order: str) -> dict[str, str]:
    """Says in which trace it is."""
    return dict(current_call().trace)


async def note() -> None:
    line = json.dumps(dict(current_call().trace))
    Path(os.environ["NOTED"]).write_text(line)


@workflow
async def ticket(ctx: Any, order: str) -> dict[str, str]:
    return await ctx.step(look, order)


@workflow
async def hears(ctx: Any, order: str) -> None:
    await ctx.step(note)
'''


@contextmanager
def framework(folder: Path, target: str, *, asgi: bool = True, **environment: str) -> Generator[str]:
    """A process of Functions Framework; its address."""
    (folder / "shop_of_traces.py").write_text(SHOP, "utf-8")
    port = free_port()
    command = [sys.executable, "-m", "functions_framework", "--source", str(folder / "shop_of_traces.py")]
    command += ["--target", target, "--host", "127.0.0.1", "--port", str(port), *(["--asgi"] if asgi else [])]
    own = {name: value for name, value in os.environ.items() if name not in ("OVERWINTER_TRACES", "K_SINK")}
    own |= {"PYTHONPATH": str(ROOT / ".dev"), "OVERWINTER_STATE": f"sqlite:///{folder / 'there.db'}", "THREADS": "4"}
    with (folder / "log").open("w+") as log:
        process = subprocess.Popen(command, env=own | environment, stdout=log, stderr=log)
        try:
            url = f"http://127.0.0.1:{port}"
            _until(lambda: _answers(url) or process.poll() is not None)
            assert process.poll() is None, (folder / "log").read_text()
            yield url
        finally:
            process.send_signal(signal.SIGTERM)  # which it tells its workers
            try:
                process.wait(PATIENCE)
            finally:
                process.kill()
                process.wait()


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=PATIENCE).status_code == 200
    except httpx.TransportError:
        return False


def _until(holds: Callable[[], bool]) -> None:
    ends = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < ends
        time.sleep(0.01)


@workflow
async def child(ctx: Context, order: str) -> list[Any]:
    return [ctx.caller.get("baggage"), await ctx.step(look, order)]


@workflow
async def notice(ctx: Context, order: str) -> str:
    await ctx.publish("order.paid", order)
    return order


@workflow
async def sale(ctx: Context, order: str) -> list[Any]:
    return [await ctx.step(look, order), await ctx.call(child, order)]


@tool
async def look(order: str) -> dict[str, str]:
    """Lives in another process."""
    raise AssertionError("it is called there")


async def asked(url: str, name: str) -> Any:
    """What comes of a workflow that somebody asks for in a trace."""
    async with httpx.AsyncClient(timeout=PATIENCE) as client:
        headers = {**CALLER, "prefer": "wait=20"}
        answer = await client.post(f"{url}/workflows/{name}", json="A-1", headers=headers)
    assert answer.status_code == 200, answer.text
    assert "result" in answer.json(), answer.text
    return answer.json()["result"]


@pytest.mark.parametrize("asgi", [False, True], ids=["flask", "aio"])
def test_a_request_to_functions_framework_goes_on_with_its_trace(tmp_path: Path, asgi: bool) -> None:
    with Receiver() as receiver, framework(tmp_path, "ticket", asgi=asgi, OVERWINTER_TRACES=receiver.url) as url:
        answer = httpx.post(url, json="A-1", headers=CALLER, timeout=PATIENCE)
        assert answer.status_code == 200, answer.text
        told = answer.json()["result"]
    execution, step = receiver.named("invoke_workflow ticket"), receiver.named("look")
    assert (execution.trace, execution.parent, step.parent) == (TRACE, PARENT, execution.id)
    assert told == CALLER | {"traceparent": f"00-{TRACE}-{step.id}-01"}


@pytest.mark.parametrize("traced", [False, True], ids=["off", "on"])
@on_a_loop
async def test_baggage_goes_to_another_process_also_from_a_child(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, traced: bool
) -> None:
    with Receiver() as receiver:
        if traced:
            monkeypatch.setenv("OVERWINTER_TRACES", receiver.url)
        with framework(tmp_path, "look") as url:
            monkeypatch.setenv("OVERWINTER_ROUTES", json.dumps({"look": url}))
            async with served([sale, child, look]) as here:
                first, (of_child, second) = await asked(here.url, "sale")
    assert of_child == first["baggage"] == second["baggage"] == CALLER["baggage"]
    assert first["tracestate"] == second["tracestate"] == "shop=1"
    assert first["traceparent"].split("-")[1] == second["traceparent"].split("-")[1] == TRACE
    if traced:
        calls = {span.id for span in receiver.spans if span.name == "look" and span.trace == TRACE}
        assert {one["traceparent"].split("-")[2] for one in (first, second)} == calls


@on_a_loop
async def test_a_published_event_takes_trace_and_baggage_to_another_process(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    noted = tmp_path / "noted"
    with Receiver() as receiver:
        monkeypatch.setenv("OVERWINTER_TRACES", receiver.url)
        address = receiver.url
        with framework(
            tmp_path, "hears", OVERWINTER_TRACES=address, NOTED=str(noted), OTEL_SERVICE_NAME="there"
        ) as url:
            monkeypatch.setenv("K_SINK", f"{url}/")
            monkeypatch.setenv("OVERWINTER_BROKER", "knative://")
            async with served([notice]) as here:
                assert await asked(here.url, "notice") == "A-1"
                await asyncio.to_thread(_until, noted.exists)
        sent, heard = receiver.named("send order.paid"), receiver.named("invoke_workflow hears")
        step = receiver.named("note")
    assert heard.service == "there" and heard.links == [(TRACE, sent.id)] and heard.trace != TRACE
    told = json.loads(noted.read_text())
    assert told["baggage"] == CALLER["baggage"]
    assert told["traceparent"] == f"00-{heard.trace}-{step.id}-01"
