"""An event becomes what its subscriber does with it: a workflow or a run that begins, a message in a session, a tool
that is called in a durable execution of its own.

When ``take`` returns, that is durable, or the event lies with the dead letters. It happens once for an event, whoever
takes it and however often: ids are made of the subscription and the event's source and id. The function need not be
served here: it lies in the store until somebody serves it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from ...orchestrator.engine.delivery import mail_of, start_mail
from ...orchestrator.errors.failures import encode
from ...orchestrator.protocol import keys
from ...orchestrator.protocol.callers import of_event
from ...orchestrator.protocol.decider import Fact, Function
from ...orchestrator.protocol.media import take as taken_of
from ...orchestrator.queue.queue import name_of
from ...orchestrator.sessions import Sessions
from ...orchestrator.usercode.calling import checked
from ...state.codec import stored
from ...state.errors import AlreadyExists, AlreadyFinished, InvalidInput
from ...state.records import Accepted, Answer, NewExecution, NewMail
from ...state.store import Store
from ..events.event import CloudEvent
from ..events.http import to_json
from ..events.intake import arguments_of, content_of, key_of
from .dead_letters import DeadLetters, letter
from .filters import attributes_of
from .subscription import Subscription

log = logging.getLogger("overwinter")

_SHOWN = 1000
"""Characters that are kept of an attribute when the event is too large to be kept."""


class Office(Protocol):
    """Where it goes: an engine."""

    store: Store
    functions: Mapping[str, Function]

    @property
    def clock(self) -> Callable[[], int]: ...
    async def post(
        self, id: str, mail: NewMail | None, *, create: NewExecution | None = None, by: str = ""
    ) -> Accepted: ...


def delivery_id(subscription: str, event: CloudEvent, attempt: int = 1) -> str:
    """The id of what an event begins for a subscription; of another attempt, when somebody has sent it again."""
    return f"{subscription}:{key_of(event)}" + (f"~{attempt}" if attempt > 1 else "")


def context_of(event: CloudEvent) -> dict[str, Any]:
    """All of an event but its data, in its JSON form."""
    return {name: value for name, value in to_json(event).items() if name not in ("data", "data_base64")}


def _cut(value: Any) -> Any:
    """An attribute that may be as long as its publisher likes, so that something of the event can be kept anywhere."""
    return value[:_SHOWN] if isinstance(value, str) else value


class Taking:
    """Takes events for subscriptions, into one store."""

    def __init__(self, office: Office, letters: DeadLetters) -> None:
        self._office = office
        self._letters = letters
        self._sessions = Sessions(office.store)

    async def take(self, subscription: Subscription, event: CloudEvent) -> None:
        """Take it once, or keep it as a dead letter. Raises StoreError when neither can be now."""
        try:
            await self.deliver(subscription, event)
        except InvalidInput as error:
            id, at = delivery_id(subscription.name, event), self._office.clock()
            lost = letter(id, subscription.name, subscription.function, to_json(event), error, 1, at)
            try:
                await self._letters.keep(lost)
            except InvalidInput as reason:  # as where the store takes nothing so big; nobody behind it is held up
                id = _cut(event.id)
                log.error("the data of the event %s, for %s, can't be kept (%s)", id, subscription.name, reason)
                whole = InvalidInput(f"{error}; its data could not be kept with it: {reason}")
                context = {name: _cut(value) for name, value in context_of(event).items()}
                await self._letters.keep(lost._replace(event=context, error=encode(whole)))

    async def deliver(self, subscription: Subscription, event: CloudEvent, attempt: int = 1) -> str:
        """Take it once, and give the id of the execution that it went to. Raises InvalidInput when it can't be taken,
        StoreError when it can't be now."""
        id = delivery_id(subscription.name, event, attempt)
        if subscription.pace is not None:
            return await self._queue(subscription, event, id)
        value = to_json(event) if subscription.gives == "event" else event.data
        if subscription.kind == "agent" and subscription.session:
            key, message = subscription.session_of(event), id.rpartition(":")[2]
            return await self._message(subscription, key, message, content_of(value), event)
        if subscription.kind == "tool":
            value = arguments_of(value)
        function = self._office.functions.get(subscription.function)
        value = stored(value) if function is None else checked(function, value)
        taken = taken_of(subscription.kind, value, self._office.store.payload_limit)
        create = NewExecution(subscription.function, subscription.kind)
        delivery: dict[str, Any] = {"subscription": subscription.name, "event": context_of(event)}
        if function is None:
            delivery["unchecked"] = True
        caller = of_event(event.extensions)
        mail = start_mail(self._office.clock(), taken, by=event.source, caller=caller, delivery=delivery)
        accepted = await self._office.post(id, mail, create=create)
        if accepted.answer is Answer.OTHER:
            raise AlreadyExists(
                f"{id} is an execution of another function; give the subscription {subscription.name!r} another name"
            )
        return id

    async def _queue(self, subscription: Subscription, event: CloudEvent, id: str) -> str:
        """Into the queue of the subscription; what is begun there has the id that is given back."""
        whole = to_json(event)
        fact: Fact = {"type": "deliver", "at": self._office.clock(), "id": id, "event": whole}
        if subscription.gives == "event":
            fact["gives"] = "event"
        if subscription.order and (key := attributes_of(event).get(subscription.order)):
            fact["key"] = key
        name = name_of(subscription.name)
        mail = mail_of(fact, keys.message(id), lane=1)
        accepted = await self._office.post(name, mail, create=NewExecution(name, "queue"))
        if accepted.answer in (Answer.OTHER, Answer.FINISHED):
            raise AlreadyFinished(
                f"the queue {name} takes nothing any more: it was ended, or the id is another function's"
            )
        return id

    async def _message(
        self, subscription: Subscription, key: str, message: str, content: Any, event: CloudEvent
    ) -> str:
        office, execution = self._office, f"{subscription.function}/{key}"
        function = office.functions.get(subscription.function)
        content = stored(content) if function is None else checked(function, content)
        taken = taken_of(subscription.kind, content, office.store.payload_limit)
        fact: Fact = {"type": "message", "at": office.clock(), "id": message, "content": taken.value}
        fact |= {"by": event.source} | ({"caller": caller} if (caller := of_event(event.extensions)) else {})
        mail = mail_of(fact, keys.message(message), lane=1, taken=taken)
        accepted = await office.post(execution, mail, create=NewExecution(subscription.function, "agent"))
        await self._sessions.check(subscription.function, accepted)
        if accepted.answer is Answer.FINISHED:
            raise AlreadyFinished(f"the session {execution} has ended; send the event again when it is another's")
        return execution
