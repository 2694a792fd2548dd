"""``callback``: an outside system completes or fails an operation with a token, and may show that it is alive."""

from __future__ import annotations

from typing import Any, TypeVar, overload

from ...state.errors import CallbackFailed, HeartbeatLost, TimedOut
from ...state.quantities import Duration, milliseconds
from ..errors.groups import text
from ..governance import tokens
from ..protocol.decider import Fact
from . import arguments
from .naming import named
from .operation import Decode, Waiting, error_in
from .run import Run
from .scope import Scope
from .targets import acceptor, decoder

T = TypeVar("T")


class Callback(Waiting[T]):
    """Hand ``token`` to the outside system, then await its answer.

    Raises CallbackFailed when that system reports an error, HeartbeatLost (a TimedOut) when it is not heard of for the
    heartbeat, TimedOut when the whole time has passed.
    """

    __slots__ = ("alive", "heartbeat", "secret", "taken", "timeout", "token", "type", "until")
    kind = "callback"
    outside = True

    def __init__(
        self, run: Run, op: str, name: str, type: Any, decode: Decode | None, taken: Decode | None, seed: str
    ) -> None:
        super().__init__(run, op, name, decode)
        self.type = type
        self.taken = taken  # ``decode`` that refuses numbers which are none; what was recorded with one is replayed
        self.secret = tokens.secret_of(seed, op)
        self.token = tokens.make(run.id, op, self.secret)
        self.heartbeat: Duration | None = None
        self.timeout: Duration | None = None
        self.until: int | None = None
        self.alive = 0  # when it was last heard of

    def begin(self, at: int, timeout: Duration | None, heartbeat: Duration | None) -> None:
        self.timeout, self.heartbeat = timeout, heartbeat
        self.until = None if timeout is None else at + milliseconds(timeout)
        self._watch(at)

    def _watch(self, at: int) -> None:
        self.alive = max(self.alive, at)
        silent = None if self.heartbeat is None else self.alive + milliseconds(self.heartbeat)
        deadlines = [deadline for deadline in (self.until, silent) if deadline is not None]
        if deadlines:
            self.due(min(deadlines))

    def beat(self, at: int) -> None:
        """It was alive then, whenever that was read."""
        self._watch(at)

    def misfit(self, fact: Fact) -> Exception | None:
        """Why a completion does not have the type that is waited for."""
        if self.taken is None or fact.get("error") is not None:
            return None
        try:
            self.taken(fact.get("value"))
        except (ValueError, TypeError) as error:
            return error
        return None

    def complete(self, fact: Fact) -> None:
        self.settled()
        cause = error_in(fact)
        if cause is None:
            self.take(fact.get("value"))
            return
        failure = fact["error"]
        failed = CallbackFailed(text(cause), kind=str(failure.get("kind", "")) if hasattr(failure, "get") else "")
        failed.__cause__ = cause
        self.fail(failed)

    def expired(self) -> None:
        now = self.run.timers.now
        if self.until is not None and now >= self.until:
            self.fail(TimedOut(f"callback {self.name!r} was not completed within {self.timeout}"))
        else:
            self.fail(HeartbeatLost(f"callback {self.name!r} sent no heartbeat within {self.heartbeat}"))


class Calling(Scope):
    """The part of a context that waits for outside systems."""

    __slots__ = ()

    @overload
    def callback(
        self, name: str = ..., *, timeout: Duration | None = ..., heartbeat: Duration | None = ...
    ) -> Callback[Any]: ...
    @overload
    def callback(
        self, name: str = ..., *, type: type[T], timeout: Duration | None = ..., heartbeat: Duration | None = ...
    ) -> Callback[T]: ...
    def callback(
        self,
        name: str = "callback",
        *,
        type: Any = Any,
        timeout: Duration | None = None,
        heartbeat: Duration | None = None,
    ) -> Callback[Any]:
        """Open a callback. Its ``token`` goes to an outside system (in a step); awaiting it gives the value that
        system completes it with, as ``type``. With ``heartbeat`` the system must beat or complete within that
        time, again and again."""
        run, name = self._run, named(name, "a callback's name")
        assert run.origin is not None
        what = f"callback {name!r}"
        decode, taken = decoder(type, what), acceptor(type, what)
        made: Callback[Any] = Callback(run, self._next(), name, type, decode, taken, run.origin.seed)
        arguments.limit(timeout, "ctx.callback(timeout=…)")
        arguments.limit(heartbeat, "ctx.callback(heartbeat=…)")
        run.open(made)
        made.begin(run.began(made.op), timeout, heartbeat)
        entry: Fact = {
            "type": "ordered",
            "op": made.op,
            "at": run.began(made.op),
            "kind": "callback",
            "name": made.name,
        }
        if made.until is not None:
            entry["until"] = made.until
        run.own[made.op] = entry
        return made
