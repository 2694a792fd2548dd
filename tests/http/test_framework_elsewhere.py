"""A target of Functions Framework as a place that routes lead to: its function is called by its name from elsewhere, as
at a server of overwinter."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from click.testing import CliRunner

from overwinter import Agent, Context, Runtime, tool, workflow
from overwinter.cli.main import cli
from overwinter.functions.framework.elsewhere import Meant, meant
from overwinter.functions.models.choosing import choose
from overwinter.functions.models.port import Message, Request

from .test_framework import Served
from .test_framework import asgi as asgi
from .test_framework import serve as serve


@tool
async def lookup_order(order_id: str) -> dict[str, str]:
    """Made elsewhere."""
    raise AssertionError(f"{order_id} is looked up where the route leads")


@workflow
async def asks(ctx: Context, order: str) -> Any:
    return await ctx.step(lookup_order, order)


@workflow
async def hands_on(ctx: Context, order: dict[str, Any]) -> Any:
    return await ctx.call(order["to"], order["input"])


def lead(monkeypatch: pytest.MonkeyPatch, served: Served, *names: str) -> None:
    routes = dict.fromkeys(names, f"http://127.0.0.1:{served.port}/base")
    monkeypatch.setenv("OVERWINTER_ROUTES", json.dumps(routes))


def run(function: Any, input: Any) -> Any:
    async def main() -> Any:
        async with Runtime([asks, hands_on], "memory://") as here:
            return await (await here.start(function, input)).result("60s")

    return asyncio.run(main())


def ordered(input: Any, mark: str = "m") -> dict[str, Any]:
    return {"call": {"key": "x/1", "mark": mark, "execution": "x", "operation": "1"}, "input": input}


def test_a_tool_is_a_place(serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    served = serve("lookup_order")
    lead(monkeypatch, served, "lookup_order", "other")
    assert run(asks, "o-1") == {"id": "o-1", "state": "shipped"}
    assert run(hands_on, {"to": "lookup_order", "input": {"order_id": "o-2"}})["id"] == "o-2"
    assert served.store.exists(), "it is durable there"
    first, again = (served.client.post("/calls/lookup_order", json=ordered({"order_id": "o"})) for _ in range(2))
    assert first.json() == again.json()
    assert (first.json()["result"]["id"], again.headers["idempotent-replay"]) == ("o", "true")
    for path, status in (("/calls/ticket", 404), ("/models/lookup_order", 404), ("/calls/lookup_order/x", 422)):
        assert served.client.post(path, json=ordered({})).status_code == status, path
    assert served.client.post("/calls/lookup_order", json={"input": {}}).status_code == 422
    shown = served.client.get("/functions").json()["functions"]
    assert [(one["name"], one["kind"]) for one in shown] == [("lookup_order", "tool")]
    checked = CliRunner().invoke(cli, ["route", "check", "--json"])
    assert [row["found"] for row in json.loads(checked.output)] == ["tool", "does not serve it"]


def test_a_workflow_is_a_place(serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    served = serve("ticket")
    lead(monkeypatch, served, "ticket")
    assert run(hands_on, {"to": "ticket", "input": {"order": "o-3"}})["answer"]["id"] == "o-3"
    waits = served.client.post("/x/calls/ticket", json=ordered({"wait": True}), headers={"prefer": "wait=0"})
    assert (waits.status_code, waits.json()["status"]) == (202, "running")
    cancel = {**ordered(None), "cancel": "no more"}
    assert served.client.post("/calls/ticket", json=cancel).status_code == 202
    ended = served.client.post("/calls/ticket", json=ordered({"wait": True}), headers={"prefer": "wait=20"})
    assert (ended.status_code, ended.json()["status"]) == (200, "cancelled")


def test_an_agent_is_a_place(serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    served = serve("echo_function")
    lead(monkeypatch, served, "echo")
    assert run(hands_on, {"to": "echo", "input": "hello"}) == "hello"


def test_a_model_function_is_a_place(serve: Any, asgi: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    served = serve("fast")
    lead(monkeypatch, served, "fast")
    agent = Agent("desk", "function:fast")

    async def main() -> tuple[Any, str, list[str]]:
        async with Runtime([agent], "memory://") as here:
            told = await (await here.start(agent, "hello")).result("60s")
        model: Any = choose("function:fast")
        request, pieces = Request("function:fast", (Message("user", "piece by piece"),)), list[str]()
        said = await model.stream(request, lambda piece: pieces.append(piece.text))
        return told, said.text, pieces

    told, said, pieces = asyncio.run(main())
    assert (told, said, "".join(pieces)) == ("hello", "piece by piece", "piece by piece")
    body = {"messages": [{"role": "user", "content": "hi"}]}
    once = {"overwinter-operation": '"o/1"'}
    first, again = (served.client.post("/models/fast", json=body, headers=once) for _ in range(2))
    assert first.json() == again.json() and first.json()["text"] == "hi"
    assert again.headers["idempotent-replay"] == "true"
    streamed = served.client.post("/models/fast", json=body, headers={"accept": "text/event-stream"})
    assert streamed.headers["content-type"].startswith("text/event-stream" if asgi else "application/json")
    refused = [("/models/slow", 404), ("/", 404), ("/models/fast/embeddings", 422)]
    for path, status in refused:
        assert served.client.post(path, json=body).status_code == status, path
    assert served.client.post("/calls/fast", json=ordered("hi")).status_code == 404
    assert served.client.get("/").json() == {"function": "fast", "kind": "model", "input": {}}


@pytest.mark.parametrize(
    ("path", "what"),
    [
        ("/calls/a", Meant("/calls/", "a")),
        ("/base/of/it/calls/a.b", Meant("/calls/", "a.b")),
        ("/function/a/models/a", Meant("/models/", "a")),
        ("/models/a/embeddings", Meant("/embeddings", "a")),
        ("/calls/calls/a", Meant("/calls/", "a")),
        ("/calls/", None),
        ("/calls/a/b", None),
        ("/calls", None),
        ("/models//embeddings", None),
        ("/embeddings", None),
        ("/", None),
        ("", None),
    ],
)
def test_what_a_path_means(path: str, what: Meant | None) -> None:
    assert meant(path) == what
