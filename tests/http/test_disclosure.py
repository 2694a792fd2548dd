"""What answers do not tell: where the store lies, the secrets of the process; and outcomes that can always be read."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any, cast

import httpx
import pytest

from overwinter.functions.http.app import create_app
from overwinter.functions.messages.problem import problem
from overwinter.functions.runtime import Runtime
from overwinter.functions.tools.tool import tool
from overwinter.functions.workflow import workflow
from overwinter.orchestrator.usercode.resilience import Retry
from overwinter.state.errors import StoreUnavailable

SECRET = "tulips-and-roses"


class Locked(Exception):
    """Its text needs what has no JSON form."""

    def __init__(self, lock: object) -> None:
        super().__init__()
        self.lock = lock

    def __str__(self) -> str:
        return f"locked: {self.lock.locked()!r}"  # type: ignore[attr-defined]  # a lock's


@tool
def leak() -> str:
    """Raise an error that repeats the key it was called with."""
    raise RuntimeError(f"401 from https://me:{SECRET}@api.example: bad key {SECRET}")


@workflow
async def leaking(ctx: Any) -> str:
    return str(await ctx.step(leak, name="leak", retry=Retry(first="1ms", in_process="10ms")))


@workflow
async def locking(ctx: Any) -> str:
    raise Locked(threading.Lock())


def test_no_answer_tells_a_secret_or_where_the_store_lies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("SHOP_API_KEY", SECRET)

    async def main() -> None:
        async with Runtime([leak, leaking, locking], f"sqlite:///{tmp_path}/shop.db") as runtime:
            transport = httpx.ASGITransport(
                cast("Any", create_app(runtime, token=None))
            )  # httpx types ASGI with plain dicts
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
                told: list[str] = []
                for path in ("/results/none", "/history/none", "/executions/none", "/messages/none?id=1", "/tools/no"):
                    answer = await client.get(path)
                    assert answer.status_code in (404, 405), (path, answer.text)
                    told.append(answer.text)
                answer = await client.post("/tools/leak", json={})
                assert answer.status_code == 500
                told.append(answer.text)
                outcome = await client.post("/workflows/leaking?id=l", json=None, headers={"prefer": "wait=20"})
                told += [outcome.text, (await client.get("/history/l")).text]
                locked = await client.post("/workflows/locking?id=k", json=None, headers={"prefer": "wait=20"})
                for _ in range(2):
                    assert locked.status_code == 200 and locked.json()["error"]["message"] == "locked: False"
                    locked = await client.get("/results/k")
                assert str(tmp_path) not in "".join(told) and "sqlite" not in "".join(told)
                assert SECRET not in "".join(told) and "bad key ***" in "".join(told)
                history = await runtime.store.history("l", 0, 100)
                assert SECRET not in "".join(history) and "bad key ***" in "".join(history)
        assert SECRET not in caplog.text

    asyncio.run(main())


def test_a_problem_of_the_store_does_not_say_where_it_lies() -> None:
    answer = problem(StoreUnavailable("/data/me/shop.db is locked; find it (lsof /data/me/shop.db), then try again"))
    assert b"/data" not in answer.body and b"the store is locked" in answer.body
    assert b"6379" not in problem(StoreUnavailable("redis://me:***@10.0.0.1:6379/0: no answer in 2/3 tries")).body
