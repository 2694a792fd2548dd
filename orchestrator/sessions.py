"""Whether an id is that of a session. A message to anything else is refused by name before it is acknowledged: nobody
there would ever read it.

What has been seen to be a session once is known for a while, so that only a session's first message in a process
costs a look at its head. An execution that is begun between the look and the message is found out by the answer
of the store: the sender is refused all the same, and the decider drops the mail.
"""

from __future__ import annotations

from collections import OrderedDict

from ..state.codec import loads
from ..state.errors import AlreadyExists
from ..state.records import Accepted, Head
from ..state.store import Store
from .starting import beginning, is_new

KNOWN = 16_384


class Sessions:
    """The sessions of one store, as one process sees them."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: OrderedDict[str, None] = OrderedDict()

    async def look(self, id: str, agent: str) -> None:
        """Before a message is sent. Raises AlreadyExists when the id is something else than a session of the agent."""
        if id not in self._known:
            head = await self._store.head(id)
            if head is not None:
                await self._refuse_others(head, agent)

    async def note(self, id: str, agent: str, accepted: Accepted) -> None:
        """After it was sent, with what the store said. Raises AlreadyExists."""
        head = accepted.head
        if head is None or (id in self._known and head.function == agent):
            return
        if not is_new(accepted):
            await self._refuse_others(head, agent)
        self._remember(id)

    async def _refuse_others(self, head: Head, agent: str) -> None:
        if head.function != agent or head.kind != "agent":
            raise AlreadyExists(
                f"{head.id!r} is an execution of the {head.kind} {head.function}, not a session of {agent}, and reads "
                "no messages; give the session another key"
            )
        mode = loads(head.state).get("mode") if head.state else None
        if mode not in ("once", "session"):
            begun = await beginning(self._store, head.id)
            mode = "once" if begun is not None and begun["type"] == "start" else "session"
        if mode == "once":
            raise AlreadyExists(
                f"{head.id!r} is one run of {agent}, not a session, and reads no messages; give the session another key"
            )
        self._remember(head.id)

    def _remember(self, id: str) -> None:
        self._known[id] = None
        if len(self._known) > KNOWN:
            self._known.popitem(last=False)
