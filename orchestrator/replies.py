"""The reply to a message, found in its session's journal. Looked for again, it is looked for in what is new alone, so a
long wait in a long session reads little. A message that is neither in the journal nor in the mailbox was never sent.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import NamedTuple

from ..state.errors import UnknownExecution
from ..state.store import Store
from .protocol.decider import Fact
from .protocol.entries import resolve, shown_anyway

PAGE = 100  # entries read at once
MAIL = 1000  # mails that are read to find a message; with more of them it may be behind these


class Spot(NamedTuple):
    """A message in a journal: so many entries stand before it, and the number of its reply, 0 while there is none."""

    sent: int
    replied: int


class ReplySearch:
    """Looks for the reply to one message of one session, which was sent when the journal had ``since`` entries.
    ``created`` is when the session began, where that is known: another one may begin under its name."""

    def __init__(self, store: Store, execution: str, message: str, since: int = 0, created: int = 0) -> None:
        self._store = store
        self._execution = execution
        self._message = message
        self._read = since  # entries that hold no reply to it
        self._sent = since > 0  # the message is there
        self._created = created

    async def look(self, length: int, created: int = 0) -> Fact | None:
        """The reply among the first ``length`` entries, its blob and text in place; None when there is none yet."""
        if length < self._read or 0 < self._created != created > 0:  # it is another session of that name
            self._read, self._sent = 0, False
        self._created = created
        async for number, fact in self._backwards(length, self._read):
            if fact["type"] == "reply" and fact["to"] == self._message:
                return await self._whole(number, fact)
            if self._is_message(fact):
                self._sent = True
                break
        self._read = length  # only now: a store that is away in between is asked for all of it again
        return None

    async def spot(self, length: int) -> Spot:
        """Where the message stands among the first ``length`` entries. Raises UnknownExecution when it was never sent
        to the session."""
        replied = 0
        async for number, fact in self._backwards(length, 0):
            if fact["type"] == "reply" and fact["to"] == self._message:
                replied = number
            elif self._is_message(fact):
                return Spot(number - 1, replied)
        self._read = length
        await self.check()
        return Spot(length, 0)

    async def check(self) -> None:
        """Raises UnknownExecution when the message was never sent to the session, as far as ``look`` has seen."""
        self._sent = self._sent or await self._waits() or await self._was_taken()
        if not self._sent:
            raise UnknownExecution(f"no message {self._message[:200]!r} was sent to {self._execution}; send it first")

    async def _waits(self) -> bool:
        waiting, texts = await self._store.mailbox(self._execution, MAIL)
        return waiting > len(texts) or any(self._is_message(shown_anyway(text, 0)) for text in texts)

    async def _was_taken(self) -> bool:
        """From the mailbox into the journal, since it was looked for there."""
        head = await self._store.head(self._execution)
        if head is not None:
            async for _, fact in self._backwards(head.length, self._read):
                if self._is_message(fact):
                    return True
        return False

    def _is_message(self, fact: Fact) -> bool:
        return bool(fact["type"] == "message" and fact["id"] == self._message)

    async def _whole(self, number: int, reply: Fact) -> Fact:
        """With the text of the model's answer that it refers to instead of repeating it."""
        await resolve(self._store, self._execution, [reply])
        if "said" not in reply:
            return reply
        async for _, fact in self._backwards(number - 1, 0):
            if fact["type"] == "model" and fact.get("op") == reply["said"]:
                await resolve(self._store, self._execution, [fact])
                return reply | {"value": fact["value"]["text"]}
        return reply

    async def _backwards(self, upto: int, down_to: int) -> AsyncIterator[tuple[int, Fact]]:
        """Entries with their numbers, the last one first, blobs not in place."""
        while upto > down_to:
            first = max(down_to, upto - PAGE)
            texts = await self._store.history(self._execution, first, upto - first)
            for number, text in reversed(list(enumerate(texts, first + 1))):
                yield number, shown_anyway(text, number)
            upto = first
