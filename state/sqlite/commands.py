"""What changes the file, one method for each change, run by the writer's thread inside its transaction.

A method that raises an error of overwinter's own (Conflict, EtagMismatch …) has changed nothing, so the
others in the transaction go on; any other exception makes the writer undo the transaction.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

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
from . import schema, texts
from .leases import Leases, Owner
from .place import Place
from .statements import SQL
from .texts import SHIFT

_LAST = (1 << SHIFT) - 1
BUCKET = 24 * 3600 * 1000
"""Length of a bucket of deduplication keys, in ms."""
_FORGET_EVERY, _FORGET_MOST = 1000, 4000  # forgets faster than mail comes in, a little at a time
_HEAD = len(Head._fields)
_FENCE, _ADVANCE, _MOVE, _WRITE = SQL["fence"], SQL["advance"], SQL["move"], SQL["write"]


class Commands:
    """The writer's connection and all that is done with it. ``window`` is the deduplication window in ms."""

    def __init__(self, path: Path, leases: Leases, window: int, patience: float) -> None:
        self.path = path
        self.place = Place(path)
        self.patience = patience
        self._leases = leases
        self._window = window
        self._accepted = 0
        self._registered: set[str] = set()

    def connect(self) -> None:
        self.connection = schema.open_writer(self.path, self.patience)
        self._execute = self.connection.execute
        self.place.remember()

    def begin(self) -> None:
        self.place.look_now_and_then()
        schema.patiently(lambda: self._execute("BEGIN IMMEDIATE"), self.patience)

    def begin_at_once(self) -> bool:
        """False when another process is writing: it is not waited for."""
        try:
            self.place.look_now_and_then()
            self._execute("BEGIN IMMEDIATE")
        except (sqlite3.OperationalError, StoreLost, OSError):
            return False  # whatever it is, the thread will find it again and say so
        return True

    def commit(self) -> None:
        self._execute("COMMIT")

    def rollback(self) -> None:
        if self.connection.in_transaction:
            self._execute("ROLLBACK")

    def checkpoint(self) -> None:
        self._execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

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
        row = self._execute(SQL["find"], (id,)).fetchone()
        if row is None:
            if create is None:
                return Accepted(Answer.MISSING, None)
            runs = served is None or create.function in served
            return self._create(id, mail, now, owner if runs else None, create, known)
        head, no, waiting = Head._make(row[:_HEAD]), row[_HEAD], row[_HEAD + 1]
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
                self._execute(SQL["arrive"], (now, no))
            news = () if mail is None else (Mail(head.arrivals, mail.lane, mail.at, mail.body),)
            return Accepted(Answer.BUSY, head, None, news)
        if owner is None or (served is not None and head.function not in served):
            head = head._replace(wake=now if head.wake is None else min(head.wake, now), updated=now)
            self._execute(SQL["queue"], (head.arrivals, waiting, head.wake, now, no))
            return Accepted(Answer.QUEUED, head)
        status = "running" if head.status in ("pending", "waiting", "idle") else head.status
        deaths = head.deaths if head.owner is None else head.deaths + self._died(head.owner)
        head = head._replace(owner=owner, status=status, updated=now, deaths=deaths)
        self._execute(SQL["lease"], (head.arrivals, waiting, owner, status, now, deaths, no))
        entries = None if known == head.version else self._entries(no, head)
        return Accepted(Answer.GRANTED, head, entries, self._mailbox(no) if waiting else ())

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
        no = self._execute(SQL["create"], values).lastrowid
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
        return self._execute(SQL["saw"], (oldest, newest, no, digest)).fetchone() is not None

    def _see(self, no: int, digest: bytes, now: int) -> None:
        self._execute(SQL["see"], (now // BUCKET, no, digest))
        self._accepted += 1
        if self._accepted % _FORGET_EVERY == 0:
            self._execute(SQL["forget"], ((now - self._window) // BUCKET, _FORGET_MOST))

    def _deliver(self, no: int, seq: int, mail: NewMail) -> None:
        self._execute(SQL["deliver"], (no << SHIFT | seq, mail.lane, mail.at, mail.body))
        if mail.blobs:
            self._keep(no, mail.blobs)

    def _entries(self, no: int, head: Head) -> list[str]:
        if head.length < head.base:
            return []
        return texts.read(self._rows, no, head.base, head.length, head.length)

    def _rows(self, statement: str, values: tuple[int, int, int]) -> list[Any]:
        return self._execute(statement, values).fetchall()

    def _mailbox(self, no: int) -> list[Mail]:
        rows = self._execute(SQL["mailbox"], (no << SHIFT, no << SHIFT | _LAST, MAIL_BATCH))
        return [Mail._make(row) for row in rows.fetchall()]

    def _keep(self, no: int, blobs: Mapping[str, bytes]) -> None:
        for digest, content in blobs.items():
            self._execute(SQL["keep"], (no, digest, content))

    # -- append --------------------------------------------------------------------------------------

    def append(self, change: Change) -> Appended:
        (id, owner, version, at, entries, consumed, arrivals, status, wake, release, base) = change[:11]
        (awaits, note, state, blobs, _, token, pages) = change[11:]
        fence = self._execute(_FENCE, (id,)).fetchone()
        if fence is None or fence[1] != version or fence[2] != owner:
            return self._repeated(change, fence)
        no, _, _, was, slept, _, length, arrived, waiting, deaths = fence
        news = arrived != arrivals or (bool(consumed) and not pages and waiting > MAIL_BATCH)
        waiting -= len(consumed)
        values = (
            version + 1,
            length + len(entries),
            waiting,
            0 if entries else deaths,
            base,
            awaits,
            note,
            state,
            at,
            token,
        )
        if release or status != was or wake != slept:
            self._execute(_MOVE, (*values, status, wake, None if release and not news else owner, no))
        else:
            self._execute(_ADVANCE, (*values, no))
        seq = (no << SHIFT) + length
        for body in entries:
            seq += 1
            self._execute(_WRITE, (seq, body))
        if consumed:
            waiting = self._consume(no, consumed, waiting)
        if blobs:
            self._keep(no, blobs)
        if news:
            return Appended(arrived, self._mailbox(no) if waiting else [], False)
        return Appended(arrived, None, release)

    def _repeated(self, change: Change, fence: tuple[Any, ...] | None) -> Appended:
        """A change whose place is taken: by itself, if it was sent again because its answer was lost."""
        if fence is not None:
            no, version, holder, _, _, token, _, arrivals, waiting, _ = fence
            same = version == change.version + 1 and token == change.token != ""
            if same and holder is None:
                return Appended(arrivals, None, True)
            if same and holder == change.owner:
                return Appended(arrivals, self._mailbox(no) if waiting else [], False)
        raise Conflict(f"{change.id} was moved on by another owner after version {change.version}")

    def _consume(self, no: int, consumed: Iterable[int], waiting: int) -> int:
        missing = 0
        for seq in consumed:
            missing += 1 - self._execute(SQL["consume"], (no << SHIFT | seq,)).rowcount
        if missing:
            self._execute(SQL["recount"], (no, no << SHIFT, no << SHIFT | _LAST))
        return waiting + missing

    # -- leases --------------------------------------------------------------------------------------

    def beat(self, owner: str, now: int, ttl: int) -> Sequence[tuple[str, int]]:
        if owner not in self._registered:
            self._bury(now)
            self._registered.add(owner)
        lock = self._leases.hold(owner)
        self._execute(SQL["beat"], (owner, self._leases.machine, lock, now + ttl))
        return self._execute(SQL["informed"], (owner,)).fetchall()

    def retire(self, owner: str) -> None:
        self._registered.discard(owner)
        self._execute(SQL["retire"], (owner,))
        self._leases.drop(owner)

    def _bury(self, now: int) -> None:
        for owner, *rest in self._execute(SQL["owners"]).fetchall():
            if not self._leases.alive(Owner._make(rest), now):
                if self._execute(SQL["holds"], (owner,)).fetchone() is None:
                    self._execute(SQL["retire"], (owner,))  # else its row tells those who take over that it died
                self._leases.drop(owner)

    def _alive(self, owner: str, now: int) -> bool:
        row = self._execute(SQL["owner"], (owner,)).fetchone()
        return row is not None and self._leases.alive(Owner._make(row), now)

    def _died(self, owner: str) -> bool:
        """Of an owner that is not alive: whether it beat and did not retire."""
        return self._execute(SQL["owner"], (owner,)).fetchone() is not None

    # -- for people ----------------------------------------------------------------------------------

    def delete(self, id: str, now: int) -> bool:
        row = self._execute(SQL["find"], (id,)).fetchone()
        if row is None:
            return False
        head, no = Head._make(row[:_HEAD]), row[_HEAD]
        if head.owner is not None and self._alive(head.owner, now):
            raise Conflict(f"{id} is leased by {head.owner}; wait until it is released, then delete it")
        if head.status not in FINAL and head.status != "idle":
            raise Conflict(f"{id} is {head.status}; cancel or terminate it, then delete it")
        everything = (no << SHIFT, no << SHIFT | _LAST)
        self._execute(SQL["drop_journal"], everything)
        self._execute(SQL["drop_mail"], everything)
        self._execute(SQL["drop_seen"], (no,))
        self._execute(SQL["drop_blobs"], (no,))
        self._execute(SQL["drop_values"], (id,))
        self._execute(SQL["drop_execution"], (no,))
        return True

    def restore(self, dump: Dump) -> bool:
        head = dump.head
        if self._execute(SQL["find"], (head.id,)).fetchone() is not None:
            return False
        no = self._execute(SQL["restore"], (*head, len(dump.mail))).lastrowid
        assert no is not None
        for seq, body in enumerate(dump.entries, 1):
            self._execute(_WRITE, (no << SHIFT | seq, body))
        for mail in dump.mail:
            self._execute(SQL["deliver"], (no << SHIFT | mail.seq, mail.lane, mail.at, mail.body))
        for mark, at in dump.seen:
            self._execute(SQL["see"], (at // BUCKET, no, bytes.fromhex(mark)))
        self._keep(no, dump.blobs)
        return True

    # -- key-value -----------------------------------------------------------------------------------

    def put(self, scope: str, key: str, value: str, etag: str | None) -> str:
        self._check_etag(scope, key, etag)
        stored: str = self._execute(SQL["put"], (scope, key, value)).fetchone()[0]
        return stored

    def remove(self, scope: str, key: str, etag: str | None) -> bool:
        self._check_etag(scope, key, etag)
        return self._execute(SQL["remove"], (scope, key)).rowcount > 0

    def _check_etag(self, scope: str, key: str, etag: str | None) -> None:
        if etag is None:
            return
        row: Any = self._execute(SQL["get"], (scope, key)).fetchone()
        if etag != ("" if row is None else row[1]):
            raise EtagMismatch(f"{scope}/{key} was changed by somebody else; read it again")


def _digest(key: str) -> bytes:
    return bytes.fromhex(fingerprint(key))
