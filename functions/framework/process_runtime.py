"""The one Runtime of a serverless process, opened at the first request that needs it and closed with the process.

It lives on the server's event loop when there is one, else on a loop in a thread of its own. On SIGTERM it
closes first, so that leases are handed over and not waited for; then the server stops as it would have.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import signal
import threading
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from concurrent.futures import Future
from types import FrameType
from typing import TYPE_CHECKING, Any, TypeVar

from ...state.daemons import let_go
from ...state.errors import InvalidInput, StoreUnavailable

if TYPE_CHECKING:
    from ..runtime import Runtime

T = TypeVar("T")
LAST_SECONDS = 12.0  # how long the exit of the process waits for the hand-over


class ProcessRuntime:
    """Opens ``functions()`` on the store of OVERWINTER_STATE, once; after a failure the next use tries again.
    ``unnamed`` is as for ``Runtime``."""

    def __init__(self, functions: Callable[[], Mapping[str, Any]], unnamed: Sequence[object] = ()) -> None:
        self._functions = functions
        self._unnamed = unnamed
        self._opening: asyncio.Future[Runtime] | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._stop: asyncio.Event | None = None
        self.leaving: Callable[[], Awaitable[None]] | None = None  # awaited before the runtime closes
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def stopping(self) -> bool:
        """Whether the runtime is being handed over, or was."""
        return self._stop is not None and self._stop.is_set()

    async def runtime(self) -> Runtime:
        """The opened runtime; it belongs to the running loop. Raises StoreError."""
        if self._opening is None or (self._keeper is not None and self._keeper.done()):
            loop = asyncio.get_running_loop()
            self._opening = loop.create_future()
            self._keeper = loop.create_task(self._keep(self._opening))
            self._keeper.add_done_callback(self._ended)
        return await asyncio.shield(self._opening)

    async def _keep(self, opening: asyncio.Future[Runtime]) -> None:
        from ..runtime import Runtime

        try:
            made = Runtime(self._functions(), unnamed=self._unnamed)
        except InvalidInput as error:  # no sender is to blame for how the process was set up, and mending it helps
            raise StoreUnavailable(f"this process can't work as it was set up: {error}") from error
        stop = self._stop = asyncio.Event()
        async with made as runtime:
            if threading.current_thread() is threading.main_thread():
                self._close_on_sigterm(stop)
            opening.set_result(runtime)
            await stop.wait()
            if self.leaving is not None:
                await self.leaving()

    def _ended(self, keeper: asyncio.Task[None]) -> None:
        error = None if keeper.cancelled() else keeper.exception()
        if self._opening is not None and not self._opening.done():
            self._opening.set_exception(error or StoreUnavailable("the process is stopping; try again"))
            self._opening.exception()  # a caller may have gone away: that is no error of its own

    def _close_on_sigterm(self, stop: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        before = signal.getsignal(signal.SIGTERM)
        keeper = self._keeper

        def close(number: int, frame: FrameType | None) -> None:
            signal.signal(signal.SIGTERM, before)
            loop.call_soon_threadsafe(begin)

        def begin() -> None:
            stop.set()
            if keeper is not None:
                keeper.add_done_callback(lambda _: signal.raise_signal(signal.SIGTERM))

        signal.signal(signal.SIGTERM, close)

    def run(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run ``work`` on a loop in a thread of its own, and wait for it. For servers without a loop."""
        return self.submit(work()).result()

    def submit(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Run ``work`` on a loop in a thread of its own."""
        with self._lock:
            if self._loop is None:
                self._loop = self._started()
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def call(self, work: Callable[[], None]) -> None:
        """Have ``work`` called on that loop, if there is one."""
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # it has ended
                self._loop.call_soon_threadsafe(work)

    def _started(self) -> asyncio.AbstractEventLoop:
        running = threading.Event()
        found: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

        async def stay() -> None:
            stop = asyncio.Event()
            let_go(asyncio.get_running_loop())
            found.append((asyncio.get_running_loop(), stop))
            running.set()
            await stop.wait()
            if self._keeper is not None and self._stop is not None:
                self._stop.set()
                await asyncio.wait([self._keeper])  # before asyncio.run cancels what still runs

        thread = threading.Thread(target=lambda: asyncio.run(stay()), name="overwinter", daemon=True)
        thread.start()
        running.wait()
        loop, stop = found[0]

        def close() -> None:
            if thread.is_alive():
                loop.call_soon_threadsafe(stop.set)
                thread.join(LAST_SECONDS)

        atexit.register(close)
        return loop
