"""A call that is made by a function of another process: one request, and what it says. Where a route leads to the
broker, it is made by events (``by_event``).

The request carries the call's key and the mark that was recorded before it left, so it may be sent as often as it
takes: the function makes the call once, and whoever sends it again gets what came of it. It is held for some seconds;
when there is no outcome by then, the call is ``Pending``: the caller goes to rest and asks again later, or when the
other side says that it is done. Errors come back as the classes that they are there.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast
from urllib.parse import quote

from ...orchestrator.engine.performing import CallInfo, Pending, current_call
from ...orchestrator.protocol.callers import TRACE, handed_on
from ...orchestrator.usercode.reconciling import Contract
from ...orchestrator.usercode.resilience import Breaker, Policy, Retry, wait_of
from ...state.codec import dumps
from ...state.errors import CircuitOpen, FunctionUnavailable, InDoubt, InvalidInput, StepFailed
from . import by_event
from .posting import Silent, Told, Unreached, Unwanted, sent_as
from .reaching import Ways
from .routes import Route, route

HELD = 20
"""Seconds for which a request is held open at the most."""
LATE = 25.0
"""Seconds by which an answer may be later than that."""
ATTEMPTS = 14
"""How often in a row a function may be out of reach, which is about an hour, until the call fails."""


def _unreached(error: BaseException, failed: int) -> bool:
    """Only what did not arrive is sent again: what the function tries again, it does itself."""
    return isinstance(error, (FunctionUnavailable, CircuitOpen))


RETRY = Retry(attempts=ATTEMPTS, most="5m", when=_unreached)
BREAKER = Breaker(failures=5, reset="15s")
_ways = Ways()


def policy(target: int, contract: Contract | None = None) -> Policy:
    """How a function that lives elsewhere is reached. What came of a call is asked where it lives, by the key that it
    has there; here somebody may be waited for who knows."""
    waits = None if contract is None or contract.waits == 0 else replace(contract, reconcile=None)
    return Policy(RETRY, breaker=BREAKER, target=target, contract=waits)


class _NoOutcome(Exception):  # never leaves this file: what it is there, depends on what is called
    """What was answered is final and no outcome of the call. ``taken``: whoever answered may have begun it. ``access``:
    it is about who may ask, or how one gets there, and may be put right."""

    def __init__(self, why: StepFailed | InvalidInput, *, taken: bool = False, access: bool = False) -> None:
        super().__init__(why)
        self.why, self.taken, self.access = why, taken, access


async def send(name: str, input: Any, *, irreversible: bool = False) -> Any:
    """Have the current durable call made by the function ``name``; its result as plain JSON. Raises Pending while there
    is none, Failed with what it raised, FunctionUnavailable while it can't be reached, InvalidInput when nobody ever
    could."""
    own = current_call()
    if own.away is not None and own.away.answer is not None:
        if by_event.is_outcome(own.away.answer):
            return by_event.outcome(own.away.answer)
        why = InvalidInput(f"{name} was answered with neither a result nor an error")
        raise _doubt(why) if irreversible else why
    try:
        place = _place(name)
        if place is None or not place.url:
            raise FunctionUnavailable(f"no route leads to {name!r} any more; set OVERWINTER_ROUTES={name}=https://HOST")
        body = {"input": input, "call": about(own)}
        if place.by_event:
            await by_event.send(name, body, own, irreversible=irreversible)
        return _outcome(await _asked(place, name, body), name, own)
    except FunctionUnavailable as error:
        unreached = error
    except _NoOutcome as error:
        if not (error.access and _is_out(own)):
            if irreversible and (error.taken or (own.away is not None and own.away.again)):
                raise _doubt(error.why) from None
            raise error.why from None
        unreached = FunctionUnavailable(str(error.why))
    raise _doubt(unreached) if irreversible and own.attempt >= ATTEMPTS else unreached


def _is_out(own: CallInfo) -> bool:
    """Whether it was sent before, as far as is known: then somebody was let in, and tokens are being exchanged."""
    return own.attempt > 1 or (own.away is not None and own.away.sends > 0)


def _doubt(why: BaseException) -> InDoubt:
    return InDoubt(f"{why}; it was sent, and nobody knows whether it has taken effect")


async def cancel(name: str, call: Mapping[str, Any], reason: str) -> None:
    """Ask a function to end what was begun for a call. Raises FunctionUnavailable."""
    place = route(name)
    body = {"call": dict(call), "cancel": reason}
    if place is not None and place.by_event:
        await by_event.cancel(name, body, current_call())
    elif place is not None and place.url:
        try:
            told = await _asked(place, name, body)
        except _NoOutcome as error:
            raise error.why from None
        if told.status >= 500 or told.status in _LATER:
            raise _unavailable(name, told)


def about(own: CallInfo) -> dict[str, Any]:
    """What the caller says about itself."""
    away = own.away
    said: dict[str, Any] = {
        "execution": own.execution,
        "operation": own.operation,
        "key": own.idempotency_key,
        "mark": own.mark,
        "attempt": own.attempt,
    }
    said |= {**handed_on(own.caller), **own.trace}
    if away is not None:
        said |= {"caller": away.caller} | ({"approved": True} if away.approved else {})
        said |= {"budget": dict(away.budget)} if away.budget else {}
        if away.deadline is not None:
            said["deadline"] = min(away.deadline, said.get("deadline", away.deadline))
    return said


def _place(name: str) -> Route | None:
    try:
        return route(name)
    except InvalidInput as error:
        raise _NoOutcome(error, access=True) from None


async def _asked(place: Route, name: str, body: dict[str, Any]) -> Told:
    try:
        headers = sent_as("application/json", place.bearer()) | {"prefer": f"wait={HELD}"} | _trace_in(body)
    except InvalidInput as error:
        raise _NoOutcome(error, access=True) from None
    try:
        return await _ways.ask(place, f"/calls/{quote(name, safe='')}", dumps(body).encode(), headers, HELD + LATE)
    except Silent:  # an invocation lasts as long as what it has begun
        return Told(202, "Accepted", {}, b"{}")
    except Unreached as error:
        raise FunctionUnavailable(f"{name}: {str(error)[:300]}") from None
    except Unwanted as error:
        raise _NoOutcome(StepFailed(f"{name}: {error}"), taken=True) from None


def _trace_in(body: Mapping[str, Any]) -> dict[str, str]:
    """The trace of a call, as headers: for what stands between, the function reads it in the body."""
    call: Mapping[str, Any] = body.get("call", {})
    told = {name: str(call[name]) for name in TRACE if call.get(name)}
    if "traceparent" in told and os.environ.get("OVERWINTER_TRACES", "").strip().lower() == "xray":
        from ...telemetry.xray.header import NAME, header_of  # only when it is on

        told[NAME] = header_of(told["traceparent"])
    return told


_LATER = (404, 408, 425, 429)
"""Beside 5xx: it may be there, or have time, later."""


def _outcome(told: Told, name: str, own: CallInfo) -> Any:
    body = told.json
    fields: Mapping[str, Any] = cast("dict[str, Any]", body) if isinstance(body, dict) else {}
    if told.status == 202:
        sends = 0 if own.away is None else own.away.sends
        first, growth, most = (60.0, 2.0, 3600.0) if fields.get("tells") is True else (1.0, 1.6, 60.0)
        raise Pending(min(most, first * growth ** min(sends, 40)))
    if told.status == 200 and by_event.is_outcome(fields):
        return by_event.outcome(fields)
    if told.status >= 500 or told.status in _LATER:
        raise _unavailable(name, told)
    said = str(fields.get("detail", "")) or told.body[:200].decode(errors="replace")
    access = told.status in (401, 403)
    hint = "; it does not take the token of its route, or who signs" if access else ""
    why = InvalidInput(f"{name}: HTTP {told.status}{hint}: {said or told.reason}")
    raise _NoOutcome(why, taken=told.status < 300, access=access)


def _unavailable(name: str, told: Told) -> FunctionUnavailable:
    body = told.json
    detail = str(cast("dict[str, Any]", body).get("detail", "")) if isinstance(body, dict) else ""
    return FunctionUnavailable(
        f"{name}: HTTP {told.status}: {detail[:300] or told.reason}", retry_after=wait_of(told.headers)
    )
