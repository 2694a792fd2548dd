"""Telling a caller that what it has ordered is done, when it did not wait for that, or has ordered it by an event.

What is owed is an execution of its own, durable before the 202 goes out: it looks for the end, sleeps at zero in
between, and says to the caller's server that there is an outcome; the caller asks for that itself. Where the caller is,
the routes say, by the name of the function that has ordered it: no address is taken from a request. Without a route
nothing is owed, and the caller asks now and then. Who has ordered it by an event is sent the outcome by an event.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from ...orchestrator.errors.failures import encode
from ...orchestrator.usercode.resilience import Retry
from ...orchestrator.workflow.function import Workflow
from ...state.errors import (
    AlreadyExists,
    BrokerUnavailable,
    ExecutionStuck,
    Final,
    InvalidInput,
    Retryable,
    StoreError,
    UnknownExecution,
)
from ...state.ids import check_kept
from ..invocation.internal import TELLER
from ..invocation.posting import Unreached, Unwanted
from ..invocation.reaching import Ways
from ..invocation.routes import route
from ..messages.outcome import result_of
from ..messages.problem import settle
from . import addressed
from .event import CloudEvent
from .http import write_structured
from .intake import ANSWERED, digest_of

if TYPE_CHECKING:
    from ...orchestrator.runtime import Runtime
    from ...orchestrator.workflow.context import Context


PATIENCE = Retry(attempts=12, most="10m")
"""About an hour. Who could not be told asks by itself."""
_AT_ONCE = 1.0  # seconds between two looks while this process works for it
_FIRST, _MOST = 2.0, 300.0  # seconds slept between two looks at what nobody here works for; doubled each time
_LOOKS = 40  # until a fresh history is begun
_ways = Ways()
Publish = Callable[[CloudEvent], Awaitable[object]]


async def owe(runtime: Runtime, function: str, caller: dict[str, Any], id: str) -> bool:
    """Owe the caller a word when execution ``id`` of ``function`` has ended; False when there is no way to it. Durable
    when it returns. Raises StoreError."""
    name = str(caller.get("caller", ""))
    try:
        place = route(name) if name else None
        check_kept(str(caller["execution"]))
    except InvalidInput:  # it is begun, whatever is wrong with the way back
        return False
    served: Any = runtime.engine.functions.get(TELLER)
    if place is None or not place.url or place.by_event or served is None:
        return False
    owed = {"id": id, "function": function, "caller": name, "execution": caller["execution"]}
    owed["operation"] = caller["operation"]
    try:
        await runtime.start(served, owed, id=f"answer-{digest_of(id)}")
    except AlreadyExists:
        return True  # by an older release, in another form
    return True


async def owe_answer(
    runtime: Runtime,
    call: Mapping[str, Any],
    to: str,
    event: str,
    id: str,
    *,
    known: Mapping[str, Any] | None = None,
    at_once: bool = False,
) -> None:
    """Owe the caller at the address ``to`` the outcome of execution ``id`` by an event, which is to have the id
    ``event``. ``known``: what is told instead; ``at_once``: also when it has not ended, that it is being worked on.
    Durable when it returns. Raises StoreError."""
    owed = {name: call[name] for name in ("function", "execution", "operation", "key", "mark")}
    owed |= {"id": id, "to": to, "event": event, "caller": call.get("caller", "")}
    owed |= {} if known is None else {"outcome": dict(known)}
    owed |= {"at_once": True} if at_once or known is not None else {}
    await runtime.start(runtime.engine.function(TELLER), owed, id=f"answer-{digest_of(id, event)}")


class Teller:
    """What is owed in one runtime, which publishes by ``publish``."""

    def __init__(self, runtime: Runtime, publish: Publish) -> None:
        self._runtime = runtime
        self._publish = publish
        self.workflow = Workflow(self._owed, TELLER)

    async def _owed(self, ctx: Context, owed: dict[str, Any]) -> str:
        """A caller that is told when it is done; or what stands for a call that was cancelled before it came."""
        if "cancelled" in owed:
            return "cancelled before it came"
        ctx.status(f"{owed['caller']}: the end of {owed['id']}")
        pause, tell = float(owed.get("pause", _FIRST)), self._answer if "to" in owed else self._tell
        if "at_once" in owed:
            return await ctx.step(tell, owed, retry=PATIENCE)
        for _ in range(_LOOKS):
            if await ctx.step(self._ended, owed["id"]):
                return await ctx.step(tell, owed, retry=PATIENCE)
            await ctx.sleep(pause)
            pause = min(_MOST, pause * 2)
        await ctx.checkpoint({**owed, "pause": pause})

    async def _ended(self, id: str) -> bool:
        runtime, wait = self._runtime, 0.0
        while True:
            error = (await settle(runtime.result(id, timeout=wait, typed=False))).error
            if isinstance(error, (StoreError, ExecutionStuck)):
                return False
            if not isinstance(error, TimeoutError):  # also when it was deleted: the caller begins it anew
                return True
            if not runtime.engine.works_for(id):
                return False
            wait = _AT_ONCE

    async def _tell(self, owed: dict[str, Any]) -> str:
        place = route(owed["caller"])
        if place is None or not place.url:
            raise Final(f"no route leads to {owed['caller']!r} any more; it asks by itself")
        event = CloudEvent(
            type=ANSWERED,
            source=f"/overwinter/{owed['function']}",
            id=owed["id"],
            subject=owed["execution"],
            data={"operation": owed["operation"]},
        )
        message = write_structured(event)
        headers = dict(message.headers)
        if token := place.bearer():
            headers["authorization"] = f"Bearer {token}"
        try:
            told = await _ways.tell(place, message.body, headers)
        except (Unreached, Unwanted) as error:
            raise Retryable(f"{owed['caller']}: {error}") from None
        if told.status in (404, 408, 409, 425, 429) or told.status >= 500:
            raise Retryable(f"{owed['caller']} answered {told.status}")
        if told.status >= 300:
            raise InvalidInput(f"{owed['caller']} answered {told.status} {told.reason}")
        return f"{owed['caller']} answered {told.status}"

    async def _answer(self, owed: dict[str, Any]) -> str:
        outcome: dict[str, Any] | None = owed.get("outcome")
        try:
            if outcome is None:
                outcome = await result_of(self._runtime, owed["id"], 0)
        except UnknownExecution:
            return "it was deleted; the caller has it begun anew"
        if outcome is not None and outcome["status"] == "stuck":
            outcome = None  # who puts it right lets it go on
        try:
            await self._carry(owed, outcome)
        except InvalidInput as error:  # the broker takes no event of that size
            refused = InvalidInput(f"what came of {owed['function']} can't be sent by an event: {error}")
            await self._carry(owed, {"status": "failed", "error": encode(refused)})
        return "it is being worked on" if outcome is None else str(outcome["status"])

    async def _carry(self, owed: dict[str, Any], outcome: dict[str, Any] | None) -> None:
        try:
            await self._publish(addressed.answer(owed, outcome))
        except BrokerUnavailable as error:
            raise Retryable(str(error)) from None
