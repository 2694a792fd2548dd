"""One follower of one execution: what is recorded and what is being said, in one order, from any position on.

The journal is read as it grows; between its entries stands what the model is saying now, heard in this process or read
from the store. What was told of an answer is compared with its record, character by character: the rest is told when it
goes on, and ``reset`` before all of it when it does not.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import nullcontext
from typing import Any, cast

from ...state.errors import StoreUnavailable, UnknownExecution
from ...state.quantities import seconds
from ...state.records import FINAL
from ...state.store import Store
from ..protocol.decider import Fact
from ..protocol.entries import shown_anyway, without_blob
from . import cell
from .audience import Audience, Subscription
from .journal import BACK, Journal, Since, before, sent
from .live import Live, Spoken
from .marks import Mark
from .position import Position, digest, order
from .told import StreamEvent, Told, calls, events, message, outcome

_CALM = 10
"""How many times slower it is looked when nothing happens."""
_PAGE = 1 << 20  # bytes of entries that are read at once
_AT_WORK = 1.0  # seconds between two looks at what goes on in this process, which tells of itself
_ENDS = frozenset({*FINAL, "stuck"})


class Following:
    """Follows ``id``, or with ``message`` the answer to that one message of a session, from ``position`` on.
    ``audience`` and ``active`` are those of a runtime in this process."""

    def __init__(
        self,
        journal: Journal,
        id: str,
        position: Position,
        *,
        message: str = "",
        audience: Audience | None = None,
        active: Mapping[str, object] | None = None,
    ) -> None:
        self._journal = journal
        self._id = id
        self._at = position
        self._message = message
        self._begun = not message or position != Position()
        self._audience = audience
        self._active: Mapping[str, object] = {} if active is None else active
        self._heard: tuple[str, int] = ("", 0)  # by whom, and how many pieces
        self._version: int | None = None  # of the execution, when all its entries until then have been told
        self._fresh = False  # the version is that of a moment ago
        self._expected = ""  # who was found to speak, before the journal was read once more
        self._texts: dict[str, str] = {}  # of the last answer, by its op
        self._children: dict[str, Fact] = {}  # the orders of children, by their ids
        self._asked: str | None = None  # the message that was told last, "" for the input of a run
        self._status, self._created = "", 0  # of the execution, when the store was asked last
        self._over = False

    async def events(self, since: Since | None = None) -> AsyncGenerator[StreamEvent]:
        """All that is told, until it is over: the execution has ended, or the message is answered. ``since``: how far
        the execution was when the message was sent."""
        journal, store = self._journal, self._journal.store
        self._at = await self._beginning(since)
        subscribed = nullcontext(Subscription()) if self._audience is None else self._audience.subscription(self._id)
        fastest = pause = seconds(store.saying)
        mark = Mark(store, self._id, journal.clock)
        with subscribed as news:
            beside = _beside(news, store, self._id)
            try:
                while True:
                    before = self._at
                    spoken = None
                    while news.committed:  # what is being said stands behind what is recorded
                        news.committed = False
                        for number, entry in await self._entries(news):
                            for event in await self._recorded(number, entry):
                                yield event
                            if self._over:
                                return
                        spoken = await self._elsewhere()
                        if spoken is not None and spoken.by not in (self._at.by, self._expected):
                            news.committed = True  # what led to it was recorded before it, perhaps since the last look
                            self._expected = spoken.by
                    for event in self._said(spoken):
                        yield event
                    if self._id in self._active and self._audience is not None:
                        await news.wait(_AT_WORK)
                        continue
                    if self._at != before:
                        pause = fastest
                    elif await self._rests():
                        return
                    else:
                        pause = min(pause * 1.5, fastest * _CALM)
                    if self._audience is not None and self._audience.closed:
                        raise StoreUnavailable("the runtime was closed; another one tells the rest")
                    mark.begin()  # for whoever works on it
                    await news.wait(pause)
            finally:
                news.close()
                beside.cancel()
                await mark.remove()

    # -- where to begin ------------------------------------------------------------------------------

    async def _beginning(self, since: Since | None) -> Position:
        """Of a message, where it was sent. Else with what was told last: a model call that was recorded before is not
        being said any more."""
        at = self._at
        if self._message:
            if not self._begun:
                if since is None:
                    return at._replace(seq=await sent(self._journal, self._id, self._message))
                if since.version is not None:
                    self._version, self._fresh = since.version, True
                at = at._replace(seq=since.length)
            return at  # what is said to another message is passed over
        known = bool(at.op)
        for _, entry in await self._before(at.seq):
            if _tells(entry) and not known:
                at = at._replace(op=str(entry.get("op", "")), done=True)
            elif entry["type"] in ("message", "start"):
                self._asked = str(entry.get("id", ""))
        return at

    async def _before(self, upto: int) -> list[tuple[int, Fact]]:
        return await before(self._journal, self._id, upto)

    async def _rests(self) -> bool:
        """Whether nothing more will come, because it had ended when this began to follow."""
        if self._status not in _ENDS:
            return False
        rest = await self._journal.at_rest(self._id)
        return rest is not None and self._at.seq >= rest.length

    # -- what is recorded ----------------------------------------------------------------------------

    async def _entries(self, news: Subscription) -> list[tuple[int, Fact]]:
        """Those that were not told yet, with their numbers: as they were committed in this process, when none is
        missing, else from the store (a page of them; then there is more)."""
        fed, news.fed = news.fed, []
        found: list[tuple[int, Fact]] = []
        known = self._version
        for version, texts in fed:
            if known is None or version > known:
                known = None
                break
            if version == known:
                found += enumerate(map(_shown, texts), self._at.seq + len(found) + 1)
                known += 1
        self._version = known
        if known is not None and fed:
            return found
        if self._fresh and self._id in self._active:
            self._fresh = False  # it was sent to this process just now
            return []
        head = await self._journal.show(self._id)
        if self._created not in (0, head.created) or head.length < self._at.seq:
            raise UnknownExecution(f"{self._id} was removed, and another has begun under its id")
        self._created, self._status = head.created, head.status
        limit = min(head.length - self._at.seq, BACK)
        facts = await self._journal.excerpt(self._id, self._at.seq, limit, _PAGE) if limit > 0 else []
        reached = self._at.seq + len(facts)
        self._version = head.version if reached == head.length else None
        news.committed = news.committed or reached < head.length
        return list(enumerate(map(without_blob, facts), self._at.seq + 1))

    async def _recorded(self, number: int, entry: Fact) -> list[StreamEvent]:
        found: list[StreamEvent] = []
        if self._begins(entry):
            skipped = self._at.part
            for told in await self._entry(entry):
                if isinstance(told, StreamEvent):
                    found.append(told)
                elif skipped:
                    skipped -= 1
                else:
                    self._at = self._at.further()
                    found.append(told.at(self._at))
        self._at = self._at.after(number)
        return found

    def _begins(self, entry: Fact) -> bool:
        """Whether it is of what is followed."""
        if not self._begun and entry["type"] == "message" and entry.get("id") == self._message:
            self._begun = True
            return False
        return self._begun or entry["type"] in _ENDS

    async def _entry(self, entry: Fact) -> Sequence[Told | StreamEvent]:
        """What an entry says: with their places, pieces of an answer; without, what counts as a part of the entry."""
        kind = entry["type"]
        if kind in ("model", "passed"):
            return await self._answer(entry) if _tells(entry) else ()
        if kind == "reply":
            if self._message and entry.get("to") != self._message:
                return ()
            self._over = bool(self._message)
            return [Told("reply", {"message": entry.get("to", ""), **await self._replied(entry)})]
        if kind in ("message", "start"):
            asked = str(entry.get("id", ""))
            told_before = asked == self._asked or (self._at.op and not self._at.done)  # when its answer began
            self._asked = asked
            return () if told_before or self._message else events(await self._journal.entire(self._id, entry))
        found: list[Told | StreamEvent] = []
        if kind == "retrying" and self._at.open and self._at.op == entry.get("op"):
            found.append(self._reset(str(entry["op"]), int(entry.get("n", 1)) + 1))
        if kind in _ENDS and await self._journal.at_rest(self._id) is not None:
            self._over = True
            entry = await self._journal.entire(self._id, entry)
        if kind == "ordered" and entry.get("kind") == "child":
            self._children[str(entry.get("id", ""))] = entry
        elif kind == "child":
            entry = await self._journal.entire(self._id, await self._of_child(entry))
        return [*found, *events(entry)] if self._over or kind not in _ENDS else found

    async def _of_child(self, entry: Fact) -> Fact:
        """What came of a child, with the operation that has begun it."""
        id = str(entry.get("id", ""))
        if id not in self._children:
            for _, other in await self._before(self._at.seq):
                if other["type"] == "ordered" and other.get("kind") == "child":
                    self._children[str(other.get("id", ""))] = other
        order = self._children.get(id, {})
        return {**entry, **{name: order[name] for name in ("op", "name") if name in order}}

    async def _answer(self, entry: Fact) -> Sequence[Told | StreamEvent]:
        op, attempt = str(entry.get("op", "")), int(entry.get("n", 1))
        if entry.get("error") is not None:
            found = [self._reset(op, attempt, failed=True)] if self._at.open else []
            self._at = self._at._replace(op=op, done=True)
            return found
        entry = await self._journal.entire(self._id, entry)
        value: object = entry.get("value")
        answer = cast("Fact", value) if isinstance(value, dict) else {}
        text = str(answer.get("refusal") or answer.get("text") or "")
        told_before = self._at.done and self._at.op == op
        whole = () if told_before else self._whole(op, attempt, text, answer)
        self._texts = {op: text}
        return [*whole, *calls(entry, answer)]

    def _whole(self, op: str, attempt: int, text: str, answer: Fact) -> Iterator[StreamEvent]:
        """What was not told yet of an answer that is recorded now. What was thought is recorded here and there, and not
        by all: it goes on when the same one speaks."""
        same = self._at.op == op and not self._at.done
        by, reasoning = str(answer.get("by") or ""), str(answer.get("reasoning") or "")
        goes_on = by == self._at.by if by or self._at.reasoning else True
        if self._at.open and not (same and goes_on and self._at.begins(text)):
            yield self._reset(op, max(attempt, self._at.attempt + 1 if same else 1))
        elif not same:
            self._at = self._at._replace(op=op, by=by, attempt=attempt, reasoning=0, text=0, digest=0, done=False)
        at = self._at
        if reasoning[at.reasoning :] and not at.text:
            yield self._piece("", reasoning[at.reasoning :])
        if text[at.text :]:
            yield self._piece(text[at.text :], "")
        self._at = self._at._replace(done=True)

    async def _replied(self, entry: Fact) -> dict[str, Any]:
        said = entry.get("said")
        if not isinstance(said, str):
            return outcome(await self._journal.entire(self._id, entry))
        if said not in self._texts:
            for _, other in await self._before(self._at.seq):
                if other["type"] == "model" and other.get("op") == said:
                    value: Fact = (await self._journal.entire(self._id, other)).get("value") or {}
                    self._texts[said] = str(value.get("text") or "")
        return {"result": self._texts.get(said, "")}

    # -- what is being said --------------------------------------------------------------------------

    async def _elsewhere(self) -> Spoken | None:
        """What another process is saying, as far as it was written."""
        if self._audience is not None and (self._id in self._active or self._audience.live(self._id) is not None):
            return None
        return await cell.found(self._journal.store, self._id)

    def _said(self, spoken: Spoken | None) -> list[StreamEvent]:
        """What was said since the last look, in this process or in another."""
        live = None if self._audience is None else self._audience.live(self._id)
        if live is not None:
            at, heard = self._at, live.heard
            if at.by == live.by and at.op == live.op and not at.done:
                return self._pieces(live)
            if not self._of_interest(live.op, heard.message):
                return []
            told = list(self._turned(live.op, live.by, live.attempt, heard.message, heard.content))
            return told + self._pieces(live)
        if spoken is None or not self._of_interest(spoken.op, spoken.message):
            return []
        told = list(self._turned(spoken.op, spoken.by, spoken.attempt, spoken.message, spoken.content))
        return told + list(self._rest(spoken))

    def _of_interest(self, op: str, message: str) -> bool:
        """Whether it is of what is followed, and not recorded yet."""
        at = self._at
        if order(op) <= order(at.op) and (at.done or order(op) < order(at.op)):
            return False
        self._begun = self._begun or message == self._message
        return self._begun

    def _turned(self, op: str, by: str, attempt: int, id: str, content: Any) -> Iterator[StreamEvent]:
        """Somebody else is speaking than before."""
        at = self._at
        if (at.op, at.by) == (op, by) and not at.done:
            return
        again = at.op == op and not at.done
        if again:  # after a reset that was told at the end of the attempt before, nobody has spoken yet
            attempt = max(attempt, at.attempt + 1 if at.by else at.attempt)
        if at.open:
            yield self._reset(op, attempt)
        told = id == self._asked or (at.op and order(op)[0] == order(at.op)[0])  # what this turn is about
        self._asked = id
        self._at = self._at._replace(op=op, by=by, attempt=attempt, reasoning=0, text=0, digest=0, done=False)
        if not told and not self._message:
            yield message(id, content).at(self._at)

    def _pieces(self, live: Live) -> list[StreamEvent]:
        """What was said in this process since the last look; neighbours of one kind are one piece."""
        by, count = self._heard
        pieces, self._heard = live.pieces, (live.by, len(live.pieces))
        if by != live.by:
            return list(self._rest(live.spoken()))
        if len(pieces) == count + 1:  # as it mostly is
            return [self._piece(*pieces[count])]
        found: list[StreamEvent] = []
        text = reasoning = ""
        for said, thought in pieces[count:]:
            if thought and text:
                found.append(self._piece(text, ""))
                text = ""
            if said and reasoning:
                found.append(self._piece("", reasoning))
                reasoning = ""
            text, reasoning = text + said, reasoning + thought
        if text or reasoning:
            found.append(self._piece(text, reasoning))
        return found

    def _rest(self, spoken: Spoken) -> Iterator[StreamEvent]:
        """What was said beyond the position."""
        if spoken.reasoning[self._at.reasoning :]:
            yield self._piece("", spoken.reasoning[self._at.reasoning :])
        if spoken.text[self._at.text :]:
            yield self._piece(spoken.text[self._at.text :], "")

    def _piece(self, text: str, reasoning: str) -> StreamEvent:
        at = self._at = self._at.said(text, reasoning)
        data = {"op": at.op, "attempt": at.attempt, "text": text or reasoning}
        return StreamEvent(str(at), "text" if text else "reasoning", data)

    def _reset(self, op: str, attempt: int, *, failed: bool = False) -> StreamEvent:
        """Forget what was told of the answer; another one follows, unless it ``failed`` for good."""
        was = self._at.op
        self._at = self._at._replace(op=op, by="", attempt=attempt, reasoning=0, text=0, digest=digest(""), done=False)
        data: dict[str, Any] = {"op": op, "attempt": attempt}
        data |= {"failed": True} if failed else {}
        return Told("reset", data | ({"instead": was} if was != op else {})).at(self._at)


def _tells(entry: Fact) -> bool:
    """Whether it has an answer for who follows, or says that there is none. What hooks look at first is told when they
    have let it through."""
    if entry["type"] == "passed":
        return "value" in entry or "blob" in entry
    return bool(entry["type"] == "model" and (not entry.get("held") or entry.get("error") is not None))


def _shown(text: str) -> Fact:
    return without_blob(shown_anyway(text, 0))


def _beside(news: Subscription, store: Store, id: str) -> asyncio.Future[None]:
    """The store's own hints, where it gives some, until this is cancelled."""

    async def relay() -> None:
        async with store.watch(id) as told:
            while told is not None:
                await told.wait()
                told.clear()
                news.tell()

    if type(store).watch is Store.watch:  # it gives none
        return asyncio.get_running_loop().create_future()
    return asyncio.ensure_future(relay())
