"""The collector's threshold is raised while a runtime is open, and only if nobody else has chosen one."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Iterator

import pytest

from overwinter import Context, Runtime, workflow
from overwinter.orchestrator.engine import collecting
from overwinter.orchestrator.engine.collecting import DEFAULTS
from overwinter.orchestrator.engine.settings import Settings


@workflow
async def idle(ctx: Context, _: None) -> None:
    return


def first() -> int:
    return gc.get_threshold()[0]


@pytest.fixture(autouse=True)
def python_own(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(collecting, "_wanted", [])  # other tests leave runtimes open, as a killed process does
    before = gc.get_threshold()
    gc.set_threshold(DEFAULTS[0], *before[1:])
    yield
    gc.set_threshold(*before)


def opened(collector: int) -> Runtime:
    return Runtime([idle], "memory://", Settings(collector=collector))


def test_it_is_raised_while_one_is_open() -> None:
    async def main() -> None:
        async with opened(10_000):
            assert first() == 10_000
            async with opened(20_000), opened(0):
                assert first() == 20_000
            assert first() == 10_000
        assert first() == DEFAULTS[0]

    asyncio.run(main())


@pytest.mark.parametrize("own", [0, 300, 5_000])
def test_a_threshold_of_ones_own_stays(own: int) -> None:
    async def main() -> None:
        gc.set_threshold(own)
        async with opened(10_000):
            assert first() == own
        assert first() == own

    asyncio.run(main())


def test_who_changes_it_meanwhile_keeps_it() -> None:
    async def main() -> None:
        async with opened(10_000):
            gc.set_threshold(4_321)
        assert first() == 4_321

    asyncio.run(main())


@pytest.mark.parametrize("low", [1, 300])
def test_a_low_one_is_put_back(low: int) -> None:
    async def main() -> None:
        async with opened(low):
            assert first() == low
        assert first() == DEFAULTS[0]

    asyncio.run(main())


def test_zero_leaves_it_alone() -> None:
    async def main() -> None:
        async with opened(0):
            assert first() == DEFAULTS[0]

    asyncio.run(main())


def test_what_was_sent_is_let_go_however_few_objects_hold_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client of HTTP holds its request in a circle, and no threshold counts bytes."""

    class Body(bytes):
        """A body that can be asked after."""

    class Circle:
        def __init__(self, body: Body) -> None:
            self.me, self.body = self, body

    monkeypatch.setattr(collecting, "_sent", 0)
    before = gc.get_threshold()
    gc.set_threshold(10_000_000)
    try:
        circle = Circle(Body(1000))
        gone = weakref.ref(circle)
        del circle
        collecting.weigh(collecting.HEAVY - 1)
        assert gone() is not None
        collecting.weigh(1)
        assert gone() is None
        old = Circle(Body(1000))
        gc.collect()  # it has outlived one look
        gone = weakref.ref(old)
        del old
        for _ in range(4):
            collecting.weigh(collecting.HEAVY)
        assert gone() is None
    finally:
        gc.set_threshold(*before)
