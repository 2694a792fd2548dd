"""Schedules over HTTP: what is asked, what is answered, and what is refused with which status."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from overwinter import Context, Runtime, schedule, workflow
from overwinter.functions.http.app import create_app
from overwinter.state.memory import MemoryStore


@schedule("0 7 * * MON-FRI", zone="Europe/Berlin")
@workflow
async def report(ctx: Context, about: str = "all") -> str:
    return about


def asked(work: Any) -> None:
    async def main() -> None:
        async with Runtime([report], MemoryStore()) as runtime:
            transport = httpx.ASGITransport(create_app(runtime, token=None))
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
                await work(client, runtime)

    asyncio.run(main())


async def until(client: httpx.AsyncClient, name: str, status: str) -> Any:
    async with asyncio.timeout(20):
        while (found := (await client.get(f"/schedules/{name}")).json())["status"] != status:  # noqa: ASYNC110  # none is set
            await asyncio.sleep(0.005)
        return found


def test_from_making_to_removing() -> None:
    async def work(client: httpx.AsyncClient, runtime: Runtime) -> None:
        listed = (await client.get("/schedules")).json()["schedules"]
        assert [one["name"] for one in listed] == ["report"] and "input" not in listed[0]
        made = await client.post(
            "/schedules", json={"function": "report", "every": "1h", "name": "hourly", "input": "news", "jitter": 60}
        )
        assert made.status_code == 200, made.text
        assert (made.json()["every"], made.json()["jitter"], made.json()["input"]) == (3600.0, 60.0, "news")
        changed = await client.patch("/schedules/hourly", json={"cron": "0 8 * * *", "overlap": "queue"})
        assert (changed.json()["cron"], changed.json()["overlap"], changed.json()["jitter"]) == (
            "0 8 * * *",
            "queue",
            60,
        )
        run = await client.post("/schedules/hourly/run", json={"id": "a"})
        assert run.status_code == 202 and run.json() == {"run": "hourly@a"}
        assert run.headers["location"] == "/results/hourly%40a"
        async with asyncio.timeout(20):
            while await runtime.find("hourly@a") is None:  # noqa: ASYNC110  # there is no event for it
                await asyncio.sleep(0.005)
        ended = await client.get(run.headers["location"], headers={"prefer": "wait=20"})
        assert ended.json()["result"] == "news"
        assert (await client.post("/schedules/hourly/pause")).status_code == 202
        assert (await until(client, "hourly", "paused"))["next"] is None
        assert (await client.post("/schedules/hourly/run")).status_code == 409
        assert (await client.post("/schedules/hourly/resume", json={"by": "me"})).status_code == 202
        await until(client, "hourly", "active")
        assert (await client.patch("/schedules/hourly", json={"input": None})).json()["input"] is None
        assert (await client.patch("/schedules/hourly", json={"input": 5})).status_code == 422
        assert (await client.delete("/schedules/hourly?cancel=true")).status_code == 202
        async with asyncio.timeout(20):
            while (await client.get("/schedules/hourly")).status_code != 404:  # noqa: ASYNC110  # none is set
                await asyncio.sleep(0.005)
        assert len((await client.get("/schedules?prefix=rep&function=report")).json()["schedules"]) == 1

    asked(work)


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "says"),
    [
        ("GET", "/schedules/none", None, 404, "no schedule 'none'"),
        ("GET", "/schedules?colour=red", None, 400, "unknown query parameter"),
        ("GET", "/schedules?function=", None, 400, "function is empty"),
        ("GET", "/schedules?prefix=", None, 400, "prefix is empty"),
        ("POST", "/schedules/report/run", {"id": "a/b"}, 422, "can't be the id of a run"),
        ("POST", "/schedules/report/run", {"id": "2030-11-30T06:00:00Z"}, 422, "due at that time"),
        ("POST", "/schedules/report/run", {"id": "2030-11-30T06:00:00.500Z"}, 422, "due at that time"),
        ("POST", "/schedules", {"function": "nobody", "every": "1h"}, 404, "no process has served 'nobody'"),
        ("POST", "/schedules", {"function": "report", "every": "0s"}, 422, "too often"),
        ("POST", "/schedules", {"function": "report", "every": "1h", "zone": "UTC"}, 422, "takes no zone"),
        ("POST", "/schedules", {"function": "report", "every": "1h", "colour": 1}, 422, "colour"),
        ("POST", "/schedules", {"function": "report", "cron": "0 8 * * *"}, 409, "another schedule 'report'"),
        ("POST", "/schedules", {"function": "report", "every": "1h", "name": "x", "input": 5}, 422, "not valid"),
        ("PATCH", "/schedules/report", {}, 422, "nothing is given"),
        ("PATCH", "/schedules/report", {"most": "7"}, 422, "most"),
        ("PUT", "/schedules/report", {}, 405, ""),
        ("DELETE", "/schedules/report?cancel=maybe", None, 400, "true or false"),
        ("DELETE", "/schedules/none", None, 404, "no schedule 'none'"),
    ],
)
def test_what_is_wrong_is_said(method: str, path: str, body: Any, status: int, says: str) -> None:
    async def work(client: httpx.AsyncClient, runtime: Runtime) -> None:
        answer = await client.request(method, path, json=body)
        assert answer.status_code == status, answer.text
        assert says in answer.json()["detail"]
        if status == 405:
            assert set(answer.headers["allow"].split(", ")) >= {"GET", "PATCH", "DELETE"}

    asked(work)
