"""An event loop whose time is a number: it jumps to the next timer as soon as nothing is left to do.

Days pass in milliseconds and every run of the same program is the same run. A plain function that asyncio
puts into a thread runs to its end at once, so threads bring no disorder. A wait that nothing can ever end
raises ``Deadlock`` instead of hanging, and so does one that outlasts ``limit``. There is no network here.
"""

from __future__ import annotations

import asyncio
import contextvars
import selectors
from collections.abc import Callable, Coroutine, Generator, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any, Protocol, TypeVar, TypeVarTuple, Unpack
from weakref import WeakKeyDictionary

from ..state.quantities import Duration, seconds, span

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
EPOCH = 1_800_000_000_000
"""What the wall clock of virtual time shows at the beginning, in ms."""


class Deadlock(AssertionError):
    """Nothing can ever happen any more, or not within the limit; the message says who waits for what."""


class Call:
    """A callback of a simulated process on its way to being run."""

    __slots__ = ("args", "callback", "context", "handle")

    def __init__(self, callback: Callable[..., object], args: tuple[Any, ...], context: contextvars.Context) -> None:
        self.callback = callback
        self.args = args
        self.context = context
        self.handle: asyncio.Handle | None = None

    def run(self) -> None:
        self.callback(*self.args)


class Gate(Protocol):
    """What callbacks of a simulated process pass through; it may hold them back or swallow them."""

    def __call__(self, call: Call, /) -> None: ...


gate: contextvars.ContextVar[Gate | None] = contextvars.ContextVar("overwinter.testing.gate", default=None)
"""The simulated process that the running code belongs to; tasks and timers inherit it."""


class _Selector(selectors.BaseSelector):
    """Reports no file as ready; being asked to wait means that time may jump."""

    def __init__(self, jump: Callable[[float | None], None]) -> None:
        self._jump = jump
        self._keys: dict[int, selectors.SelectorKey] = {}

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        if self._keys:  # the first one is the loop's own wake-up socket
            raise RuntimeError(
                "virtual time has no network: use the scripted model and functions that answer in this process"
            )
        number = fileobj if isinstance(fileobj, int) else fileobj.fileno()
        key = self._keys[number] = selectors.SelectorKey(fileobj, number, events, data)
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._keys.pop(fileobj if isinstance(fileobj, int) else fileobj.fileno())

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or timeout > 0:
            self._jump(timeout)
        return []

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._keys


class VirtualLoop(asyncio.SelectorEventLoop):
    """``loop.time()`` begins at 0 and moves only when everything that was ready has run."""

    def __init__(self, limit: Duration = "1000d") -> None:
        super().__init__(_Selector(self._jump))
        self._elapsed = 0.0
        self._limit = seconds(limit)
        self._clock_resolution = 1e-6  # far above rounding errors of the sums, far below a millisecond
        self._through: WeakKeyDictionary[asyncio.Task[Any], Gate | None] = WeakKeyDictionary()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="virtual-call")

    def time(self) -> float:
        return self._elapsed

    def clock(self) -> int:
        """The wall clock: milliseconds since the epoch."""
        return EPOCH + int(self._elapsed * 1000 + 1e-3)

    def _jump(self, timeout: float | None) -> None:
        if timeout is None:
            raise Deadlock(f"nothing can ever happen any more; waiting are:\n{self._waiting()}")
        self._elapsed += timeout
        if self._elapsed > self._limit:
            raise Deadlock(f"not over after {span(self._limit * 1000)}; waiting are:\n{self._waiting()}")

    def _waiting(self) -> str:
        lines: list[str] = []
        for task in sorted(asyncio.all_tasks(self), key=lambda task: task.get_name()):
            where = task.get_stack(limit=1)
            place = f"{where[0].f_code.co_filename}:{where[0].f_lineno}" if where else "not begun"
            lines.append(f"  {getattr(task.get_coro(), '__qualname__', task.get_name())} at {place}")
        return "\n".join(lines[:40]) or "  no task at all"

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[Unpack[Ts]], T], *args: *Ts
    ) -> asyncio.Future[T]:
        """Run the function in another thread and wait for it: the loop does nothing else meanwhile."""
        future: asyncio.Future[T] = self.create_future()
        done = self._thread.submit(func, *args)
        error = done.exception()
        if error is None:
            future.set_result(done.result())
        else:
            future.set_exception(error)
        return future

    def call_soon(
        self,
        callback: Callable[[Unpack[Ts]], object],
        *args: *Ts,
        context: contextvars.Context | None = None,
    ) -> asyncio.Handle:
        context = contextvars.copy_context() if context is None else context
        through = context.get(gate)
        if through is None:
            return super().call_soon(callback, *args, context=context)
        call = Call(callback, args, context)
        call.handle = handle = super().call_soon(through, call, context=context)
        return handle

    def call_at(
        self,
        when: float,
        callback: Callable[[Unpack[Ts]], object],
        *args: *Ts,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        context = contextvars.copy_context() if context is None else context
        through = context.get(gate)
        if through is None:
            return super().call_at(when, callback, *args, context=context)
        call = Call(callback, args, context)
        call.handle = handle = super().call_at(when, through, call, context=context)
        return handle

    def create_task(
        self,
        coro: Generator[Any, None, T] | Coroutine[Any, Any, T],
        *,
        name: object = None,
        context: contextvars.Context | None = None,
    ) -> asyncio.Task[T]:
        context = contextvars.copy_context() if context is None else context
        task = super().create_task(coro, name=None if name is None else str(name), context=context)
        self._through[task] = context.get(gate)
        return task

    def tasks_of(self, through: Gate) -> set[asyncio.Task[Any]]:
        """The unfinished tasks of a simulated process."""
        return {task for task in self.unfinished() if self._through.get(task) == through}

    def unfinished(self) -> set[asyncio.Task[Any]]:
        """Of this loop alone. (asyncio looks through those of all loops that there ever were, which takes long after a
        thousand runs.)"""
        return {task for task in self._through if not task.done()}

    def close(self) -> None:
        if not self.is_closed():
            self._thread.shutdown()
        super().close()


def run_virtual(main: Callable[[VirtualLoop], Coroutine[Any, Any, T]], limit: Duration = "1000d") -> T:
    """Run ``main(loop)`` to its end in virtual time. Raises Deadlock, or what it raises."""
    loop = VirtualLoop(limit)
    try:
        return loop.run_until_complete(main(loop))
    finally:
        abandon(loop)
        loop.close()


def abandon(loop: VirtualLoop) -> None:
    """Drop the tasks that will never go on, without a word about them."""
    seen: set[asyncio.Task[Any]] = set()
    while tasks := loop.unfinished() - seen:  # closing one may make others
        seen |= tasks
        for task in tasks:
            task._log_destroy_pending = False  # type: ignore[attr-defined] # asyncio's own way (see gather)
            _close(task.get_coro())


def _close(coroutine: Any) -> None:
    for _ in range(100):  # it may await while it is being closed, and is closed again then
        try:
            coroutine.close()
        except BaseException:  # noqa: BLE001  # clean-up of user code that is not supposed to run at all
            continue
        return
