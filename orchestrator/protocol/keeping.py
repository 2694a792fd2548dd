"""Events that nobody has taken when a workflow begins anew. A checkpoint carries the first few as they are and names
the others by their numbers in the journal, so that it stays small however many and however big they are.

A journal read from its checkpoint on lacks those that are named: ``bring`` reads them and puts them beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ...state.codec import dumps
from ...state.errors import StoreCorrupt
from ...state.records import BLOB_THRESHOLD
from ...state.store import Store
from .decider import Fact
from .entries import decode_all, resolve

CARRIED = BLOB_THRESHOLD // 4
"""Characters of events that a checkpoint carries as they are."""
_GAP = 20  # entries between two that are named which are read along rather than asked for twice
_OPENING = '{"type":"checkpoint"'


class Kept(NamedTuple):
    """An event that waits for somebody to ask for it. ``number`` is that of its entry; 0: a checkpoint carries it."""

    number: int
    fact: Fact


def keep(checkpoint: Fact, events: Sequence[Kept]) -> None:
    """Put into the entry what goes on with it."""
    ordered = sorted(events, key=lambda kept: kept.number)
    carried, size = 0, 0
    for kept in ordered:
        size += len(dumps(kept.fact))
        if kept.number and size > CARRIED:
            break
        carried += 1
    checkpoint["events"] = [kept.fact for kept in ordered[:carried]]
    if carried < len(ordered):
        checkpoint["kept"] = _ranges([kept.number for kept in ordered[carried:]])


def kept(checkpoint: Fact, first: int, entries: Sequence[Fact]) -> list[Kept]:
    """The events that go on with it, oldest first. ``entries`` are numbered from ``first``."""
    found = [Kept(0, event) for event in checkpoint.get("events", ())]
    brought: dict[int, Fact] = checkpoint.get("brought", {})
    for number in _numbers(checkpoint):
        fact = entries[number - first] if number >= first else brought.get(number)
        if fact is None:
            raise StoreCorrupt(f"the checkpoint needs entry {number} of the journal, which was not read")
        found.append(Kept(number, fact))
    return found


def lacks(texts: Sequence[str]) -> bool:
    """Whether something must be brought to a journal before it can be read: blobs, or events before its checkpoint."""
    return any('"blob":' in text or (text.startswith(_OPENING) and '"kept":' in text) for text in texts)


async def bring(store: Store, id: str, first: int, entries: Sequence[Fact]) -> None:
    """Put beside the last checkpoint what it names of the journal before entry ``first``."""
    checkpoint = next((entry for entry in reversed(entries) if entry["type"] == "checkpoint"), None)
    numbers = [] if checkpoint is None else [number for number in _numbers(checkpoint) if number < first]
    if checkpoint is None or not numbers:
        return
    wanted, brought = set(numbers), dict[int, Fact]()
    for start, end in _ranges(numbers, _GAP):
        texts = await store.history(id, start - 1, end - start + 1)
        for number, text in enumerate(texts, start):
            if number in wanted:
                (brought[number],) = decode_all([text], number)
    await resolve(store, id, list(brought.values()))
    checkpoint["brought"] = brought


def bring_from(checkpoint: Fact, first: int, entries: Sequence[Fact]) -> None:
    """The same from entries that were read already, numbered from ``first``; what was brought before stays."""
    if checkpoint["type"] == "checkpoint":
        there = [number for number in _numbers(checkpoint) if 0 <= number - first < len(entries)]
        checkpoint.setdefault("brought", {}).update({number: entries[number - first] for number in there})


def _ranges(numbers: Sequence[int], gap: int = 1) -> list[list[int]]:
    """Numbers in order as pairs of the first and last that follow each other."""
    ranges: list[list[int]] = []
    for number in numbers:
        if ranges and number - ranges[-1][1] <= gap:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    return ranges


def _numbers(checkpoint: Fact) -> Iterator[int]:
    for start, end in checkpoint.get("kept", ()):
        yield from range(start, end + 1)
