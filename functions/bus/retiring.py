"""Subscriptions that were given up, while a broker still keeps something for them.

They are written down before they are taken back, so that nobody forgets them, and stay until the broker keeps nothing:
each process that starts sees to that, and so does ``overwinter subscriptions drop``. One that is announced anew is not
given up.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from ...state.codec import dumps, loads
from ...state.errors import BrokerUnavailable, EtagMismatch, InvalidInput
from ...state.store import Store
from .broker import Keeping
from .place import IDENTITY, KEY, PLACE, RETIRED
from .subscription import Subscription, from_json

log = logging.getLogger("overwinter")

Told = Mapping[str, Mapping[str, Any]]


class Retired(NamedTuple):
    """``kept``: why the broker keeps something for it."""

    subscription: Subscription
    kept: str


async def note(store: Store, given_up: Told) -> None:
    """Write down what is about to be taken back, as it was announced. Raises StoreError."""
    await _change(store, {name: {"was": dict(told)} for name, told in given_up.items()}, ())


async def identity(store: Store) -> str:
    """By which name a broker knows the store. Raises StoreError."""
    while True:
        found = await store.get(PLACE, IDENTITY)
        if found is not None:
            return str(loads(found.value))
        with suppress(EtagMismatch):  # another process was faster
            await store.put(PLACE, IDENTITY, dumps(uuid.uuid4().hex), etag="")


async def retired(store: Store) -> Mapping[str, Retired]:
    """What was given up and is kept, by name. Raises StoreError."""
    announced = await _read(store, KEY)
    found: dict[str, Retired] = {}
    for name, told in (await _read(store, RETIRED)).items():
        if name in announced:
            continue
        try:
            found[name] = Retired(from_json(name, told["was"]), str(told.get("kept", "")))
        except (InvalidInput, KeyError, TypeError) as error:  # a newer release has written it down
            log.debug("the subscription %r that was given up can't be read: %s", name, error)
    return found


async def retire(store: Store, broker: Keeping, *, only: str = "", force: bool = False) -> Mapping[str, str]:
    """See to it that the broker keeps nothing for them, or for one of them; why it does all the same, by name. Raises
    StoreError."""
    kept: dict[str, str] = {}
    gone: list[str] = []
    known = await retired(store)
    own = await identity(store) if known else ""
    for name, one in known.items():
        if only not in ("", name):
            continue
        try:
            said = await broker.retire(one.subscription, own, force=force)
        except BrokerUnavailable as error:
            said = str(error)
        if said:
            kept[name] = said
        else:
            gone.append(name)
    changes = {name: {"kept": said} for name, said in kept.items()}
    if changes or gone:
        await _change(store, changes, gone)
    return kept


async def _read(store: Store, key: str) -> dict[str, Any]:
    found = await store.get(PLACE, key)
    told: dict[str, Any] = {} if found is None else loads(found.value)
    return told


async def _change(store: Store, told: Told, gone: Collection[str]) -> None:
    while True:
        found = await store.get(PLACE, RETIRED)
        before: dict[str, Any] = {} if found is None else loads(found.value)
        after = {name: one for name, one in before.items() if name not in gone}
        for name, one in told.items():
            whole = {**before.get(name, {}), **one}
            if "was" in whole:  # else somebody has seen to it meanwhile
                after[name] = whole
        if after == before:
            return
        try:
            await store.put(PLACE, RETIRED, dumps(after), etag="" if found is None else found.etag)
        except EtagMismatch:  # another process was faster
            continue
        return
