"""Functions Framework as users start it: its own process, sync and aio, HTTP and CloudEvents."""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType
from typing import Any

import httpx
import pytest

from overwinter.functions.agents.agent import Agent
from overwinter.functions.events.event import CloudEvent
from overwinter.functions.events.http import parse, write_binary, write_structured
from overwinter.functions.framework.server import function_for
from overwinter.functions.framework.target import target
from overwinter.functions.tools.tool import tool
from overwinter.state.errors import InvalidInput, UnknownFunction
from overwinter.state.opening import open_store
from overwinter.tests.servers.ports import free_port

ROOT = Path(__file__).parents[2]
SHOP = '''
import asyncio
import sys
from typing import Any

from overwinter import Agent, tool, workflow
from overwinter.functions.model import ModelFunction


@tool
def lookup_order(order_id: str) -> dict[str, str]:
    """Find an order."""
    if order_id == "crash":
        raise RuntimeError("the shop is down")
    return {"id": order_id, "state": "shipped"}


@tool
async def heavy(order_id: str) -> list[str]:
    """Which heavy modules this process has loaded."""
    return sorted({"litellm", "redis", "boto3"} & set(sys.modules))


@workflow
async def ticket(ctx: Any, input: dict[str, Any]) -> dict[str, Any]:
    if input.get("wait"):
        return {"answer": await ctx.wait_for("customer.reply")}
    return {"answer": await ctx.step(lookup_order, input["order"])}


async def nap() -> str:
    await asyncio.sleep(0.7)
    return "rested"


@workflow
async def lasting(ctx: Any) -> str:
    return await ctx.step(nap)


echo = Agent("echo", "scripted:echo", tools=[lookup_order])
echo_function = echo.function()
fast = ModelFunction("fast", "scripted:echo").function()
'''


class Served:
    """A running functions-framework."""

    def __init__(self, folder: Path, function: str, asgi: bool) -> None:
        (folder / "desk_of_shop.py").write_text(SHOP, "utf-8")
        self.port = free_port()
        command = [sys.executable, "-m", "functions_framework", "--source", str(folder / "desk_of_shop.py")]
        command += ["--target", function, "--host", "127.0.0.1", "--port", str(self.port)]
        self.store = folder / "state.db"
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT / ".dev"),
            "OVERWINTER_STATE": f"sqlite:///{self.store}",
            "THREADS": "4",
        }
        self.log = (folder / "log").open("w+")
        self.process = subprocess.Popen(
            command + (["--asgi"] if asgi else []), env=environment, stderr=self.log, stdout=self.log
        )
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=20)
        self._await_start()

    def _await_start(self) -> None:
        for _ in range(200):
            try:
                if self.client.get("/").status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.05)
            assert self.process.poll() is None, self.said()
        raise AssertionError(self.said())

    def said(self) -> str:
        self.log.seek(0)
        return self.log.read()

    def post(self, event: CloudEvent, *, structured: bool = False) -> httpx.Response:
        message = (write_structured if structured else write_binary)(event)
        return self.client.post("/", content=message.body, headers=message.headers)

    def stop(self) -> None:
        self.client.close()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(15) in (0, -signal.SIGTERM)
        self.log.close()


@pytest.fixture(params=[False, True], ids=["flask", "aio"])
def asgi(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def serve(tmp_path: Path, asgi: bool) -> Iterator[Any]:
    running: list[Served] = []

    def start(function: str) -> Served:
        running.append(Served(tmp_path, function, asgi))
        return running[-1]

    yield start
    for one in running:
        one.stop()


def event(type: str, data: Any, **more: Any) -> CloudEvent:
    attributes: dict[str, Any] = {"id": "1", "source": "/test", "type": type, "data": data, **more}
    return CloudEvent(**attributes)


def test_a_tool(serve: Any) -> None:
    served = serve("lookup_order")
    client = served.client
    shown = client.get("/").json()
    assert (shown["function"], shown["kind"]) == ("lookup_order", "tool")
    assert shown["input"]["required"] == ["order_id"]
    called = client.post("/", json={"order_id": "o-1"})
    assert (called.status_code, called.json()) == (200, {"id": "o-1", "state": "shipped"})
    for structured in (False, True):
        answer = served.post(event("order.asked", {"order_id": "o-1"}), structured=structured)
        reply = parse(list(answer.headers.items()), answer.content)
        assert (answer.status_code, reply.type) == (200, "io.overwinter.result.lookup_order")
        assert reply.data == {"id": "o-1", "state": "shipped"}
        assert reply.causationid == "1"
    assert served.post(event("io.overwinter.result.lookup_order", {})).status_code == 204
    refusals = [
        (client.post("/", json={}), 422),
        (client.post("/", content=b"{", headers={"content-type": "application/json"}), 400),
        (client.post("/", content=b"a=b", headers={"content-type": "text/csv"}), 415),
        (client.post("/", headers={"ce-id": "1", "ce-specversion": "1.0"}), 400),
        (client.post("/", json={"order_id": "crash"}), 500),
        (client.post("/", content=b"x" * (5 * 1024 * 1024)), 413),
        (client.put("/", json={}), 405),
    ]
    for refused, status in refusals:
        assert (refused.status_code, refused.json()["status"]) == (status, status)
    options = client.options("/", headers={"webhook-request-origin": "x.example"})
    assert options.headers["webhook-allowed-origin"] == "*"


def test_an_async_tool_and_a_light_process(serve: Any) -> None:
    served = serve("heavy")
    assert served.client.post("/", json={"order_id": "o"}).json() == []


def test_a_workflow(serve: Any) -> None:
    served = serve("ticket")
    client = served.client
    key = {"idempotency-key": "k-1"}
    first, again = (client.post("/", json={"order": "o-1"}, headers=key).json() for _ in range(2))
    assert first["result"] == {"answer": {"id": "o-1", "state": "shipped"}}
    assert again == first
    placed = served.post(event("order.placed", {"order": "o-2"}))
    assert parse(list(placed.headers.items()), placed.content).data["answer"]["id"] == "o-2"
    waiting = client.post("/?id=t-1", json={"wait": True})
    assert (waiting.status_code, waiting.headers["location"]) == (202, "?result=t-1")
    signal = served.post(event("customer.reply", "thanks", id="2", subject="t-1"))
    assert signal.status_code in (200, 202)
    done = client.get("/?result=t-1", headers={"prefer": "wait=5"}).json()
    assert done["status"] == "completed"
    assert served.store.exists()
    assert client.post("/?id=t-1", json={"wait": False, "order": "x"}).status_code == 409


def test_an_agent(serve: Any) -> None:
    served = serve("echo_function")
    client = served.client
    assert client.get("/").json()["kind"] == "agent"
    assert client.post("/", json="hi").json()["result"] == "hi"
    said = client.post("/?session=c-42", json="hello").json()
    assert (said["id"], said["result"]) == ("echo/c-42", "hello")
    text = client.post("/?session=c-42", content="plain", headers={"content-type": "text/plain"})
    assert text.json()["result"] == "plain"
    answer = served.post(event("chat.message", "good day", subject="c-43"))
    reply = parse(list(answer.headers.items()), answer.content)
    assert (reply.data, reply.subject) == ("good day", "echo/c-43")


def test_a_stop_lets_running_steps_finish_and_records_them(serve: Any) -> None:
    served = serve("lasting")
    assert served.client.post("/?id=l-1", headers={"prefer": "respond-async"}).status_code == 202
    time.sleep(0.2)
    served.stop()

    async def journal() -> tuple[Any, list[Any]]:
        store = open_store(f"sqlite:///{served.store}")
        await store.open()
        try:
            head = await store.head("l-1")
            return head and head.owner, [json.loads(text) for text in await store.history("l-1")]
        finally:
            await store.close()

    owner, entries = asyncio.run(journal())
    assert owner is None, Path(served.log.name).read_text("utf-8")
    assert "rested" in [entry.get("value") for entry in entries if entry["type"] == "step"]
    assert "Traceback" not in Path(served.log.name).read_text("utf-8")


def test_a_target_is_still_the_function() -> None:
    @tool
    async def later(n: int) -> int:
        return n + 1

    @tool
    def now(n: int) -> int:
        return n + 1

    assert isinstance(later, FunctionType)
    assert isinstance(now, FunctionType)
    assert now(1) == 2
    assert asyncio.run(later(1)) == 2
    assert now.__name__ == "now"
    if "functions_framework" not in sys.modules:
        assert inspect.iscoroutinefunction(later)


def test_under_functions_framework_an_async_target_is_no_coroutine_function(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "functions_framework", json)

    async def later(n: int) -> int:
        return n + 1

    wrapped = target(later, object())
    assert not inspect.iscoroutinefunction(wrapped)
    assert asyncio.run(wrapped(1)) == 2


def test_a_function_for_an_agent_takes_requests_only() -> None:
    agent = Agent("echo", "scripted:echo")
    function = function_for(agent)
    assert isinstance(function, FunctionType)
    assert function.__name__ == "echo"
    with pytest.raises(UnknownFunction, match="HTTP"):
        function("hi")
    with pytest.raises(InvalidInput):
        function_for(object())
