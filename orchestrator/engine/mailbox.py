"""The mail of one execution as its owner knows it: two lanes in order of arrival, a part of them in memory.

It promises that a look through it costs what can be taken and not what waits, that memory holds a few hundred mails
however many wait in the store, that nothing ordinary is offered before what came before it, and that what is
not here is known to be missing (``more``), so that nobody goes to rest on a mailbox that was half read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence, Set
from typing import NamedTuple

from ...state.records import MAIL_BATCH, Mail
from ...state.store import Store
from ..protocol.decider import Fact
from ..protocol.entries import read_mail

VERBS = frozenset({"paused", "resumed", "retry", "terminated"})
"""Mail that means the execution as a whole; the decider never sees it."""
HELD = 2 * MAIL_BATCH
"""How many mails of one lane are kept in memory at the most."""

Wanted = Callable[[Mail, Fact], bool]


_NONE: Set[int] = frozenset()


class Letter(NamedTuple):
    """A mail and the fact that it brings."""

    mail: Mail
    fact: Fact


class Lane:
    """One lane. All mail up to number ``upto`` has been received here; with ``more`` there may be mail after it in
    the store. ``ahead``: what a search has brought from beyond that, by number."""

    __slots__ = ("ahead", "held", "left", "more", "number", "searched", "upto")

    def __init__(self, number: int) -> None:
        self.number = number
        self.held: list[Letter] = []
        self.upto = 0
        self.more = False
        self.left = False  # mail was left in the store since the last page was asked for
        self.searched = 0  # up to which number verbs have been looked for
        self.ahead: Set[int] = _NONE

    def add(self, mail: Mail) -> None:
        """The next mail of the lane, as far as there is room for it."""
        if mail.seq <= self.upto:
            return
        if len(self.held) >= HELD:
            self.more = self.left = True
            return
        self.upto = mail.seq
        if mail.seq not in self.ahead:
            self.held.append(Letter(mail, read_mail(mail)))
        if self.ahead:
            self.ahead = {seq for seq in self.ahead if seq > mail.seq}


class Mailbox:
    """``arrivals`` is how many mails the store has told of."""

    __slots__ = ("_id", "arrivals", "lanes")

    def __init__(self, id: str, arrivals: int) -> None:
        self.arrivals = arrivals
        self._id = id
        self.lanes = (Lane(0), Lane(1))

    def __bool__(self) -> bool:
        control, ordinary = self.lanes
        return bool(control.held or ordinary.held)

    def facts(self) -> list[Fact]:
        return [letter.fact for lane in self.lanes for letter in lane.held]

    # -- what comes in -------------------------------------------------------------------------------

    def receive(self, batch: Sequence[Mail], arrivals: int) -> None:
        """The first of the mailbox, as an answer of the store carries them."""
        fresh = arrivals >= self.arrivals  # else the answer is older than what is known here
        self.arrivals = max(self.arrivals, arrivals)
        reached = batch[-1].lane if len(batch) >= MAIL_BATCH else len(self.lanes)
        for lane in self.lanes:
            if lane.number >= reached:
                lane.more = lane.left = True
            elif fresh:
                lane.more = False
        for mail in batch:
            self.lanes[mail.lane > 0].add(mail)

    def arrive(self, mail: Mail) -> None:
        """One mail that this process has just put into the mailbox, the next after all that arrived before."""
        self.arrivals = mail.seq
        lane = self.lanes[mail.lane > 0]
        if lane.more:
            lane.left = True
        else:
            lane.add(mail)

    # -- what goes out -------------------------------------------------------------------------------

    def letters(self, until: int | None = None) -> Iterator[Letter]:
        """What may be offered, control lane first. Whoever takes one removes it before going on. When an ordinary
        one is left, so are those behind it. With ``until`` only what was accepted by then."""
        for lane in self.lanes:
            held, place = lane.held, 0
            while place < len(held):
                letter = held[place]
                if until is None or letter.mail.at <= until:
                    yield letter
                    if place >= len(held) or held[place] is not letter:
                        continue  # it was taken
                    if lane.number:
                        break
                place += 1

    def remove(self, letter: Letter) -> None:
        held = self.lanes[letter.mail.lane > 0].held
        if held[0] is letter:
            del held[0]
        else:
            held.remove(letter)

    # -- what is not here ----------------------------------------------------------------------------

    def unread(self, *, halted: bool) -> Lane | None:
        """The lane of which a page is to be read now: all that was here is taken. While an execution is halted
        only verbs move it, which may stand behind any number of mails that wait."""
        control, ordinary = self.lanes
        if halted:
            waits = control.more and max(control.upto, control.searched) < self.arrivals
            return control if waits else None
        for lane in (control, ordinary):
            if lane.more and not lane.held:
                return lane
        return None

    def partial(self) -> bool:
        """Whether there may be mail that is not here."""
        control, ordinary = self.lanes
        return control.more or ordinary.more

    async def read(self, store: Store, lane: Lane) -> None:
        """Bring the next page of a lane. Raises StoreError."""
        lane.left = False
        page = await store.mail(self._id, lane.number, lane.upto, MAIL_BATCH)
        lane.more = lane.left or len(page) >= MAIL_BATCH
        for mail in page:
            lane.add(mail)

    async def search(self, store: Store, lane: Lane, wanted: Wanted, after: int = 0) -> int:
        """Bring what is wanted from beyond what is here, page by page, and keep nothing else. Ends with the first
        page that has some. Returns the number up to which it was searched. Raises StoreError."""
        known, place = self.arrivals, max(after, lane.upto)
        while True:
            page = await store.mail(self._id, lane.number, place, MAIL_BATCH)
            fresh = [mail for mail in page if mail.seq > lane.upto and mail.seq not in lane.ahead]
            letters = [Letter(mail, read_mail(mail)) for mail in fresh]
            found = [letter for letter in letters if wanted(*letter)]
            lane.held.extend(found)
            lane.ahead = {*lane.ahead, *(letter.mail.seq for letter in found)}
            place = page[-1].seq if page else place
            if found:
                return place
            if len(page) < MAIL_BATCH:
                return max(place, known)

    async def search_verbs(self, store: Store, lane: Lane) -> None:
        lane.searched = await self.search(store, lane, lambda _, fact: fact["type"] in VERBS, lane.searched)
