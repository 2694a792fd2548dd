"""What changes the file, one method for each change, run by the writer's thread inside its transaction.

A method that raises an error of overwinter's own (Conflict, EtagMismatch …) has changed nothing, so the
others in the transaction go on; any other exception makes the writer undo the transaction.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..compression import pack_blob
from ..errors import Conflict, EtagMismatch, StoreLost
from ..records import (
    FINAL,
    MAIL_BATCH,
    Accepted,
    Answer,
    Appended,
    Change,
    Dump,
    Head,
    Mail,
    NewExecution,
    NewMail,
    fingerprint,
)
from . import appending, schema, texts
from .leases import Leases, Owner
from .place import Place
from .statements import SQL
from .texts import SHIFT

_LAST = (1 << SHIFT) - 1
BUCKET = 24 * 3600 * 1000
"""Length of a bucket of deduplication keys, in ms."""
_FORGET_EVERY, _FORGET_MOST = 1000, 4000  # forgets faster than mail comes in, a little at a time
_HEAD = len(Head._fields)
_WRITE = SQL["write"]


class Commands:
    """The writer's connection and all that is done with it. ``window`` is the deduplication window in ms, ``above`` the
    size from which on texts are compressed (0: none are). Of a ``frozen`` file all changes are refused."""

    def __init__(
        self, path: Path, leases: Leases, window: int, patience: float, above: int = 0, *, frozen: bool = False
    ) -> None:
        self.path = path
        self._above, self._frozen = above, frozen
        self.place = Place(path)
        self.patience = patience
        self._leases = leases
        self._window = window
        self._accepted = 0
        self._registered: set[str] = set()

    def connect(self) -> None:
        if self._frozen:
            self.connection = schema.open_frozen(self.path)
        else:
            self.connection = schema.open_writer(self.path, self.patience, compressed=bool(self._above))
        self.execute = self.connection.execute
        self.place.remember()

    def begin(self) -> None:
        self.place.look_now_and_then()
        schema.patiently(lambda: self.execute("BEGIN IMMEDIATE"), self.patience)

    def begin_at_once(self) -> bool:
        """False when another process is writing: it is not waited for."""
        try:
            self.place.look_now_and_then()
            self.execute("BEGIN IMMEDIATE")
        except (sqlite3.OperationalError, StoreLost, OSError):
            return False  # whatever it is, the thread will find it again and say so
        return True

    def commit(self) -> None:
        self.execute("COMMIT")

    def rollback(self) -> None:
        if self.connection.in_transaction:
            self.execute("ROLLBACK")

    def checkpoint(self) -> None:
        self.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    def close(self) -> None:
        self.connection.close()

    # -- accept --------------------------------------------------------------------------------------

    def accept(
        self,
        id: str,
        mail: NewMail | None,
        now: int,
        owner: str | None,
        create: NewExecution | None,
        known: int | None,
        reopen: bool,
        served: frozenset[str] | None,
    ) -> Accepted:
        row = self.execute(SQL["find"], (id,)).fetchone()
        if row is None:
            if create is None:
                return Accepted(Answer.MISSING, None)
            runs = served is None or create.function in served
            return self._create(id, mail, now, owner if runs else None, create, known)
        head, no, waiting = Head._make(row[:_HEAD]), row[_HEAD], row[_HEAD + 1]
        if create is not None and not create.made(head):
            return Accepted(Answer.OTHER, head)
        if head.status in FINAL and not self._takes_more(head, mail, now, reopen):
            repeated = mail is not None and mail.key and self._saw(no, _digest(mail.key), now, head.created)
            return Accepted(Answer.DUPLICATE if repeated else Answer.FINISHED, head)
        if mail is not None:
            if mail.key and not self._first_time(no, mail.key, now, head.created):
                return Accepted(Answer.DUPLICATE, head)
            waiting += 1
            head = head._replace(arrivals=head.arrivals + 1, updated=now)
            self._deliver(no, head.arrivals, mail)
        if head.owner is not None and (head.owner == owner or self._alive(head.owner, now)):
            if mail is not None:
                self.execute(SQL["arrive"], (now, no))
            news = () if mail is None else (Mail(head.arrivals, mail.lane, mail.at, mail.body),)
            return Accepted(Answer.BUSY, head, None, news)
        if owner is None or (served is not None and head.function not in served):
            head = head._replace(wake=now if head.wake is None else min(head.wake, now), updated=now)
            self.execute(SQL["queue"], (head.arrivals, waiting, head.wake, now, no))
            return Accepted(Answer.QUEUED, head)
        status = "running" if head.status in ("pending", "waiting", "idle") else head.status
        deaths = head.deaths if head.owner is None else head.deaths + self._died(head.owner)
        head = head._replace(owner=owner, status=status, updated=now, deaths=deaths)
        self.execute(SQL["lease"], (head.arrivals, waiting, owner, status, now, deaths, no))
        entries = None if known == head.version else self._entries(no, head)
        return Accepted(Answer.GRANTED, head, entries, self.mailbox(no) if waiting else ())

    def _create(
        self,
        id: str,
        mail: NewMail | None,
        now: int,
        owner: str | None,
        create: NewExecution,
        known: int | None,
    ) -> Accepted:
        arrivals = 0 if mail is None else 1
        status = "pending" if owner is None else "running"
        wake = now if owner is None else None
        values = (id, create.function, create.kind, create.parent, now, status, owner, wake, arrivals)
        no = self.execute(SQL["create"], values).lastrowid
        assert no is not None
        if mail is not None:
            if mail.key:
                self._see(no, _digest(mail.key), now)
            self._deliver(no, 1, mail)
        head = Head(
            id=id,
            function=create.function,
            kind=create.kind,
            status=status,
            version=0,
            length=0,
            base=1,
            arrivals=arrivals,
            owner=owner,
            wake=wake,
            parent=create.parent,
            created=now,
            updated=now,
            awaits="",
            note="",
            state="",
        )
        if owner is None:
            return Accepted(Answer.QUEUED, head)
        given = () if mail is None else (Mail(1, mail.lane, mail.at, mail.body),)
        return Accepted(Answer.GRANTED, head, None if known == 0 else (), given)

    def _takes_more(self, head: Head, mail: NewMail | None, now: int, reopen: bool) -> bool:
        if reopen and head.status != "completed":
            return True
        if mail is not None:
            return False
        return head.wake is not None or (head.owner is not None and not self._alive(head.owner, now))

    def _first_time(self, no: int, key: str, now: int, created: int) -> bool:
        digest = _digest(key)
        if self._saw(no, digest, now, created):
            return False
        self._see(no, digest, now)
        return True

    def _saw(self, no: int, digest: bytes, now: int, created: int) -> bool:
        oldest = max((now - self._window) // BUCKET, created // BUCKET - 1)
        newest = now // BUCKET + 1  # + 1: the clock of another process may have been ahead
        return self.execute(SQL["saw"], (oldest, newest, no, digest)).fetchone() is not None

    def _see(self, no: int, digest: bytes, now: int) -> None:
        self.execute(SQL["see"], (now // BUCKET, no, digest))
        self._accepted += 1
        if self._accepted % _FORGET_EVERY == 0:
            self.execute(SQL["forget"], ((now - self._window) // BUCKET, _FORGET_MOST))

    def _deliver(self, no: int, seq: int, mail: NewMail) -> None:
        self.execute(SQL["deliver"], (no << SHIFT | seq, mail.lane, mail.at, self.kept(mail.body)))
        if mail.blobs:
            self.keep(no, mail.blobs)

    def _entries(self, no: int, head: Head) -> list[str]:
        if head.length < head.base:
            return []
        return texts.read(self._rows, no, head.base, head.length, head.length)

    def _rows(self, statement: str, values: tuple[int, int, int]) -> list[Any]:
        return self.execute(statement, values).fetchall()

    def mailbox(self, no: int) -> list[Mail]:
        rows = self.execute(SQL["mailbox"], (no << SHIFT, no << SHIFT | _LAST, MAIL_BATCH))
        return [texts.mail_of(row) for row in rows.fetchall()]

    def kept(self, text: str) -> str | bytes:
        """A text as it is to be stored."""
        return texts.kept(text, self._above) if self._above else text

    def keep(self, no: int, blobs: Mapping[str, bytes]) -> None:
        for digest, content in blobs.items():
            self.execute(SQL["keep"], (no, digest, pack_blob(content, self._above)))

    # -- append --------------------------------------------------------------------------------------

    def append(self, change: Change) -> Appended:
        (outcome,) = appending.append(self, [change])
        if isinstance(outcome, Conflict):
            raise outcome
        return outcome

    def append_all(self, changes: Sequence[Change]) -> Sequence[Appended | Conflict]:
        """The same for changes of executions that are all different. None of them is raised."""
        return appending.append(self, changes)

    # -- leases --------------------------------------------------------------------------------------

    def beat(self, owner: str, now: int, ttl: int) -> Sequence[tuple[str, int]]:
        if owner not in self._registered:
            self._bury(now)
            self._registered.add(owner)
        lock = self._leases.hold(owner)
        self.execute(SQL["beat"], (owner, self._leases.machine, lock, now + ttl))
        return self.execute(SQL["informed"], (owner,)).fetchall()

    def retire(self, owner: str) -> None:
        self._registered.discard(owner)
        self.execute(SQL["retire"], (owner,))
        self._leases.drop(owner)

    def _bury(self, now: int) -> None:
        for owner, *rest in self.execute(SQL["owners"]).fetchall():
            if not self._leases.alive(Owner._make(rest), now):
                if self.execute(SQL["holds"], (owner,)).fetchone() is None:
                    self.execute(SQL["retire"], (owner,))  # else its row tells those who take over that it died
                self._leases.drop(owner)

    def _alive(self, owner: str, now: int) -> bool:
        row = self.execute(SQL["owner"], (owner,)).fetchone()
        return row is not None and self._leases.alive(Owner._make(row), now)

    def _died(self, owner: str) -> bool:
        """Of an owner that is not alive: whether it beat and did not retire."""
        return self.execute(SQL["owner"], (owner,)).fetchone() is not None

    # -- for people ----------------------------------------------------------------------------------

    def delete(self, id: str, now: int) -> bool:
        row = self.execute(SQL["find"], (id,)).fetchone()
        if row is None:
            return False
        head, no = Head._make(row[:_HEAD]), row[_HEAD]
        if head.owner is not None and self._alive(head.owner, now):
            raise Conflict(f"{id} is leased by {head.owner}; wait until it is released, then delete it")
        if head.status not in FINAL and head.status != "idle":
            raise Conflict(f"{id} is {head.status}; cancel or terminate it, then delete it")
        if head.wake is not None:
            raise Conflict(f"{id} has something left to do; wait until that is done, then delete it")
        everything = (no << SHIFT, no << SHIFT | _LAST)
        self.execute(SQL["drop_journal"], everything)
        self.execute(SQL["drop_mail"], everything)
        self.execute(SQL["drop_seen"], (no,))
        self.execute(SQL["drop_blobs"], (no,))
        self.execute(SQL["drop_values"], (id,))
        self.execute(SQL["drop_execution"], (no,))
        return True

    def restore(self, dump: Dump) -> bool:
        head = dump.head
        if self.execute(SQL["find"], (head.id,)).fetchone() is not None:
            return False
        no = self.execute(SQL["restore"], (*head, len(dump.mail))).lastrowid
        assert no is not None
        for seq, body in enumerate(dump.entries, 1):
            self.execute(_WRITE, (no << SHIFT | seq, self.kept(body)))
        for mail in dump.mail:
            self.execute(SQL["deliver"], (no << SHIFT | mail.seq, mail.lane, mail.at, self.kept(mail.body)))
        for mark, at in dump.seen:
            self.execute(SQL["see"], (at // BUCKET, no, bytes.fromhex(mark)))
        self.keep(no, dump.blobs)
        return True

    # -- key-value -----------------------------------------------------------------------------------

    def put(self, scope: str, key: str, value: str, etag: str | None) -> str:
        self._check_etag(scope, key, etag)
        stored: str = self.execute(SQL["put"], (scope, key, self.kept(value))).fetchone()[0]
        return stored

    def remove(self, scope: str, key: str, etag: str | None) -> bool:
        self._check_etag(scope, key, etag)
        return self.execute(SQL["remove"], (scope, key)).rowcount > 0

    def _check_etag(self, scope: str, key: str, etag: str | None) -> None:
        if etag is None:
            return
        row: Any = self.execute(SQL["get"], (scope, key)).fetchone()
        if etag != ("" if row is None else row[1]):
            raise EtagMismatch(f"{scope}/{key} was changed by somebody else; read it again")


def _digest(key: str) -> bytes:
    return bytes.fromhex(fingerprint(key))
