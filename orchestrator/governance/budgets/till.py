"""One account as one process spends from it: the slices it has drawn, and how it draws another.

Holds are taken out of an open slice without any call of the store. When none has enough left, one put closes what is
used up, gives back the rest and draws anew, for all that wait. The value and etag of the last write are kept: as long
as nobody else writes, that put is all. A draw whose answer is lost keeps its slice's id: found in the ledger, it is
taken up; not found, it is made again under the same.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from ....state.errors import EtagMismatch, OverwinterError, StoreUnavailable
from ....state.store import Store
from .account import Account, measured, stricter
from .amount import NOTHING, UNITS, Amount
from .archive import archive
from .book import TRIES, Book, Rules
from .ledger import Bound, Ledger, Slice, ledger_of
from .places import LEDGER, PLACE
from .refusing import frozen, refused

log = logging.getLogger("overwinter")


COUNTS = ("model_calls", "tool_calls", "iterations")
CERTAIN = 10
"""Counts are what they are held as, where of tokens and money little is used of what is held. So a slice has so many
times more of them, and lasts as long."""


AT_ONCE = 4
"""A slice has so many times what is held at the same time: where many calls are made at once, it would be used up by
those that are under way."""


def _many(need: Amount, times: int) -> Amount:
    many = need.times(times)
    return many._replace(**{unit: getattr(many, unit) * CERTAIN for unit in COUNTS})


class Sizes(NamedTuple):
    """How a slice is drawn: so many ``times`` the hold, but no more than one ``part``-th of what is left, for ``life``
    ms."""

    times: int
    part: int
    life: int


class Drawn:
    """A slice of this process: what is held of it, and what was used. ``retired``: nothing more is taken out."""

    __slots__ = ("held", "holds", "retired", "slice", "used")

    def __init__(self, slice: Slice) -> None:
        self.slice = slice
        self.held = self.used = NOTHING
        self.holds = 0
        self.retired = False

    @property
    def counted(self) -> Amount:
        return self.held.plus(self.used)

    def has(self, need: Amount, limited: tuple[int, ...]) -> bool:
        """Units that are not needed may be used up, and over; those that nothing limits are counted only."""
        total, most = self.counted.plus(need), self.slice.amount
        return all(most[at] >= total[at] for at in limited if need[at])

    def take(self, need: Amount) -> None:
        self.held = self.held.plus(need)
        self.holds += 1

    def give(self, held: Amount, used: Amount) -> None:
        self.held = self.held.minus(held)
        self.used = self.used.plus(used)
        self.holds -= 1


class _Want(NamedTuple):
    need: Amount
    beyond: bool  # it was used already: no limit refuses it
    given: asyncio.Future[str]


class Till:
    """``resolve`` looks after holds of executions that have gone elsewhere, ``recover`` after slices of processes that
    have ended; each says whether it changed anything."""

    def __init__(
        self,
        store: Store,
        account: Account,
        owner: str,
        clock: Callable[[], int],
        book: Book,
        sizes: Sizes,
        name: Callable[[], str],
        resolve: Callable[[], Awaitable[bool]],
        recover: Callable[[str], Awaitable[bool]],
    ) -> None:
        self.account = account
        self._declared = [account.limits]
        self.used_at = clock()
        self.drawn: dict[str, Drawn] = {}
        self._store, self._owner, self._clock, self._book, self._sizes = store, owner, clock, book, sizes
        self._name, self._resolve, self._recover = name, resolve, recover
        self._rules: Rules | None = None
        self._limited: tuple[int, ...] = ()  # places in ``UNITS`` of those that a limit names
        self._keys: tuple[int, tuple[str, ...]] = (-1, ())
        self._wanting: deque[_Want] = deque()
        self._work: asyncio.Task[None] | None = None
        self._turn = asyncio.Lock()  # of this process alone: one draws or gives back at a time
        self._known: tuple[Ledger, str] | None = None  # as it was last written, and its etag
        self._known_at = 0
        self._pending: Slice | None = None  # drawn, perhaps: nobody has said so yet
        self._warned: set[tuple[str, str]] = set()

    def declare(self, account: Account) -> None:
        """Somebody else names the account, perhaps with other limits: the smaller ones hold."""
        if account.limits not in self._declared:
            limits = stricter(self.account.limits, account.checked().limits)
            self._declared.append(account.limits)
            self.account, self._rules = self.account._replace(limits=limits), None

    # -- taking and giving back ----------------------------------------------------------------------

    async def hold(self, need: Amount, *, beyond: bool = False) -> str:
        """The id of the slice it was taken from. Raises BudgetExceeded, StoreError."""
        self.used_at = self._clock()
        rules = self._rules
        if rules is None or not self._book.known(self.account):
            rules = await self._read_rules()
        if rules.frozen is not None and not beyond:
            raise frozen(self.account, rules.frozen)
        if not self._wanting and (id := self._take(need)):
            return id
        want = _Want(need, beyond, asyncio.get_running_loop().create_future())
        self._wanting.append(want)
        if self._work is None or self._work.done():
            self._work = asyncio.ensure_future(self._serve())
        try:
            return await want.given
        except asyncio.CancelledError:
            if want.given.done() and not want.given.cancelled() and want.given.exception() is None:
                self.give(want.given.result(), need, NOTHING)
            raise

    def give(self, id: str, held: Amount, used: Amount) -> None:
        """What was held is settled. A slice that was recovered meanwhile is known from the journals."""
        drawn = self.drawn.get(id)
        if drawn is not None:
            drawn.give(held, used)

    def _take(self, need: Amount) -> str:
        now = self._clock()
        keys = self._current(now)
        for id, drawn in self.drawn.items():
            slice = drawn.slice
            if not drawn.retired and now < slice.until and slice.windows == keys and drawn.has(need, self._limited):
                drawn.take(need)
                return id
        return ""

    def _current(self, now: int) -> tuple[str, ...]:
        minute = now // 60_000  # no window begins within one
        if self._keys[0] != minute:
            self._keys = minute, () if self._rules is None else tuple(self._rules.keys(now).values())
        return self._keys[1]

    async def _read_rules(self) -> Rules:
        rules = await self._book.rules(self.account)
        if rules != self._rules:
            self._rules, self._keys = rules, (-1, ())
            units = {unit for limit in rules.limits for unit in limit.most}
            self._limited = tuple(at for at, unit in enumerate(UNITS) if unit in units)
            for drawn in self.drawn.values():  # they were drawn under other limits
                drawn.retired = True
        return rules

    # -- drawing -------------------------------------------------------------------------------------

    async def _serve(self) -> None:
        try:
            while self._wanting:
                async with self._turn:
                    await self._draw()
                self._hand_out()
        except OverwinterError as error:
            self._fail(error)
        finally:
            while self._wanting:  # it was cancelled
                self._wanting.popleft().given.cancel()

    def _fail(self, error: Exception) -> None:
        while self._wanting:
            given = self._wanting.popleft().given
            if not given.done():
                given.set_exception(error)

    def _hand_out(self) -> None:
        while self._wanting:
            want = self._wanting[0]
            if not want.given.done():
                id = self._take(want.need)
                if not id:
                    return
                want.given.set_result(id)
            self._wanting.popleft()

    async def _draw(self) -> None:
        """Serve at least the first that waits, or refuse it."""
        fresh = False
        for _ in range(TRIES):
            if self._known is None:
                await self._read()
                fresh = True
            self._hand_out()  # what was given back meanwhile, or drawn before, may do
            if not self._wanting or self._known is None:
                return
            now = self._clock()
            ledger = await self._settled()
            rules = self._rules or await self._read_rules()
            bounds = rules.bounds(now)
            least, goal = self._needed(ledger, bounds)
            if goal == NOTHING and (refusal := ledger.refusal(bounds, self._wanting[0].need)) is not None:
                if not fresh:
                    self._known = None
                elif await self._resolve() or await self._recover(str(self.account)):
                    self._known, fresh = None, False
                else:
                    want = self._wanting.popleft()
                    if not want.given.done():
                        want.given.set_exception(refused(self.account, refusal, want.need, now))
                    return
                continue
            slice = Slice(
                self._pending.id if self._pending is not None else self._name(),
                ledger.sized(bounds, least, goal, self._sizes.part),
                self._owner,
                now,
                now + self._sizes.life,
                tuple(rules.keys(now).values()),
            )
            ledger.draw(slice)
            ledger.declared = self.account.limits
            self._pending = slice
            if await self._write(ledger):
                self._take_up(slice)
                self._warn(ledger, bounds)
                return
            fresh = True
        raise StoreUnavailable(f"what {self.account} has used is changed by others all the time; try it again")

    def _needed(self, ledger: Ledger, bounds: list[Bound]) -> tuple[Amount, Amount]:
        """What those need who come first and fit together, and what would be drawn for them. Nothing: none does."""
        least = goal = NOTHING
        for want in self._wanting:
            total = least.plus(want.need)
            if want.given.done():
                continue
            if not want.beyond and ledger.refusal(bounds, total) is not None:
                break
            least = total
            goal = goal.widest(_many(want.need, self._sizes.times))
        if least == NOTHING:
            return least, goal
        at_once = least
        for drawn in self.drawn.values():
            at_once = at_once.plus(drawn.held)
        return least, goal.widest(_many(at_once, AT_ONCE))

    def _take_up(self, slice: Slice) -> None:
        self.drawn[slice.id] = Drawn(slice)
        self._pending = None

    # -- the ledger ----------------------------------------------------------------------------------

    async def _read(self) -> None:
        now = self._clock()
        found = await self._store.get(PLACE, LEDGER + str(self.account))
        ledger = Ledger() if found is None else ledger_of(found.value, str(self.account))
        for id in [id for id in self.drawn if id not in ledger.slices]:
            del self.drawn[id]  # closed by a put whose answer was lost, or recovered by another process
        if self._pending is not None and self._pending.id in ledger.slices:
            self._take_up(ledger.slices[self._pending.id])
        self._known, self._known_at = (ledger, "" if found is None else found.etag), now

    async def _settled(self) -> Ledger:
        """The ledger as it will be: what is used up is closed, the rest given back."""
        if self._known is None:
            await self._read()
        known = self._known
        ledger = Ledger() if known is None else known[0].copy()
        if past := ledger.past(self._known_at):  # what was still open to others then may have changed since
            await archive(self._store, str(self.account), past)
            ledger.forget(past)
        for id, drawn in self.drawn.items():
            drawn.retired = True
            if drawn.holds:
                ledger.bound(id, drawn.counted)
            else:
                ledger.close(id, drawn.used)
        return ledger

    async def _write(self, ledger: Ledger) -> bool:
        """Whether it is written. If not, another process was first. Raises StoreError: nobody knows, then."""
        now, etag = self._clock(), "" if self._known is None else self._known[1]
        self._known = None
        try:
            etag = await self._store.put(PLACE, LEDGER + str(self.account), ledger.text(), etag=etag)
        except EtagMismatch:
            return False
        for id in [id for id in self.drawn if id not in ledger.slices]:
            del self.drawn[id]
        self._known, self._known_at = (ledger, etag), now
        return True

    async def rest(self) -> bool:
        """Give back what is not held. Whether nothing is left here."""
        async with self._turn:
            for _ in range(TRIES):
                if self._pending is not None:
                    await self._read()  # it is there, and taken up; or what follows keeps it from being written late
                fence = self._pending is not None
                if not fence and not any(not drawn.retired or not drawn.holds for drawn in self.drawn.values()):
                    break
                if await self._write(await self._settled()):
                    self._pending = None
                    break
        return not self.drawn and not self._wanting and (self._work is None or self._work.done())

    async def ended(self) -> None:
        """When nothing is being drawn."""
        if self._work is not None:
            await asyncio.wait([self._work])

    def _warn(self, ledger: Ledger, bounds: list[Bound]) -> None:
        for bound in bounds:
            for unit, allowed in bound.most.items():
                share = None if not allowed else float(measured(ledger.used(bound.key), unit)) / float(allowed)
                if bound.warn is None or share is None or share < bound.warn or (bound.key, unit) in self._warned:
                    continue
                self._warned.add((bound.key, unit))
                log.warning(
                    "%s: %d %% of its %s are used or held (%s)",
                    self.account,
                    share * 100,
                    unit,
                    bound.key or "ever",
                )
