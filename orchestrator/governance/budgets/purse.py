"""What one process spends from the accounts that executions share, by escrow.

``hold`` takes the worst case of a call out of slices that this process has drawn; ``committed``, told of each commit,
settles it to what its entry says was used. Both cost the store nothing but one put for each slice. An account is never
overdrawn but by what was used beyond its hold, or is charged: what is drawn counts as spent until it is settled, the
slices of a process that has ended are closed by what the journals say (``recovery``), and a hold whose execution has
gone to another process by what that execution's journal says.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Container, Sequence
from typing import NamedTuple

from ....state.records import Appended, Change
from ....state.store import Store
from .account import EACH, Account
from .amount import NOTHING, Amount
from .book import Book
from .recovery import recover, recover_all, settled_in, settlements
from .refusing import unpriced
from .till import Sizes, Till


class PurseSettings(NamedTuple):
    """Times in ms. ``look``: limits are read again after it. ``times``, ``part``: a slice is so many times the hold,
    but no more than one part-th of what is left. ``life``: how long holds are taken out of a slice; one of a process
    that was killed is recovered after it at the earliest. ``recovery``: how often that is tried for one account."""

    look: int = 3_000
    times: int = 10
    part: int = 4
    life: int = 300_000
    recovery: int = 10_000


class _Held(NamedTuple):
    till: Till
    slice: str
    amount: Amount


class Purse:
    """That of one process. ``owner`` is its incarnation, as the store knows it; ``active`` its executions under way."""

    def __init__(
        self,
        store: Store,
        owner: str,
        clock: Callable[[], int],
        active: Container[str],
        settings: PurseSettings = PurseSettings(),
        begun: Callable[[], None] = lambda: None,
    ) -> None:
        self._store, self._owner, self._clock, self._active = store, owner, clock, active
        self._settings = settings
        self._begun: Callable[[], None] | None = begun  # told once, before anything is held
        self._book = Book(store, clock, settings.look)
        self._tills: dict[str, Till] = {}
        self._held: dict[str, list[_Held]] = {}
        self._recovered: dict[str, int] = {}
        self.unpriced: set[str] = set()  # models that have answered here, for nobody knows how much
        self._mark, self._count = uuid.uuid4().hex[:12], 0

    async def counted(self, accounts: Sequence[Account]) -> list[Account]:
        """Those of which anybody says how much they may use: their code, or the book. Raises StoreError."""
        if not accounts:
            return []
        named = await self._book.named()
        return [one for one in accounts if _counts(one, named)]

    def nobody(self, accounts: Sequence[Account]) -> bool:
        """Whether none of them is, as is known without a look into the book."""
        named = self._book.known_names()
        return named is not None and not any([_counts(one, named) for one in accounts])

    async def priced(self, model: str, accounts: Sequence[Account]) -> None:
        """Before a model is asked again of which nobody knows the price. Raises BudgetExceeded where money is limited:
        what it costs would be counted as nothing. Raises StoreError."""
        for account in accounts if model in self.unpriced else ():
            rules = await self._book.rules(account)
            if any("cost" in limit.most for limit in rules.limits):
                raise unpriced(account, model)

    async def hold(self, key: str, accounts: Sequence[Account], worst: Amount) -> tuple[str, ...]:
        """Hold the worst case of what is about to be used, of all these accounts or of none. ``key`` is the execution's
        id, a slash and the operation; what was held under it before stays held too. The slices' ids belong into the
        entry that settles it. Raises BudgetExceeded, StoreError: nothing is held then."""
        return await self._take(key, accounts, worst, beyond=False)

    async def charge(self, key: str, accounts: Sequence[Account], amount: Amount) -> tuple[str, ...]:
        """What was used already: no limit refuses it. Held like a hold, until the entry with its slices is settled."""
        return await self._take(key, accounts, amount, beyond=True)

    async def _take(self, key: str, accounts: Sequence[Account], amount: Amount, *, beyond: bool) -> tuple[str, ...]:
        taken: list[_Held] = []
        if (begun := self._begun) is not None:
            self._begun = None
            begun()
        try:
            for account in {str(account): account for account in accounts}.values():
                till = self._till(account)
                taken.append(_Held(till, await till.hold(amount, beyond=beyond), amount))
        except BaseException:
            for one in taken:
                one.till.give(one.slice, one.amount, NOTHING)
            raise
        self._held.setdefault(key, []).extend(taken)
        return tuple(one.slice for one in taken)

    def holds(self, key: str) -> bool:
        """Whether anything is held under the key that no entry has settled."""
        return key in self._held

    def settle(self, key: str, slices: Sequence[str], used: Amount) -> None:
        """What is held under the key is replaced by what was used of these slices, once. For what is recorded:
        ``committed`` calls it."""
        left = set(slices)
        for one in self._held.pop(key, ()):
            one.till.give(one.slice, one.amount, used if one.slice in left else NOTHING)
            left.discard(one.slice)  # once of each, however often it was held of

    def release(self, key: str) -> None:
        """Nothing was used of what is held under the key."""
        self.settle(key, (), NOTHING)

    def committed(self, change: Change, _: Appended) -> None:
        """Of each commit that is stored (``Extensions.hear``): what its entries settle, is settled."""
        if not self._held:
            return
        for text in change.entries:
            found = settled_in(text)
            if found is not None:
                op, slices, used = found
                self.settle(f"{change.id}/{op}", slices, used)

    # -- giving back ---------------------------------------------------------------------------------

    async def rest(self, idle: int = 0) -> None:
        """Give back what is not held, of accounts that were not asked for ``idle`` ms. Raises StoreError."""
        await self._resolve()
        since = self._clock() - idle
        for name, till in list(self._tills.items()):
            if till.used_at <= since and await till.rest() and till.used_at <= since:
                del self._tills[name]
                self._book.forget(name)
                self._recovered.pop(name, None)

    async def recover(self) -> int:
        """For the sweep of a process: look after what others that have ended had drawn, of all accounts. How many
        slices. It reads all ledgers; and the executions only where there is something to recover."""
        return await recover_all(self._store, self._clock())

    async def close(self) -> None:
        """The process ends: what is being drawn is drawn, and given back. Raises StoreError."""
        for till in list(self._tills.values()):
            await till.ended()
        await self.rest()

    # -- inside --------------------------------------------------------------------------------------

    def _till(self, account: Account) -> Till:
        name = str(account)
        till = self._tills.get(name)
        if till is None:
            settings = self._settings
            sizes = Sizes(settings.times, settings.part, settings.life)
            till = self._tills[name] = Till(
                self._store,
                account.checked(),
                self._owner,
                self._clock,
                self._book,
                sizes,
                self._name,
                self._resolve,
                self._recover,
            )
        till.declare(account)
        return till

    def _name(self) -> str:
        self._count += 1
        return f"{self._mark}-{self._count}"

    async def _recover(self, name: str) -> bool:
        now = self._clock()
        if now < self._recovered.get(name, 0) + self._settings.recovery:
            return False
        self._recovered[name] = now
        return await recover(self._store, [name], now) > 0

    async def _resolve(self) -> bool:
        """Look after holds of executions that are not under way here any more. Whether any is settled."""
        resolved = False
        for key in [key for key in self._held if not self._under_way(key)]:
            resolved = await self._look_after(key) or resolved
        return resolved

    def _under_way(self, key: str) -> bool:
        return any(id in self._active for id in _executions(key))

    async def _look_after(self, key: str) -> bool:
        """Its journal says what was used; nothing, if it does not. Not while a commit of this process may arrive."""
        slices = {one.slice for one in self._held.get(key, ())}
        settled: list[tuple[tuple[str, ...], Amount]] = []
        for id in _executions(key):
            head = await self._store.head(id)
            if head is not None and head.owner == self._owner:
                return False
            if head is not None:
                settled += [
                    (named, used)
                    async for op, named, used in settlements(self._store, id)
                    if f"{id}/{op}" == key and not slices.isdisjoint(named)
                ]
        if self._under_way(key) or key not in self._held:
            return False
        for one in self._held.pop(key):
            used = NOTHING
            for named, amount in settled:
                used = used.plus(amount) if one.slice in named and one.slice in slices else used
            one.till.give(one.slice, one.amount, used)
            slices.discard(one.slice)
        return True


def _counts(account: Account, named: frozenset[str]) -> bool:
    return bool(account.limits) or (bool(named) and (str(account) in named or f"{account.kind}:{EACH}" in named))


def _executions(key: str) -> list[str]:
    """The ids that a key may begin with: an id may have slashes, and so may the name of an operation."""
    parts = key.split("/")
    return ["/".join(parts[:count]) for count in range(1, len(parts)) if parts[0]]
