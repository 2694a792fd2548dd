"""A whole store goes to another one, with everything that is under way, and goes on there where it left off.

The source is marked before anything is copied and stays marked; who opens it later is refused and told where to go
(``protocol.moved``). The target is marked while it is being filled, so that nobody begins on a part. A move that was
interrupted, at whatever moment, is finished by doing it again: what has been copied is recognised as the same, what
differs is an error that names it. Nothing is removed from the source.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar, cast

from ...security.address import shown
from ...state.codec import dumps
from ...state.errors import Conflict, EtagMismatch, InvalidInput, StoreCorrupt, StoreError, StoreUnavailable
from ...state.ids import AUDIT, KEYED, RESERVED, SCHEDULES
from ...state.records import EVERYTHING, Dump, Head, unleased
from ...state.store import Store
from ..protocol.clock import present
from ..protocol.moved import KEY, SCOPE, Mark, read_mark, refusal

T = TypeVar("T")
PASSING = RESERVED - {SCHEDULES, AUDIT, KEYED}
"""Scopes that say something of one store; they are not carried to another."""

ALL_KEYS = 1 << 30
_TOGETHER = 16  # executions that are copied at the same time …
_ENTRIES = 2000  # … unless they have more journal entries than this
_STILL = 5
_NAMED = 10

Report = Callable[[str, int, int], None]
"""Told what is being done, how much of it is done, and how much there is (0: unknown)."""


class Moved(NamedTuple):
    """What a move has done. ``copied`` and ``values`` (key-value entries) are of this run."""

    executions: int  # that the target holds now
    copied: int
    same: int  # were there already, from an earlier run
    values: int
    before: bool  # it had been finished before; nothing was left to do


def silent(what: str, done: int, total: int) -> None:
    """A report that nobody reads."""


async def together(works: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """All at the same time. The first error is raised when all have ended, so that nothing runs on behind it."""
    results = await asyncio.gather(*works, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return cast("list[T]", results)


# -- the mark ----------------------------------------------------------------------------------------


async def undo(source: Store, *, finished: bool = False) -> Mark | None:
    """Take the mark off a source, so that it may be used again. Its copy stays marked as unfinished.
    A move that was finished is only undone when ``finished`` is set: its target may have gone on."""
    mark = await read_mark(source)
    if mark is None or mark.state == "arriving":
        return None
    if mark.state == "moved" and not finished:
        raise StoreError(f"the move to {mark.other} is finished; what goes on here as well would be done twice")
    await source.remove(SCOPE, KEY, etag=mark.etag)
    return mark


async def _write(store: Store, state: str, other: str, etag: str) -> None:
    end = "from" if state == "arriving" else "to"
    value = dumps({"state": state, end: other, "at": await present(store)})
    try:
        await store.put(SCOPE, KEY, value, etag=etag)
    except EtagMismatch:
        raise StoreError(f"another move of {shown(store.dsn)} began at this moment; look, then try again") from None


async def _mark_source(source: Store, target: str) -> bool:
    """Whether the mark is new. Raises StoreError when the source goes, or went, elsewhere."""
    mark = await read_mark(source)
    if mark is None:
        await _write(source, "moving", target, "")
        return True
    if mark.state == "arriving" or mark.other != target:
        raise StoreError(refusal(shown(source.dsn), mark))
    return False


async def _mark_target(target: Store, source: str) -> bool:
    """Whether the mark is new. Raises StoreError when the target is used for anything else."""
    mark = await read_mark(target)
    if mark is not None:
        if mark.state != "arriving" or mark.other != source:
            raise StoreError(refusal(shown(target.dsn), mark))
        return False
    held = sum((await target.counts()).values())
    if held:
        raise StoreError(
            f"{shown(target.dsn)} holds {held:,} executions already; move into an empty store "
            f"(overwinter store export and import add to one)"
        )
    await _write(target, "arriving", source, "")
    return True


# -- nobody at work ----------------------------------------------------------------------------------


async def nobody(store: Store, patience: float, report: Report = silent) -> None:
    """Wait up to ``patience`` seconds until no process works on the store. Raises StoreUnavailable naming them."""
    deadline = time.monotonic() + patience
    while owners := await store.owners(await present(store)):
        if time.monotonic() >= deadline:
            raise StoreUnavailable(
                f"{shown(store.dsn)} is in use by {_named(owners)}. Stop these processes, then try again"
            )
        report(f"waiting for {_named(owners)}", 0, 0)
        await asyncio.sleep(0.2)


def _named(owners: Mapping[str, int]) -> str:
    words = [f"{owner} ({held:,} executions)" if held else owner for owner, held in sorted(owners.items())]
    return _some(words)


def _some(words: Sequence[str]) -> str:
    return ", ".join(words[:_NAMED]) + (f" and {len(words) - _NAMED:,} more" if len(words) > _NAMED else "")


# -- the move ----------------------------------------------------------------------------------------


async def move(
    source: Store, target: Store, *, patience: float = 0.0, settle: float = 0.0, report: Report = silent
) -> Moved:
    """Copy everything and hand over. Both stores are open; times are in seconds.

    ``patience`` is how long to wait for the processes at work, ``settle`` how long processes that are idle and
    that the store can't show need at the most to see the mark. Raises StoreUnavailable while processes are at work
    (the source is as before then), Conflict naming executions that differ, InvalidInput, other StoreErrors.
    """
    here, there = shown(source.dsn), shown(target.dsn)
    if source is target or here == there:
        raise InvalidInput(f"{here} can't be moved to itself; name another store with --to")
    mark = await read_mark(source)
    if mark is not None and mark.state == "moved" and mark.other == there:
        return await _hand_over(source, target, Moved(0, 0, 0, 0, before=True))
    for store in (source, target):
        await nobody(store, patience, report)
    marked = [source] if await _mark_source(source, there) else []
    try:
        marked += [target] if await _mark_target(target, here) else []
        if settle:
            report("waiting for processes that are idle", 0, 0)
            await asyncio.sleep(settle)
        for store in (source, target):
            await nobody(store, patience, report)
    except BaseException:
        for store in marked:  # nothing has been copied yet
            await store.remove(SCOPE, KEY)
        raise
    copied, same = await _copy_executions(source, target, report)
    values = await copy_values(source, target, report)
    await _compare(source, target, report)
    return await _hand_over(source, target, Moved(0, copied, same, values, before=False))


async def _hand_over(source: Store, target: Store, done: Moved) -> Moved:
    """The source first: what is in between is finished by the next run, and never is in two places."""
    mark = await read_mark(source)
    if mark is not None and mark.state == "moving":
        await _write(source, "moved", mark.other, mark.etag)
    arriving = await read_mark(target)
    if arriving is not None and arriving.state == "arriving" and arriving.other == shown(source.dsn):
        await target.remove(SCOPE, KEY, etag=arriving.etag)
    return done._replace(executions=sum((await target.counts()).values()))


async def _copy_executions(source: Store, target: Store, report: Report) -> tuple[int, int]:
    total = sum((await source.counts()).values())
    copied = same = 0
    differing: list[str] = []
    batch: list[Head] = []

    async def flush() -> None:
        nonlocal copied, same
        answers = await together([_copy(source, target, head.id) for head in batch])
        copied += answers.count("copied")
        same += answers.count("same")
        differing.extend(head.id for head, answer in zip(batch, answers, strict=True) if answer == "differs")
        batch.clear()
        report("copying", copied + same, total)

    report("copying", 0, total)
    cursor: str | None = None
    while True:
        page = await source.executions(EVERYTHING, cursor, 200)
        for head in page.heads:
            batch.append(head)
            if len(batch) == _TOGETHER or sum(held.length for held in batch) >= _ENTRIES:
                await flush()
        await flush()
        cursor = page.cursor
        if cursor is None:
            break
    _agree(differing, source, target)
    return copied, same


async def _copy(source: Store, target: Store, id: str) -> str:
    """What became of one execution: copied, same, differs, or gone."""
    dump = await still(source, id)
    if dump is None:
        return "gone"
    if await target.restore(dump):
        return "copied"
    there = await target.dump(id)
    return "same" if there is not None and _same(dump, there) else "differs"


async def still(store: Store, id: str) -> Dump | None:
    """The execution's dump, waiting a little for it to stand still. Raises Conflict, StoreCorrupt, naming it."""
    for tries in range(_STILL):
        try:
            return await store.dump(id)
        except Conflict:
            await asyncio.sleep(0.05 * 2**tries)
        except StoreCorrupt as error:
            raise StoreCorrupt(f"{id} can't be read whole ({error}). overwinter store check tells more") from None
    raise Conflict(f"{id} does not stand still. Pause it, or stop the process that runs it, and try again")


def _same(dump: Dump, there: Dump) -> bool:
    """Without what deduplication remembers: that is forgotten with time, and not everywhere at once."""
    return (
        dump.head == there.head
        and list(dump.entries) == list(there.entries)
        and sorted(dump.mail) == sorted(there.mail)
        and dict(dump.blobs) == dict(there.blobs)
    )


async def copy_values(source: Store, target: Store, report: Report = silent) -> int:
    """Copy the key-value entries of all scopes. Etags are the target's own. Returns how many were copied, without those
    of the audit."""
    copied, differing, after = 0, list[str](), ""
    while scopes := await source.scopes(after):
        for scope in scopes:
            after = scope
            for key in () if scope in PASSING else await source.keys(scope, limit=ALL_KEYS):
                answer = await _copy_value(source, target, scope, key)
                copied += answer == "copied" and scope not in (AUDIT, KEYED)
                differing += [f"{scope}/{key}"] if answer == "differs" else []
            report("copying key-value entries", copied, 0)
    _agree(differing, source, target)
    return copied


async def _copy_value(source: Store, target: Store, scope: str, key: str) -> str:
    stored = await source.get(scope, key)
    if stored is None:
        return "gone"
    there = await target.get(scope, key)
    if there is None:
        await target.put(scope, key, stored.value, etag="")
        return "copied"
    return "same" if there.value == stored.value else "differs"


async def _compare(source: Store, target: Store, report: Report) -> None:
    """Both stores hold the same executions, as they are now. Raises Conflict naming those that differ."""
    total, done, cursor = sum((await source.counts()).values()), 0, None
    differing: list[str] = []
    while True:
        page = await source.executions(EVERYTHING, cursor, 100)
        heads = await together([target.head(head.id) for head in page.heads])
        pairs = zip(page.heads, heads, strict=True)
        differing += [head.id for head, there in pairs if there is None or unleased(head) != there]
        done += len(page.heads)
        report("comparing", done, total)
        cursor = page.cursor
        if cursor is None:
            break
    _agree(differing, source, target)
    counts = [await store.counts() for store in (source, target)]
    here, there = ({status: count for status, count in each.items() if count} for each in counts)
    if here != there:
        raise Conflict(f"{shown(source.dsn)} holds {here}, {shown(target.dsn)} {there}; nothing was handed over")


def _agree(differing: Sequence[str], source: Store, target: Store) -> None:
    if differing:
        raise Conflict(
            f"{_some(differing)}: not the same in {shown(source.dsn)} and {shown(target.dsn)}, so somebody has "
            f"worked on one of them since the move began. Nothing was handed over: give the move up "
            f"(overwinter store move --undo) and move into an empty store"
        )
