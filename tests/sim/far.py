"""Two worlds, each with a store and a process of its own, and between them a network, or a broker, that loses, repeats,
delays and reorders what is sent. Both die between any two operations of their stores.

The near one orders tools and workflows that live in the far one. What is done there is counted: what may not be done
twice is done once, what was recorded is not ordered again, and in the end everything has its outcome.
"""

from __future__ import annotations

import asyncio
import contextvars
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from overwinter import Agent, Context, InDoubt, Scripted, Settings, call, tool, workflow
from overwinter.functions.bus import exchange
from overwinter.functions.events import addressed, intake
from overwinter.functions.events.event import CloudEvent
from overwinter.functions.events.http import from_json
from overwinter.functions.events.ordered import Ordered
from overwinter.functions.http import called
from overwinter.functions.http.outcome import result_of
from overwinter.functions.invocation import posting, sending
from overwinter.functions.invocation.posting import Told, Unreached
from overwinter.functions.messages.answer import Answer, json_answer
from overwinter.functions.messages.message import read_model
from overwinter.functions.messages.problem import answered
from overwinter.functions.models.port import Message
from overwinter.functions.models.scripted import Said
from overwinter.state.codec import loads
from overwinter.state.errors import ExecutionError
from overwinter.testing.clock import Deadlock, VirtualLoop, run_virtual
from overwinter.testing.faults import CALM, Disturbed, Faults, Moment, Weather
from overwinter.testing.process import Died
from overwinter.testing.world import World

from .lines import End, Lines

CLEARING = 60.0
"""Seconds until the weather is fine."""
WEATHER = Weather(kill=0.01, delay=0.3, longest_delay=0.05)
SETTINGS = Settings(lease="2s", poll="1s", deaths=1000)  # whatever dies here, nobody is to blame
THERE = ("gather", "charge", "ship")
ROUTES = {
    "http": {name: "http://far" for name in THERE} | {"buy": "http://near", "desk": "http://near"},
    "broker": dict.fromkeys(THERE, "broker"),
}


class Far:
    """One run. ``net`` says how likely a message is lost, lost with its answer, or repeated; ``kind`` is how functions
    are reached: by http, or by the broker, where somebody tells lies."""

    def __init__(self, seed: int, net: float = 0.12, kind: str = "http") -> None:
        self.draw = random.Random(seed)
        self.net = net
        self.kind = kind
        self.did: Counter[str] = Counter()
        self.recorded: set[str] = set()
        self.wrong: list[str] = []
        self.late: set[asyncio.Task[Any]] = set()

    def run(self) -> Far:
        whole, held, is_here = posting.Posts.whole, sending.HELD, exchange._is_here
        posting.Posts.whole = self._whole  # type: ignore[method-assign,assignment]  # the network
        exchange._is_here = lambda name: name in THERE  # the routes are those of the near one
        try:
            run_virtual(self._main, limit="3h")
        except Deadlock as error:
            self.wrong.append(f"it never ends: {str(error)[:300]}")
        finally:
            posting.Posts.whole, sending.HELD = whole, held  # type: ignore[method-assign]  # as it was
            exchange._is_here = is_here
        return self

    # -- what is done ------------------------------------------------------------------------------------

    def _far(self) -> list[object]:
        @tool
        async def gather(part: str) -> str:
            """May be done again."""
            self._does(part)
            await asyncio.sleep(self.draw.choice((0.0, 0.1, 3.0)))
            return f"{part} gathered"

        @tool(effect="irreversible", in_doubt="fail")
        async def charge(what: str) -> str:
            """May not."""
            self._does(what)
            await asyncio.sleep(self.draw.choice((0.0, 0.2, 1.0)))
            return f"{what} charged"

        async def load(what: str) -> str:
            self._does(f"ship {what}")
            return f"{what} shipped"

        @workflow
        async def ship(ctx: Context, what: str) -> str:
            await ctx.sleep(self.draw.choice((0.5, 4.0)))
            return await ctx.step(load, what)

        return [gather, charge, ship]

    def _does(self, what: str) -> None:
        self.did[what] += 1
        if what in self.recorded:
            self.wrong.append(f"{what} was done again though its outcome was recorded")

    def _near(self, far: list[object]) -> list[object]:
        gather, charge, _ = far

        @workflow
        async def buy(ctx: Context, name: str) -> list[str]:
            async def one(ctx: Context, part: str) -> str:
                return await ctx.step(gather, part)  # type: ignore[call-overload,no-any-return]  # a tool of there

            parts = await ctx.map(one, [f"{name}.{n}" for n in range(3)])
            self.recorded.update(f"{name}.{n}" for n in range(3))
            try:
                paid = await ctx.step(charge, f"{name}.paid")  # type: ignore[call-overload]  # a tool of there
            except InDoubt:
                paid = "in doubt"
            self.recorded.add(f"{name}.paid")
            return [*parts, str(paid), str(await ctx.call("ship", name))]

        return [buy, Agent("desk", Scripted(_say), tools=[gather, charge])]

    # -- the worlds --------------------------------------------------------------------------------------

    async def _main(self, loop: VirtualLoop) -> None:
        far = self._far()
        self.loop = loop
        lines = Lines(self.draw, lambda: 0.0 if loop.time() > CLEARING else self.net, self._lies)
        there, here = (End(lines), End(lines, calls=False)) if self.kind == "broker" else (None, None)
        self.far = World(loop, far, SETTINGS, self._faults, broker=there)
        self.near = World(loop, self._near(far), SETTINGS, self._faults, broker=here)
        try:
            async with asyncio.timeout(1200):
                talks = [self._talk(f"s{n}") for n in range(2)]
                await asyncio.gather(*(self._buy(f"b{n}") for n in range(4)), *talks)
                await asyncio.sleep(max(0.0, CLEARING - loop.time()) + 200)
        except TimeoutError:
            open_ = [f"{head.id} {head.status} {head.awaits}" for head in self.near.ledger.heads_now()]
            self.wrong.append(f"not done: {open_[:6]}")
        finally:
            for task in self.late:
                task.cancel()
            self.far.end()
            self.near.end()
        self._check()

    async def _buy(self, name: str) -> None:
        await asyncio.sleep(self.draw.uniform(0, 5))
        handle = await self.near.start("buy", name, id=name)
        try:
            bought = await handle.result()
        except ExecutionError as error:
            self.wrong.append(f"{name}: {error}")
            return
        if bought[:3] != [f"{name}.{n} gathered" for n in range(3)] or bought[4] != f"{name} shipped":
            self.wrong.append(f"{name} has the wrong result {bought}")

    async def _talk(self, session: str) -> None:
        for number in range(2):
            name = f"{session}m{number}"
            sent = await self.near.send("desk", session, name, id=name)
            if (said := await sent.reply()) != f"{name} gathered and paid for":
                self.wrong.append(f"{name} was answered {said!r}")

    def _check(self) -> None:
        for world in (self.near, self.far):
            self.wrong += world.ledger.violations
            left = [head for head in world.ledger.heads_now() if head.status not in ("completed", "failed", "idle")]
            self.wrong += [f"{head.id} is {head.status} at the end ({head.awaits})" for head in left]
        self.wrong += [f"{what} was done {n} times" for what, n in self.did.items() if n > 1 and "paid" in what]

    def _faults(self, number: int, world: World) -> Faults:
        async def kill(moment: Moment) -> None:
            await world.processes[number].die(noticed=self.draw.random() < 0.5)

        async def stall(pause: float) -> None:
            await asyncio.sleep(pause)

        faults = Disturbed(self.draw, kill, stall)
        faults.weather = WEATHER
        asyncio.get_running_loop().call_later(
            max(0.0, CLEARING - asyncio.get_running_loop().time()),
            setattr, faults, "weather", CALM, context=contextvars.Context(),
        )  # fmt: skip
        return faults

    # -- the broker --------------------------------------------------------------------------------------

    def _lies(self, event: CloudEvent, end: End) -> None:
        """Somebody who has heard of a call, and not its mark, answers it."""
        if event.type == addressed.ORDERED and self.draw.random() < 0.2:
            said: dict[str, Any] = event.data["call"]
            owed = {
                **said,
                "mark": "0" * 32,
                "function": "liar",
                "event": f"{event.id}!",
                "to": event.extensions["answerto"],
            }
            end.lines.put(addressed.answer(owed, {"status": "completed", "result": "a lie"}))

    # -- the network -------------------------------------------------------------------------------------

    async def _whole(self, url: str, body: bytes, headers: Mapping[str, str], silence: float = 0.0) -> Told:
        fine = self.loop.time() > CLEARING
        await asyncio.sleep(self.draw.uniform(0, 0.05))
        if not fine and self.draw.random() < self.net:
            raise Unreached("lost on the way")
        if not fine and self.draw.random() < self.net:  # it comes once more, much later
            work = self._after(self.draw.uniform(0, 20.0), url, body)
            self.late.add(self.loop.create_task(work, context=contextvars.Context()))
        if not fine and self.draw.random() < self.net:
            told, _ = await asyncio.gather(self._taken(url, body), self._taken(url, body))
        else:
            told = await self._taken(url, body)
        if not fine and self.draw.random() < self.net:
            raise Unreached("the answer was lost")
        return told

    async def _after(self, pause: float, url: str, body: bytes) -> None:
        await asyncio.sleep(pause)
        try:
            await self._taken(url, body)
        except Unreached:
            return

    async def _taken(self, url: str, body: bytes) -> Told:
        world = self.far if url.startswith("http://far") else self.near
        try:
            async with asyncio.timeout(30):
                answer = await world.process.call(lambda runtime: answered(self._answer(runtime, url, body)))
        except (Died, TimeoutError):
            raise Unreached("it died") from None
        return Told(answer.status, "", dict(answer.headers), answer.body)

    async def _answer(self, runtime: Any, url: str, body: bytes) -> Answer:
        if "/calls/" not in url:
            await intake.take(runtime, from_json(loads(body.decode())))
            return json_answer({}, 202)
        ordered = read_model(Ordered, loads(body.decode()))
        held = self.draw.choice((0.0, 1.0))

        async def look(id: str) -> dict[str, Any] | None:
            return await result_of(runtime, id, held)

        return await called.carried_out(runtime, url.rpartition("/")[2], ordered, look)


def _say(messages: Sequence[Message], tools: object) -> Said:
    """Gather and charge what the last message names, then say so."""
    last = max(index for index, message in enumerate(messages) if message.role == "user")
    name = messages[last].content
    if len([message for message in messages[last:] if message.role == "tool"]) < 2:
        return [call("gather", part=f"{name}.g"), call("charge", what=f"{name}.paid")]
    return f"{name} gathered and paid for"
