"""What was begun: an execution and its output, a message and its reply, each as long as the runtime is open."""

from __future__ import annotations

from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from ..state.quantities import Duration

T = TypeVar("T")


class Ends(Protocol):
    """Who waits for what comes of it: a runtime."""

    async def result(self, id: str, timeout: Duration | None = None) -> Any: ...

    async def reply(self, execution: str, message: str, timeout: Duration | None = None) -> Any: ...


class Handle(NamedTuple, Generic[T]):
    """A started execution. ``created`` is False when the id had been started before."""

    runtime: Ends
    id: str
    created: bool

    async def result(self, timeout: Duration | None = None) -> T:
        """Its output, as ``Runtime.result`` gives it and with the errors that raises."""
        output: T = await self.runtime.result(self.id, timeout)
        return output


class Sent(NamedTuple, Generic[T]):
    """A message that is durable in a session's mailbox."""

    runtime: Ends
    execution: str
    id: str
    duplicate: bool

    async def reply(self, timeout: Duration | None = None) -> T:
        """The reply to it, as ``Runtime.reply`` gives it and with the errors that raises."""
        reply: T = await self.runtime.reply(self.execution, self.id, timeout)
        return reply
