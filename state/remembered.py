"""One execution as a MemoryStore has it: everything that belongs to it in one place."""

from __future__ import annotations

from .records import MAIL_BATCH, Change, Head, Mail


class Remembered:
    """One execution: its head, its journal, its mailbox by sequence number, the keys it has seen, its blobs."""

    __slots__ = ("blobs", "head", "journal", "mail", "no", "seen", "token")

    def __init__(self, no: int, head: Head) -> None:
        self.no = no
        self.head = head
        self.journal: list[str] = []
        self.mail: dict[int, Mail] = {}
        self.seen: dict[str, int] = {}  # fingerprint -> when it was accepted, oldest first
        self.blobs: dict[str, bytes] = {}
        self.token = ""  # of the last change

    def batch(self) -> list[Mail]:
        return sorted(self.mail.values(), key=lambda mail: (mail.lane, mail.seq))[:MAIL_BATCH]


def repeated(execution: Remembered, change: Change) -> bool:
    """Whether this change is the last one that was written, handed in again."""
    head = execution.head
    same = change.token != "" and change.token == execution.token and head.version == change.version + 1
    return same and head.owner in (None, change.owner)


def held(head: Head, change: Change) -> bool:
    return head.version == change.version and head.owner == change.owner
