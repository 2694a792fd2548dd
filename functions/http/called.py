"""``POST /calls/{name}``: a call that an execution of another process orders. docs/functions.md says what is sent and
answered.

What is called is begun as an execution of its own, under an id made of the call's key and mark: so it is durable before
anything is answered, it is begun once however often it is sent, and who sends it again gets what came of it, also from
another process and after a crash. Who does not wait for the end is told of it: a small execution is owed then, durable
before the 202, that looks for the outcome and says to the caller that there is one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from ..events import telling
from ..events.ordered import Ordered, begin, cancel
from ..invocation import sending
from ..messages.answer import Answer, json_answer
from ..messages.problem import Whose
from .outcome import result_of
from .service import Call

if TYPE_CHECKING:
    from ..runtime import Runtime

Look = Callable[[str], Awaitable["dict[str, Any] | None"]]


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
    id = ordered.call.id
    if ordered.cancel is not None:
        await cancel(runtime, ordered)
        return json_answer({"status": "cancelled", "id": id}, 202)
    created = await begin(runtime, name, ordered)
    outcome = await look(id)
    replay = () if created else (("idempotent-replay", "true"),)
    if outcome is None or outcome["status"] == "stuck":  # who puts it right lets it go on
        tells = await telling.owe(runtime, name, ordered.call.model_dump(exclude_none=True), id)
        return json_answer({"status": "running", "id": id, "tells": tells}, 202, replay)
    return json_answer(outcome, headers=[*replay, *([Whose.OUTCOME.header] if "error" in outcome else [])])
