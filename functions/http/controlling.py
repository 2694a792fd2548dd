"""Endpoints that steer executions: signals, decisions, callbacks, and the verbs, one by one or in bulk."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from ...orchestrator.searching import Sought, preview, takes
from ...state.codec import mended
from ...state.errors import InvalidInput, StateFailed
from ..events.intake import digest_of
from ..messages.answer import Answer, accepted, json_answer
from ..messages.message import idempotency_key
from ..messages.models import ACTIONS, Bulk, BulkSignal, Execution, Failure, Reason, Retrying, Signal, Where
from ..messages.problem import Refused, status_of
from .outcome import result_url
from .paging import fitting
from .service import Call, Endpoint


async def refusing(status: int, work: Awaitable[object]) -> None:
    """Await ``work``; what it finds no place for in the present state is refused with ``status``."""
    try:
        await work
    except InvalidInput as error:
        raise Refused(status_of(error) if type(error) is not InvalidInput else status, str(error)) from error


async def signal(call: Call) -> Answer:
    """POST /signal/{id}: an external event for ``wait_for``."""
    id = call.path("id")
    call.query()
    body = await call.model(Signal)
    key = idempotency_key(call.headers)
    event_id = body.id or ("" if key is None else digest_of(key))
    await call.runtime.signal(id, body.name, body.data, event_id=event_id, source=body.source)
    return accepted()


async def complete(call: Call) -> Answer:
    """POST /complete/{token}: complete a callback; the body is its value."""
    token = call.path("token")
    call.query()
    value = mended(await call.json())  # what can't be a value is no matter of the token
    await refusing(404, call.runtime.callback(token, value=value))
    return accepted()


async def fail(call: Call) -> Answer:
    """POST /fail/{token}: complete a callback with an error."""
    token = call.path("token")
    call.query()
    told = await call.model(Failure)
    error = StateFailed(told.error, told.message) if told.error else told.message
    await refusing(404, call.runtime.callback(token, error=error))
    return accepted()


async def heartbeat(call: Call) -> Answer:
    """POST /heartbeat/{token}: the outside system is still at work."""
    token = call.path("token")
    call.query()
    await refusing(404, call.runtime.heartbeat(token))
    return accepted()


def verb(action: str) -> Endpoint:
    """POST /cancel/{id} and its likes."""

    async def endpoint(call: Call) -> Answer:
        id = call.path("id")
        call.query()
        body = await call.model(Retrying if action == "retry" else Reason)
        repeat = isinstance(body, Retrying) and body.repeat
        await refusing(409, call.runtime.act(action, id, by=call.by(body.by), reason=body.reason, repeat=repeat))
        return accepted(result_url(id))

    return endpoint


async def bulk(call: Call) -> Answer:
    """POST /bulk/{action}: a verb or a signal for all executions of a filter."""
    action = call.path("action")
    call.query()
    if action == "signal":
        event = await call.model(BulkSignal)
        chosen = _chosen(event.where, everything=event.all)
        if event.preview:
            return await _preview(call, action, chosen)
        given: dict[str, Any] = {"event_id": event.id, "source": event.source, "by": call.by(event.by)}
        count = await call.runtime.signal_all(chosen.where, event.name, event.data, **given, fits=chosen.fits)
        return json_answer({"count": count})
    if action not in ACTIONS:
        raise Refused(404, f"there is no action {action[:40]!r}; the actions are: {', '.join(ACTIONS)}, signal")
    body = await call.model(Bulk)
    chosen = _chosen(body.where, everything=body.all)
    if body.preview:
        return await _preview(call, action, chosen)
    given = {"by": call.by(body.by), "reason": body.reason}
    return json_answer({"count": await call.runtime.bulk(action, chosen.where, **given, fits=chosen.fits)})


async def _preview(call: Call, action: str, chosen: Sought) -> Answer:
    found = await preview(call.runtime, chosen, takes(action))
    examples = [Execution.of(head) for head in found.examples]
    return json_answer({"count": found.many, "examples": examples[: fitting(examples)], "more": found.more})


def _chosen(where: Where, *, everything: bool) -> Sought:
    chosen = where.sought()
    if chosen == Sought() and not everything:
        raise InvalidInput('an empty "where" means every execution; narrow it, or send "all": true')
    return chosen
