"""An event that an execution publishes goes to whoever carries events here, until it is confirmed there.

The engine knows nothing of brokers and addresses: a runtime that has one puts it in (``Delivery.publisher``). What is
refused for good is told to the code that publishes; what can't be sent now is sent later, however long that takes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, Protocol, TypeVar

from ...state.errors import InvalidInput
from ..errors import failures
from ..protocol.decider import Fact, Publish

T = TypeVar("T")


class Publisher(Protocol):
    """Who takes events to those that have subscribed to them."""

    async def carry(self, event: Fact) -> None:
        """The event, in its JSON form, is durable where it goes to when this returns; it may come again. Raises
        InvalidInput when it never can be, BrokerUnavailable or StoreError when it can't now."""
        ...


class Carrier(Protocol):
    """Who takes calls by event to functions that have no address, and is told the answers."""

    async def ask(self, function: str, body: Mapping[str, Any], number: int) -> None:
        """The call, or its cancellation, is durable on its way when this returns; ``number`` tells it from those that
        were sent before. Raises InvalidInput when it never can be, BrokerUnavailable or StoreError when it can't be
        now."""
        ...

    def clock(self) -> int: ...


class Patience(Protocol):
    """Repeats what can't be done now."""

    def __call__(self, work: Callable[[], Awaitable[T]], execution: str) -> Awaitable[T]: ...


class Told(Protocol):
    """The execution that publishes."""

    id: str

    def report(self, fact: Fact) -> None: ...


async def publish(
    publisher: Publisher | None, activation: Told, effect: Publish, clock: Callable[[], int], patiently: Patience
) -> None:
    """Send it, and tell the execution how that went."""
    fact: Fact = {"type": "sent", "op": effect.op}
    try:
        if publisher is None:
            raise InvalidInput("this runtime has no broker; make it by overwinter.Runtime, which has one")
        await patiently(partial[Awaitable[Any]](publisher.carry, effect.event), activation.id)
    except InvalidInput as error:
        fact["error"] = failures.encode(error)
    activation.report(fact | {"at": clock()})
