"""CloudEvents over HTTP: what is taken is answered 2xx, so that no broker sends it again. 200 carries a reply
event, 202 means durable and still to be done, 204 done or unwanted.

A sender that wants the reply says ``Prefer: reply``; then the request stays open while the work goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ...orchestrator.failures import encode
from ...state.errors import AlreadyExists, AlreadyFinished, InvalidInput, UnknownExecution, UnknownFunction
from ..event import CloudEvent
from ..event_http import Mode, mode_of, parse, parse_all, write_binary, write_structured
from ..event_intake import ERROR, RESULT, Fate, Taken, digest_of, take
from .answer import NO_CONTENT, Answer, accepted
from .message import RawHeaders, header, preference
from .outcome import reply_to, result_of
from .problem import Refused, settle

if TYPE_CHECKING:
    from ...orchestrator.runtime import Runtime

WITHOUT_A_HINT = 20.0  # seconds that ``Prefer: reply`` waits when it does not say how long


def handshake(headers: RawHeaders) -> Answer:
    """Grant the permission that a webhook sender asks for (CloudEvents http-webhook 4)."""
    allow = ("allow", "POST, OPTIONS")
    origin = header(headers, b"webhook-request-origin")
    if not origin:
        return Answer(204, headers=[allow])
    rate = header(headers, b"webhook-request-rate")
    if rate and not (rate.isdecimal() and rate.isascii() and int(rate[:9]) > 0):
        raise Refused(400, "WebHook-Request-Rate must be a positive number of requests per minute")
    return Answer(204, headers=[allow, ("webhook-allowed-origin", "*"), ("webhook-allowed-rate", rate or "*")])


def read_events(headers: RawHeaders, body: bytes) -> tuple[Mode, list[CloudEvent]]:
    """The events of a delivery. Raises InvalidEvent."""
    mode = mode_of(headers)
    if not body and header(headers, b"webhook-request-origin"):
        raise Refused(400, "a webhook delivery needs a payload; send the event in structured mode")
    if mode is Mode.BATCHED:
        return mode, parse_all(headers, body)
    return mode, [parse(headers, body)]


async def deliver(runtime: Runtime, events: Sequence[CloudEvent]) -> list[Taken]:
    """Take in the events of a batch: those with one subject in order, the others side by side."""
    lanes: dict[str, list[int]] = {}
    for index, event in enumerate(events):
        lanes.setdefault(event.subject or f"\0{index}", []).append(index)
    taken: dict[int, Taken] = {}

    async def lane(indexes: list[int]) -> None:
        for index in indexes:
            taken[index] = await taken_in(take(runtime, events[index]))

    if len(lanes) == 1:
        await lane(next(iter(lanes.values())))
    else:
        settled = await asyncio.gather(*(settle(lane(indexes)) for indexes in lanes.values()))
        for one in settled:
            if one.error is not None:
                raise one.error
    return [taken[index] for index in range(len(events))]


async def taken_in(work: Any) -> Taken:
    """What the intake says; its refusals become statuses that no broker repeats (404 and 409 would be)."""
    try:
        taken: Taken = await work
    except (AlreadyExists, AlreadyFinished, UnknownExecution, UnknownFunction) as error:
        raise InvalidInput(str(error)) from error
    return taken


async def reply_event(
    runtime: Runtime, event: CloudEvent, taken: Taken, headers: RawHeaders, mode: Mode, longest: float
) -> Answer:
    """The answer to a delivery of one event, with the reply event when it was asked for and is there."""
    asked = preference(headers)
    if not asked.reply:
        return NO_CONTENT if taken.fate is not Fate.ACCEPTED else accepted()
    if taken.fate is Fate.DONE:
        return event_answer(event, taken, {"status": "completed", "result": taken.value}, mode)
    if taken.fate is Fate.UNWANTED or not taken.function:
        return NO_CONTENT if taken.fate is Fate.UNWANTED else accepted()
    wait = min(longest, WITHOUT_A_HINT if asked.wait is None else asked.wait)
    if taken.message:
        outcome = await reply_to(runtime, taken.execution, taken.message, wait)
    else:
        outcome = await result_of(runtime, taken.execution, wait)
    return accepted() if outcome is None else event_answer(event, taken, outcome, mode)


def event_answer(event: CloudEvent, taken: Taken, outcome: dict[str, Any], mode: Mode) -> Answer:
    """200 with an event in the mode of the request: ``io.overwinter.result.NAME`` or ``….error.NAME``."""
    completed = outcome["status"] == "completed"
    reply = event.answer(
        id=digest_of("reply", event.source, event.id),
        source=f"/overwinter/{taken.function}",
        type=(RESULT if completed else ERROR) + taken.function,
        subject=taken.execution or None,
        data=outcome.get("result") if completed else outcome["error"],
    )
    message = write_structured(reply) if mode is Mode.STRUCTURED else write_binary(reply)
    return Answer(200, message.body, message.headers)


def failed(error: Exception) -> dict[str, Any]:
    """The outcome of a tool that raised ``error``."""
    return {"status": "failed", "error": encode(error)}
