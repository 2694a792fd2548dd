"""What people see of a call in doubt, and what they may say: on the command line, over HTTP, in another store."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from click.testing import CliRunner, Result

from overwinter import Context, InDoubt, Runtime, tool, workflow
from overwinter.cli.main import cli
from overwinter.functions.effects import Done
from overwinter.functions.http.app import create_app

calls: list[str] = []
Command = Callable[..., Result]


@tool(effect="irreversible")
async def wire(order: str, euros: int = 20) -> str:
    """Wire money."""
    calls.append(order)
    raise InDoubt("the bank has not answered")


@workflow
async def sends(ctx: Context, order: str) -> str:
    return await ctx.step(wire, order)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A store with a call in doubt. Nothing runs when this is over: what was called has come to rest."""
    monkeypatch.chdir(tmp_path)
    calls.clear()
    dsn = "sqlite:///store.db"

    async def fill() -> None:
        async with Runtime([sends], dsn) as runtime:
            await runtime.start(sends, "o-1", id="x")
            await _rests(runtime)

    asyncio.run(fill())
    return dsn


async def _rests(runtime: Runtime) -> None:
    async with runtime.store.watch("x"):
        while not (await runtime.doubts("x")) or "x" in runtime.engine.active:  # noqa: ASYNC110  # nothing tells of rest
            await asyncio.sleep(0)


@pytest.fixture
def overwinter(store: str, monkeypatch: pytest.MonkeyPatch) -> Command:
    monkeypatch.setenv("OVERWINTER_STATE", store)
    monkeypatch.setenv("COLUMNS", "200")

    def call(*arguments: str) -> Result:
        return CliRunner().invoke(cli, list(arguments), catch_exceptions=False)

    return call


def _goes_on(store: str) -> Any:
    async def result() -> Any:
        async with Runtime([sends], store) as runtime:
            return await runtime.result("x", "20s")

    return asyncio.run(result())


def test_it_is_seen_in_every_list(overwinter: Command, store: str) -> None:
    assert [head["status"] for head in json.loads(overwinter("ps", "--json").stdout)["executions"]] == ["in-doubt"]
    assert "in-doubt" in overwinter("ps", "--status", "in-doubt").stdout
    told = overwinter("show", "x").stdout
    assert "in doubt wire(" in told and "o-1" in told
    assert "key x/0" in told and "give-up" in told
    assert "overwinter resolve x 0 --done RESULT | --not-done | --give-up" in told
    (waits,) = json.loads(overwinter("show", "x", "--json").stdout)["waiting"]
    assert waits["doubt"] is True and waits["arguments"] == {"order": "o-1"} and waits["key"] == "x/0"
    (doubt,) = json.loads(overwinter("doubts", "--json").stdout)["doubts"]
    assert (doubt["execution"], doubt["op"], doubt["name"], doubt["key"]) == ("x", "0", "wire", "x/0")
    assert doubt["since"] and doubt["rule"]["then"] == "give-up"
    assert "wire(" in overwinter("doubts").stdout
    assert "1 wait for somebody who knows" in overwinter("doctor").stdout


def test_a_person_resolves_it_by_command(overwinter: Command, store: str) -> None:
    refused = overwinter("resolve", "x")
    assert refused.exit_code == 2 and "--not-done" in refused.output
    said = overwinter("resolve", "x", "--done", "paid by hand", "--by", "ann", "--reason", "the statement", "--json")
    assert json.loads(said.stdout) == {
        "execution": "x", "op": "0", "verdict": "done", "value": "paid by hand", "by": "ann", "reason": "the statement",
    }  # fmt: skip
    assert overwinter("doubts").output.strip() == "nothing is in doubt"
    again = overwinter("resolve", "x", "0", "--give-up")
    assert again.exit_code != 0 and "no call in doubt" in again.output
    assert _goes_on(store) == "paid by hand"
    assert calls == ["o-1"]
    assert "ann" in overwinter("show", "x", "--full").stdout


def test_not_done_makes_it_again_and_it_may_be_in_doubt_again(overwinter: Command, store: str) -> None:
    overwinter("resolve", "x", "0", "--not-done")

    async def go_on() -> None:
        async with Runtime([sends], store) as runtime:
            while len(calls) < 2:  # noqa: ASYNC110  # the tool is a plain one
                await asyncio.sleep(0)
            await _rests(runtime)

    asyncio.run(go_on())
    (doubt,) = json.loads(overwinter("doubts", "--json").stdout)["doubts"]
    assert doubt["key"] == "x/0" and calls == ["o-1", "o-1"]
    overwinter("resolve", "x", "--done", "ok")
    assert _goes_on(store) == "ok"


def test_neither_a_copy_nor_a_move_repeats_it(overwinter: Command, store: str) -> None:
    assert overwinter("store", "export", "all.jsonl").exit_code == 0
    assert overwinter("store", "import", "all.jsonl", "--store", "sqlite:///copy.db").exit_code == 0
    assert overwinter("store", "move", "--to", "sqlite:///moved.db").exit_code == 0
    for other in ("sqlite:///copy.db", "sqlite:///moved.db"):

        async def serve(dsn: str = other) -> None:
            async with Runtime([sends], dsn) as runtime:
                assert (await runtime.show("x")).status == "in-doubt"
                (doubt,) = await runtime.doubts("x")
                await runtime.resume("x")  # whatever wakes it
                await _rests(runtime)
                assert doubt["key"] == "x/0" and calls == ["o-1"]
                await runtime.resolve("x", None, Done("found"))
                assert await runtime.result("x", "20s") == "found"

        asyncio.run(serve())
    assert calls == ["o-1"]


def test_over_http(store: str) -> None:
    async def main() -> None:
        async with Runtime([sends], store) as runtime:
            transport = httpx.ASGITransport(cast("Any", create_app(runtime, token=None)))
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
                listed = (await client.get("/executions", params={"status": "in-doubt"})).json()["executions"]
                assert [head["id"] for head in listed] == ["x"]
                assert (await client.get("/counts")).json()["in-doubt"] == 1
                assert (await client.get("/stats")).json()["doubts"] == {"executions": 1}
                (doubt,) = (await client.get("/doubts/x")).json()["doubts"]
                assert doubt["arguments"] == {"order": "o-1"} and doubt["name"] == "wire"
                assert (await client.get("/doubts/nobody")).status_code == 404
                wrong = await client.post("/resolve/x", json={"verdict": "perhaps"})
                assert wrong.status_code == 422
                both = await client.post("/resolve/x", json={"verdict": "not-done", "value": "receipt 4711"})
                assert both.status_code == 422 and "a call that is done" in both.json()["detail"]
                unfit = await client.post("/resolve/x", json={"verdict": "done", "value": {"no": "text"}})
                assert unfit.status_code in (202, 422), unfit.text  # at rest here it is refused, else passed over
                while len(await runtime.history("x")) < 4 and unfit.status_code == 202:  # noqa: ASYNC110  # it is passed over
                    await asyncio.sleep(0)
                body = {"verdict": "done", "value": "seen", "op": "0", "by": "ann", "reason": "called them"}
                assert (await client.post("/resolve/x", json=body)).status_code == 202
                assert await runtime.result("x", "20s") == "seen"
                late = await client.post("/resolve/x", json=body)
                assert late.status_code == 409

    asyncio.run(main())
