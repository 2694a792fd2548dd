"""The clients: they start errands, send messages, events and decisions, through any process or on their own, and
wait for what comes of it. A client that gets no answer asks again, as a careful one does; what it has been told is
kept here, to be compared with what stands in the store at the end.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from overwinter import Runtime
from overwinter.state.errors import AlreadyFinished, InvalidInput, StoreError
from overwinter.state.records import FINAL
from overwinter.tests.processes.errands import answer_to, data_of, errand_of, needs, values_of, words_of
from overwinter.tests.processes.fleet import Fleet, Gone, Refused
from overwinter.tests.processes.node import perform
from overwinter.tests.processes.shop import Errand


class Crowd:
    """``here`` is a runtime that takes nothing up itself: it only accepts, and waits."""

    def __init__(self, draw: random.Random, here: Runtime, fleet: Fleet, staying: float = 0.75) -> None:
        self.draw = draw
        self.here = here
        self.fleet = fleet
        self.staying = staying  # share of the clients that wait for their answer
        self.errands: dict[str, Errand] = {}  # acknowledged
        self.messages: dict[tuple[str, str], str] = {}  # acknowledged: (execution, message) -> content
        self.left: list[tuple[str, ...]] = []  # what nobody waited for: (execution,) or (execution, message)
        self.waited: list[float] = []  # seconds from an acknowledgement to the answer
        self.asked_again = 0
        self.wrong: list[str] = []

    async def run(self, errands: int, sessions: int, spread: float) -> None:
        """All clients come within ``spread`` seconds; returns when every one has what it wanted."""
        async with asyncio.TaskGroup() as clients:
            for number in range(errands):
                clients.create_task(self._come(spread, self._send_errand, f"e-{number}"))
            for number in range(sessions):
                clients.create_task(self._come(spread, self._talk, f"s-{number}"))

    async def _come(self, spread: float, client: Callable[[str], Awaitable[None]], name: str) -> None:
        await asyncio.sleep(self.draw.uniform(0, spread))
        await client(name)

    # -- asking --------------------------------------------------------------------------------------

    async def ask(self, do: str, **given: Any) -> Any:
        """Ask somebody until somebody has answered. Raises what it was refused with."""
        while True:
            nodes = self.fleet.living
            try:
                if self.draw.random() < 0.3 or not nodes:
                    return await perform(self.here, do, dict(given))
                return await self.draw.choice(nodes).ask(do, **given)
            except (Gone, StoreError):
                self.asked_again += 1
                await asyncio.sleep(self.draw.uniform(0.05, 0.3))

    async def _ask_twice(self, do: str, **given: Any) -> None:
        """Now and then a client asks again though it was answered."""
        for _ in range(self.draw.choice((1, 1, 1, 2))):
            await self.ask(do, **given)

    # -- errands -------------------------------------------------------------------------------------

    async def _send_errand(self, id: str) -> None:
        given = errand_of(self.draw)
        await self._ask_twice("start", input=given, id=id)
        self.errands[id] = given
        began = time.monotonic()
        for what, name in needs(given):
            await asyncio.sleep(self.draw.uniform(0, 1))
            if what == "event":
                try:
                    await self._ask_twice("signal", id=id, name=name, data=data_of(name), event_id=name, source="test")
                except (AlreadyFinished, Refused):
                    continue  # it was the repetition that came too late; the result tells whether the first arrived
            else:
                await self._decide(id)
        if self.draw.random() >= self.staying:
            self.left.append((id,))
            return
        self.check_result(id, await self.ask_here("result", id=id))
        self.waited.append(time.monotonic() - began)

    async def _decide(self, id: str) -> None:
        opened: Sequence[Any] = []
        while not opened:
            await asyncio.sleep(0.2)
            with contextlib.suppress(StoreError):
                opened = await self.here.approvals(id)
                if not opened and (await self.here.show(id)).status in FINAL:
                    self.wrong.append(f"{id} has ended and nobody was asked for its approval")
                    return
        try:
            await self._ask_twice("decide", id=id, op=opened[0]["op"], approved=self.draw.random() < 0.7)
        except (InvalidInput, Refused) as error:
            late = ("no open approval", "nothing more can be sent", "has been decided already")
            if not any(word in str(error) for word in late):
                raise

    async def ask_here(self, do: str, **given: Any) -> Any:
        """The same as ``ask``, but wait on our own: another process does the work."""
        while True:
            try:
                return await perform(self.here, do, dict(given))
            except StoreError:
                await asyncio.sleep(0.2)

    def check_result(self, id: str, result: Any) -> None:
        if result["value"] not in values_of(self.errands[id]):
            self.wrong.append(f"{id} gave {result} for {self.errands[id]}")

    # -- sessions ------------------------------------------------------------------------------------

    async def _talk(self, session: str) -> None:
        """Some messages one after another, some at the same time."""
        for number in range(2):
            await asyncio.gather(*(self._say(session, f"m{number}{letter}") for letter in "ab"))

    async def _say(self, session: str, id: str) -> None:
        content = words_of(self.draw, f"{session}-{id}")
        await self._ask_twice("send", session=session, content=content, id=id)
        execution = f"desk/{session}"
        self.messages[execution, id] = content
        began = time.monotonic()
        if self.draw.random() >= self.staying:
            self.left.append((execution, id))
            return
        self.check_reply(execution, id, await self.ask_here("reply", execution=execution, message=id))
        self.waited.append(time.monotonic() - began)

    def check_reply(self, execution: str, id: str, reply: Any) -> None:
        content = self.messages[execution, id]
        if reply != answer_to(content):
            self.wrong.append(f"{execution} replied {reply!r} to {content!r}")

    # -- at the end ----------------------------------------------------------------------------------

    async def fetch_what_was_left(self) -> None:
        """Somebody comes back, asks another process, and gets what nobody waited for."""
        for key in self.left:
            if len(key) == 1:
                self.check_result(key[0], await self.ask("result", id=key[0]))
            else:
                self.check_reply(key[0], key[1], await self.ask("reply", execution=key[0], message=key[1]))
