"""An operation of a workflow: a future that a journal entry completes.

It starts when it is asked for, not when it is awaited; awaiting gives its result. Cancelling it gives up what
it waits for. To type checkers it is a coroutine as well, so that it may be passed to create_task.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from ...state.codec import clean, copied
from ...state.errors import StepFailed
from ..errors import failures
from ..protocol.decider import Fact
from . import mismatch
from .loop import Future
from .run import Run
from .timers import Timer

T = TypeVar("T")
Decode = Callable[[Any], Any]

if TYPE_CHECKING:

    class _Typed(Future[T], Coroutine[Any, Any, T]):  # pyright: ignore[reportGeneralTypeIssues]
        """What an operation is to type checkers. At run time asyncio tells futures and coroutines apart."""

        def send(self, value: Any, /) -> Any: ...
        def throw(self, *error: Any) -> Any: ...
        def close(self) -> None: ...

else:
    _Typed = Future


class Operation(_Typed[T]):
    """The base of all operations. ``op`` is its id; ``kind`` and ``name`` identify it on replay, and ``args``: the
    fingerprint of what it was given, "" when that was nothing, None when it is not to be compared."""

    __slots__ = ("args", "decode", "name", "op", "run")
    kind = "step"
    outside = False  # somebody outside must do something

    def __init__(self, run: Run, op: str, name: str, decode: Decode | None = None, args: str | None = None) -> None:
        self.run = run
        self.op = op
        self.name = name if name.isascii() else clean(name)
        self.decode = decode
        self.args = args
        super().__init__(run.loop)

    def take(self, value: Any) -> None:
        """The recorded value has come. It fitted its type when it was made; when it does not, the code has changed."""
        decode = self.decode
        if decode is not None:
            try:
                value = decode(value)
            except (ValueError, TypeError) as error:
                self.run.disagree(mismatch.unfit(self.run.id, self, mismatch.result(self), value, error))
                return
        else:
            value = copied(value)  # the workflow may change it; the journal's copy stays
        self.set_result(value)

    def unfit(self, fact: Fact) -> Exception | None:
        """Why the value that somebody says came of it can't be its result; None when it can."""
        if self.decode is None or fact.get("verdict") != "done":
            return None
        try:
            self.decode(fact.get("value"))
        except (ValueError, TypeError) as error:
            return error
        return None

    def fail(self, error: BaseException) -> None:
        """The recorded error has come. It remembers this operation, so that ``retry`` can begin here."""
        if isinstance(error, StopIteration):
            error = StepFailed(failures.text_of(error), kind="builtins.StopIteration")
        failures.mark(error, self.op)
        self.run.failures[self.op] = self.run.number
        self.set_exception(error)

    def cancel(self, msg: Any | None = None) -> bool:
        if not super().cancel(msg):
            return False
        if not self.run.halted:
            self.run.close(self)
            self.give_up()
        return True

    def give_up(self) -> None:
        """Withdraw what was ordered; the operation has been cancelled."""
        self.run.withdraw(self.op)

    def leave(self) -> None:
        """The workflow is over while this is open."""
        self.give_up()


class Waiting(Operation[T]):
    """An operation with a deadline: a sleep, or something that must come in time."""

    __slots__ = ("timer",)
    timer: Timer | None

    def __init__(self, run: Run, op: str, name: str, decode: Decode | None = None) -> None:
        super().__init__(run, op, name, decode)
        self.timer = None

    def due(self, deadline: int) -> None:
        """(Re)set the deadline, in milliseconds."""
        if self.timer is not None:
            self.timer.cancel()
        self.timer = self.run.timers.add(self.op, (self.kind, self.name), deadline, self.expire)

    def expire(self) -> None:
        """The deadline has passed."""
        self.run.close(self)
        self.timer = None
        self.expired()

    def expired(self) -> None:
        """What a passed deadline means; each kind says it for itself."""
        raise NotImplementedError

    def settled(self) -> None:
        """Something came in time."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None

    def give_up(self) -> None:
        self.settled()


def error_in(fact: Fact) -> Exception | None:
    """The error of a fact, as its own class."""
    failure = fact.get("error")
    if failure is None:
        return None
    return failures.decode(failure if isinstance(failure, dict) else {"kind": "", "message": str(failure)})  # pyright: ignore[reportUnknownArgumentType]  # JSON object
