"""What the tests of sealed stores share: keys, opened stores, an execution with everything in it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from overwinter.state.contract.case import NOW, change, found, known, lease, mail
from overwinter.state.memory import MemoryStore
from overwinter.state.records import Head
from overwinter.state.sealing.keys import Keys, new_key, read_keys
from overwinter.state.sealing.store import SealedStore
from overwinter.state.store import Store

NAMES = ("OLD", "NEW")


def make_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Random keys in the environment: env:OLD and env:NEW."""
    for name in NAMES:
        monkeypatch.setenv(name, new_key())


def keys(references: str = "env:OLD") -> Keys:
    read = read_keys(references)
    assert read is not None
    return read


async def mark(inner: Store, references: str = "env:OLD") -> None:
    """Something was stored by a process with these keys, and is gone again."""
    async with opened(inner, references) as store:
        await store.put("s", "first", "1")
        await store.remove("s", "first")


@asynccontextmanager
async def opened(inner: Store, references: str = "env:OLD") -> AsyncGenerator[SealedStore, None]:
    store = SealedStore(inner, keys(references))
    await store.open()
    try:
        yield store
    finally:
        await store.close()


async def furnish(store: Store, id: str = "x") -> Head:
    """An execution with three entries, a state, a note, mail and a blob, released and due at NOW + 9."""
    head = known(await lease(store, id, body=f'"start of {id}"'))
    entries = [f'{{"type":"{n} of {id}"}}' for n in ("first", "second", "third")]
    fields = {"state": f'{{"of":"{id}"}}', "note": f"note of {id}", "blobs": {"sha256:aa": f"blob of {id}".encode()}}
    await store.append(change(head, entries, consumed=[1], status="waiting", wake=NOW + 9, release=True, **fields))
    await store.accept(id, mail("k", f'"mail of {id}"'), now=NOW)
    return await found(store, id)


def raw(store: MemoryStore, id: str) -> list[str]:
    """The journal as it is stored, to be tampered with."""
    return store._executions[id].journal
