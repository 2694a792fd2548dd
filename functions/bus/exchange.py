"""Calls that go by events: those that others order from this process, and the answers to those that it has ordered.

Each function that is served here and whose route says ``here`` has a subscription for its calls. Where a route leads to
the broker, the store has one for answers, which any process on it takes. They are the runtime's own: announced nowhere,
and asked for by no code. Who only uses a function takes none of its calls: they would be made in another store than
those that went to its own process, and nobody would know that they are the same.

When ``take`` returns, the call has begun and its answer is owed, or the answer is in the mailbox of who waits for it.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping
from typing import Any, Protocol, cast

from ...orchestrator.errors.failures import encode
from ...orchestrator.protocol.shared import place_of
from ...state.codec import dumps
from ...state.errors import AlreadyFinished, EtagMismatch, InvalidInput, UnknownExecution
from ...state.records import Head
from ...state.store import Store
from ..events import addressed, intake
from ..events.event import CloudEvent
from ..events.http import to_json
from ..invocation.routes import route, routes
from .dead_letters import DeadLetters, letter
from .subscription import Subscription

log = logging.getLogger("overwinter")

PLACE, KEY = place_of("overwinter.calls"), "address"
KINDS = ("tool", "workflow", "agent")
ANSWERS = "overwinter.answers"


class Runtime(Protocol):
    """What calls are begun in, and answers are for."""

    @property
    def store(self) -> Store: ...
    @property
    def functions(self) -> Mapping[str, Any]: ...
    def clock(self) -> int: ...
    async def find(self, id: str) -> Head | None: ...
    async def answered(
        self, id: str, op: str, *, event_id: str, source: str, mark: str = "", outcome: dict[str, Any] | None = None
    ) -> None: ...


class Exchange:
    """``subscriptions`` are known when it is open."""

    def __init__(self, runtime: Any) -> None:
        self._runtime: Runtime = runtime
        self._letters = DeadLetters(runtime.store)
        self.address = ""
        self.subscriptions: dict[str, Subscription] = {}

    async def open(self) -> None:
        """Find out what there is to subscribe to. Raises InvalidInput for routes that can't be read, StoreError."""
        kinds = {name: str(getattr(one, "kind", "")) for name, one in self._runtime.functions.items()}
        own = [_calls(name, kind) for name, kind in kinds.items() if kind in KINDS and _is_here(name)]
        if any(one.by_event for one in routes()):
            self.address = await _address(self._runtime.store)
            own.append(_answers(self.address))
        self.subscriptions = {one.name: one for one in own}

    def asked(self, function: str, body: Mapping[str, Any], number: int) -> CloudEvent:
        """The event by which a call is ordered. Raises InvalidInput when nobody here would take the answer."""
        if not self.address:
            raise InvalidInput(f"no route led to the broker when this process began; restart it to call {function!r}")
        return addressed.call(function, body, number, self.address)

    async def take(self, subscription: Subscription, event: CloudEvent) -> None:
        """A call or an answer. What can't be read is kept as a dead letter. Raises StoreError."""
        try:
            await (self._answered(event) if event.type == intake.ANSWERED else self._called(subscription, event))
        except InvalidInput as error:
            id = f"{subscription.name}:{intake.key_of(event)}"
            lost = letter(id, subscription.name, subscription.function, to_json(event), error, 1, self._runtime.clock())
            await self._letters.keep(lost)

    async def _called(self, subscription: Subscription, event: CloudEvent) -> None:
        from ..events.ordered import Ordered, begin, cancel
        from ..events.telling import owe_answer
        from ..messages.message import read_model

        runtime: Any = self._runtime
        name, address = subscription.function, str(event.extensions.get(addressed.TO, ""))
        ordered = read_model(Ordered, event.data)
        if ordered.cancel is not None:
            await cancel(runtime, ordered)
            return
        call = {**ordered.call.model_dump(exclude_none=True), "function": name}
        id, deadline = ordered.call.id, ordered.call.deadline
        if deadline is not None and deadline <= self._runtime.clock() and await self._runtime.find(id) is None:
            return  # nobody waits for it any more
        try:
            created = await begin(runtime, name, ordered)
        except InvalidInput as error:  # whoever has ordered it is told what is wrong with it
            failed = {"status": "failed", "error": encode(error)}
            await owe_answer(runtime, call, address, f"{id}!{event.id}", id, known=failed)
            return
        if (
            not created
        ):  # it was sent again, so its answer may have got lost, and the caller may think that nobody is here
            await owe_answer(runtime, call, address, f"{id}~{event.id}", id, at_once=True)
        await owe_answer(runtime, call, address, id, id)

    async def _answered(self, event: CloudEvent) -> None:
        data = intake.arguments_of(event.data)
        op, key, mark, outcome = (data.get(name) for name in ("operation", "key", "mark", "outcome"))
        execution = event.subject
        if not (
            isinstance(op, str) and isinstance(mark, str) and mark and isinstance(outcome, dict | None) and execution
        ):
            raise InvalidInput(f'{event.type} needs data like {{"operation": "3", "key": "…", "mark": "…"}}')
        if key != f"{execution}/{op}":
            return  # it is of another call
        outcome = cast("dict[str, Any] | None", outcome)
        if outcome is not None and (size := len(dumps(outcome).encode())) > (most := self._runtime.store.payload_limit):
            refused = InvalidInput(f"the answer has {size:,} bytes, and a value in this store {most:,} at the most")
            outcome = {"status": "failed", "error": encode(refused)}
        try:
            await self._runtime.answered(
                execution, op, event_id=event.id, source=event.source, mark=mark, outcome=outcome
            )
        except (UnknownExecution, AlreadyFinished):
            log.debug("the answer %s is for an execution that does not wait for it", event.id)


def _is_here(name: str) -> bool:
    found = route(name)
    return found is not None and not found.url


def _calls(name: str, kind: str) -> Subscription:
    meant = {"exact": {"type": addressed.ORDERED, "subject": name}}
    return Subscription(calls_of(name), name, kind, (meant,), lane=addressed.calls(name))


def calls_of(name: str) -> str:
    """What the subscription for the calls of a function is called."""
    return f"overwinter.call.{name}"


def _answers(address: str) -> Subscription:
    meant = {"exact": {"type": intake.ANSWERED, addressed.TO: address}}
    return Subscription(f"{ANSWERS}.{address}", ANSWERS, "workflow", (meant,), lane=addressed.answers(address))


async def _address(store: Store) -> str:
    """What answers to the processes on this store are addressed to. It is drawn once, and goes along when a store is
    moved."""
    while True:
        found = await store.get(PLACE, KEY)
        if found is not None:
            return found.value
        try:
            await store.put(PLACE, KEY, address := secrets.token_hex(16), etag="")
        except EtagMismatch:  # another process was faster
            continue
        return address
