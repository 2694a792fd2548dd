"""Waiting for time to pass: ``sleep``, and ``until`` that polls a condition."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, ParamSpec, TypeVar, overload

from ...state.errors import TimedOut
from ...state.quantities import Duration, milliseconds
from .operation import Waiting
from .scope import Scope
from .step import order
from .targets import describe

P = ParamSpec("P")
T = TypeVar("T")


class Sleep(Waiting[None]):
    """Done when its time has come."""

    __slots__ = ()
    kind = "sleep"

    def expired(self) -> None:
        self.set_result(None)


class Sleeping(Scope):
    """The part of a context that waits for time."""

    __slots__ = ()

    def sleep(self, duration: Duration) -> Sleep:
        """Wait durably: "30s", "3d", seconds, or a timedelta. The process need not live meanwhile."""
        run = self._run
        sleep = Sleep(run, self._next(), "")
        run.open(sleep)
        sleep.due(run.began(sleep.op) + milliseconds(duration))
        return sleep

    @overload
    def until(
        self,
        fn: Callable[..., Awaitable[T]],
        *args: Any,
        every: Duration = ...,
        factor: float = ...,
        most: Duration = ...,
        timeout: Duration | None = ...,
        **kwargs: Any,
    ) -> Coroutine[Any, Any, T]: ...
    @overload
    def until(
        self,
        fn: Callable[..., T],
        *args: Any,
        every: Duration = ...,
        factor: float = ...,
        most: Duration = ...,
        timeout: Duration | None = ...,
        **kwargs: Any,
    ) -> Coroutine[Any, Any, T]: ...
    def until(
        self,
        fn: Callable[..., Any],
        *args: Any,
        every: Duration = "5s",
        factor: float = 1.0,
        most: Duration = "1h",
        timeout: Duration | None = None,
        **kwargs: Any,
    ) -> Coroutine[Any, Any, Any]:
        """Call ``fn`` as a step until it returns something true, and return that. Pauses begin with ``every``
        and grow by ``factor`` up to ``most``. Raises TimedOut when ``timeout`` would pass before the next try."""
        if not 0 <= factor < math.inf:
            raise ValueError("factor says how pauses grow: a number like 2.0, not below 0")
        polls = Polls(self._run, f"{self._next()}.")
        longest = milliseconds(most)
        return polls.poll(fn, args, kwargs, min(milliseconds(every), longest), factor, longest, timeout)


class Polls(Sleeping):
    """The tries of one ``until`` and the pauses between them, numbered under its id."""

    __slots__ = ()

    async def poll(
        self,
        fn: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        pause: float,
        factor: float,
        most: int,
        within: Duration | None,
    ) -> Any:
        run = self._run
        deadline = None if within is None else run.began(self._prefix[:-1]) + milliseconds(within)
        while True:
            value = await order(run, self._next(), fn, args, kwargs)
            if value:
                return value
            if deadline is not None and run.timers.now + pause > deadline:
                raise TimedOut(f"{describe(fn).name!r} was not true within {within}")
            await self.sleep(pause / 1000)
            pause = min(pause * factor, most)
