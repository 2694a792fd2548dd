"""CloudEvents over HTTP: what is taken is answered 2xx, so that no broker sends it again. 200 carries a reply
event, 202 means durable and still to be done, 204 done or unwanted.

A sender that wants the reply says ``Prefer: reply``; then the request stays open while the work goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote

from ...orchestrator.errors.attributes import cut
from ...orchestrator.errors.failures import encode, text_of
from ...state.errors import AlreadyExists, AlreadyFinished, InvalidInput, UnknownExecution, UnknownFunction
from ..events.event import CloudEvent
from ..events.http import Mode, mode_of, parse, parse_all, write_binary, write_structured
from ..events.intake import ERROR, RESULT, Fate, Taken, check, digest_of, moves, take, take_for
from ..messages.answer import NO_CONTENT, Answer, accepted
from ..messages.message import RawHeaders, header, preference
from ..messages.problem import Raised, Refused, Settled, Whose, settle, status_of
from .outcome import reply_to, result_of

if TYPE_CHECKING:
    from ..runtime import Runtime
    from .late import Late

BATCH = 1000  # events that may come together
SAID = 500  # characters of why one of them was refused
WITHOUT_A_HINT = 20.0  # seconds that ``Prefer: reply`` waits when it does not say how long


def read_events(headers: RawHeaders, body: bytes) -> tuple[Mode, list[CloudEvent]]:
    """The events of a delivery. Raises InvalidEvent."""
    mode = mode_of(headers)
    if not body and header(headers, b"webhook-request-origin"):
        raise Refused(400, "a webhook delivery needs a payload; send the event in structured mode")
    if mode is Mode.BATCHED:
        return mode, parse_all(headers, body)
    return mode, [parse(headers, body)]


async def deliver(runtime: Runtime, name: str | None, events: Sequence[CloudEvent]) -> list[Taken]:
    """Take in what came together, for one function if ``name`` says so: events with one subject in order, the others
    side by side. Each of them is checked before the first is taken. Raises PartlyTaken when one can't be taken then."""
    if len(events) == 1:
        return [await taken_in(_taking(runtime, name, events[0]))]
    await _check_all(runtime, name, events)
    lanes: dict[str, list[int]] = {}
    for index, event in enumerate(events):
        lanes.setdefault(event.subject or f"\0{index}", []).append(index)
    settled: dict[int, Settled[Taken]] = {}

    async def lane(indexes: list[int]) -> None:
        for index in indexes:
            settled[index] = await settle(taken_in(_taking(runtime, name, events[index])))
            if settled[index].error is not None:
                return  # what comes after it would overtake it

    await asyncio.gather(*map(lane, lanes.values()))
    if any(one.error is not None for one in settled.values()):
        raise PartlyTaken(events, settled)
    return [cast("Taken", settled[index].value) for index in range(len(events))]


def _taking(runtime: Runtime, name: str | None, event: CloudEvent) -> Awaitable[Taken]:
    return _from_outside(runtime, event) if name is None else take_for(runtime, name, event)


async def _from_outside(runtime: Runtime, event: CloudEvent) -> Taken:
    """What is sent to nobody by name goes to the subscriptions here that want it, and is taken as what it is."""
    if not any(getattr(one, "subscriptions", ()) for one in runtime.functions.values()):
        return await take(runtime, event)
    from ..bus.arriving import arrive  # most processes have no subscriptions

    wanted = await arrive(runtime, event)
    taken = await take(runtime, event)
    return Taken(Fate.ACCEPTED) if wanted and taken.fate is Fate.UNWANTED else taken


async def _check_all(runtime: Runtime, name: str | None, events: Sequence[CloudEvent]) -> None:
    if len(events) > BATCH:
        raise Refused(413, f"the batch has {len(events)} events, {BATCH} are allowed; send smaller ones")
    moved: set[str] = set()
    for index, event in enumerate(events):
        error = (await settle(check(runtime, name, event, moved))).error
        if error is not None:
            what = f"event {index} of the batch: {text_of(error)}; nothing of the batch was taken"
            raise Refused(status_of(error), what)
        moved.update(filter(None, [moves(event)]))


class PartlyTaken(Refused):
    """Some events of a batch were taken, and others not. The whole may be sent again: what was taken happens once."""

    def __init__(self, events: Sequence[CloudEvent], settled: Mapping[int, Settled[Taken]]) -> None:
        told = [_fate_of(event, settled.get(index)) for index, event in enumerate(events)]
        statuses = [one["status"] for one in told if "status" in one]
        first = next(one["detail"] for one in told if "detail" in one)
        again = 503 if 503 in statuses else next((one for one in statuses if one >= 500), None)
        what = f"{len(statuses)} of {len(events)} events of the batch were not taken, the first because: {first}"
        super().__init__(again or 422, what)
        self.members = {"events": told}
        self.whose = Whose.PARTLY


def _fate_of(event: CloudEvent, settled: Settled[Taken] | None) -> dict[str, Any]:
    told: dict[str, Any] = {"id": event.id, "source": event.source}
    if settled is None:
        return told | {"fate": "not tried"}
    if settled.value is not None:
        return told | {"fate": settled.value.fate.value}
    error = cast("Exception", settled.error)
    return told | {"fate": "refused", "status": status_of(error), "detail": cut(text_of(error), SAID)}


_REPEATED = (AlreadyExists, AlreadyFinished, UnknownExecution, UnknownFunction)


async def taken_in(work: Any) -> Taken:
    """What the intake says; its refusals become statuses that no broker repeats (404 and 409 would be)."""
    try:
        taken: Taken = await work
    except _REPEATED as error:
        raise InvalidInput(str(error)) from error
    except Raised as raised:
        if isinstance(raised.error, _REPEATED):
            raise Raised(InvalidInput(str(raised.error))) from raised.error
        raise
    return taken


async def reply_event(
    runtime: Runtime,
    event: CloudEvent,
    taken: Taken,
    headers: RawHeaders,
    mode: Mode,
    longest: float,
    late: Late | None = None,
) -> Answer:
    """The answer to a delivery of one event, with the reply event when it was asked for and is there. What ``late``
    owes is replied by it alone."""
    asked = preference(headers)
    if not asked.reply:
        return NO_CONTENT if taken.fate is not Fate.ACCEPTED else accepted()
    if taken.fate is Fate.DONE:
        return event_answer(event, taken, {"status": "completed", "result": taken.value}, mode)
    if taken.fate is Fate.UNWANTED or not taken.function:
        return NO_CONTENT if taken.fate is Fate.UNWANTED else accepted()
    if late is not None and await late.is_owed(runtime, event):
        return accepted()
    wait = min(longest, WITHOUT_A_HINT if asked.wait is None else asked.wait)
    if taken.message:
        outcome = await reply_to(runtime, taken.execution, taken.message, wait)
    else:
        outcome = await result_of(runtime, taken.execution, wait)
    return accepted() if outcome is None else event_answer(event, taken, outcome, mode)


def event_answer(event: CloudEvent, taken: Taken, outcome: dict[str, Any], mode: Mode) -> Answer:
    """200 with an event in the mode of the request."""
    reply = reply_of(event, taken, outcome)
    message = write_structured(reply) if mode is Mode.STRUCTURED else write_binary(reply)
    ended = [] if outcome["status"] == "completed" else [Whose.OUTCOME.header]
    return Answer(200, message.body, [*message.headers, *ended])


def reply_of(event: CloudEvent, taken: Taken, outcome: dict[str, Any]) -> CloudEvent:
    """The reply to an event: ``io.overwinter.result.NAME`` or ``….error.NAME``. Its id is always the same."""
    completed = outcome["status"] == "completed"
    return event.answer(
        id=digest_of("reply", event.source, event.id),
        source=f"/overwinter/{quote(taken.function)}",
        type=(RESULT if completed else ERROR) + taken.function,
        subject=taken.execution or None,
        data=outcome.get("result") if completed else outcome["error"],
    )


def failed(error: Exception) -> dict[str, Any]:
    """The outcome of a tool that raised ``error``."""
    return {"status": "failed", "error": encode(error)}
