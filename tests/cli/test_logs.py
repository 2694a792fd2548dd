"""``logs``: an event a line, from a store or a server, until the end; the exit code says how it ended."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from overwinter import Context, Runtime, workflow
from overwinter.cli.exits import NOT_FOUND, Exit
from overwinter.cli.server import Server
from overwinter.cli.tailing import FromServer, FromStore, News, tail
from overwinter.functions.http.app import create_app

from .conftest import Shelf

Command = Callable[..., Any]
Entry = dict[str, Any]
AT = 1_700_000_000_000
ERROR: Entry = {"kind": "builtins.ValueError", "message": "no card", "trace": [["shop.py", 31, "charge"]]}
STORY: list[Entry] = [
    {"type": "start", "at": AT, "input": "x"},
    {"type": "step", "op": "0", "name": "look", "at": AT + 1_500, "ms": 1_400, "value": "found"},
    {"type": "begun", "op": "1", "name": "charge", "n": 1, "at": AT + 1_500},
    {"type": "retrying", "op": "1", "name": "charge", "n": 1, "at": AT + 2_000, "until": AT + 5_000, "error": ERROR},
    {"type": "ordered", "op": "2", "kind": "child", "name": "ship", "id": "t-1/2", "at": AT + 2_000},
    {"type": "child", "op": "2", "id": "t-1/2", "status": "completed", "value": "sent", "at": AT + 4_000},
    {"type": "step", "op": "1", "name": "charge", "n": 2, "at": AT + 5_500, "ms": 400, "value": 1},
    {"type": "completed", "at": AT + 6_000, "value": "done"},
]
CHILD: list[Entry] = [
    {"type": "start", "at": AT + 2_100},
    {"type": "step", "op": "0", "name": "pack", "at": AT + 3_000, "ms": 900, "value": 1},
    {"type": "completed", "at": AT + 3_900, "value": "sent"},
]


def test_every_event_is_a_line_with_how_long_it_took(shelf: Shelf, overwinter: Command) -> None:
    shelf.put("t-1", STORY, status="completed")
    lines = overwinter("logs", "t-1").stdout.splitlines()
    assert [line.split()[4] for line in lines] == ["start", "step", "retrying", "child", "child", "step", "completed"]
    assert "1.4s look found" in lines[1]
    assert "✗ retrying" in lines[2] and "attempt 1 failed, again in 3.0s: ValueError: no card" in lines[2]
    assert "runs as t-1/2" in lines[3] and "2.0s ship sent" in lines[4] and "charge ×2 1" in lines[5]


def test_json_lines_name_the_entry(shelf: Shelf, overwinter: Command) -> None:
    shelf.put("t-1", STORY, status="completed")
    assert overwinter("logs", "t-1", "--last", str(10**20)).exit_code == 2
    found = [json.loads(line) for line in overwinter("logs", "t-1", "--json", "--last", "5").stdout.splitlines()]
    assert [one["seq"] for one in found] == [4, 5, 6, 7, 8]
    assert (found[0]["event"], found[0]["status"], found[0]["error"]) == ("retrying", "failed", "ValueError: no card")
    assert found[0]["line"] == "shop.py:31 in charge" and found[3]["attempts"] == 2


def test_children_are_told_in_between_in_the_order_of_time(shelf: Shelf, overwinter: Command) -> None:
    shelf.put("t-1", STORY, status="completed")
    shelf.put("t-1/2", CHILD, status="completed", parent="t-1", function="ship")
    done = overwinter("logs", "t-1", "--children", "--follow", "--json")
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one["execution"] for one in found].count("t-1/2") == 3 and done.exit_code == 0
    own = [one["seq"] for one in found if one["execution"] == "t-1"]
    assert own == sorted(own)


@pytest.mark.parametrize(("status", "code"), [("completed", 0), ("failed", 1), ("terminated", 1)])
def test_following_ends_with_the_execution_and_its_exit_code(
    shelf: Shelf, overwinter: Command, status: str, code: int
) -> None:
    shelf.put("t-1", [*STORY[:-1], {"type": status, "at": AT + 6_000}], status=status)
    assert overwinter("logs", "t-1", "-f").exit_code == code
    assert overwinter("logs", "t-1").exit_code == 0


def test_following_can_be_bounded_and_what_is_not_there_is_said(shelf: Shelf, overwinter: Command) -> None:
    shelf.put("t-1", STORY[:2])
    late = overwinter("logs", "t-1", "-f", "--timeout", "10ms")
    assert late.exit_code == 5 and "still going on after 10ms" in late.stderr
    assert overwinter("logs", "t-2", "-f").exit_code == 3


@workflow
async def letter(ctx: Context, to: str) -> str:
    await ctx.child(stamp, to)
    return str(await ctx.wait_for("reply"))


@workflow
async def stamp(ctx: Context, to: str) -> str:
    return await ctx.step(str.upper, to)


async def heard(source: Any, runtime: Runtime) -> list[News]:
    """All that is told of an execution that is followed from before it goes on; it is answered when it waits."""
    found: list[News] = []
    async for news in tail(source, "l-1", on=True, children=True, idle=False):
        found.append(news)
        if news.entry.get("type") == "child":
            await runtime.signal("l-1", "reply", "soon")
    return found


def types(found: list[News], execution: str) -> list[str]:
    return [str(news.entry["type"]) for news in found if news.number and news.execution == execution]


@pytest.mark.parametrize("over_http", [False, True])
def test_what_happens_meanwhile_is_told_by_store_and_server_alike(over_http: bool) -> None:
    async def main() -> list[News]:
        async with Runtime([letter, stamp], "memory://") as runtime:
            await runtime.start(letter, "Ana", id="l-1")
            if not over_http:
                return await heard(FromStore(runtime), runtime)
            transport: Any = httpx.ASGITransport(create_app(runtime, token=None))
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
                return await heard(Asked(client), runtime)

    found = asyncio.run(main())
    assert types(found, "l-1") == ["start", "ordered", "sent", "child", "event", "completed"]
    assert types(found, "l-1/0") == ["start", "step", "completed"]
    assert found[-1].status == "completed"


class Asked(FromServer):
    """Asks an app in this process, where a real client would wait for itself."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        super().__init__(Server("http://127.0.0.1", ""))
        self._client = client
        self._known: dict[str, Any] = {}

    async def look(self, id: str, after: int) -> Any:
        for place in (f"/executions/{id}", f"/history/{id}?after={after}"):
            answer = await self._client.get(place)
            if answer.status_code == 404:
                raise Exit("there is none", code=NOT_FOUND)
            self._known[place.partition("?")[0]] = answer.json()
        return await super().look(id, after)

    def _ask(self, place: str, id: str, **query: str) -> Any:
        return self._known[f"{place}/{id}"]
