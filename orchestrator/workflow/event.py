"""``wait_for``: an event from outside, by name. Events that came before anybody waited are kept, in order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, overload

from ...state.errors import TimedOut
from ...state.quantities import Duration, milliseconds
from ..decider import Fact
from .operation import Decode, Waiting, unfit
from .run import Run
from .scope import Scope
from .targets import decoder

T = TypeVar("T")
Match = Callable[[Any], bool]


class Event(Waiting[T]):
    """Done by the first event of its name that matches."""

    __slots__ = ("match", "timeout")
    kind = "event"
    outside = True

    def __init__(self, run: Run, op: str, name: str, decode: Decode | None, match: Match | None) -> None:
        super().__init__(run, op, name, decode)
        self.match = match
        self.timeout: Duration | None = None

    def accepts(self, fact: Fact) -> bool:
        """Take the event if it matches. An error of ``match`` is this operation's error."""
        if self.match is not None:
            answer: list[bool] = []
            error = self.run.loop.attempt(self._try, self.match, fact.get("data"), answer)
            if error is None and not answer[0]:
                return False
            if error is not None:
                self._over()
                self.fail(error)
                return False
        self._over()
        self.take(fact.get("data"))
        return True

    def _try(self, match: Match, data: Any, answer: list[bool]) -> None:
        try:
            value = data if self.decode is None else self.decode(data)
        except (ValueError, TypeError) as error:
            raise unfit(f"event {self.name!r}", error) from None
        answer.append(bool(match(value)))

    def _over(self) -> None:
        self.run.close(self)
        self.settled()

    def settled(self) -> None:
        super().settled()
        self._unlisten()

    def _unlisten(self) -> None:
        listeners = self.run.listeners.get(self.name, [])
        if self in listeners:
            listeners.remove(self)
        if not listeners:
            self.run.listeners.pop(self.name, None)

    def expired(self) -> None:
        self._unlisten()
        self.fail(TimedOut(f"no event {self.name!r} came within {self.timeout}"))


class Listening(Scope):
    """The part of a context that waits for events."""

    __slots__ = ()

    @overload
    def wait_for(
        self, name: str, *, timeout: Duration | None = ..., match: Callable[[Any], bool] | None = ...
    ) -> Event[Any]: ...
    @overload
    def wait_for(
        self,
        name: str,
        *,
        type: type[T],
        timeout: Duration | None = ...,
        match: Callable[[T], bool] | None = ...,
    ) -> Event[T]: ...
    def wait_for(
        self, name: str, *, type: Any = Any, timeout: Duration | None = None, match: Match | None = None
    ) -> Event[Any]:
        """Wait for an external event and await its data, as ``type``. With ``match`` only an event whose data
        satisfies it counts; the others are kept for whoever waits next. Raises TimedOut after ``timeout``."""
        run = self._run
        event: Event[Any] = Event(run, self._next(), name, decoder(type, f"event {name!r}"), match)
        run.open(event)
        waiting = run.events.get(name, [])
        for kept in list(waiting):
            if event.accepts(kept.fact):
                waiting.remove(kept)
                break
            if event.done():
                break
        if not waiting:
            run.events.pop(name, None)
        if not event.done():
            run.listeners.setdefault(name, []).append(event)
            event.timeout = timeout
            if timeout is not None:
                event.due(run.began(event.op) + milliseconds(timeout))
        return event
