"""A tool as an execution of its own: for whoever orders a call of it from elsewhere, by a message, a schedule or an
event, and must be told that it is durable before it has run.

A task is a workflow of one step. So the tool's own policy holds (retries, timeouts, at most once), an approval that it
wants is asked for, the result is recorded once, and what was begun under an id is not begun under it again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import cached_property, partial, update_wrapper
from typing import TYPE_CHECKING, Any, Protocol, cast

from ...orchestrator.usercode.calling import checked
from ...orchestrator.usercode.resilience import Policy
from ...orchestrator.workflow.function import Workflow
from ...state.codec import Writer, stored
from ...state.errors import InvalidInput, TimedOut
from .places import place_of

if TYPE_CHECKING:
    from ...orchestrator.workflow.context import Context


class Called(Protocol):
    """What a task needs to know of a tool."""

    @property
    def name(self) -> str: ...
    @property
    def description(self) -> str: ...
    @property
    def function(self) -> Callable[..., Any]: ...
    @property
    def write(self) -> Writer: ...
    @property
    def policy(self) -> Policy: ...
    def check(self, arguments: dict[str, Any]) -> None: ...
    def invoke(self, arguments: dict[str, Any]) -> Any: ...


class Task(Workflow):
    """The function to start for a call of ``tool``, served as ``name``. Its input is the object of the arguments, its
    output the tool's result."""

    kind = "tool"

    def __init__(self, tool: Called, name: str = "") -> None:
        self.tool = tool
        ordered, here, allowed = (_as_function(tool, seen) for seen in (tool, _Here(tool, tool), _Here(tool, None)))

        async def task(ctx: Context, arguments: dict[str, Any]) -> Any:
            caller = ctx.caller
            called = ordered if "mark" not in caller else allowed if caller.get("approved") is True else here
            called = partial(called, **arguments)
            deadline = caller.get("deadline")
            if deadline is None:
                return await ctx.step(called)
            left = round(deadline / 1000 - ctx.now().timestamp(), 3)
            late = TimedOut(f"{tool.name} was not done when its caller's time was over: nobody waits for it")
            if left <= 0:
                raise late
            scope = asyncio.timeout(left)
            try:
                async with scope:
                    return await ctx.step(called)
            except TimeoutError:
                if scope.expired():
                    raise late from None
                raise

        super().__init__(task, name or tool.name)
        self.__doc__ = self.description = tool.description

    @property
    def place(self) -> str:
        """Where the tool is defined, as ``shop.py:41``."""
        return place_of(self.tool)

    @cached_property
    def tools(self) -> tuple[object, ...]:
        return ()  # its tool is here, and needs none

    def accept(self, value: Any, limit: int | None = None) -> Any:
        value = stored({} if value is None else value, limit)
        if type(value) is not dict:
            raise InvalidInput(f'{self.name} takes a JSON object of its arguments, like {{"order_id": "o-1"}}')
        arguments = cast("dict[str, Any]", value)
        checked(cast("Any", self.tool), arguments)
        return arguments

    def result(self, value: Any) -> Any:
        return self.tool.write(value)


class _Here:
    """A tool as it is called where it lives, wherever the routes say that its name leads. ``asks``: the tool, when it
    may want an approval; None when the call was approved where it was ordered."""

    elsewhere = None

    def __init__(self, tool: Called, asks: Any) -> None:
        self.name = tool.name
        self.policy = tool.policy
        self.pure: bool = getattr(tool, "pure", False)
        self.approval = getattr(asks, "approval", None)
        self.approval_within = getattr(asks, "approval_within", 0)
        self._asks = asks
        self._tool = tool

    @property
    def version(self) -> str:
        return getattr(self._asks, "version", "")

    def rule(self, arguments: dict[str, Any]) -> Any:
        return self._asks.rule(arguments)

    def check(self, arguments: dict[str, Any]) -> None:
        self._tool.check(arguments)

    def invoke(self, arguments: dict[str, Any]) -> Any:
        return self._tool.invoke(arguments)


def _as_function(tool: Called, seen: object) -> Callable[..., Any]:
    """The tool as a step calls it: with what its model would give, read as the tool reads it. ``seen``: what the step
    takes it for."""

    def called(**arguments: Any) -> Any:
        return tool.invoke(arguments)

    async def awaited(**arguments: Any) -> Any:
        return await cast("Awaitable[Any]", tool.invoke(arguments))

    made: Any = update_wrapper(called if getattr(tool, "threaded", False) else awaited, tool.function)
    made.__overwinter__ = seen
    return cast("Callable[..., Any]", made)
