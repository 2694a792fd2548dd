"""Calls of model functions that are under way in one app: each is made once, however often it is asked for meanwhile,
and goes on although nobody listens. They are bounded in number and in what they hold, as requests are."""

from __future__ import annotations

import asyncio
import io
import logging
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

from ...orchestrator.engine import collecting
from ...state.codec import dumps
from ...state.errors import StoreError
from ..messages.problem import Refused, Settled, settle
from ..models.memo import Memo
from ..models.port import Delta, Request

if TYPE_CHECKING:
    from ...orchestrator.runtime import Runtime
    from ..models.function import ModelFunction

log = logging.getLogger("overwinter.http")
ALIVE = 15.0
"""Seconds of silence after which a client is told that the call still goes on."""
RECALLED = 60.0
"""Seconds for which an error is kept for whoever asks again, when nobody was there to be told."""
LINGERS = 5.0
"""Seconds for which an answer stays at hand that is in the store: who looked there just before it was gets it too."""


class Running:
    """A call that is being made. ``outcome`` is what came of it, as JSON text or an error; ``waiting`` how many wait
    for that, ``weight`` the bytes of what was asked."""

    def __init__(self, weight: int) -> None:
        self.outcome: asyncio.Task[Settled[str]] | None = None
        self.waiting = 0
        self.weight = weight
        self.asked_again = False  # who has asked was told to come again
        self._text = io.StringIO()
        self._reasoning = io.StringIO()
        self._more = asyncio.Event()

    def say(self, piece: Delta) -> None:
        for said, more in ((self._text, piece.text), (self._reasoning, piece.reasoning)):
            if more:
                said.seek(0, io.SEEK_END)
                said.write(more)
        self._more.set()

    def failed(self) -> bool:
        task = self._task()
        return task.done() and not task.cancelled() and task.result().error is not None

    async def settled(self, seconds: float | None = None) -> Settled[str] | None:
        """What came of it, unless that takes longer. It is not ended by who waits."""
        task = self._task()
        self.waiting += 1
        try:
            await asyncio.wait([task], timeout=seconds)
        finally:
            self.waiting -= 1
        return task.result() if task.done() and not task.cancelled() else None

    async def told(self) -> AsyncGenerator[Delta | None]:
        """What is said, from its beginning on, until there is an outcome; None in place of a long silence."""
        task, text, reasoning = self._task(), 0, 0
        self.waiting += 1
        try:
            while True:
                piece = Delta(_from(self._text, text), _from(self._reasoning, reasoning))
                text, reasoning = text + len(piece.text), reasoning + len(piece.reasoning)
                if piece.text or piece.reasoning:
                    yield piece
                    continue
                if task.done():
                    return
                self._more.clear()
                more = asyncio.ensure_future(self._more.wait())
                done, _ = await asyncio.wait([more, task], timeout=ALIVE, return_when=asyncio.FIRST_COMPLETED)
                more.cancel()
                if not done:
                    yield None
        finally:
            self.waiting -= 1

    def _task(self) -> asyncio.Task[Settled[str]]:
        assert self.outcome is not None, "it was begun"
        return self.outcome


class Models:
    """The calls of one app that are under way, and the answers that are kept. ``most`` calls and ``held`` bytes of what
    they were asked are taken at a time."""

    def __init__(self, runtime: Runtime, most: int, held: int) -> None:
        self.memo = Memo(runtime.store, runtime.clock)
        self._most = most
        self._held = held
        self._by_key: dict[str, Running] = {}
        self._open: set[Running] = set()
        self._weight = 0

    def numbers(self) -> dict[str, object]:
        """For ``/stats``."""
        return {"open": len(self._open), "max_open": self._most, "held_bytes": self._weight}

    async def find(self, key: str) -> str | None:
        try:
            return await self.memo.find(key)
        except StoreError as error:
            log.warning("the answers that are kept can't be read (%s); the model is asked", error)
            return None

    def call(self, function: ModelFunction, request: Request, key: str, weight: int, *, kept: bool) -> Running:
        """The call, which is begun unless it is under way. ``kept``: its answer is, for who asks again. Raises Refused
        when there is no room."""
        if (found := self._by_key.get(key)) is not None:
            return found
        if len(self._open) >= self._most or self._weight + weight > max(self._held, weight):
            raise Refused(503, "too many calls of models are under way here; come again", [("retry-after", "1")])
        running = Running(weight)
        self._by_key[key] = running
        self._open.add(running)
        self._weight += weight
        task = running.outcome = asyncio.create_task(settle(self._made(function, request, key, running, kept=kept)))
        task.add_done_callback(lambda task: self._over(key, running, task))
        return running

    def _over(self, key: str, running: Running, task: asyncio.Task[Settled[str]]) -> None:
        """An answer is in the store now. An error that nobody has heard of is kept a while: else whoever was told to
        come again would begin the call anew."""
        self._open.discard(running)
        self._weight -= running.weight
        if task.cancelled() or (running.failed() and running.waiting):
            self._drop(key, running)
        else:
            pause = RECALLED if running.failed() else LINGERS
            asyncio.get_running_loop().call_later(pause, self._drop, key, running)

    def heard(self, key: str, running: Running) -> None:
        """Somebody was told the outcome. An error is told once: the next call is another one."""
        if running.failed():
            self._drop(key, running)

    def _drop(self, key: str, running: Running) -> None:
        """Unless another call has the key by now."""
        if self._by_key.get(key) is running:
            del self._by_key[key]

    async def finish(self, seconds: float) -> None:
        """Wait for the calls that are under way, which are paid for: so long at the most."""
        tasks = [running.outcome for running in self._open if running.outcome is not None]
        if tasks:
            await asyncio.wait(tasks, timeout=seconds)

    async def _made(self, function: ModelFunction, request: Request, key: str, running: Running, *, kept: bool) -> str:
        try:
            record: str = dumps((await function.stream(request, running.say)).record())
        finally:
            collecting.weigh(running.weight)  # whoever has sent it on may hold it
        if kept or running.asked_again:
            try:
                return await self.memo.keep(key, record)
            except StoreError as error:
                log.warning("an answer of the model function %s could not be kept: %s", function.name, error)
        return record


def _from(said: io.StringIO, place: int) -> str:
    said.seek(place)
    return said.read()
