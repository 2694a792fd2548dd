"""A desk behind the console, in this process: a real runtime on a store that another process can open, the HTTP
server on a port of its own, and a Chromium that looks at it. One loop, in a thread of its own, has all three."""

from __future__ import annotations

import asyncio
import shutil
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import httpx
import pytest

from overwinter.functions.runtime import Runtime

from .browser import Watched, launch, missing
from .browser import opened as page_of
from .desk import NOW
from .desk import filled as fill
from .serving import serving

if TYPE_CHECKING:
    from playwright.async_api import Browser

Value = TypeVar("Value")
MOST = 60.0
"""Seconds after which a test is given up."""


class Stage(NamedTuple):
    """What a test has: the server's address, its runtime and store, an HTTP client, and ``open(path)`` for a page."""

    home: str
    runtime: Runtime
    store: str
    client: httpx.AsyncClient
    open: Callable[..., Awaitable[Watched]]


Main = Callable[[Stage], Coroutine[Any, Any, None]]


class Theatre:
    """The loop and the browser in it."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="console")
        self._thread.start()
        self.run(self._begin())

    async def _begin(self) -> None:
        from playwright.async_api import async_playwright

        self._playwright = await async_playwright().start()
        self.browser: Browser = await launch(self._playwright)

    def run(self, work: Coroutine[Any, Any, Value]) -> Value:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def end(self) -> None:
        async def close() -> None:
            await self.browser.close()
            await self._playwright.stop()

        self.run(close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def play(
        self, main: Main, store: str, functions: Sequence[object], expected: Sequence[str], **served: Any
    ) -> None:
        opened: list[Watched] = []

        async def open_page(home: str, path: str, **how: Any) -> Watched:
            opened.append(await page_of(self.browser, home, path, **how))
            return opened[-1]

        async with (
            Runtime(functions, store) as runtime,
            serving(runtime, **served) as home,
            httpx.AsyncClient(base_url=home) as client,
        ):
            try:
                await asyncio.wait_for(main(Stage(home, runtime, store, client, partial(open_page, home))), MOST)
            finally:
                for watched in opened:
                    await watched.context.close()
        wrong = [one for watched in opened for one in watched.wrong if not any(part in one for part in expected)]
        assert not wrong, "\n".join(wrong)


@pytest.fixture(scope="session")
def theatre() -> Iterator[Theatre]:
    if why := missing():
        pytest.skip(why)
    theatre = Theatre()
    yield theatre
    theatre.end()


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with something of everything; each test has a copy."""
    path = tmp_path_factory.mktemp("console") / "desk.db"
    asyncio.run(fill(f"sqlite:///{path}"))
    return path


@pytest.fixture
def play(theatre: Theatre, filled: Path, tmp_path: Path) -> Callable[..., None]:
    """``play(main)``: ``main(stage)`` on a copy of the filled store; ``play(main, empty=True)`` on one of its own.
    ``expected`` are parts of what a page may log: an answer of 4xx that the test is about. The rest
    is for the server: ``token``, ``playground``."""

    def start(
        main: Main,
        *,
        empty: bool = False,
        functions: Sequence[object] = NOW,
        expected: Sequence[str] = (),
        **served: Any,
    ) -> None:
        path = tmp_path / "desk.db"
        if not empty:
            shutil.copy(filled, path)
        theatre.run(theatre.play(main, f"sqlite:///{path}", functions, expected, **served))

    return start
