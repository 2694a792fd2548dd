"""Replies that come after their request was answered. A sender that wants a reply (``Prefer: reply``) waits for some
seconds and gets a 202; the reply is owed then, and sent to the sink (K_SINK: a Broker's address, say) as soon as it is
there.

What is owed is an execution of its own, durable before the 202 goes out: it looks for the outcome, sleeps at zero in
between, and sends what it finds until the sink has taken it. Its id is made of the event's source and id, as the id of
the reply is: an event that is delivered twice is owed one reply, and a reply that is sent twice is seen to be one.
Nobody can start such an execution from outside, by whatever token, because it would tell outcomes to others.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from ...orchestrator.errors import groups
from ...orchestrator.usercode.resilience import Retry, wait_of
from ...orchestrator.workflow.function import Workflow
from ...state.errors import AlreadyExists, Final, InvalidInput, Retryable, StoreError, UnknownExecution
from ...state.quantities import seconds
from ..events.event import CloudEvent
from ..events.http import from_json, to_json, write_binary
from ..events.intake import Fate, Taken, digest_of
from .outcome import reply_to, result_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...orchestrator.runtime import Runtime
    from ...orchestrator.workflow.context import Context

NAME = "overwinter.reply"
AT_ONCE = 1.0  # seconds between two looks while this process works for what is awaited
FIRST, MOST = 2.0, 300.0  # seconds slept between two looks at what nobody here works for; doubled each time
LOOKS = 40  # until a fresh history is begun
PATIENCE = Retry(attempts=40, most="10m")  # some hours; what the sink has not taken then, ``retry`` sends again
TIMEOUT = 30.0  # seconds for the sink to answer


class Owed(BaseModel):
    """A reply that is owed: to which event, and what it is the outcome of."""

    event: dict[str, Any]  # without its data
    function: str
    execution: str
    message: str
    pause: float = FIRST


class Late:
    """Late replies of one server. ``answer`` makes the reply event of an outcome."""

    def __init__(self, sink: str, answer: Callable[[CloudEvent, Taken, dict[str, Any]], CloudEvent]) -> None:
        if not sink.startswith(("http://", "https://")):
            raise InvalidInput(
                "K_SINK is no address that replies could be sent to; write it like http://broker.svc/ns/name"
            )
        self._sink = sink
        self._answer = answer
        self._runtime: Runtime | None = None
        self.function: Any = self._made()

    def serve(self, runtime: Runtime) -> None:
        """The runtime that looks and sends, which was made with ``function`` among what it serves unnamed."""
        self._runtime = runtime

    async def owe(self, runtime: Runtime, event: CloudEvent, taken: Taken) -> None:
        """Durable when it returns. Raises StoreError."""
        known = to_json(event.replace(data=None, datacontenttype=None))
        owed = Owed(event=known, function=taken.function, execution=taken.execution, message=taken.message)
        try:
            await runtime.start(self.function, owed.model_dump(), id=id_of(event))
        except AlreadyExists:  # owed since it came first, in a form of an older release or with other attributes
            return

    async def is_owed(self, runtime: Runtime, event: CloudEvent) -> bool:
        """Whether the reply to an event that comes again is sent to the sink already, or will be."""
        return await runtime.find(id_of(event)) is not None

    def _made(self) -> Any:
        async def look(owed: Owed) -> dict[str, Any] | None:
            return await self._look(owed)

        async def publish(reply: dict[str, Any]) -> str:
            return await self._publish(from_json(reply))

        async def late_reply(ctx: Context, owed: Owed) -> str:
            """A reply that is sent when it is there."""
            ctx.status(f"the reply of {owed.execution} to {owed.event['source']}#{owed.event['id']}")
            pause = owed.pause
            for _ in range(LOOKS):
                reply = await ctx.step(look, owed)
                if reply is not None:
                    return await ctx.step(publish, reply, retry=PATIENCE) if reply else "there is nothing to reply with"
                await ctx.sleep(pause)
                pause = min(MOST, pause * 2)
            await ctx.checkpoint(owed.model_copy(update={"pause": pause}).model_dump())

        return Workflow(late_reply, NAME)

    async def _look(self, owed: Owed) -> dict[str, Any] | None:
        """The reply as JSON; empty when there will never be one; None when there is none yet."""
        runtime = self._runtime
        if runtime is None:
            return None
        taken = Taken(Fate.ACCEPTED, owed.function, owed.execution, owed.message)
        outcome: dict[str, Any] | None = None
        wait = 0.0
        while outcome is None:
            try:
                if owed.message:
                    outcome = await reply_to(runtime, owed.execution, owed.message, wait)
                else:
                    outcome = await result_of(runtime, owed.execution, wait)
            except UnknownExecution:
                return {}  # deleted
            except StoreError:
                return None
            if outcome is None and not runtime.engine.works_for(owed.execution):
                return None
            wait = AT_ONCE
        return to_json(self._answer(from_json(owed.event), taken, outcome))

    async def _publish(self, reply: CloudEvent) -> str:
        import httpx

        message = write_binary(reply)
        try:
            async with httpx.AsyncClient(timeout=seconds(TIMEOUT)) as client:
                answer = await client.post(self._sink, content=message.body, headers=message.headers)
        except httpx.HTTPError as error:
            raise Retryable(f"the sink did not answer ({groups.said(error)})") from None
        said = f"the sink answered {answer.status_code}"
        if answer.status_code in (404, 408, 409, 425, 429) or answer.status_code >= 500:
            raise Retryable(said, retry_after=wait_of(answer.headers))
        if not answer.is_success:
            raise Final(f"{said} {answer.text[:300]}".rstrip())
        return said


def from_environment(answer: Callable[[CloudEvent, Taken, dict[str, Any]], CloudEvent]) -> Late | None:
    """As K_SINK says; None without it. Raises InvalidInput."""
    sink = os.environ.get("K_SINK", "")
    return Late(sink, answer) if sink else None


def id_of(event: CloudEvent) -> str:
    """The execution that owes the reply to an event."""
    return f"reply-{digest_of('reply', event.source, event.id)}"
