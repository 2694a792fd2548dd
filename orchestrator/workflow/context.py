"""What a workflow function is given: the durable operations, and who it is.

An operation starts when it is called, is identified by the position of that call, and is awaited for its
result. Everything else a workflow does must be deterministic: no clock, no chance, no I/O of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from ...state.errors import InvalidInput
from ...state.records import PAYLOAD_LIMIT
from ..protocol.shared import place_of
from .approval import Asking
from .call import Handing
from .callback import Calling
from .chance import Drawing
from .child import Parenting
from .event import Listening
from .keyvalue import State
from .logs import Log
from .map import Branching
from .naming import named
from .naming import text as storable
from .publish import Publishing
from .saga import Compensating
from .sleep import Polling
from .step import Stepping


class Context(
    Stepping, Handing, Polling, Listening, Calling, Asking, Branching, Parenting, Publishing, Drawing, Compensating
):
    """The durable operations of a workflow. Branches of map and parallel get contexts of their own."""

    __slots__ = ()

    @property
    def execution(self) -> str:
        """The id of this execution."""
        return self._run.id

    @property
    def function(self) -> str:
        """The name of this workflow."""
        return self._run.function

    @property
    def parent(self) -> str | None:
        """The id of the execution that started this one, if one did."""
        return None if self._run.origin is None else self._run.origin.parent

    @property
    def caller(self) -> Mapping[str, Any]:
        """What whoever ordered this execution from another process says about itself: its ``caller`` (a function),
        ``execution``, ``operation``, ``key``, ``attempt``, and where they are known ``deadline`` (epoch milliseconds),
        ``budget``, ``user``, ``tenant``, ``traceparent``, ``tracestate``, ``baggage``. Of what a request or an event
        has begun, its trace; else empty when it was begun here. A child has what is handed on of its parent's."""
        return {} if self._run.origin is None else self._run.origin.caller

    @property
    def log(self) -> Log:
        """A standard logger that is silent on replay: ``ctx.log.info("paid %s", order)``."""
        return Log(self)

    @property
    def state(self) -> State:
        """Key-value entries of this execution."""
        return State(self, self._run.id)

    def kv(self, scope: str) -> State:
        """Key-value entries of a shared scope, which is no execution's."""
        named(scope, "a scope of ctx.kv")
        return State(self, place_of(scope))

    def status(self, text: str) -> None:
        """Set the status line that people see. It is not journaled; it comes back with replay."""
        self._run.note = storable(text, "a status line")

    async def checkpoint(self, input: Any = None) -> NoReturn:
        """Begin anew with ``input`` and a fresh history, in the same execution. It does not return. Raises InvalidInput
        when ``input`` does not fit this workflow.

        Open operations are given up, attached children cancelled, and ``finally`` blocks around it can't order
        anything; events that nobody has taken are kept. For workflows that go on for long, so that waking
        never has to read what is over. Raises InvalidInput for an input that does not fit.
        """
        if self._prefix:
            raise InvalidInput("checkpoint begins the whole workflow anew; call it outside of map and parallel")
        if self._run.sagas:
            raise InvalidInput(
                "checkpoint would forget what a saga is to undo; call it when the saga's block (async with ctx.saga()) "
                "is over"
            )
        self._run.begin_anew(self._run.accept(input, PAYLOAD_LIMIT), self._count)
        await self._run.loop.create_future()
        raise AssertionError("unreachable")
