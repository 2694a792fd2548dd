"""A small deterministic event loop. A workflow's coroutines run on it, so that plain asyncio (gather, TaskGroup,
timeout, wait, as_completed, locks, queues) works inside workflows and replays the same.

It promises: one queue in order of arrival, run to quiescence by ``run``; a clock that moves only with the
journal; timers that are durable; tasks and futures whose hash, and so whose place in a set, depends on the
order of their creation and not on memory addresses. Whatever would reach outside raises and says what to do.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import sys
import weakref
import zlib
from asyncio.events import _get_running_loop, _set_running_loop  # pyright: ignore[reportPrivateUsage]  # the documented way for loops to say which one runs
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator, Iterable
from contextlib import suppress
from contextvars import Context, copy_context
from types import FrameType
from typing import Any, NoReturn, TypeVar, TypeVarTuple

from .timers import Timer, Timers

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
log = logging.getLogger("overwinter")

TURN_LIMIT = 1_000_000
"""Callbacks in one turn, above which a workflow is taken to spin."""
_UNWIND_LIMIT = 100


class Halt(BaseException):
    """Unwinds workflow code that must not go on: stuck, evicted, ended or begun anew. Not for catching."""


class Handle(asyncio.Handle):
    """A callback in the queue."""

    __slots__ = ()

    def __init__(self, callback: Callable[..., object], args: tuple[Any, ...], context: Context) -> None:
        self._callback = callback
        self._args = args
        self._context = context
        self._cancelled = False

    def cancel(self) -> None:
        self._cancelled = True

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._callback!r}>"


class Future(asyncio.Future[T]):
    """A future with a hash that replays."""

    __slots__ = ("_hash",)

    def __init__(self, loop: Loop) -> None:
        self._hash = next(loop.serial)
        super().__init__(loop=loop)

    def __hash__(self) -> int:
        return self._hash


class Task(asyncio.Task[T]):
    """A task with a hash and a name that replay."""

    def __init__(self, coro: Generator[Any, None, T] | Coroutine[Any, Any, T], loop: Loop, **options: Any) -> None:
        self._hash = next(loop.serial)
        if options.get("name") is None:
            options["name"] = f"task-{self._hash - loop.offset}"
        super().__init__(coro, loop=loop, **options)

    def __hash__(self) -> int:
        return self._hash


class Loop(asyncio.AbstractEventLoop):
    """Runs one workflow. ``run`` is called from plain code or a callback of another loop, never from a task."""

    def __init__(self, execution: str, timers: Timers) -> None:
        self.offset = zlib.crc32(execution.encode())
        self.serial = itertools.count(self.offset)
        self.timers = timers
        self.halted = False
        self.spinning = False
        self.quiet = False  # replaying: what is reported was reported before
        self.inline = False  # what is handed to a thread runs at once, see ``run_in_executor``
        self._orphans: weakref.WeakSet[Any] | None = None
        self._ready: deque[Any] = deque()  # Handle and Timer; their parts are private to type checkers
        self._tasks: list[Task[Any]] = []
        self._tasks_limit = 64
        self._generators: list[weakref.ref[AsyncGenerator[Any, Any]]] = []
        self._adopted: dict[int, Task[Any]] = {}

    # -- turning -------------------------------------------------------------------------------------

    def run(self) -> None:
        """Run what is ready until nothing is."""
        ready = self._ready
        outer, hooks = _get_running_loop(), sys.get_asyncgen_hooks()
        _set_running_loop(self)
        sys.set_asyncgen_hooks(_generator_begins, _generator_ends)
        try:
            for _ in range(TURN_LIMIT):
                if not ready:
                    return
                handle = ready.popleft()
                if handle._cancelled:
                    continue
                try:
                    handle._context.run(handle._callback, *handle._args)
                except BaseException as error:  # noqa: BLE001  # as in ``attempt``
                    self.call_exception_handler({"message": f"{handle!r} failed", "exception": error})
                del handle  # an error that a task keeps would keep this frame, and so the task
            self.spinning = True
            self.halt()
        finally:
            sys.set_asyncgen_hooks(*hooks)
            _set_running_loop(outer)

    def attempt(self, call: Callable[..., object], *args: Any) -> BaseException | None:
        """The edge to user code outside of tasks: what it raises is returned, so that a turn is whole."""
        try:
            call(*args)
            del call, args  # an error that a task keeps would keep this frame, and so the task
        except BaseException as error:  # noqa: BLE001  # the edge to user code: what it raises is an outcome
            return error
        return None

    def halt(self) -> None:
        """Nothing runs any more; ``shut`` then unwinds what is suspended."""
        self.halted = True
        self._ready.clear()
        self.call_soon = _drop_soon  # type: ignore[method-assign]  # costs nothing while it runs, and holds no loop

    def shut(self) -> None:
        """Unwind everything that is suspended, without effects, so that nothing is left to be collected."""
        if not self.halted:
            self.halt()
        self.forget()
        self.quiet = True
        outer, hooks = _get_running_loop(), sys.get_asyncgen_hooks()
        _set_running_loop(self)
        sys.set_asyncgen_hooks(_generator_begins, _generator_ends)
        try:
            for task in self._tasks:
                if not task.done():
                    _unwind(task.get_coro())
                    task.cancel()  # it and what it waits for let go of each other
            for orphan in list(self._orphans or ()):
                orphan.close()
            for reference in self._generators:
                generator = reference()
                if generator is not None:
                    _unwind(generator.aclose())
        finally:
            sys.set_asyncgen_hooks(*hooks)
            _set_running_loop(outer)
        self._tasks.clear()
        self._generators.clear()
        self.timers.clear()

    def forget(self) -> None:
        """Let go of tasks that are done. An error that nobody has awaited is then logged."""
        self._tasks = [task for task in self._tasks if not task.done()]
        self._tasks_limit = max(64, 2 * len(self._tasks))

    def expect(self, coroutines: Iterable[Coroutine[Any, Any, Any]]) -> None:
        """These are to become tasks later; until then they are closed with the loop."""
        if self._orphans is None:
            self._orphans = weakref.WeakSet()
        self._orphans.update(coroutines)

    def generator(self, begun: AsyncGenerator[Any, Any]) -> None:
        """It is closed with the loop."""
        self._generators.append(weakref.ref(begun))

    # -- what asyncio asks of a loop -----------------------------------------------------------------

    def call_soon(self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None) -> Handle:
        handle = Handle(callback, args, copy_context() if context is None else context)
        self._ready.append(handle)
        return handle

    def call_later(
        self,
        delay: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        return self.call_at(self.time() + delay, callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        if self.halted:
            raise Halt
        return self.timers.at(when, callback, args, copy_context() if context is None else context)

    def fire(self, timer: Timer) -> None:
        """A timer's time has come, as the journal says."""
        self._ready.append(timer)

    def time(self) -> float:
        return self.timers.now / 1000

    def create_future(self) -> Future[Any]:
        return Future(self)

    def create_task(self, coro: Any, **options: Any) -> Task[Any]:
        """A task on this loop. Operations are taken as coroutines; an eager start is put off, to keep the order."""
        options.pop("eager_start", None)
        caller = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]  # no other way is quick enough for every task
        if caller.f_code.co_name in ("ensure_future", "_ensure_future"):
            adopted = self._adopt(coro, caller)
            if adopted is not None:
                return adopted
        return self._new_task(coro, options)

    def _new_task(self, coro: Any, options: dict[str, Any]) -> Task[Any]:
        if self.halted:
            coro.close()
            raise Halt
        if asyncio.isfuture(coro):
            coro = _result(coro)
        task: Task[Any] = Task(coro, self, **options)
        if len(self._tasks) >= self._tasks_limit:
            self.forget()
        self._tasks.append(task)
        return task

    def _adopt(self, coro: Any, caller: FrameType) -> Task[Any] | None:
        """asyncio.as_completed starts coroutines in the order of a set, that is, by memory address. Start all
        of them in the order they were given, when the first one is asked for."""
        ready = self._adopted.pop(id(coro), None)
        if ready is not None:
            return ready
        frame = caller
        for _ in range(4):
            if frame.f_back is None:
                return None
            frame = frame.f_back
            if frame.f_globals.get("__name__") != "asyncio.tasks":
                return None
            given: Any = frame.f_locals.get("fs" if frame.f_code.co_name == "as_completed" else "aws")
            if given is not None:
                break
        else:
            return None
        if not isinstance(given, (list, tuple)):
            raise TypeError("inside a workflow give as_completed a list: the order of anything else does not replay")
        for other in list[Any](given):  # pyright: ignore[reportUnknownArgumentType]  # asyncio's own local
            if asyncio.iscoroutine(other) and id(other) not in self._adopted:
                self._adopted[id(other)] = self._new_task(other, {})
        return self._adopted.pop(id(coro), None)

    def call_exception_handler(self, context: dict[str, Any], ends: Callable[[], bool] = sys.is_finalizing) -> None:
        """What nobody awaited is told to the log, once. Not what is left over when the interpreter ends: the names of
        this module, and the log's own, may be gone by then (so ``ends`` is none of them)."""
        if ends():
            return
        error = context.get("exception")
        task = isinstance(context.get("future"), Task)
        late = self.halted and not task  # it came when nobody could await it any more
        if isinstance(error, Exception) and not self.quiet and not late:
            log.error("in a workflow: %s", context.get("message"), exc_info=error)

    get_debug = staticmethod(bool)  # pyright: ignore[reportAssignmentType]  # it says False
    """Every future asks. A plain function would cost it a frame."""

    def run_in_executor(self, executor: Any, func: Callable[[*Ts], T], *args: *Ts) -> Any:
        """Refused, but where plain functions are handed to threads that are code of the workflow themselves: those run
        here and now, so that they replay."""
        if not self.inline:
            _refusing("run_in_executor")()
        future: Future[Any] = Future(self)
        found: list[Any] = []
        error = self.attempt(lambda: found.append(func(*args)))
        if error is None:
            future.set_result(found[0])
        else:
            future.set_exception(error)
        return future

    def get_task_factory(self) -> None:
        """There is none: ``create_task`` makes them. anyio asks before it begins one."""

    def is_running(self) -> bool:
        return _get_running_loop() is self

    def is_closed(self) -> bool:
        return self.halted

    async def shutdown_asyncgens(self) -> None:
        """Nothing to do: ``shut`` does it."""


def _refusing(name: str) -> Callable[..., NoReturn]:
    def refuse(*_: object, **__: object) -> NoReturn:
        raise RuntimeError(
            f"loop.{name} reaches outside of the workflow and would not replay; do I/O, threads and "
            "subprocesses inside a step: await ctx.step(function, ...)"
        )

    return refuse


for _name in vars(asyncio.AbstractEventLoop):
    if not _name.startswith("_") and _name not in vars(Loop):
        setattr(Loop, _name, _refusing(_name))


def _generator_begins(generator: AsyncGenerator[Any, Any]) -> None:
    loop = _get_running_loop()
    if isinstance(loop, Loop):
        loop.generator(generator)


def _generator_ends(generator: AsyncGenerator[Any, Any]) -> None:
    """A collected generator is left alone: when that happens differs from run to run."""


def _drop_soon(callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None) -> Handle:
    """What a loop that was halted does with a callback."""
    return Handle(callback, args, context or copy_context())


async def _result(future: Awaitable[T]) -> T:
    return await future


def _unwind(coro: Any) -> None:
    """Throw Halt into a suspended coroutine until it has ended."""
    with suppress(BaseException):
        for _ in range(_UNWIND_LIMIT):
            coro.throw(Halt())
