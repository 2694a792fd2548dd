"""``POST /calls/{name}``: a call that an execution of another process orders. docs/functions.md says what is sent and
answered.

What is called is begun as an execution of its own, under an id made of the call's key and mark: so it is durable before
anything is answered, it is begun once however often it is sent, and who sends it again gets what came of it, also from
another process and after a crash. Who does not wait for the end is told of it: a small execution is owed then, durable
before the 202, that looks for the outcome and says to the caller that there is one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

from ...state.errors import AlreadyFinished, UnknownExecution
from ...state.ids import child_id
from ..events import telling
from ..events.intake import digest_of
from ..invocation import sending
from ..messages.answer import Answer, json_answer
from ..messages.problem import Whose
from .outcome import result_of
from .service import Call

if TYPE_CHECKING:
    from ...orchestrator.protocol.decider import Function
    from ..runtime import Runtime

Look = Callable[[str], Awaitable["dict[str, Any] | None"]]
_TEXT = Field(min_length=1, max_length=2000)


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
    user: str | None = Field(default=None, max_length=1000)
    tenant: str | None = Field(default=None, max_length=1000)
    traceparent: str | None = Field(default=None, max_length=200)
    tracestate: str | None = Field(default=None, max_length=1000)
    baggage: str | None = Field(default=None, max_length=8192)

    @property
    def id(self) -> str:
        """That of the execution over here."""
        return f"{child_id(self.execution, self.operation)}@{digest_of(self.key, self.mark)[:16]}"


class Ordered(BaseModel):
    """The body of a call, or of its cancellation."""

    model_config = ConfigDict(extra="forbid")

    call: Caller
    input: Any = None
    cancel: str | None = Field(default=None, max_length=2000)


async def order(call: Call) -> Answer:
    """POST /calls/{name}"""
    name = call.path("name")
    call.query()
    ordered = await call.model(Ordered)

    async def look(id: str) -> dict[str, Any] | None:
        return await call.patiently(result_of(call.runtime, id, call.wait(float(sending.HELD))))

    return await carried_out(call.runtime, name, ordered, look)


async def carried_out(runtime: Runtime, name: str, ordered: Ordered, look: Look) -> Answer:
    """Begin what is ordered, unless it was before, and answer with what ``look`` finds of its outcome."""
    function, id = _function(runtime, name), ordered.call.id
    if ordered.cancel is not None:
        return await _cancelled(runtime, id, ordered)
    caller = ordered.call.model_dump(exclude_none=True, exclude={"attempt"})
    by = ordered.call.user or ordered.call.caller or ordered.call.execution
    created = await runtime.order(function, ordered.input, id=id, by=by, caller=caller)
    outcome = await look(id)
    replay = () if created else (("idempotent-replay", "true"),)
    if outcome is None or outcome["status"] == "stuck":  # who puts it right lets it go on
        tells = await telling.owe(runtime, name, ordered.call.model_dump(exclude_none=True), id)
        return json_answer({"status": "running", "id": id, "tells": tells}, 202, replay)
    return json_answer(outcome, headers=[*replay, *([Whose.OUTCOME.header] if "error" in outcome else [])])


def _function(runtime: Runtime, name: str) -> Function:
    """What is to be started for a call of that name. Raises UnknownFunction."""
    return runtime.tasks[name] if name in runtime.tasks else runtime.engine.function(name)


async def _cancelled(runtime: Runtime, id: str, ordered: Ordered) -> Answer:
    """Ask what was begun to end. What never came is none of ours; what has ended stays so."""
    with suppress(UnknownExecution, AlreadyFinished):
        await runtime.cancel(id, by=ordered.call.caller, reason=str(ordered.cancel))
    return json_answer({"status": "cancelled", "id": id}, 202)
