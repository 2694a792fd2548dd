"""Two agents with different tools of one name: each calls its own, and outside they are told apart."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import httpx
import pytest

from overwinter import Agent, Breaker, Runtime, tool
from overwinter.functions.http.app import create_app
from overwinter.functions.http.openapi import document
from overwinter.functions.invocation.loading import reachable
from overwinter.functions.model import Scripted, call
from overwinter.state.errors import InvalidInput, UnknownFunction


def lookup_in(place: str, **options: Any) -> Any:
    @tool(name="lookup", **options)
    async def lookup(order_id: str) -> str:
        return f"{place} {order_id}"

    return lookup


def agent(name: str, *tools: object) -> Agent:
    """Calls ``lookup`` and says what it was told."""

    def answer(messages: Any, _: Any) -> Any:
        last = messages[-1]
        return last.content if last.role == "tool" else call("lookup", order_id="o-1")

    return Agent(name, Scripted(answer), tools=tools)


SHARED = lookup_in("shared")
NORTH, SOUTH = agent("north", lookup_in("north", approval="boss")), agent("south", lookup_in("south"))


def test_each_agent_calls_its_own_and_outside_they_have_names_of_their_own() -> None:
    async def main() -> None:
        async with Runtime([NORTH, SOUTH], "memory://") as runtime:
            assert sorted(runtime.functions) == ["north", "north.lookup", "south", "south.lookup"]
            asked = await runtime.start("north", "?", id="n")
            assert await (await runtime.start("south", "?")).result("10s") == "south o-1"
            while not (waiting := await runtime.approvals("n")):  # noqa: ASYNC110  # its model asks for it
                await asyncio.sleep(0.01)
            assert waiting[0]["what"] == "lookup"  # of the execution n, which is one of north
            await runtime.decide("n", None, True, by="ana")
            assert await asked.result("10s") == "north o-1"
            assert await runtime.invoke("south.lookup", {"order_id": "2"}) == "south 2"
            with pytest.raises(UnknownFunction, match=r"north\.lookup.*south\.lookup"):
                await runtime.invoke("lookup", {"order_id": "2"})
        async with Runtime(reachable([NORTH, SOUTH]), "memory://") as runtime:  # what loading gives is taken as it is
            assert sorted(runtime.functions) == ["north", "north.lookup", "south", "south.lookup"]

    asyncio.run(main())


def test_openapi_tells_both() -> None:
    paths = document(reachable([NORTH, SOUTH]), "1", secured=False)["paths"]
    assert {"/tools/north.lookup", "/tools/south.lookup"} <= set(paths) and "/tools/lookup" not in paths


def test_each_is_called_over_http_under_its_own_name() -> None:
    async def main() -> None:
        async with Runtime([agent("north", lookup_in("north")), SOUTH], "memory://") as runtime:
            transport = httpx.ASGITransport(cast("Any", create_app(runtime, token=None)))
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
                for name in ("north", "south"):
                    answer = await client.post(f"/tools/{name}.lookup", json={"order_id": "3"})
                    assert (answer.status_code, answer.json()) == (200, f"{name} 3")
                assert (await client.post("/tools/lookup", json={"order_id": "3"})).status_code == 404
                listed = (await client.get("/functions")).text
                assert "north.lookup" in listed and "south.lookup" in listed

    asyncio.run(main())


def test_one_that_is_alone_or_handed_in_keeps_its_name() -> None:
    both = agent("east", SHARED), agent("west", SHARED)
    assert sorted(reachable(both)) == ["east", "lookup", "west"]
    assert sorted(reachable([NORTH, SHARED, *both])) == ["east", "lookup", "north", "north.lookup", "west"]
    named = reachable([NORTH, SHARED])
    assert reachable(named.values()).keys() >= {"lookup", "north"} and Runtime(named, "memory://").functions == named


def test_two_that_are_handed_in_and_agents_of_one_name_are_refused() -> None:
    with pytest.raises(InvalidInput, match="two functions are named 'lookup'"):
        reachable([lookup_in("a"), lookup_in("b")])
    with pytest.raises(InvalidInput, match=r"two functions are named 'north': the agent .* and the agent"):
        reachable([NORTH, agent("north")])
    with pytest.raises(InvalidInput, match="two functions are named 'lookup': the agent"):
        reachable([agent("lookup"), SHARED])
    assert sorted(reachable([agent("lookup"), NORTH])) == ["lookup", "north", "north.lookup"]


def test_they_have_circuits_of_their_own() -> None:
    async def main() -> None:
        def broken(place: str) -> Any:
            @tool(name="lookup", breaker=Breaker(failures=1, reset="1h"))
            async def lookup(order_id: str) -> str:
                if place == "north":
                    raise ValueError("it is broken")
                return place

            return lookup

        async with Runtime([agent("north", broken("north")), agent("south", broken("south"))], "memory://") as runtime:
            assert "broken" in await (await runtime.start("north", "?")).result("10s")
            assert await (await runtime.start("south", "?")).result("10s") == "south"
            assert list(runtime.engine.performer.circuits()["open"]) == ["lookup"]  # type: ignore[call-overload]

    asyncio.run(main())
