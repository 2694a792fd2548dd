"""``wait_for``: an event from outside, by name. Events that came before anybody waited are kept, in order.

An event whose data does not have the type that is waited for is passed over like one that does not match: it stays
for whoever waits next, and a ``skipped`` entry says so once. It never ends the waiting.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, overload

from ...state.codec import plain
from ...state.errors import TimedOut
from ...state.quantities import Duration
from ..protocol.decider import Fact
from . import arguments, mismatch
from .loop import Halt
from .naming import named
from .operation import Decode, Waiting
from .run import Run
from .scope import Scope
from .targets import acceptor, decoder

T = TypeVar("T")
Match = Callable[[Any], bool]


class Event(Waiting[T]):
    """Done by the first event of its name that matches."""

    __slots__ = ("match", "taken", "timeout", "type", "why")
    kind = "event"
    outside = True

    def __init__(
        self, run: Run, op: str, name: str, type: Any, decode: Decode | None, taken: Decode | None, match: Match | None
    ) -> None:
        super().__init__(run, op, name, decode)
        self.type = type
        self.taken = taken  # ``decode`` that refuses numbers which are none; what was recorded with one is replayed
        self.match = match
        self.timeout: Duration | None = None
        self.why: Exception | None = None  # the last event did not fit

    def misfit(self, data: Any) -> Exception | None:
        """Why data does not have the type that is waited for."""
        if self.taken is None:
            return None
        try:
            self.taken(data)
        except (ValueError, TypeError) as error:
            return error
        return None

    def accepts(self, fact: Fact) -> bool:
        """Take the event if it fits and matches. An error of ``match`` is this operation's error."""
        try:
            value = self._read(fact)
            if self.match is not None:
                answer: list[bool] = []
                raised = self.run.loop.attempt(self._try, self.match, value, answer)
                if raised is None and not answer[0]:
                    return False
                if raised is not None:
                    self._over()
                    self.fail(raised)
                    return False
                value = self._read(fact)  # not what ``match`` had in its hands
        except (ValueError, TypeError) as error:
            self.why = error
            return False
        self._over()
        self.set_result(value)
        return True

    def _read(self, fact: Fact) -> Any:
        data = fact.get("data")
        decode = self.taken if not self.run.replaying or self._key(fact) in self.run.skipped else self.decode
        return plain(data) if decode is None else decode(data)

    def pass_over(self, fact: Fact) -> None:
        """The event did not fit, and stays. Live, that is noted. On replay it was noted then, or else the code took the
        event and has changed since; what ``retry`` opened again failed on it in an older release."""
        run, error, self.why = self.run, self.why, None
        key = self._key(fact)
        if error is None or key in run.passed:
            return
        if run.replaying and key not in run.skipped and self.op not in run.retried:
            what = f"event {self.name!r} (operation {self.op})"
            run.disagree(mismatch.unfit(run.id, self, what, fact.get("data"), error))
            return
        why = mismatch.misfit("event", self.name, fact.get("data"), error)
        run.skip(key, {"op": self.op, "name": self.name, "id": key, "why": why})

    def _key(self, fact: Fact) -> str:
        return str(fact.get("id") or f"{self.name} at {fact['at']}")

    def _try(self, match: Match, value: Any, answer: list[bool]) -> None:
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
        """Wait for an external event and await its data, as ``type``. An event whose data has another type does not
        count, nor, with ``match``, one that does not satisfy it; both are kept for whoever waits next. Raises TimedOut
        after ``timeout``."""
        arguments.looking(match, "ctx.wait_for(match=…): match", "the event")
        run, name = self._run, named(name, "the event that ctx.wait_for waits for")
        what = f"event {name!r}"
        event: Event[Any] = Event(run, self._next(), name, type, decoder(type, what), acceptor(type, what), match)
        length = arguments.limit(timeout, "ctx.wait_for(timeout=…)")
        run.open(event)
        waiting = run.events.get(name, [])
        for kept in list(waiting):
            if event.accepts(kept.fact):
                waiting.remove(kept)
                break
            if event.done():
                break
            event.pass_over(kept.fact)
            if run.halted:
                raise Halt
        if not waiting:
            run.events.pop(name, None)
        if not event.done():
            run.listeners.setdefault(name, []).append(event)
            event.timeout = timeout
            if length is not None:
                event.due(run.began(event.op) + length)
        return event
