"""Waiting for time to pass: ``sleep``, and ``until`` that polls a condition."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Coroutine
from inspect import isawaitable, iscoroutine
from typing import Any, NamedTuple, TypeVar, overload

from ...state.errors import InvalidInput, TimedOut
from ...state.quantities import Duration, count, milliseconds
from ..usercode.resilience import Policy, Retry
from . import arguments
from .naming import named, text
from .operation import Waiting
from .scope import Scope
from .step import order, policy_of
from .targets import NOTHING, describe

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

    def sleep(self, duration: Duration, *, name: str = "") -> Sleep:
        """Wait durably: "30s", "3d", seconds, or a timedelta. The process need not live meanwhile. ``name`` is shown to
        people, and identifies the sleep on replay."""
        run = self._run
        sleep = Sleep(run, self._next(), text(name, "the name of a sleep"))
        length = arguments.duration(duration, "ctx.sleep(duration)")
        run.open(sleep)
        sleep.due(run.began(sleep.op) + length)
        return sleep


class Polling(Sleeping):
    """The part of a context that waits until something is so."""

    __slots__ = ()

    @overload
    def until(
        self,
        fn: Callable[..., Awaitable[T]],
        *args: Any,
        done: Callable[[T], object],
        state: Any = ...,
        every: Duration = ...,
        factor: float = ...,
        most: Duration = ...,
        timeout: Duration | None = ...,
        tries: int | None = ...,
        name: str | None = ...,
        retry: Retry | None = ...,
        **kwargs: Any,
    ) -> Coroutine[Any, Any, T]: ...
    @overload
    def until(
        self,
        fn: Callable[..., T],
        *args: Any,
        done: Callable[[T], object],
        state: Any = ...,
        every: Duration = ...,
        factor: float = ...,
        most: Duration = ...,
        timeout: Duration | None = ...,
        tries: int | None = ...,
        name: str | None = ...,
        retry: Retry | None = ...,
        **kwargs: Any,
    ) -> Coroutine[Any, Any, T]: ...
    @overload
    def until(
        self,
        fn: Callable[..., Awaitable[T | None]],
        *args: Any,
        every: Duration = ...,
        factor: float = ...,
        most: Duration = ...,
        timeout: Duration | None = ...,
        tries: int | None = ...,
        name: str | None = ...,
        retry: Retry | None = ...,
        **kwargs: Any,
    ) -> Coroutine[Any, Any, T]: ...
    @overload
    def until(
        self,
        fn: Callable[..., T | None],
        *args: Any,
        every: Duration = ...,
        factor: float = ...,
        most: Duration = ...,
        timeout: Duration | None = ...,
        tries: int | None = ...,
        name: str | None = ...,
        retry: Retry | None = ...,
        **kwargs: Any,
    ) -> Coroutine[Any, Any, T]: ...
    def until(
        self,
        fn: Callable[..., Any],
        *args: Any,
        done: Callable[[Any], object] | None = None,
        state: Any = NOTHING,
        every: Duration = "5s",
        factor: float = 1.0,
        most: Duration = "1h",
        timeout: Duration | None = None,
        tries: int | None = None,
        name: str | None = None,
        retry: Retry | None = None,
        **kwargs: Any,
    ) -> Coroutine[Any, Any, Any]:
        """Call ``fn`` as a step until it returns something true, or something that is ``done``, and return that.

        With ``state`` each try is ``fn(state, *args)``, and what it returns is the state of the next; ``done`` then has
        to say when it is enough. Pauses begin with ``every`` and grow by ``factor`` up to ``most``. Raises TimedOut
        when ``timeout`` would pass before the next try, or after so many ``tries``. ``name`` (default: the function's)
        identifies the tries, ``retry`` is how each is made. Arguments for ``fn`` of these same names go through
        ``functools.partial``.
        """
        if not isinstance(factor, (int, float)) or not 0 <= factor < math.inf:  # pyright: ignore[reportUnnecessaryIsInstance]  # as users may give it
            raise arguments.wrong("ctx.until(factor=…)", "how pauses grow, a number from 0 on, like 2.0", factor)
        arguments.looking(done, "ctx.until(done=…): done", "the value")
        if state is not NOTHING and done is None:
            raise InvalidInput("with state, say when it is done: ctx.until(fn, state=…, done=lambda state: …)")
        about = describe(fn)
        with arguments.named_by("ctx.until"):
            policy = None if retry is None else policy_of(self._run, fn, retry)
            most_tries = None if tries is None else count(tries, 1, "tries")
        longest = arguments.duration(most, "ctx.until(most=…)")
        arguments.limit(timeout, "ctx.until(timeout=…)")
        asked = Question(
            fn, args, kwargs, bool if done is None else done, state,
            name=about.name if name is None else named(name, "the name of what ctx.until calls"),
            policy=policy,
            pause=min(arguments.duration(every, "ctx.until(every=…)"), longest),
            factor=factor,
            most=longest,
            within=timeout,
            tries=most_tries,
        )  # fmt: skip
        return Polls(self._run, f"{self._next()}.").poll(asked)


class Question(NamedTuple):
    """What one ``until`` asks, and how often; times in milliseconds."""

    fn: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    done: Callable[[Any], object]
    state: Any
    name: str
    policy: Policy | None
    pause: float
    factor: float
    most: int
    within: Duration | None
    tries: int | None


class Polls(Sleeping):
    """The tries of one ``until`` and the pauses between them, numbered under its id."""

    __slots__ = ()

    async def poll(self, asked: Question) -> Any:
        run, state, pause, tried = self._run, asked.state, asked.pause, 0
        deadline = None if asked.within is None else run.began(self._prefix[:-1]) + milliseconds(asked.within)
        while True:
            args = asked.args if state is NOTHING else (state, *asked.args)
            value = await order(run, self._next(), asked.fn, args, asked.kwargs, asked.name, asked.policy)
            enough = asked.done(value)
            if isawaitable(enough):
                if iscoroutine(enough):
                    enough.close()
                raise InvalidInput(f"done gave {type(enough).__name__} for {asked.name!r}; it is a plain function")
            if enough:
                return value
            tried += 1
            if tried == asked.tries:
                raise TimedOut(f"{asked.name!r} was not true after {tried} tries")
            if deadline is not None and run.timers.now + pause > deadline:
                raise TimedOut(f"{asked.name!r} was not true within {asked.within}")
            await self.sleep(pause / 1000)
            pause = min(pause * asked.factor, asked.most)
            state = state if state is NOTHING else value
