"""A call that an execution of another process orders: what comes of it is begun here once, however often it is ordered.

What is called is begun as an execution of its own, under an id made of the call's key and mark. How it was ordered, by
a request or by an event, is not known here.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict, Field

from ...orchestrator.protocol.decider import Function
from ...state.errors import AlreadyExists, AlreadyFinished, InvalidInput, UnknownExecution, UnknownFunction
from ...state.ids import check_id, child_id
from ..invocation.internal import TELLER
from .intake import digest_of

_TEXT = Field(min_length=1, max_length=2000)


class Budget(BaseModel):
    """What the caller has left of its limits."""

    model_config = ConfigDict(extra="ignore", strict=True)

    tokens: int | None = Field(default=None, ge=0, lt=2**53)
    cost: str | None = Field(default=None, pattern=r"^[0-9]{1,12}(\.[0-9]{1,40})?$")


class Caller(BaseModel):
    """What a caller says about itself. What it does not know, it leaves out."""

    model_config = ConfigDict(extra="ignore", strict=True)

    key: str = _TEXT
    mark: str = _TEXT
    execution: str = _TEXT
    operation: str = _TEXT
    attempt: int = Field(default=1, ge=0)
    caller: str = Field(default="", max_length=200)
    approved: bool = False
    deadline: int | None = Field(default=None, ge=0, lt=2**53)
    budget: Budget | None = None
    user: str | None = Field(default=None, max_length=1000)
    tenant: str | None = Field(default=None, max_length=1000)
    by: str | None = Field(default=None, max_length=1000)
    traceparent: str | None = Field(default=None, max_length=200)
    tracestate: str | None = Field(default=None, max_length=1000)
    baggage: str | None = Field(default=None, max_length=8192)

    @property
    def id(self) -> str:
        """That of the execution over here: it reads like the one that ordered it, where that may be an id."""
        ordered, call = child_id(self.execution, self.operation), digest_of(self.key, self.mark)
        try:
            return f"{check_id(ordered)}@{call[:16]}"
        except InvalidInput:  # another release's, or made up: nobody could ask for it, and it would not be one line
            return f"call@{digest_of(ordered, call)}"


class Ordered(BaseModel):
    """The body of a call, or of its cancellation."""

    model_config = ConfigDict(extra="forbid")

    call: Caller
    input: Any = None
    cancel: str | None = Field(default=None, max_length=2000)


class Engine(Protocol):
    @property
    def functions(self) -> Mapping[str, Function]: ...


class Runtime(Protocol):
    """What it is begun in."""

    @property
    def tasks(self) -> Mapping[str, Function]: ...
    @property
    def engine(self) -> Engine: ...
    @property
    def functions(self) -> Mapping[str, Any]: ...
    async def order(
        self, function: Function, input: Any, *, id: str, by: str = "", caller: Mapping[str, Any] | None = None
    ) -> bool: ...
    async def cancel(self, id: str, *, by: str = "", reason: str = "") -> None: ...


async def begin(runtime: Runtime, name: str, ordered: Ordered) -> bool:
    """Begin what is ordered; False when it was before. Durable when it returns. Raises UnknownFunction, InvalidInput,
    AlreadyExists, StoreError."""
    function = _function(runtime, name)
    caller = ordered.call.model_dump(exclude_none=True, exclude={"attempt"})
    by = ordered.call.user or ordered.call.caller or ordered.call.execution
    return await runtime.order(function, ordered.input, id=ordered.call.id, by=by, caller=caller)


async def cancel(runtime: Runtime, ordered: Ordered) -> None:
    """Ask what was begun to end. What has ended stays so; what has not come yet is not begun when it comes."""
    id, by, teller = ordered.call.id, ordered.call.caller, runtime.engine.functions.get(TELLER)
    for _ in range(2):
        try:
            with suppress(AlreadyFinished):
                await runtime.cancel(id, by=by, reason=str(ordered.cancel))
            break
        except UnknownExecution:
            if teller is None:
                break
            with suppress(AlreadyExists):  # it came meanwhile
                await runtime.order(teller, {"cancelled": id}, id=id, by=by)
                break


def _function(runtime: Runtime, name: str) -> Function:
    """What is to be started for a call of that name. Raises UnknownFunction, also for what is the runtime's own."""
    function = runtime.tasks.get(name) or runtime.engine.functions.get(name)
    if function is None or name not in runtime.functions:
        raise UnknownFunction(f"no tool, agent or workflow {name[:100]!r} is served here; GET /functions lists all")
    return function
