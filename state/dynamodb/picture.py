"""A head item as it was at one moment, read into the records of the contract.

Attributes beside those that carry the names of ``Head``'s fields:

    life            mark of everything that belongs to this execution
    m:<token>       one mail: lane, time, body          q:<token>  its sequence number
    s:<key>         a deduplication key: when it was accepted and by which call; s:!<token> of mail that has none
    waiting, load   how many mails wait altogether; bytes that those inside the head are counted for
    spilled, gone   how many wait in items of their own; which of those are consumed but perhaps not removed
    moved, until    how many keys went to items of their own; when the last of them is forgotten
    grant           the call that was granted the lease      token  that of the last change
    d, w · l, c · p keys of the indexes due, list and children
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property

from ..records import MAIL_BATCH, Head, Mail
from .edit import Attribute, Edit, Item, N, S, number, text, text_of
from .layout import HEAD_MAIL_WEIGHT, STALE_AT_ONCE, encoded, execution, key, leased, listed, seen_sort, shard, stamped


class Picture:
    """Reads an item; changes nothing."""

    def __init__(self, item: Mapping[str, Attribute]) -> None:
        self.item = item
        self.life = text(item, "life")
        self.version = number(item, "version")
        self.arrivals = number(item, "arrivals")
        self.owner = text(item, "owner") or None
        self.status = text(item, "status")
        self.wake = number(item, "wake") if "wake" in item else None
        self.waiting = number(item, "waiting")
        self.spilled = number(item, "spilled")
        self.moved = number(item, "moved")
        self.until = number(item, "until")
        self.cleared = False  # whether this process has removed what is ``gone``

    @cached_property
    def head(self) -> Head:
        item = self.item
        return Head(
            id=text(item, "id"),
            function=text(item, "function"),
            kind=text(item, "kind"),
            status=self.status,
            version=self.version,
            length=number(item, "length"),
            base=number(item, "base", 1),
            arrivals=self.arrivals,
            owner=self.owner,
            wake=self.wake,
            parent=text(item, "parent") if "parent" in item else None,
            created=number(item, "created"),
            updated=number(item, "updated"),
            awaits=text(item, "awaits"),
            note=text(item, "note"),
            state=text(item, "state"),
            deaths=number(item, "deaths"),
        )

    @cached_property
    def mail(self) -> dict[int, tuple[str, Mail]]:
        """What is inside the head, by sequence number, each with its token."""
        found: dict[int, tuple[str, Mail]] = {}
        for name, value in self.item.items():
            if name.startswith("m:"):
                seq = number(self.item, f"q:{name[2:]}")
                lane, at, body = value["L"]
                found[seq] = name[2:], Mail(seq, int(lane["N"]), int(at["N"]), text_of(body))
        return found

    @cached_property
    def gone(self) -> frozenset[int]:
        value = self.item.get("gone")
        return frozenset() if value is None else frozenset(int(seq["N"]) for seq in value["L"])

    def seen(self) -> Iterator[tuple[str, int]]:
        """The deduplication keys inside the head, each with its stamp."""
        for name, value in self.item.items():
            if name.startswith("s:"):
                yield name[2:], int(value["N"])

    def newer_than(self, other: Picture) -> bool:
        return (self.version, self.arrivals) >= (other.version, other.arrivals)

    def fence(self, edit: Edit) -> None:
        """The item must be what this picture shows."""
        edit.need_same("life", S(self.life))
        self.stand(edit)
        self.hold(edit)
        edit.need_same("wake", N(self.wake) if self.wake is not None else None)

    def stand(self, edit: Edit) -> None:
        """No transition and no mail may have come. Numbers that were never written are not there."""
        for name in ("version", "arrivals"):
            edit.need_same(name, self.item.get(name))

    def hold(self, edit: Edit) -> None:
        """The same execution must stand in the same status, in the same hands."""
        edit.need_same("life", S(self.life))
        edit.need_same("status", S(self.status))
        edit.need_same("owner", S(self.owner) if self.owner is not None else None)


def batch(mails: Iterator[Mail] | list[Mail]) -> list[Mail]:
    """What one answer carries."""
    return sorted(mails, key=lambda mail: (mail.lane, mail.seq))[:MAIL_BATCH]


def weight(body: str) -> int:
    """What a mail counts for in the head's room."""
    return len(encoded(body)) + HEAD_MAIL_WEIGHT


def mark_due(edit: Edit, id: str, *, owner: str | None, wake: int | None, mail: bool = False, ends: int = 0) -> None:
    """Place the execution in the due index: with its owner (``w`` is 1 when mail waits), else under its wake time,
    else, finished and to be kept until ``ends`` only, with those that expire."""
    if owner is not None:
        place, at = leased(owner), int(mail)
    elif wake is not None:
        place, at = f"w#{shard(id)}", wake
    elif ends:
        place, at = f"x#{shard(id)}", ends
    else:
        edit.remove("d", "w")
        return
    edit.set("d", S(place))
    edit.set("w", N(at))


def creation(head: Head, life: str) -> Item:
    """The attributes that never change."""
    item = {
        "id": S(head.id),
        "function": S(head.function),
        "kind": S(head.kind),
        "created": N(head.created),
        "life": S(life),
        "l": S(f"l#{shard(head.id)}"),
        "c": S(listed(head.created, head.id)),
    }
    if head.parent is not None:
        item["parent"] = S(head.parent)
        if head.parent:
            item["p"] = S(execution(head.parent))
    return item


_UNKEYED_MS = 60_000  # a call is made again within a few seconds; after that nobody asks for its trace


def stale(picture: Picture, now: int, oldest: int) -> list[str]:
    """Names of attributes that remember what nobody will ask for any more; not more than an expression has room for."""
    found: list[str] = []
    for mark, stamp in picture.seen():
        limit = now - _UNKEYED_MS if mark.startswith("!") else oldest
        if stamped(stamp) <= limit:
            found.append(f"s:{mark}")
    return found[:STALE_AT_ONCE]


def seen_item(id: str, life: str, mark: str, stamp: int, window: int) -> Item:
    """A deduplication key as an item. DynamoDB removes it some time after the window."""
    item = key(execution(id), seen_sort(life, mark))
    return {**item, "at": N(stamp), "expires": N((stamped(stamp) + window) // 1000 + 24 * 3600)}
