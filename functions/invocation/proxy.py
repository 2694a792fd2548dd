"""An agent or a workflow that lives elsewhere, as a child of an execution of this process.

What is started in its place is a workflow of one call: it has the function begin over there, rests until it has ended,
and ends as it did. When it is cancelled, so is what it has begun.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from ...orchestrator.engine.performing import current_call
from ...orchestrator.usercode.resilience import Policy, Retry
from ...state.errors import FunctionUnavailable
from .internal import Internal
from .leading import leads

if TYPE_CHECKING:
    from ...orchestrator.workflow.context import Context
    from ...orchestrator.workflow.function import Workflow

NAME = "overwinter.call"
_PATIENCE = Retry(attempts=10, retry=(FunctionUnavailable,))


class _Elsewhere:
    """The call of it, as a step sees a tool. ``mark`` is that of the call; its execution has one call and one seed, so
    it need not be recorded. ``used`` is the one that was sent, when it was opened again after a failure."""

    approval = None
    pure = False

    def __init__(self, name: str, mark: str, caller: str) -> None:
        self.name = name
        self.caller = caller  # the function that ordered it, which is to be told, and not this workflow
        from .sending import policy

        self.policy: Policy = policy(hash(name))
        self.mark = self.used = mark

    @property
    def elsewhere(self) -> Policy:
        return self.policy

    async def send(self, arguments: dict[str, Any]) -> Any:
        from .sending import send

        self.used = current_call().mark
        return await send(self.name, arguments["input"])


class Proxy(Internal):
    """What works on functions that live elsewhere, in one runtime."""

    def __init__(self) -> None:
        super().__init__(NAME, _made)

    def leads(self, name: str) -> bool:
        return leads(name)

    def input(self, name: str, value: Any) -> dict[str, Any]:
        return {"function": name, "input": value}


def _made() -> Workflow:
    from ...orchestrator.workflow.function import Workflow

    return Workflow(_call, NAME)


async def _call(ctx: Context, order: dict[str, Any]) -> Any:
    name = str(order["function"])

    async def call(input: Any) -> Any:
        raise AssertionError("it is made elsewhere")

    async def plain(input: Any) -> Any: ...

    async def cancel(reason: str) -> None:
        from . import sending

        key = f"{ctx.execution}/{operation}"
        call = {"execution": ctx.execution, "operation": operation, "key": key, "mark": target.used, "attempt": 1}
        await sending.cancel(name, call, reason)

    made: Any = call
    made.__wrapped__ = plain  # what makes it a tool that was declared, and not a function that has become one
    target = made.__overwinter__ = _Elsewhere(name, ctx.uuid().hex, str(ctx.caller.get("caller", NAME)))
    called = ctx.step(made, order["input"])
    operation = called.op
    ctx.status(f"{name}, which lives elsewhere")
    try:
        return await called
    except asyncio.CancelledError:
        await ctx.step(cancel, "the execution that ordered it has ended or was cancelled", retry=_PATIENCE)
        raise
