"""Everything a person or another system may learn of executions, over an opened store and without changing anything.

Errors: UnknownExecution, InvalidInput, StoreError.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from ..state.errors import InvalidInput, StoreCorrupt, UnknownExecution
from ..state.ids import can_exist
from ..state.quantities import count
from ..state.records import FINAL, STATUSES, Filter, Head
from ..state.store import Store
from ..state.whole import GAP
from .protocol.clock import SharedClock
from .protocol.decider import Fact
from .protocol.entries import decode, decode_all, resolve, shown_anyway

_LOOKED_BACK = 1000
"""Entries before the end in which the completion of a callback is looked for, when it comes again."""
PAGE = 100  # entries read at once; one has 256 KB at the most
_REVIVES = {"failed": ("retry",), "stuck": ("resumed", "terminated")}
"""Mail by which an execution of that status goes on."""


class Reading:
    """Executions in ``store``, their journals and what they wait for."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._clock = SharedClock()

    def clock(self) -> int:
        return self._clock()

    async def show(self, id: str) -> Head:
        """The head of an execution: its function, its status, what it waits for. Raises UnknownExecution."""
        head = await self.store.head(id) if can_exist(id) else None
        if head is None:
            raise UnknownExecution(f"there is no execution {id!r} in this store; `overwinter ps` lists what there is")
        return head

    async def history(self, id: str, after: int = 0, limit: int = 1000) -> Sequence[Fact]:
        """Up to ``limit`` entries of the journal after number ``after``, blobs in place; docs/journal.md says what is
        in them. Raises UnknownExecution."""
        await self.show(id)
        found: list[Fact] = []
        if count(limit, 0, "limit") > 0:
            async for fact in self.entries(id, count(after, 0, "after")):
                found.append(fact)
                if len(found) >= limit:
                    break
        return found

    async def entries(self, id: str, after: int = 0) -> AsyncIterator[Fact]:
        """The journal from ``after`` on, blobs in place."""
        async for fact in self._facts(id, after):
            await resolve(self.store, id, [fact])
            yield fact

    async def _facts(self, id: str, after: int) -> AsyncIterator[Fact]:
        while True:
            texts = await self.store.history(id, after, PAGE)
            for number, text in enumerate(texts, after + 1):
                yield shown_anyway(text, number)
            after += len(texts)
            if len(texts) < PAGE:
                return

    async def ending(self, head: Head) -> Fact:
        """The final entry of an ended execution."""
        facts = decode_all(await self.store.history(head.id, head.length - 1, 1) or [GAP], head.length)
        await resolve(self.store, head.id, facts)
        return facts[0]

    async def at_rest(self, id: str) -> Head | None:
        """The head when it has ended or is stuck, and nobody has asked it to go on since; otherwise None."""
        head = await self.show(id)
        if head.status in _REVIVES:
            asked = [fact async for fact in self._asked(id)]
            head = await self.show(id)  # read last: it shows what was taken up meanwhile
            if any(fact in _REVIVES.get(head.status, ()) for fact in asked):
                return None
        return head if head.status in (*FINAL, "stuck") else None

    async def _asked(self, id: str) -> AsyncIterator[str]:
        """The types of what waits in the control lane, however much of it: verbs come after whatever came before."""
        after = 0
        while mails := await self.store.mail(id, 0, after):
            for mail in mails:
                yield _type_of(mail.body)
            after = mails[-1].seq

    async def _completed(self, id: str, op: str) -> bool:
        """Whether the callback was completed not long before the end."""
        head = await self.show(id)
        texts = await self.store.history(id, max(head.length - _LOOKED_BACK, 0), _LOOKED_BACK)
        return any(fact["type"] == "callback" and fact.get("op") == op for fact in map(decode, texts))

    async def approvals(self, id: str) -> list[Fact]:
        """Open approvals: the ``ordered`` entries (op, what, role, digest, until, at, data) not yet decided."""
        waiting = await self.proposals(id)
        await resolve(self.store, id, waiting)
        return waiting

    async def proposals(self, id: str) -> list[Fact]:
        """The same without what of them lies in blobs (``resolve`` puts it back)."""
        head = await self.show(id)
        if head.status in FINAL:
            return []
        opened: dict[str, Fact] = {}
        async for fact in self._facts(id, head.base - 1):
            if fact["type"] == "ordered" and fact.get("kind") == "approval":
                opened[fact["op"]] = fact
            elif fact["type"] in ("decided", "checkpoint"):
                opened = {} if fact["type"] == "checkpoint" else {op: f for op, f in opened.items() if op != fact["op"]}
        decided = await self._decisions(id) if opened else []
        made = {(fact.get("op"), fact.get("digest", "")) for fact in decided}
        now = self.clock()
        waiting = [fact for op, fact in opened.items() if (op, fact.get("digest", "")) not in made]
        return [fact for fact in waiting if (fact.get("until") or now + 1) > now]

    async def _decisions(self, id: str) -> list[Fact]:
        """Those that were made and that nobody has taken up yet."""
        _, waiting = await self.store.mailbox(id)
        return [decode(text) for text in waiting if _type_of(text) == "decided"]

    async def was_decided_by(self, id: str, event: str) -> bool:
        """Whether the decision that came as that event was taken, not too long before the end."""
        head = await self.show(id)
        if any(fact.get("event") == event for fact in await self._decisions(id)):
            return True
        texts = await self.store.history(id, max(head.length - _LOOKED_BACK, 0), _LOOKED_BACK)
        return any(fact["type"] == "decided" and fact.get("event") == event for fact in map(decode, texts))

    async def list(
        self,
        *,
        status: str | Sequence[str] = (),
        function: str = "",
        prefix: str = "",
        parent: str | None = None,
        limit: int = 50,
    ) -> Sequence[Head]:
        """The newest executions, at most ``limit``: of a status (pending, running, waiting, idle, paused, stuck,
        completed, failed, cancelled, terminated), a function, an id that begins with ``prefix``, a parent."""
        for what, text in (("function", function), ("prefix", prefix), ("parent", parent or "")):
            if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]  # as users may give it
                raise InvalidInput(f"{what} is text, not {type(text).__name__}")
        wanted = (status,) if isinstance(status, str) else tuple(status)
        for one in wanted:
            if one not in STATUSES:
                raise InvalidInput(f"there is no status {one!r}; it is one of {', '.join(STATUSES)}")
        where, cursor = Filter(wanted, function, prefix, parent), None
        heads: list[Head] = []
        while len(heads) < count(limit, 0, "limit"):
            page = await self.store.executions(where, cursor, min(limit - len(heads), PAGE))
            heads += page.heads
            cursor = page.cursor
            if cursor is None:
                break
        return heads


def _type_of(mail: str) -> str:
    """The type of a fact in the mailbox; "" when it can't be read, which is for whoever takes it up to say."""
    try:
        return str(decode(mail)["type"])
    except StoreCorrupt:
        return ""
