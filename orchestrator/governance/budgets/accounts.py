"""What people see and set of accounts: limits, what is used of them, who has frozen or raised what and why.

A change of limits is one compare-and-set of the account's entry, with its record: who, when, what, why. Nobody is told:
processes read it within seconds.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any, NamedTuple

from ....state.errors import InvalidInput
from ....state.store import EVERY_KEY, Store
from ...audit.store_chain import record
from ...protocol.clock import present
from .account import EACH, KINDS, Account, Limit, account_of, bounds_of, told_bounds
from .amount import NOTHING, Amount
from .archive import archived
from .book import EMPTY, Entry, Frozen, Rules, entry_of, read_entry, resolved, rewrite
from .ledger import Bound, Ledger, ledger_of
from .places import BOOK, LEDGER, PLACE, past_of
from .recovery import accounts
from .windows import end_of, key_of

_PAGE = 500


class Window(NamedTuple):
    """What an account has used in one window of now. ``bound`` is None where nothing limits it."""

    window: str
    key: str
    spent: Amount
    open: Amount  # drawn by processes and not settled yet: it counts as spent
    bound: Bound | None
    ends: int | None

    @property
    def used(self) -> Amount:
        return self.spent.plus(self.open)

    def record(self) -> dict[str, Any]:
        told: dict[str, Any] = {"window": self.window, "key": self.key, "ends": self.ends}
        told |= {"spent": self.spent.record(), "open": self.open.record()}
        if self.bound is not None:
            told |= {"zone": self.bound.zone, "most": told_bounds(self.bound.most)}
            told |= {} if self.bound.warn is None else {"warn": self.bound.warn}
        return told


class Standing(NamedTuple):
    """How an account stands. Of a pattern (``user:*``) only the limits are known: each has its own ledger."""

    account: str
    rules: Rules
    windows: tuple[Window, ...]
    slices: tuple[Mapping[str, Any], ...]
    changes: tuple[Mapping[str, Any], ...]

    def record(self) -> dict[str, Any]:
        """``{"account", "frozen", "limits", "windows", "slices", "changes"}``, times in ms, costs as decimal text."""
        frozen = self.rules.frozen
        return {
            "account": self.account,
            "frozen": None if frozen is None else frozen._asdict(),
            "limits": {limit.window: limit.record() for limit in self.rules.limits},
            "windows": [window.record() for window in self.windows],
            "slices": list(self.slices),
            "changes": list(self.changes),
        }


# -- what people see ---------------------------------------------------------------------------------


async def listed(store: Store, now: int, *, after: str = "", limit: int = EVERY_KEY) -> list[Standing]:
    """Accounts that have limits or have used something, in order of their names, those ``after`` one."""
    names = {*await accounts(store), *[name async for name in _booked(store)]}
    kinds = {kind: await read_entry(store, f"{kind}:{EACH}") for kind in KINDS}
    wanted = sorted(name for name in names if name > after)[:limit]
    return [await _standing(store, name, now, kinds[name.partition(":")[0]]) for name in wanted]


async def shown(store: Store, account: str, now: int) -> Standing:
    """One of them; of an account that nobody knows yet, what would hold for it. Raises InvalidInput."""
    named = account_of(account, pattern=True)
    return await _standing(store, account, now, await read_entry(store, f"{named.kind}:{EACH}"))


async def _standing(store: Store, name: str, now: int, kind: Entry) -> Standing:
    found = await store.get(PLACE, LEDGER + name)
    ledger = Ledger() if found is None else ledger_of(found.value, name)
    own = await read_entry(store, name)
    rules = resolved(own, EMPTY if _is_pattern(name) else kind, ledger.declared)
    slices = tuple(
        {"id": slice.id, "amount": slice.amount.record(), "owner": slice.owner, "at": slice.at, "until": slice.until}
        for slice in ledger.slices.values()
    )
    windows = () if _is_pattern(name) else tuple(_windows(rules, ledger, now))
    return Standing(name, rules, windows, slices, own.changes)


def _windows(rules: Rules, ledger: Ledger, now: int) -> list[Window]:
    bounds = {bound.window: bound for bound in rules.bounds(now)}
    found: list[Window] = []
    for window, key in rules.keys(now).items():
        bound = bounds.get(window)
        spent, ends = ledger.spent.get(key, NOTHING), end_of(window, rules.zone(window), now)
        found.append(Window(window, key, spent, ledger.open(key), bound, ends))
    return found


async def past(store: Store, account: str) -> dict[str, Amount]:
    """What was used in windows that are over, by their keys."""
    account_of(account, pattern=True)
    return await archived(store, account)


async def _booked(store: Store) -> AsyncGenerator[str]:
    after = ""
    while page := await store.values(PLACE, BOOK, after, _PAGE):
        after = page[-1][0]
        for key, value in page:
            name = key.removeprefix(BOOK)
            if entry_of(value.value, name)._replace(changes=()) != EMPTY:
                yield name


# -- what they change --------------------------------------------------------------------------------


async def set_limits(
    store: Store, account: str, limits: Sequence[Limit], now: int, *, by: str = "", whole: bool = False
) -> None:
    """Limits for these windows, in place of those it had; one without bounds is taken away (what the kind's entry or
    the code says holds then). ``whole``: other windows have none of their own. Raises InvalidInput."""
    _named(account)
    checked = [limit.checked() for limit in limits]
    if not checked and not whole:
        raise InvalidInput("say at least one limit, like 100000 tokens a day")

    def change(entry: Entry) -> Entry:
        kept = {} if whole else {limit.window: limit for limit in entry.limits}
        kept |= {limit.window: limit for limit in checked}
        told = {"what": "set", "limits": {limit.window: limit.record() for limit in checked}}
        there = tuple(limit for limit in kept.values() if limit.most)
        return _changed(entry._replace(limits=there), told, now, by)

    said = {limit.window: limit.record() for limit in checked}
    await record(store, "budget.set", account, at=now, by=by, limits=said, whole=whole)
    await rewrite(store, account, change)


async def raise_limits(
    store: Store, account: str, more: Mapping[str, Any], now: int, *, window: str | None = None, by: str = "",
    reason: str = "",
) -> list[str]:  # fmt: skip
    """That much more, in the window of now alone (of all limits on these units, unless it is said which ``window``).
    The keys of the windows. Raises InvalidInput, and raises nothing, when one of the units is not limited there."""
    name = _named(account)
    amount = Amount(**bounds_of(more))
    if amount == NOTHING:
        raise InvalidInput("say how much more, like a cost of 10")
    rules = (await shown(store, account, now)).rules
    chosen = [limit for limit in rules.limits if window is None or limit.window == window]
    if missing := [unit for unit in amount.record() if not any(unit in limit.most for limit in chosen)]:
        there = ", ".join(
            f"{' and '.join(limit.most)} {f'per {limit.window}' if limit.window else 'for ever'}"
            for limit in rules.limits
        )
        raise InvalidInput(
            f"{name} has no limit on {' or '.join(missing)}{f' per {window}' if window else ''} that could be raised; "
            f"{f'limited are: {there}' if there else 'nothing of it is limited'}; set one first"
        )
    raised = [limit for limit in chosen if any(unit in limit.most for unit in amount.record())]
    keys = {limit.window: key_of(limit.window, limit.zone, now) for limit in raised}

    def change(entry: Entry) -> Entry:
        raises = dict(entry.raises)
        for window, key in keys.items():
            before = entry.raises.get(window, {})  # those of windows that are over are forgotten
            raises[window] = {key: before.get(key, NOTHING).plus(amount)}
        told = {"what": "raise", "amount": amount.record(), "windows": keys}
        return _changed(entry._replace(raises=raises), told, now, by, reason)

    await record(store, "budget.raise", account, at=now, by=by, reason=reason, amount=amount.record(), windows=keys)
    await rewrite(store, account, change)
    return list(keys.values())


async def freeze(store: Store, account: str, now: int, *, by: str = "", reason: str = "") -> None:
    """Nothing is held for it any more, within seconds. What is under way is settled as it would be."""
    _named(account)

    def change(entry: Entry) -> Entry:
        frozen = Frozen(by, reason, now)
        return _changed(entry._replace(frozen=frozen), {"what": "freeze"}, now, by, reason)

    await record(store, "budget.freeze", account, at=now, by=by, reason=reason)
    await rewrite(store, account, change)


async def unfreeze(store: Store, account: str, now: int, *, by: str = "", reason: str = "") -> None:
    """Raises InvalidInput when it is not frozen."""
    _named(account)

    def change(entry: Entry) -> Entry:
        if entry.frozen is None:
            raise InvalidInput(f"{account} is not frozen")
        return _changed(entry._replace(frozen=None), {"what": "unfreeze"}, now, by, reason)

    await record(store, "budget.unfreeze", account, at=now, by=by, reason=reason)
    await rewrite(store, account, change)


async def remove(store: Store, account: str, *, by: str = "") -> bool:
    """Its limits, what it has used, and its past: whoever charges it next begins anew. Whether there was any."""
    _named(account)
    await record(store, "budget.remove", account, at=await present(store), by=by)
    gone = [await store.remove(PLACE, BOOK + account), await store.remove(PLACE, LEDGER + account)]
    for key in await store.keys(PLACE, past_of(account), EVERY_KEY):
        gone.append(await store.remove(PLACE, key))
    return any(gone)


def _named(account: str) -> Account:
    return account_of(account, pattern=True)


def _is_pattern(name: str) -> bool:
    return name.endswith(f":{EACH}")


def _changed(entry: Entry, told: Mapping[str, Any], now: int, by: str, reason: str = "") -> Entry:
    change = {"at": now, "by": by, **told, **({"reason": reason} if reason else {})}
    return entry._replace(changes=(*entry.changes, change))
