"""What happens to the processes and their store while the clients are at work. Everything happens at least once."""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections import Counter

from overwinter.tests.processes.fleet import Fleet, Node
from overwinter.tests.processes.places import Place

STANDS = 3.2  # seconds that a process stands still: longer than its lease


class Chaos:
    """``happened`` counts what did."""

    def __init__(self, draw: random.Random, fleet: Fleet, place: Place) -> None:
        self.draw = draw
        self.fleet = fleet
        self.place = place
        self.happened: Counter[str] = Counter()

    async def run(self) -> None:
        """Disturb until the place's time of calm; then everything that was begun comes to its end."""
        disturbances = self.place.disturbances
        todo = ["kill", "kill", "stand", "stand", "leave", "fail", *disturbances]
        more = ["kill", "stand", *disturbances[:2]]
        self.draw.shuffle(todo)
        pause, until = self.place.calm / len(todo), time.monotonic() + self.place.calm
        async with asyncio.TaskGroup() as going_on:
            while todo or time.monotonic() < until:
                await asyncio.sleep(self.draw.uniform(0.3, 1.0) * pause)
                going_on.create_task(self._do(todo.pop() if todo else self.draw.choice(more)))
        self.place.clear()

    async def _do(self, what: str) -> None:
        works = {"kill": self._kill, "stand": self._stand, "leave": self._leave, "fail": self._fail}
        if what in works:
            await works[what]()
        else:
            self.place.disturb(what, self.draw)
            self.happened[what] += 1

    def _some(self) -> Node:
        """One that can answer, if there is one; else any that lives."""
        return self.draw.choice(self.fleet.living or [node for node in self.fleet.nodes if node.alive])

    async def start(self) -> None:
        await self.fleet.start(**self.place.process(self.draw))

    async def _kill(self) -> None:
        await self._some().kill()
        self.happened["kill"] += 1
        await asyncio.sleep(self.draw.choice((0.0, 0.3)))
        await self.start()

    async def _begun(self) -> Node:
        """One that has begun, and so knows what SIGTERM asks for; who is still starting just ends by it."""
        while True:
            begun = self.fleet.living or [node for node in self.fleet.nodes if node.alive and node.owner]
            if begun:
                return self.draw.choice(begun)
            await asyncio.sleep(0.05)

    async def _leave(self) -> None:
        status = await (await self._begun()).terminate()
        self.happened["leave"] += 1
        assert status in (0, -signal.SIGKILL), f"a process left with {status}"
        await self.start()

    async def _stand(self) -> None:
        node = self._some()
        node.signal(signal.SIGSTOP)
        await asyncio.sleep(STANDS)
        node.signal(signal.SIGCONT)
        self.happened["stand"] += 1

    async def _fail(self) -> None:
        self.happened[await self.place.fail(self.draw)] += 1
