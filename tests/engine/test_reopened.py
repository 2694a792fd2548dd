"""Who asks for an outcome after a verb was accepted is told what that verb led to, never what was before: whichever
process took the verb, whatever waits in the mailbox before it, and however early the first outcome had been told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from overwinter import Context, Retry, Runtime, workflow
from overwinter.orchestrator.control import Control
from overwinter.orchestrator.engine.delivery import mail_of
from overwinter.state.errors import ExecutionFailed, ExecutionStuck
from overwinter.state.memory import MemoryStore
from overwinter.state.opening import open_store
from overwinter.state.records import MAIL_BATCH

LONG = "30s"
mended = False


@pytest.fixture(autouse=True)
def broken() -> None:
    global mended
    mended = False


def deliver() -> str:
    if not mended:
        raise ValueError("the gate is closed")
    return "delivered"


@workflow
async def parcel(ctx: Context) -> str:
    return await ctx.step(deliver, retry=Retry(attempts=1))


@workflow
async def letter(ctx: Context) -> str:
    """Stuck until it is mended: there is nothing it could wait for."""
    if not mended:
        await asyncio.get_running_loop().create_future()
    return "delivered"


VERBS = [("retry", parcel, "failed", ExecutionFailed), ("resume", letter, "stuck", ExecutionStuck)]


async def at_rest(runtime: Runtime, id: str, status: str) -> None:
    """Nobody here has asked for the outcome when it comes."""
    while (head := await runtime.store.head(id)) is None or head.status != status or runtime.engine.active:  # noqa: ASYNC110  # nobody would set an event
        await asyncio.sleep(0.01)


@pytest.mark.parametrize(("verb", "function", "status", "error"), VERBS)
@pytest.mark.parametrize("read_before", [False, True])
def test_the_outcome_after_a_verb_is_that_of_the_verb(
    verb: str, function: Any, status: str, error: type[Exception], read_before: bool
) -> None:
    async def main() -> None:
        global mended
        async with Runtime([parcel, letter], MemoryStore()) as runtime:
            handle = await runtime.start(function, id="x")
            await at_rest(runtime, "x", status)
            if read_before:
                with pytest.raises(error):
                    await handle.result(LONG)
            mended = True
            await runtime.act(verb, "x")
            assert await handle.result(LONG) == "delivered"

    asyncio.run(main())


def test_an_outcome_that_nobody_has_asked_to_go_on_is_told_as_often_as_it_is_asked_for() -> None:
    async def main() -> None:
        async with Runtime([parcel, letter], MemoryStore()) as runtime:
            for _, function, status, error in VERBS:
                handle = await runtime.start(function, id=status)
                await at_rest(runtime, status, status)
                for _ in range(2):
                    with pytest.raises(error):
                        await handle.result(LONG)

    asyncio.run(main())


# -- taken by others -----------------------------------------------------------------------------------


@pytest.fixture
def dsns(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], str]:
    """DSNs of fresh stores that several processes share; servers start when they are first asked for."""

    def dsn(kind: str) -> str:
        if kind == "sqlite":
            return f"sqlite:///{tmp_path}/x.db"
        if kind == "redis":
            return str(request.getfixturevalue("redis_server").dsn(prefix="reopened"))
        return str(request.getfixturevalue("moto").dsn(bucket="reopened"))

    return dsn


@pytest.mark.parametrize("kind", ["sqlite", "redis", "dynamodb"])
def test_a_verb_that_another_process_took_counts_as_well(kind: str, dsns: Callable[[str], str]) -> None:
    async def main() -> None:
        global mended
        dsn = dsns(kind)
        other, bystander = open_store(dsn), open_store(dsn)
        await other.create()
        await other.open()
        async with Runtime([parcel, letter], dsn) as runtime, Runtime([], bystander) as idle:
            handles = [await runtime.start(function, id=verb) for verb, function, *_ in VERBS]
            for verb, _, status, _ in VERBS:
                await at_rest(runtime, verb, status)
            mended = True
            for verb, *_ in VERBS:
                await Control(other).act(verb, verb)
            for handle in handles:
                both = await asyncio.gather(handle.result(LONG), idle.result(handle.id, LONG))
                assert list(both) == ["delivered"] * 2
        await other.close()

    asyncio.run(main())


def test_a_verb_counts_however_much_waits_before_it() -> None:
    async def main() -> None:
        store = MemoryStore()
        async with Runtime([letter], store) as runtime:
            await runtime.start(letter, id="x")
            await at_rest(runtime, "x", "stuck")
        for number in range(3 * MAIL_BATCH):
            beat = mail_of({"type": "beat", "at": number, "op": "0", "secret": ""}, "", lane=0)
            await store.accept("x", beat, now=number)
        control = Control(store)
        assert await control.at_rest("x") is not None
        await control.resume("x")
        assert await control.at_rest("x") is None

    asyncio.run(main())
