"""Whether two starts under one id are the same start: the execution is asked what it was begun with.

An event that begins an execution is in its mailbox until it is taken, and from that moment in its journal. Whoever
looks for it there, then there, then again in the journal, finds it, however fast it is taken meanwhile.
"""

from __future__ import annotations

from typing import Any

from ...state.errors import AlreadyExists
from ...state.records import Accepted, Answer
from ...state.store import Store
from ..usercode.fingerprint import canonical
from .decider import Fact
from .entries import decode, resolve

_BEGINNINGS = ("start", "message")
_PAGE = 200


def is_new(accepted: Accepted) -> bool:
    """Whether it was this event that made the execution."""
    head = accepted.head
    known = accepted.answer in (Answer.DUPLICATE, Answer.FINISHED, Answer.OTHER)
    return not known and head is not None and head.arrivals == 1


async def check_same(store: Store, accepted: Accepted, value: Any) -> None:
    """Raises AlreadyExists when the execution that answered is another one than that of the function to start, begun
    with ``value``."""
    head = accepted.head
    assert head is not None, "it is there"
    if accepted.answer is Answer.OTHER:
        raise AlreadyExists(
            f"the id {head.id!r} belongs to an execution of the {head.kind} {head.function}; choose another"
        )
    begun = await beginning(store, head.id)
    if begun is None:
        return  # it was ended before it began, so nobody gets the result of another input
    if begun["type"] != "start":
        raise AlreadyExists(f"{head.id!r} is a session of {head.function}; send it messages, or choose another id")
    if canonical(begun.get("input")) != canonical(value):
        raise AlreadyExists(f"{head.id!r} was started with another input; choose another id or the same input")


async def beginning(store: Store, id: str) -> Fact | None:
    """What an existing execution was begun with, its blob in place: a ``start``, or a session's first ``message``.
    None when it ended without having begun."""
    found = await journaled(store, id) or await waiting(store, id) or await journaled(store, id)
    if found is not None:
        await resolve(store, id, [found])
    return found


async def journaled(store: Store, id: str) -> Fact | None:
    """What the journal begins with: the first entry, unless somebody paused it before or it was cancelled in time."""
    after, limit = 0, 1
    while texts := await store.history(id, after, limit):
        for text in texts:
            fact = decode(text)
            if fact["type"] in _BEGINNINGS:
                return fact
        after, limit = after + len(texts), _PAGE
    return None


async def waiting(store: Store, id: str) -> Fact | None:
    """What the mailbox holds to begin with: ordinary mail, mostly the first."""
    after = 0
    while page := await store.mail(id, 1, after):
        for mail in page:
            fact = decode(mail.body)
            if fact["type"] in _BEGINNINGS:
                return fact
        after = page[-1].seq
    return None
