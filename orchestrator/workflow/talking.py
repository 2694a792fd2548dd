"""What the code of an agent's turn is given: the operations of a workflow, but those that no conversation has use for.

An agent is sent messages and nothing else, so a turn waits for no events; nor does it give tokens or begin anew, since
what proves a token and what a checkpoint begins with belong to an execution as a whole.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, NoReturn, Self

from ...state.errors import InvalidInput
from ...state.quantities import Duration
from ..usercode.resilience import Retry
from .context import Context
from .operation import Operation
from .step import order, policy_of


class TurnContext(Context):
    """The operations that one turn may use. ``prefix`` begins their ids, so that those of two turns differ."""

    __slots__ = ()

    @classmethod
    def within(cls, ctx: Context, prefix: str) -> Self:
        return cls(ctx._run, prefix)

    def inline_threads(self) -> None:
        """What the turn's code hands to threads by ``run_in_executor`` runs at once from now on: for frameworks that do
        so with plain functions which decide and reach nothing outside."""
        self._run.loop.inline = True

    def asked(
        self, call: Callable[[], Awaitable[Any]], name: str, retry: Retry, timeout: Duration | None
    ) -> Operation[Any]:
        """A step that asks and changes nothing, so a fork makes it. What is asked is not compared on replay."""
        policy = policy_of(self._run, call, retry, timeout, None, False)
        return order(self._run, self._next(), call, (), {}, name, policy, compare=False, pure=True)

    def wait_for(self, *_: Any, **__: Any) -> NoReturn:
        """Raises InvalidInput."""
        raise InvalidInput(
            "a turn of an agent waits for no events; end it with a question, and the next message answers it"
        )

    def callback(self, *_: Any, **__: Any) -> NoReturn:
        """Raises InvalidInput."""
        raise InvalidInput("a turn of an agent gives no callback; call a workflow that does, by ctx.call")

    async def checkpoint(self, input: Any = None) -> NoReturn:
        """Raises InvalidInput."""
        raise InvalidInput("a turn of an agent has no checkpoint: each message begins a new one by itself")
