"""Everything a person or another system may learn of executions, over an opened store and without changing anything:
lists, one execution as a story, sums. The command line, HTTP and code of any kind ask here and nowhere else.

Errors: UnknownExecution, InvalidInput, StoreError.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from ..state.codec import loads
from ..state.errors import InvalidInput, StoreCorrupt, UnknownExecution
from ..state.ids import can_exist
from ..state.quantities import count
from ..state.records import FINAL, STATUSES, Filter, Head, Page
from ..state.store import Store
from ..state.whole import GAP
from .governance.doubts import Doubts
from .protocol.clock import SharedClock
from .protocol.decider import Fact
from .protocol.entries import decode, decode_all, resolve, shown_anyway, without_blob
from .replies import ReplySearch
from .streaming.audience import Audience
from .streaming.following import Following
from .streaming.journal import Since
from .streaming.position import Position, position
from .streaming.told import StreamEvent
from .timeline.story import Story

if TYPE_CHECKING:
    from .machine.drawing.execution import Drawn
    from .machine.history.replaying import Replayed
    from .machine.integrations import Integrations
    from .timeline.timeline import Timeline

LOOKED_BACK = 1000
"""Entries before the end in which the completion of a callback is looked for, when it comes again."""
_DEFINED_BY = 50
"""Entries by which a state machine has written its definition: it does so as soon as its first call has ended."""
PAGE = 100  # entries read at once; one has 256 KB at the most
FIRST, STEP = 16, 64  # … when their bytes are counted
MANY = 1000  # heads read at once
TOLD = 20_000
"""Entries of a timeline, the last ones."""
MANY_CHILDREN = 100
_REVIVES = {"failed": ("retry",), "stuck": ("resumed", "terminated")}
"""Mail by which an execution of that status goes on."""


class Turn(NamedTuple):
    """A session's turn: its message, and the approvals that were decided in it."""

    message: str
    decided: frozenset[str]


class Reading:
    """Executions in ``store``, their journals and what they wait for."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._clock = SharedClock()

    @property
    def audience(self) -> Audience | None:
        """Those who listen to what this process does."""
        return None

    @property
    def at_work(self) -> Mapping[str, object]:
        """Executions that go on in this process."""
        return {}

    def clock(self) -> int:
        return self._clock()

    # -- one -----------------------------------------------------------------------------------------

    async def find(self, id: str) -> Head | None:
        """The head of an execution; None when there is none."""
        return await self.store.head(id) if can_exist(id) else None

    async def show(self, id: str) -> Head:
        """The head of an execution: its function, its status, what it waits for. Raises UnknownExecution, which names
        ids that begin alike."""
        head = await self.find(id)
        if head is None:
            page = await self.page(Filter(prefix=id), limit=3) if id and can_exist(id) else None
            alike = ", ".join(other.id for other in page.heads) if page is not None else ""
            advice = f"did you mean {alike}?" if alike else "`overwinter ps` lists what there is"
            raise UnknownExecution(f"there is no execution {str(id)[:200]!r} in this store; {advice}")
        return head

    async def story(self, id: str, *, last: int | None = None) -> Story:
        """One execution with all that belongs to it; of the journal the ``last`` entries, or all. What lies in blobs
        stays there (``entire`` brings it). Raises UnknownExecution."""
        head = await self.show(id)
        first = 1 if last is None else max(head.length - last, 0) + 1
        entries = [found async for found in self.numbered(id, first - 1)]
        mail, _ = await self.store.mailbox(id, 1)
        children = (await self.page(Filter(parent=id), limit=MANY_CHILDREN)).heads
        return Story(head, first, entries, mail, children[::-1])

    async def timeline(self, id: str, *, last: int | None = TOLD) -> Timeline:
        """What ran when, what was waited for and how the cost grew, of the ``last`` entries, or of all. Raises
        UnknownExecution."""
        from .machine.history.telling import states
        from .timeline.timeline import timeline

        story, replayed = await self.story(id, last=last), None
        if story.first == 1 and all(isinstance(entry.get("at"), int) for _, entry in story.entries):
            with suppress(StoreCorrupt):  # a blob is missing: the journal itself can still be told
                replayed = await self.replayed(id)
        flow = None if replayed is None or replayed.problem else states(replayed)
        return timeline(story, self.clock(), flow)

    async def numbered(self, id: str, after: int = 0) -> AsyncIterator[tuple[int, Fact]]:
        """Journal entries with their numbers, without a look at blobs: a field that lies in one reads ``{"$blob",
        "size"}``. What can't be read is ``{"type": "damaged", "error"}``."""
        async for fact in self._facts(id, after):
            after += 1
            yield after, without_blob(fact)

    async def entire(self, id: str, entry: Fact) -> Fact:
        """An entry of ``numbered`` with the field that lies in a blob put back, as far as the blob is there."""
        there: dict[str, Any] | None = entry.get("blob")
        if not isinstance(there, dict):
            return entry
        data = await self.store.blob(id, str(there.get("digest")))
        try:
            return entry if data is None else {**entry, str(there.get("field")): loads(data.decode())}
        except ValueError:
            return entry

    async def excerpt(self, id: str, after: int, limit: int, most: int) -> list[Fact]:
        """Entries after number ``after``: at most ``limit``, and no more than ``most`` bytes of them but for the first.
        They are read in small steps, so that no more than that and a step is ever in memory."""
        texts: list[str] = []
        size, step = 0, FIRST
        while len(texts) < limit:
            asked = min(step, limit - len(texts))
            found = await self.store.history(id, after + len(texts), asked)
            for text in found:
                size += len(text.encode())
                if texts and size > most:
                    return _read(texts, after)
                texts.append(text)
            if len(found) < asked:
                break
            step = STEP
        return _read(texts, after)

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

    @property
    def integrations(self) -> Integrations:
        """What those of state machines put into their journals."""
        from .machine.integrations import NONE

        return NONE

    async def replayed(self, id: str) -> Replayed | None:
        """What the journal of a state machine's execution tells; None when it is none's, or when its first Task goes
        on. All of the journal is read. Raises UnknownExecution."""
        from .machine.history.replaying import defined, replay

        head = await self.show(id)
        entries: list[Fact] = []
        if head.kind != "workflow":
            return None
        async for entry in self.entries(id):
            entries.append(entry)
            if len(entries) == _DEFINED_BY and defined(entries) is None:
                break
        return replay(id, head.function, entries, self.integrations) if defined(entries) is not None else None

    async def aws_history(self, id: str, *, data: bool = True) -> list[dict[str, Any]]:
        """The events of a state machine's execution, in the shape of AWS's GetExecutionHistory; without ``data``,
        inputs and outputs are left out. Raises UnknownExecution, and InvalidInput when it is no state machine's."""
        from .machine.history.events import aws_events

        found = await self.replayed(id)
        if found is None:
            raise InvalidInput(f"{id} is no state machine's execution, or its first Task has not ended yet")
        if found.problem:
            raise InvalidInput(f"the history of {id} can't be told: {found.problem}")
        return aws_events(found, data=data)

    async def drawn(self, id: str) -> Drawn:
        """A state machine's execution, to be drawn with the path that it took. All of the journal is read. Raises
        UnknownExecution, and InvalidInput when it is no state machine's, or none that has begun."""
        from .machine.drawing.execution import drawn

        head = await self.show(id)
        entries = [await self.entire(id, without_blob(fact)) async for fact in self._facts(id, 0)]
        return drawn(head, entries, self.clock(), self.integrations)

    async def events(
        self, id: str, *, message: str = "", after: str = "", since: Since | None = None
    ) -> AsyncGenerator[StreamEvent]:
        """What happens to an execution, piece by piece, until it has ended or is stuck; with ``message``, until that
        message to a session is answered. ``after`` is the id of the last event that was heard, from whichever process;
        ``since``: how far it was when the message was sent. Close it (``contextlib.aclosing``) when leaving it
        early. docs/streaming.md lists the events. Raises UnknownExecution, InvalidInput, StoreError."""
        at = position(after)
        if after or since is None:
            head = await self.show(id)
            if at.seq > head.length:
                raise InvalidInput(f"{after[:80]!r} is the id of no event of {id}; leave it out to be told all")
            if message:
                spot = await ReplySearch(self.store, id, message).spot(head.length)
                if spot.replied and at.seq >= spot.replied:
                    return
                if at.seq < spot.sent:
                    at, since = Position(), Since(None, spot.sent)
        async with aclosing(self._following(id, at, message).events(since)) as events:
            async for event in events:
                yield event

    def _following(self, id: str, at: Position, message: str) -> Following:
        return Following(self, id, at, message=message, audience=self.audience, active=self.at_work)

    async def turn(self, id: str) -> Turn:
        """The last turn of a session, under way or answered. Raises UnknownExecution, InvalidInput."""
        head = await self.show(id)
        upto, decided = head.length, set[str]()
        while upto > 0:
            first = max(upto - PAGE, 0)
            for fact in reversed(await self.excerpt(id, first, upto - first, 1 << 40)):
                if fact["type"] == "message":
                    return Turn(str(fact["id"]), frozenset(decided))
                if fact["type"] == "decided":
                    decided.add(str(fact["op"]))
            upto -= PAGE
        raise InvalidInput(f"{id} has answered no message; send it one")

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
                yield type_of(mail.body)
            after = mails[-1].seq

    async def _completed(self, id: str, op: str) -> bool:
        """Whether the callback was completed not long before the end."""
        head = await self.show(id)
        texts = await self.store.history(id, max(head.length - LOOKED_BACK, 0), LOOKED_BACK)
        return any(fact["type"] == "callback" and fact.get("op") == op for fact in map(decode, texts))

    async def doubts(self, id: str) -> list[Fact]:
        """Calls in doubt that nobody has resolved yet: their ``doubt`` entries (op, name, since, key, arguments, why,
        until, rule)."""
        head, found = await self.show(id), Doubts()
        if head.status in FINAL:
            return []
        _, waiting = await self.store.mailbox(id)  # before the journal, into which what waits may move meanwhile
        async for fact in self._facts(id, 0 if head.kind != "agent" else head.base - 1):
            found.take(fact)
        said = {decode(text).get("op") for text in waiting if type_of(text) == "resolved"}
        doubts = [fact for op, fact in found.open.items() if op not in said]
        await resolve(self.store, id, doubts)
        return doubts

    # -- many ----------------------------------------------------------------------------------------

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
        where, most = wanted(status, function, prefix, parent), count(limit, 0, "limit")
        heads: list[Head] = []
        cursor: str | None = None
        while len(heads) < most:
            page = await self.page(where, cursor, min(most - len(heads), PAGE))
            heads += page.heads
            cursor = page.cursor
            if cursor is None:
                break
        return heads

    async def page(self, where: Filter, cursor: str | None = None, limit: int = 50) -> Page:
        """Executions, newest first, and the cursor by which the next page is asked for. Raises InvalidInput for a
        cursor that was not given out with these filters."""
        return await self.store.executions(where, cursor, limit)

    async def all(self, where: Filter) -> AsyncIterator[Head]:
        """Every execution that fits, newest first, a page in memory."""
        cursor: str | None = None
        while True:
            page = await self.page(where, cursor, MANY)
            for head in page.heads:
                yield head
            cursor = page.cursor
            if cursor is None:
                return

    async def counts(self) -> Mapping[str, int]:
        """How many executions of each status there are."""
        return await self.store.counts()


def wanted(status: str | Sequence[str] = (), function: str = "", prefix: str = "", parent: str | None = None) -> Filter:
    """Which executions are meant. Raises InvalidInput for a status that there is not, and for what is no text."""
    for what, text in (("function", function), ("prefix", prefix), ("parent", parent or "")):
        if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]  # as users may give it
            raise InvalidInput(f"{what} is text, not {type(text).__name__}")
    statuses = (status,) if isinstance(status, str) else tuple(status)
    for one in statuses:
        if one not in STATUSES:
            raise InvalidInput(f"there is no status {one!r}; it is one of {', '.join(STATUSES)}")
    return Filter(statuses, function, prefix, parent)


def _read(texts: Sequence[str], after: int) -> list[Fact]:
    return [shown_anyway(text, number) for number, text in enumerate(texts, after + 1)]


def type_of(mail: str) -> str:
    """The type of a fact in the mailbox; "" when it can't be read, which is for whoever takes it up to say."""
    try:
        return str(decode(mail)["type"])
    except StoreCorrupt:
        return ""
