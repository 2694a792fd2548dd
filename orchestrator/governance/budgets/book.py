"""What operators have set for accounts, one value for each, also for ``user:*``::

    {"limits": {window: {"most", "zone", "warn"?}}, "raises": {window: {key: amount}},
     "frozen"?: {"by", "reason", "at"}, "changes": [{"at", "by", "reason", "what", …}]}

What holds for an account is found window by window: its own entry says it, else that of its kind, else its code.
A freeze of either holds. Processes read it every few seconds at the most: a change holds everywhere within that time.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple, cast

from ....state.codec import dumps, loads
from ....state.errors import EtagMismatch, InvalidInput, StoreCorrupt, StoreUnavailable
from ....state.store import Store
from .account import EACH, Account, Limit, measured
from .amount import NOTHING, Amount, amount_of
from .ledger import Bound, limits_of
from .places import BOOK, PLACE
from .windows import WINDOWS, key_of

CHANGES = 50
"""The last changes of an account that are kept."""
PAGE = 500
TRIES = 64
"""How often a value is read and written again that others write as well."""


class Frozen(NamedTuple):
    by: str
    reason: str
    at: int


class Entry(NamedTuple):
    """``raises`` are by window and key: what is allowed beyond the limit, in that one window."""

    limits: tuple[Limit, ...] = ()
    raises: Mapping[str, Mapping[str, Amount]] = {}
    frozen: Frozen | None = None
    changes: tuple[Mapping[str, Any], ...] = ()

    def text(self) -> str:
        told: dict[str, Any] = {
            "limits": {limit.window: limit.record() for limit in self.limits},
            "raises": {
                window: {key: amount.record() for key, amount in by_key.items()}
                for window, by_key in self.raises.items()
            },
            "changes": list(self.changes[-CHANGES:]),
        }
        return dumps(told if self.frozen is None else told | {"frozen": self.frozen._asdict()})


EMPTY = Entry()


class Rules(NamedTuple):
    """What holds for one account now."""

    limits: tuple[Limit, ...] = ()
    raises: Mapping[str, Mapping[str, Amount]] = {}
    frozen: Frozen | None = None

    def keys(self, now: int) -> dict[str, str]:
        """The windows of now that are counted, with their keys. Days, months and for ever always are: a limit that is
        set later knows what was used before."""
        by_hour = any(limit.window == "hour" for limit in self.limits)
        windows = WINDOWS if by_hour else WINDOWS[1:]
        return {window: key_of(window, self.zone(window), now) for window in windows}

    def zone(self, window: str) -> str:
        """Of the limit of that window, else of another of the account's, else UTC."""
        zones = {limit.window: limit.zone for limit in self.limits if limit.window}
        return zones.get(window) or next(iter(zones.values()), "UTC")

    def bounds(self, now: int) -> list[Bound]:
        found: list[Bound] = []
        for limit in self.limits:
            key = key_of(limit.window, limit.zone, now)
            more = self.raises.get(limit.window, {}).get(key, NOTHING)
            allowed = {unit: _plus(unit, bound, more) for unit, bound in limit.most.items()}
            found.append(Bound(limit.window, limit.zone, key, allowed, limit.warn))
        return found


def _plus(unit: str, bound: Any, more: Amount) -> Any:
    return measured(Amount(**{unit: bound}).plus(more), unit)


def entry_of(text: str, account: str) -> Entry:
    """Raises StoreCorrupt: limits that can't be read are not "none"."""
    try:
        told = cast("dict[str, Any]", loads(text))
        raises = {
            str(window): {str(key): amount_of(amount) for key, amount in by_key.items()}
            for window, by_key in told.get("raises", {}).items()
        }
        frozen = told.get("frozen")
        return Entry(
            limits_of(told.get("limits", {})),
            raises,
            None if frozen is None else Frozen(str(frozen["by"]), str(frozen["reason"]), int(frozen["at"])),
            tuple(cast("list[dict[str, Any]]", list(told.get("changes", ())))),
        )
    except (ValueError, KeyError, TypeError, AttributeError, InvalidInput) as error:
        raise StoreCorrupt(
            f"the limits of {account} can't be read ({error}); overwinter budget remove {account}, and set them anew"
        ) from None


def resolved(own: Entry, kind: Entry, declared: Sequence[Limit]) -> Rules:
    """What holds: by window the account's own limit, else that of its kind, else its code's."""
    limits = {limit.window: limit for limit in declared}
    for entry in (kind, own):
        limits.update({limit.window: limit for limit in entry.limits})
    raises = {
        window: {key: _sum(one.raises.get(window, {}).get(key, NOTHING) for one in (kind, own)) for key in keys}
        for window in limits
        if (keys := {*kind.raises.get(window, {}), *own.raises.get(window, {})})
    }
    return Rules(tuple(limits[window] for window in sorted(limits)), raises, own.frozen or kind.frozen)


def _sum(amounts: Any) -> Amount:
    total = NOTHING
    for amount in amounts:
        total = total.plus(amount)
    return total


async def read_entry(store: Store, name: str) -> Entry:
    found = await store.get(PLACE, BOOK + name)
    return EMPTY if found is None else entry_of(found.value, name)


async def rewrite(store: Store, name: str, change: Callable[[Entry], Entry]) -> Entry:
    """Change an account's entry as nobody else does meanwhile, and give the new one."""
    for _ in range(TRIES):
        found = await store.get(PLACE, BOOK + name)
        entry = change(EMPTY if found is None else entry_of(found.value, name))
        try:
            await store.put(PLACE, BOOK + name, entry.text(), etag="" if found is None else found.etag)
        except EtagMismatch:
            continue
        return entry
    raise StoreUnavailable(f"the limits of {name} are changed by others all the time; try it again")


class Book:
    """As one process reads it: each entry again after ``look`` ms at the earliest."""

    def __init__(self, store: Store, clock: Callable[[], int], look: int) -> None:
        self._store = store
        self._clock = clock
        self._look = look
        self._read: dict[str, tuple[int, Entry]] = {}
        self._names: tuple[int, frozenset[str]] | None = None
        self._reading: dict[str, tuple[asyncio.Lock, int]] = {}

    async def rules(self, account: Account) -> Rules:
        own = await self._entry(str(account))
        kind = await self._entry(f"{account.kind}:{EACH}")
        return resolved(own, kind, account.limits)

    async def named(self) -> frozenset[str]:
        """The accounts, and the kinds (``user:*``), of which the book says anything."""
        if (found := self.known_names()) is None:
            async with self._one(""):
                if (found := self.known_names()) is None:
                    now, found = self._clock(), await self._list()
                    self._names = now, found
        return found

    def known_names(self) -> frozenset[str] | None:
        """The same, if that was read not long ago."""
        read = self._names
        return None if read is None or read[0] <= self._clock() - self._look else read[1]

    async def _list(self) -> frozenset[str]:
        keys, after = list[str](), ""
        while page := await self._store.values(PLACE, BOOK, after, PAGE):
            keys += [key for key, _ in page]
            after = keys[-1]
            if len(page) < PAGE:
                break
        return frozenset(key.removeprefix(BOOK) for key in keys)

    @asynccontextmanager
    async def _one(self, name: str) -> AsyncGenerator[None]:
        """Of those that want to read the same, one does, and the others have it from that one."""
        lock, waiting = self._reading.get(name, (asyncio.Lock(), 0))
        self._reading[name] = lock, waiting + 1
        try:
            async with lock:
                yield
        finally:
            lock, waiting = self._reading[name]
            self._reading[name] = lock, waiting - 1
            if waiting == 1:
                del self._reading[name]

    def known(self, account: Account) -> bool:
        """Whether what was read is new enough."""
        since = self._clock() - self._look
        return all(
            (read := self._read.get(name)) is not None and read[0] > since
            for name in (str(account), f"{account.kind}:{EACH}")
        )

    def forget(self, name: str) -> None:
        self._read.pop(name, None)

    async def _entry(self, name: str) -> Entry:
        if (found := self._fresh(name)) is None:
            async with self._one(name):
                if (found := self._fresh(name)) is None:
                    now, found = self._clock(), await read_entry(self._store, name)
                    self._read[name] = now, found
        return found

    def _fresh(self, name: str) -> Entry | None:
        read = self._read.get(name)
        return None if read is None or read[0] <= self._clock() - self._look else read[1]
