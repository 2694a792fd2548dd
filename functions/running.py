"""One function to its end, for scripts and notebooks: the runtime is opened for it and closed after it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future
from contextvars import copy_context
from typing import Any, TypeVar, overload

from ..orchestrator.workflow.context import Context
from ..orchestrator.workflow.targets import Served
from ..state.daemons import let_go
from ..state.store import Store
from .runtime import Runtime

T = TypeVar("T")


@overload
async def arun(
    function: Served[T], input: Any = ..., *, id: str | None = ..., store: str | Store | None = ...
) -> T: ...
@overload
async def arun(
    function: Callable[[Context], Awaitable[T]] | Callable[[Context, Any], Awaitable[T]],
    input: Any = ...,
    *,
    id: str | None = ...,
    store: str | Store | None = ...,
) -> T: ...
@overload
async def arun(function: object, input: Any = ..., *, id: str | None = ..., store: str | Store | None = ...) -> Any: ...
async def arun(function: Any, input: Any = None, *, id: str | None = None, store: str | Store | None = None) -> Any:
    """Run a workflow or an agent to its end and return its output: the entry for asynchronous scripts.

    With an ``id``, running the script again after a crash goes on where it stopped. ``store`` is an address such as
    ``sqlite:///own.db`` (default: OVERWINTER_STATE, else a file in this folder). Raises ExecutionFailed,
    ExecutionStuck and what else ends an execution.
    """
    async with Runtime([function], store) as runtime:
        return await (await runtime.start(function, input, id=id)).result()


@overload
def run(function: Served[T], input: Any = ..., *, id: str | None = ..., store: str | Store | None = ...) -> T: ...
@overload
def run(
    function: Callable[[Context], Awaitable[T]] | Callable[[Context, Any], Awaitable[T]],
    input: Any = ...,
    *,
    id: str | None = ...,
    store: str | Store | None = ...,
) -> T: ...
@overload
def run(function: object, input: Any = ..., *, id: str | None = ..., store: str | Store | None = ...) -> Any: ...
def run(function: Any, input: Any = None, *, id: str | None = None, store: str | Store | None = None) -> Any:
    """``arun`` for code that can't await, notebooks included: where a loop runs already, a thread gets one of its own,
    and this waits for it."""
    work = arun(function, input, id=id, store=store)
    return _in_a_thread(work) if _loop_runs() else _on_a_loop(work)


def _loop_runs() -> bool:
    """Asked before the work begins: what fails in an ``except`` block has its error as the context of its own."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _on_a_loop(work: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner() as runner:
        let_go(runner.get_loop())
        return runner.run(work)


def _in_a_thread(work: Coroutine[Any, Any, T]) -> T:
    done: Future[T] = Future()
    begun: Future[tuple[asyncio.AbstractEventLoop, asyncio.Task[T] | None]] = Future()

    async def main() -> T:
        begun.set_result((asyncio.get_running_loop(), asyncio.current_task()))
        return await work

    def thread() -> None:
        try:
            done.set_result(_on_a_loop(main()))
        except BaseException as error:  # noqa: BLE001  # it is raised where it is waited for
            done.set_exception(error)

    running = threading.Thread(target=copy_context().run, args=(thread,), name="overwinter-run", daemon=True)
    running.start()
    try:
        return done.result()
    except KeyboardInterrupt:  # of a notebook: what runs is handed over in order
        if not done.done():
            loop, task = begun.result()
            if task is not None:
                loop.call_soon_threadsafe(task.cancel)
            running.join()
        raise
