"""W9: what a wake reads. Bytes that the store hands to a process that has never seen the execution, from the event that
wakes it to its rest: journal, mailbox, state, and whatever is read beside them.

An agent's session reads its window of the conversation, however long it has lived. A workflow reads its journal, and
one that begins anew now and then what has come since. The floor of a long life is the short one before it; that of a
workflow its journal, which a wake reads once.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

from overwinter import Agent, Context, Runtime, workflow
from overwinter.benchmarks.measure import Run, main
from overwinter.benchmarks.subjects import backwards, increment
from overwinter.functions.models.scripted import Scripted
from overwinter.state.opening import open_store
from overwinter.state.records import Accepted, Appended
from overwinter.state.store import Store

LENGTHS = (40, 400, 3_000)
ROUND = 40  # steps between two beginnings
TEXT = "a message of some length, as people write them to a desk that answers"

talker = Agent("talker", model=Scripted(backwards), history=20)


@workflow
async def journal(ctx: Context, steps: int) -> int:
    value = 0
    for _ in range(steps):
        value = await ctx.step(increment, value)
    await ctx.wait_for("wake")
    return value


@workflow
async def renewed(ctx: Context, left: int) -> int:
    for _ in range(min(left, ROUND)):
        await ctx.step(increment, left)
    if left > ROUND:
        await ctx.checkpoint(left - ROUND)
    await ctx.wait_for("wake")
    return left


class Read:
    """Counts what ``store`` hands out about executions."""

    def __init__(self, store: Store) -> None:
        self.bytes = 0
        self._watch(store)

    def _watch(self, store: Store) -> None:
        accept, append, history, mail, blob = store.accept, store.append, store.history, store.mail, store.blob

        async def accepted(*arguments: Any, **named: Any) -> Accepted:
            answer = await accept(*arguments, **named)
            state = "" if answer.head is None else answer.head.state
            self._count([state, *(answer.entries or ()), *(mail.body for mail in answer.mail)])
            return answer

        async def appended(*arguments: Any) -> Appended:
            answer = await append(*arguments)
            self._count([mail.body for mail in answer.mail or ()])
            return answer

        async def told(*arguments: Any) -> Sequence[str]:
            texts = await history(*arguments)
            self._count(texts)
            return texts

        async def mailed(*arguments: Any) -> Any:
            page = await mail(*arguments)
            self._count([mail.body for mail in page])
            return page

        async def fetched(*arguments: Any) -> bytes | None:
            content = await blob(*arguments)
            self.bytes += len(content or b"")
            return content

        for name, watched in (
            ("accept", accepted),
            ("append", appended),
            ("history", told),
            ("mail", mailed),
            ("blob", fetched),
        ):
            setattr(store, name, watched)

    def _count(self, texts: Sequence[str]) -> None:
        self.bytes += sum(len(text.encode()) for text in texts)


async def wake_session(dsn: str, turns: int) -> int:
    async with Runtime([talker], store=dsn) as runtime:
        for number in range(turns):
            await (await runtime.send(talker, "s", f"{TEXT} {number}")).reply()
    store = open_store(dsn)
    async with Runtime([talker], store=store) as runtime:
        read = Read(store)
        await (await runtime.send(talker, "s", TEXT)).reply()
        return read.bytes


async def wake_workflow(dsn: str, function: Any, steps: int) -> tuple[int, int]:
    """Bytes that the wake has read, and those of its journal."""
    async with Runtime([function], store=dsn) as runtime:
        handle = await runtime.start(function, steps)
        while not runtime.engine.idle() or not await at_rest(runtime, handle.id):  # noqa: ASYNC110  # nobody would set an event
            await asyncio.sleep(0.01)
        texts = [text async for text in pages(runtime.store, handle.id)]
    store = open_store(dsn)
    async with Runtime([function], store=store) as runtime:
        read = Read(store)
        ended = runtime.engine.waiters.end(handle.id)
        await runtime.signal(handle.id, "wake")
        await ended
        return read.bytes, sum(len(text.encode()) for text in texts)


async def pages(store: Store, id: str) -> AsyncIterator[str]:
    """All entries of a journal."""
    after = 0
    while page := await store.history(id, after):
        after += len(page)
        for text in page:
            yield text


async def at_rest(runtime: Runtime, id: str) -> bool:
    head = await runtime.store.head(id)
    return head is not None and head.status == "waiting"


def measure(run: Run) -> None:
    lengths = LENGTHS[:2] if run.quick else LENGTHS
    for kind, work in (("agent", wake_session), ("workflow", journal), ("checkpoints", renewed)):
        before: float | None = None
        for length in lengths:
            run.progress(f"{kind}, {length:,} {'turns' if kind == 'agent' else 'steps'}")
            dsn = run.place.dsn(f"w9-{kind}-{length}")
            if kind == "agent":
                read = asyncio.run(wake_session(dsn, length))
            else:
                read, whole = asyncio.run(wake_workflow(dsn, work, length))
                before = whole / 1000 if kind == "workflow" else before
            run.report(f"w9.{{}}.{kind}.{length}.kb_per_wake", read / 1000, "KB", before)
            before = read / 1000


if __name__ == "__main__":
    main(measure)
