"""One orchestrator process: it serves the shop from a store, and does what its parent asks on standard input.

Argument: JSON with ``dsn``, ``settings``, ``skew`` (ms that its clock is ahead) and ``elsewhere`` (behave as on a
machine of its own, where no lock of the others can be seen). A request is a line of JSON with ``n``; the answer has
the same ``n`` and either ``value`` or ``error`` and ``message``. The first line says that it is ready.

It notes what it tells the store and what the store answers, so that the parent can compare that with the journals.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import logging
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

from overwinter import OverwinterError, Runtime, Settings
from overwinter.orchestrator.engine.activation import Activation
from overwinter.orchestrator.engine.engine import Engine
from overwinter.orchestrator.engine.performing import Sink
from overwinter.orchestrator.protocol.decider import Invoke
from overwinter.state import open_store
from overwinter.state.errors import Conflict, StoreError
from overwinter.state.records import Accepted, Answer, Appended, Change
from overwinter.state.store import Store
from overwinter.tests.processes.notes import note
from overwinter.tests.processes.shop import FUNCTIONS

Request = dict[str, Any]


def watch_calls(engine: Engine) -> None:
    """Note every call that is about to be made, and at which version of the execution."""
    invoke = engine.performer.invoke

    async def noted(execution: str, call: Invoke, sink: Sink) -> None:
        if not call.begun:
            version = sink.version if isinstance(sink, Activation) else 0
            note("invoked", id=execution, op=call.op, name=call.name, version=version, owner=engine.owner)
        await invoke(execution, call, sink)

    engine.performer.invoke = noted  # type: ignore[method-assign]


def watch_changes(store: Store) -> None:
    """Note what is committed, refused and granted."""
    accept, append = store.accept, store.append

    def noted_accept(id: str, mail: Any, **options: Any) -> Awaitable[Accepted]:
        answered = asyncio.ensure_future(accept(id, mail, **options))

        def noted(done: asyncio.Future[Accepted]) -> None:
            if not done.cancelled() and done.exception() is None and done.result().answer is Answer.GRANTED:
                head = done.result().head
                note("granted", id=id, owner=options.get("owner"), version=head.version if head else None)

        answered.add_done_callback(noted)
        return answered

    def noted_append(change: Change) -> Awaitable[Appended]:
        about = {"id": change.id, "version": change.version, "owner": change.owner}
        note("commits", **about, entries=[digest(text) for text in change.entries])
        answered = asyncio.ensure_future(append(change))

        def noted(done: asyncio.Future[Appended]) -> None:
            if not done.cancelled() and isinstance(done.exception(), Conflict):
                note("conflict", **about)

        answered.add_done_callback(noted)
        return answered

    store.accept = noted_accept  # type: ignore[method-assign]
    store.append = noted_append  # type: ignore[method-assign]


def digest(text: str) -> str:
    """What stands for a journal entry in the notes."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


class Ear:
    """Hears what the parent asks, and answers."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._answering: set[asyncio.Task[None]] = set()

    async def listen(self) -> None:
        """Until standard input ends, because the parent has gone."""
        reader = asyncio.StreamReader(limit=1 << 24)
        loop = asyncio.get_running_loop()
        transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        try:
            while line := await reader.readline():
                task = asyncio.create_task(self._answer(json.loads(line)))
                self._answering.add(task)
                task.add_done_callback(self._answering.discard)
        finally:
            transport.close()

    async def _answer(self, request: Request) -> None:
        answer: Request = {"n": request.pop("n")}
        try:
            answer["value"] = await perform(self._runtime, request.pop("do"), request)
        except (OverwinterError, TimeoutError) as error:
            answer |= {"error": type(error).__name__, "message": str(error), "store": isinstance(error, StoreError)}
        say(answer)


async def perform(runtime: Runtime, what: str, given: Request) -> Any:
    """What a client may ask for, here or in another process. Raises what the runtime raises."""
    if what == "start":
        return (await runtime.start("errand", given["input"], id=given["id"])).created
    if what == "send":
        return (await runtime.send("desk", given["session"], given["content"], id=given["id"])).duplicate
    if what == "decide":
        return await runtime.decide(given["id"], given["op"], given["approved"], by="test")
    verbs: dict[str, Callable[..., Awaitable[Any]]] = {
        "signal": runtime.signal,
        "result": runtime.result,
        "reply": runtime.reply,
    }
    return await verbs[what](**given)


def say(answer: Request) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


async def main(given: Request) -> int:
    store = open_store(given["dsn"])
    if given.get("elsewhere"):
        store._leases.machine = ""  # type: ignore[attr-defined]
    watch_changes(store)
    skew = given.get("skew", 0)
    settings = Settings(**given.get("settings", {}))
    runtime = Runtime(FUNCTIONS, store, settings, clock=lambda: time.time_ns() // 1_000_000 + skew)
    watch_calls(runtime.engine)
    try:
        await runtime.__aenter__()
    except StoreError as error:
        print(f"can't begin: {error}", file=sys.stderr)
        return 75
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    say({"n": 0, "value": runtime.engine.owner})
    listening = asyncio.create_task(Ear(runtime).listen())
    waiting = asyncio.create_task(stop.wait())
    await asyncio.wait((listening, waiting), return_when=asyncio.FIRST_COMPLETED)
    for task in (listening, waiting):
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    with contextlib.suppress(StoreError):
        await runtime.close("3s")
    return 0


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(process)d %(message)s")
    sys.exit(asyncio.run(main(json.loads(sys.argv[1]))))
