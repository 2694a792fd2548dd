"""Whether an id is that of a session. A message to anything else is refused by name before it is acknowledged: nobody
there would ever read it.

The store itself takes no message for an execution of another function (``Answer.OTHER``). One run of the same agent
is found out by what the store answers: the sender is refused all the same, and the decider drops the mail. What has
been seen to be a session once is known for a while.
"""

from __future__ import annotations

from collections import OrderedDict

from ..state.codec import loads
from ..state.errors import AlreadyExists
from ..state.records import Accepted, Answer, Head
from ..state.store import Store
from .protocol.starting import beginning, is_new

KNOWN = 16_384


class Sessions:
    """The sessions of one store, as one process sees them."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: OrderedDict[str, None] = OrderedDict()

    async def check(self, agent: str, accepted: Accepted) -> None:
        """After a message was sent, with what the store said. Raises AlreadyExists when the id is something else than a
        session of the agent."""
        head = accepted.head
        assert head is not None, "a message makes its session"
        if accepted.answer is Answer.OTHER:
            raise AlreadyExists(
                f"{head.id!r} is an execution of the {head.kind} {head.function}, not a session of {agent}, and reads "
                "no messages; give the session another key"
            )
        if head.id not in self._known:
            if not is_new(accepted) and await self._once(head):
                raise AlreadyExists(
                    f"{head.id!r} is one run of {agent}, not a session, and reads no messages; give the session "
                    "another key"
                )
            self._remember(head.id)

    async def _once(self, head: Head) -> bool:
        mode: str | None = loads(head.state).get("mode") if head.state else None
        if mode in ("once", "session"):
            return mode == "once"
        begun = await beginning(self._store, head.id)
        return begun is not None and begun["type"] == "start"

    def _remember(self, id: str) -> None:
        self._known[id] = None
        if len(self._known) > KNOWN:
            self._known.popitem(last=False)
