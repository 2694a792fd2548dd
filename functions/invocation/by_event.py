"""A call of a function that has no address: it is ordered by an event, and an event answers it.

The event lies with the broker until a process takes it that serves the function. The outcome comes to the execution as
mail, is believed when it shows the call's mark, and is recorded; then the call is performed once more and finds it. An
event to nobody can't be told from one that is slow to be taken, so the caller asks again, less and less often, and who
is at work says so; when nobody ever says anything, the call fails.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Never, TypeVar

from ...orchestrator.engine.performing import CallInfo, Pending
from ...orchestrator.errors import failures
from ...orchestrator.protocol.failed import Failed
from ...state.codec import dumps
from ...state.errors import BrokerUnavailable, FunctionUnavailable, InDoubt, InvalidInput, StoreError, TimedOut

ASKS = 8
"""How often in a row a call is sent without a word from anybody, which is about an hour, until it fails."""
FIRST, MOST = 15.0, 3600.0
"""Seconds until it is sent again: at first, doubled each time, and at most."""
LARGEST = 256 * 1024
"""Characters of a recorded error; what is larger, nobody of ours has recorded."""
E = TypeVar("E", bound=BaseException)


async def send(name: str, body: Mapping[str, Any], own: CallInfo, *, irreversible: bool) -> Never:
    """Send it, once more if nothing has come of it. Raises Pending, FunctionUnavailable, Failed, TimedOut, InDoubt,
    InvalidInput."""
    away, carrier = own.away, own.carrier
    if away is None or carrier is None:
        raise InvalidInput(f"{name!r} is called by events, which only executions of overwinter.Runtime can")
    now, deadline = carrier.clock(), body["call"].get("deadline")
    if deadline is not None and now >= deadline:
        raise _nobody(TimedOut(f"{name} had not answered when the time was over"), away.sends, irreversible)
    if away.sends - away.heard >= ASKS:
        why = (
            f"{name} was called {ASKS} times by events and nobody has said a word; its process takes calls when it "
            f"runs with this broker and its routes say {name}=here"
        )
        nobody = _nobody(FunctionUnavailable(why), away.sends, irreversible)
        raise nobody if isinstance(nobody, InDoubt) else Failed(nobody)
    try:
        await carrier.ask(name, body, away.sends)
    except (BrokerUnavailable, StoreError) as error:
        raise FunctionUnavailable(f"{name}: {error}") from None
    pause = min(MOST, FIRST * 2.0 ** min(away.sends, 20))
    raise Pending(pause if deadline is None else min(pause, (deadline - now) / 1000))


async def cancel(name: str, body: Mapping[str, Any], own: CallInfo) -> None:
    """Ask for what was begun to end. Raises FunctionUnavailable, InvalidInput."""
    if own.carrier is None:
        raise InvalidInput(f"{name!r} is cancelled by events, which only executions of overwinter.Runtime can")
    try:
        await own.carrier.ask(name, body, 0)
    except (BrokerUnavailable, StoreError) as error:
        raise FunctionUnavailable(f"{name}: {error}") from None


def is_outcome(fields: Mapping[str, Any]) -> bool:
    """Whether an answer holds a result or an error."""
    error: Any = fields.get("error")
    return fields.get("status") == "completed" or (isinstance(error, dict) and len(dumps(error)) <= LARGEST)


def outcome(fields: Mapping[str, Any]) -> Any:
    """The result that an answer holds. Raises Failed with the error that it holds."""
    if fields.get("status") == "completed":
        return fields.get("result")
    raise Failed(failures.decode(fields["error"]))


def _nobody(error: E, sends: int, irreversible: bool) -> E | InDoubt:
    if irreversible and sends:
        return InDoubt(f"{error}; it was sent, and nobody knows whether it has taken effect")
    return error
