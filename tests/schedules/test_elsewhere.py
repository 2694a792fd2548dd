"""What a schedule begins may live elsewhere."""

from __future__ import annotations

import json

import pytest

from overwinter import Context, Runtime, tool, workflow
from overwinter.state.errors import UnknownFunction
from overwinter.state.memory import MemoryStore
from overwinter.tests.apart.place import on_a_loop, served, until

calls: list[str] = []


@tool
def sweep(room: str) -> str:
    calls.append(room)
    return room.upper()


@workflow
async def other(ctx: Context) -> None: ...


def test_a_run_is_made_where_the_route_leads(monkeypatch: pytest.MonkeyPatch) -> None:
    calls.clear()

    @on_a_loop
    async def main() -> None:
        async with served([sweep]) as far, Runtime([other], MemoryStore()) as here:
            with pytest.raises(UnknownFunction):
                await here.schedules.create("sweep", "@daily", input={"room": "hall"})
            monkeypatch.setenv("OVERWINTER_ROUTES", json.dumps({"sweep": {"url": far.url, "token": ""}}))
            await here.schedules.create("sweep", "@daily", input={"room": "hall"})
            run = await here.schedules.run_now("sweep", id="a")
            assert run == await here.schedules.run_now("sweep", id="a")
            await until(lambda: bool(calls))
            assert await here.result(run, timeout=20) == "HALL"
            assert calls == ["hall"]

    main()
