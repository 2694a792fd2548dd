"""Who listens waits by one timer that stands for many waits: each of them still has a pause of its own, and no more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

from overwinter.orchestrator.streaming.audience import Subscription


class Timer:
    def __init__(self, at: float, callback: Callable[[], None]) -> None:
        self.at = at
        self.callback: Callable[[], None] | None = callback

    def when(self) -> float:
        return self.at

    def cancel(self) -> None:
        self.callback = None


class Clock:
    """The part of a loop that a subscription uses, with a time that is set by hand."""

    def __init__(self) -> None:
        self.now = 0.0
        self.timers: list[Timer] = []

    def time(self) -> float:
        return self.now

    def create_future(self) -> asyncio.Future[None]:
        return asyncio.get_running_loop().create_future()

    def call_at(self, when: float, callback: Callable[[], None]) -> Timer:
        self.timers.append(Timer(when, callback))
        return self.timers[-1]

    def standing(self) -> list[Timer]:
        return [timer for timer in self.timers if timer.callback is not None]

    async def pass_to(self, now: float) -> None:
        self.now = now
        while due := [timer for timer in self.standing() if timer.at <= now]:
            callback, due[0].callback = due[0].callback, None
            assert callback is not None
            callback()
        for _ in range(3):
            await asyncio.sleep(0)


def test_each_wait_has_its_own_pause_whatever_the_one_before_had() -> None:
    async def main() -> None:
        clock = Clock()
        news = Subscription(cast("asyncio.AbstractEventLoop", clock))

        async def begun(pause: float) -> asyncio.Task[None]:
            news.committed = False
            waiting = asyncio.ensure_future(news.wait(pause))
            await asyncio.sleep(0)
            return waiting

        first = await begun(10)
        news.said()
        await first
        assert not news.committed, "something was said, and nothing was recorded"
        later = await begun(20)
        await clock.pass_to(10)
        assert not later.done(), "the pause of the wait before it is over, and not its own"
        await clock.pass_to(20)
        assert later.done() and news.committed, "now there may be more in the store"
        assert not clock.standing()

        long = await begun(100)
        news.said()
        await long
        short = await begun(5)
        await clock.pass_to(25)
        assert short.done() and news.committed, "a shorter pause does not wait for a longer one"

        last = await begun(1)
        news.said()
        await last
        news.committed = False
        await clock.pass_to(30)
        assert not news.committed, "nobody waited when that pause was over"
        last = await begun(1)
        news.close()
        last.cancel()
        assert not clock.standing()

    asyncio.run(main())
