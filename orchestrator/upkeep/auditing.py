"""Whether a whole store is sound: what was promised of every execution is looked up, and what is broken is said.

Processes may be at work meanwhile: what looks wrong is looked at again until it stands still. Nothing is changed,
and whatever the store holds, the audit goes on: rows that can't be read are findings.
"""

from __future__ import annotations

import asyncio
import hashlib
import shlex
from collections.abc import AsyncGenerator, Sequence
from typing import Any, NamedTuple, cast

from ...security.address import shown
from ...state.codec import loads
from ...state.errors import OverwinterError, StoreCorrupt, StoreError, StoreUnavailable
from ...state.heads import IMPOSSIBLE, impossible
from ...state.quantities import span
from ...state.records import EVERYTHING, FINAL, IN_DOUBT, STATUSES, Filter, Head
from ...state.store import Store
from ...state.whole import GAP
from ..errors.attributes import cut
from ..protocol.clock import present
from ..protocol.decider import Fact
from ..protocol.entries import decode
from ..protocol.journal import Journal
from ..protocol.media import digests
from ..protocol.moved import read_mark, refusal
from .moving import together

WRONG, REMARK = "wrong", "remark"
PAGE = 500
TOGETHER = 64
"""Executions that are looked at together: what looks wrong is looked at twice, and many can wait for that at once."""
MOST = 20
"""How many findings of one execution are told."""
_LOOKS = 5
_PAUSE = 0.25
_AHEAD_MS = 2000
_ASLEEP = "nothing will wake it"
_VERBS = frozenset({"paused", "resumed", "retry", "terminated"})
_WAITING = ("waiting", IN_DOUBT)
_LATER = {"agent": frozenset({"message"}), "workflow": frozenset({"cancel"})}
"""Mail that a waiting execution may leave in its mailbox until something else has come."""


class Finding(NamedTuple):
    """What is wrong, or worth a remark. ``id`` is the execution's, empty when it is the store's."""

    id: str
    level: str  # "wrong" or "remark"
    what: str
    advice: str = ""


class Checked(NamedTuple):
    """One execution that was looked at; ``id`` is empty for what is the store's."""

    id: str
    entries: int
    blobs: int
    findings: Sequence[Finding]


class _Sight(NamedTuple):
    """What was found at one look."""

    sentences: list[str]
    remarks: list[str]
    entries: int = 0
    blobs: int = 0


async def audit(store: Store, where: Filter = EVERYTHING) -> AsyncGenerator[Checked]:
    """Look at every execution that matches, then at the store. Raises StoreUnavailable."""
    now = await present(store)
    ahead = 0
    cursor: str | None = None
    while True:
        try:
            page = await store.executions(where, cursor, PAGE)
        except StoreUnavailable:
            raise
        except StoreError as error:
            unread = f"the executions can't be listed further: {error}"
            yield Checked("", 0, 0, [Finding("", WRONG, unread, "Restore a backup, or export what can be read.")])
            break
        for first in range(0, len(page.heads), TOGETHER):
            heads = page.heads[first : first + TOGETHER]
            for checked in await together([_examine(store, head) for head in heads]):
                yield checked
            ahead = max([ahead, *(head.updated - now for head in heads if type(head.updated) is int)])
        cursor = page.cursor
        if cursor is None:
            break
        await asyncio.sleep(0)
        now = await present(store)
    yield Checked("", 0, 0, await _of_store(store, ahead))


async def _of_store(store: Store, ahead: int) -> list[Finding]:
    found: list[Finding] = []
    try:
        for sentence in await store.verify():
            found.append(Finding("", WRONG, sentence, "Restore a backup, or export what can be read into a new store."))
        mark = await read_mark(store)
    except StoreUnavailable:
        raise
    except StoreError as error:
        return [*found, Finding("", WRONG, str(error))]
    if mark is not None:
        found.append(Finding("", REMARK, refusal(shown(store.dsn), mark)))
    if ahead > _AHEAD_MS:
        what = f"the newest change lies {span(ahead)} ahead of the clock"
        found.append(Finding("", REMARK, what, "Keep the machines in step (NTP); timers follow the clock."))
    return found


async def _examine(store: Store, head: Head) -> Checked:
    """Look until it is sound or stands still. A finding is only told when nothing changed during the look."""
    id = str(head.id)
    odd = _odd(head)
    if odd:
        return Checked(id, 0, 0, [Finding(id, WRONG, f"its head can't be: {odd}")])
    sight = _Sight([], [])
    for look in range(_LOOKS):
        sight = await _look(store, head)
        if not sight.sentences:
            sight.remarks.extend(await _lingers(store, head))
            break
        if look:
            await asyncio.sleep(_PAUSE)
        try:
            again = await store.head(id)
        except StoreUnavailable:
            raise
        except StoreError:
            break
        if again is None:
            return Checked(id, 0, 0, [])  # deleted meanwhile
        if look and again == head:
            break
        head = again
    else:
        what = "does not stand still, so that nothing sure can be said of it"
        return Checked(id, sight.entries, sight.blobs, [Finding(id, REMARK, what, "Check it again, or pause it.")])
    wrong = [Finding(id, WRONG, what, _advice(id, what)) for what in sight.sentences[:MOST]]
    if len(sight.sentences) > MOST:
        wrong.append(Finding(id, WRONG, f"and {len(sight.sentences) - MOST:,} more"))
    return Checked(id, sight.entries, sight.blobs, [*wrong, *(Finding(id, REMARK, what) for what in sight.remarks)])


async def _look(store: Store, head: Head) -> _Sight:
    sight = _Sight([], [])
    journal = Journal(head)
    try:
        references = await _read_journal(store, head, journal)
        mail = await _read_mail(store, head, sight.sentences)
        references += [fact["blob"] for _, fact in mail if "blob" in fact]
        references += [reference for _, fact in mail for reference in digests(fact)]
        sight.sentences[:0] = journal.wrong
        sight.remarks.extend(journal.remarks)
        sight.sentences.extend(await _blobs(store, head, references))
        sight.sentences.extend(await _rest(store, head, [str(fact.get("type")) for _, fact in mail], journal))
        sight.remarks.extend(await _family(store, head))
    except StoreUnavailable:
        raise
    except OverwinterError as error:
        sight.sentences.append(f"it can't be read: {error}")
        return sight
    return sight._replace(entries=journal.length, blobs=len(references))


def _advice(id: str, what: str) -> str:
    return f"overwinter resume {shlex.quote(id)} wakes it" if what.endswith(_ASLEEP) else ""


def _odd(head: Head) -> str:
    """What is impossible about a head, whatever else there is."""
    if head.awaits.startswith(IMPOSSIBLE):
        return head.awaits.removeprefix(IMPOSSIBLE)
    wrong = impossible(head)
    if wrong:
        return wrong
    if head.status not in STATUSES:
        return f"there is no status {head.status!r:.40}"
    if type(head.base) is not int or not 1 <= head.base <= head.length + 1:
        return f"entry {head.base!r:.40} is needed first, but there are {head.length}"
    try:
        loads(head.state or "null")
    except ValueError:
        return f"its state is no JSON: {head.state[:40]!r}"
    return ""


async def _read_journal(store: Store, head: Head, journal: Journal) -> list[Any]:
    """Everything up to the head's length goes through ``journal``. Returns what lies in blobs."""
    references: list[Any] = []
    after = last = 0
    gaps: list[int] = []  # not yet told: those at the end only make the journal shorter
    while texts := await store.history(head.id, after, PAGE):
        for text in texts:
            after += 1
            if text == GAP:
                gaps.append(after)
                continue
            last = after
            for number in gaps:
                journal.unreadable(number, "it is missing, or is no text")
            gaps.clear()
            try:
                fact = _fact(text)
            except StoreCorrupt as error:
                journal.unreadable(after, str(error))
                continue
            journal.take(after, fact)
            if "blob" in fact:
                references.append(fact["blob"])
            references += digests(fact)
    journal.end(last)
    return references


async def _read_mail(store: Store, head: Head, wrong: list[str]) -> list[tuple[int, Fact]]:
    count, _ = await store.mailbox(head.id, 1)
    _, bodies = await store.mailbox(head.id, count) if count else (0, ())
    facts: list[tuple[int, Fact]] = []
    for number, body in enumerate(bodies, 1):
        try:
            facts.append((number, _fact(body)))
        except StoreCorrupt as error:
            wrong.append(f"mail {number} of {count} can't be read and will be dropped: {_short(error)}")
    if count > head.arrivals:
        wrong.append(f"{count} mails wait, but only {head.arrivals} ever arrived")
    if len(bodies) != count:
        wrong.append(f"{count} mails are counted, {len(bodies)} are there")
    return facts


def _fact(text: object) -> Fact:
    """What a row holds, whatever it is. Raises StoreCorrupt."""
    if not isinstance(text, str):
        raise StoreCorrupt(f"it is no text: {text!r:.80}")
    return decode(text)


async def _blobs(store: Store, head: Head, references: Sequence[Any]) -> list[str]:
    """Every blob that is referred to is there, whole."""
    wrong: list[str] = []
    for reference in references:
        held = cast("Fact", reference) if isinstance(reference, dict) else {}
        digest, size = held.get("digest"), held.get("size")
        if not isinstance(digest, str):
            wrong.append(f"a reference to a blob can't be read: {reference!r:.80}")
            continue
        content = await store.blob(head.id, digest)
        if content is None:
            wrong.append(f"the blob {digest[:23]}… ({size} bytes) is missing")
        elif len(content) != size:
            wrong.append(f"the blob {digest[:23]}… has {len(content)} bytes instead of {size}")
        elif "sha256:" + hashlib.sha256(content).hexdigest() != digest:
            wrong.append(f"the blob {digest[:23]}… has another content than its digest says")
    return wrong


async def _rest(store: Store, head: Head, mail: Sequence[str], journal: Journal) -> list[str]:
    """Nobody rests without something that wakes it. What is leased is due when its owner dies."""
    if head.owner is not None or head.wake is not None:
        return []
    unread = next((kind for kind in mail if kind == "start" or kind in _VERBS), "")
    if _over(head):
        return [f"it is {head.status}, and a {unread} was never read"] if unread in ("start", "retry") else []
    if head.status in ("pending", "running"):
        return [f"it is {head.status}, nobody holds it, and {_ASLEEP}"]
    if head.status in _WAITING and not head.awaits:
        return [f"it waits for nothing, and {_ASLEEP}"]
    if unread and not (unread == "start" and head.status in ("paused", "stuck")):
        return [f"a {unread} waits to be read, and {_ASLEEP}"]
    later = _LATER.get(head.kind, frozenset[str]()) if head.status in _WAITING else frozenset[str]()
    missed = [] if head.status in ("paused", "stuck") else [kind for kind in mail if kind not in later]
    if missed:
        return [f"{len(missed)} mails ({missed[0]} …) wait to be read, and {_ASLEEP}"]
    return await _orphaned(store, head, mail, journal)


def _over(head: Head) -> bool:
    return head.status in FINAL


async def _orphaned(store: Store, head: Head, mail: Sequence[str], journal: Journal) -> list[str]:
    """Who waits for children only: they are there, and one that has ended has said so."""
    if head.status != "waiting" or not (head.awaits.endswith(" children") or head.awaits.startswith("child ")):
        return []
    wrong: list[str] = []
    for child in journal.children:
        there = await store.head(child)
        if there is None:
            wrong.append(f"it waits for its child {child}, which is not in this store")
        elif _over(there) and there.owner is None and there.wake is None and there.parent == head.id:
            wrong.append(f"it waits for its child {child}, which is {there.status} and never told it")
    open_ones = len(journal.children) - len(wrong)
    return wrong if not open_ones else []


async def _family(store: Store, head: Head) -> list[str]:
    if head.parent is None or await store.head(head.parent) is not None:
        return []
    return [f"its parent {head.parent} is not in this store"]


async def _lingers(store: Store, head: Head) -> list[str]:
    """After its end an execution is held only until its parent and its children have been told."""
    if not _over(head) or head.owner is None or head.owner not in await store.owners(await present(store)):
        return []
    await asyncio.sleep(_PAUSE)
    if await store.head(head.id) != head:
        return []
    return [f"it is {head.status}, and {head.owner} holds it still; does that process hang?"]


def _short(error: Exception) -> str:
    return cut(str(error), 160)
