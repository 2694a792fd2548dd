"""What was begun: an execution and its output, a message and its reply, each as long as the runtime is open."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from ..state.quantities import Duration
from .streaming.journal import Since
from .streaming.told import StreamEvent

T = TypeVar("T")


class Ends(Protocol):
    """Who waits for what comes of it: a runtime."""

    async def result(self, id: str, timeout: Duration | None = None) -> Any: ...

    async def reply(self, execution: str, message: str, timeout: Duration | None = None) -> Any: ...

    def events(
        self, id: str, *, message: str = "", after: str = "", since: Since | None = None
    ) -> AsyncGenerator[StreamEvent]: ...


class Handle(NamedTuple, Generic[T]):
    """A started execution. ``created`` is False when the id had been started before."""

    runtime: Ends
    id: str
    created: bool

    async def result(self, timeout: Duration | None = None) -> T:
        """Its output, as ``Runtime.result`` gives it and with the errors that raises."""
        output: T = await self.runtime.result(self.id, timeout)
        return output

    def events(self, after: str = "") -> AsyncGenerator[StreamEvent]:
        """What happens to it, as ``Runtime.events`` tells it."""
        return self.runtime.events(self.id, after=after)


class Sent(NamedTuple, Generic[T]):
    """A message that is durable in a session's mailbox."""

    runtime: Ends
    execution: str
    id: str
    duplicate: bool
    since: Since | None = None
    """How far the session was before it, where that is known."""

    async def reply(self, timeout: Duration | None = None) -> T:
        """The reply to it, as ``Runtime.reply`` gives it and with the errors that raises."""
        reply: T = await self.runtime.reply(self.execution, self.id, timeout)
        return reply

    def events(self, after: str = "") -> AsyncGenerator[StreamEvent]:
        """What becomes of it, as ``Runtime.events`` tells it."""
        since = None if after else self.since
        return self.runtime.events(self.execution, message=self.id, after=after, since=since)
