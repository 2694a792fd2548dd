"""Mail from an IMAP server that speaks as one does, and objects from the notifications of a bucket."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Generator
from email.message import EmailMessage
from typing import Any

import pytest

from overwinter import InvalidInput, Runtime, workflow
from overwinter.functions.trigger import S3, Found, Mailbox, Source, trigger
from overwinter.functions.triggers import imap, s3
from overwinter.state.errors import Retryable

from .place import on_a_loop


def look(source: Source, since: Any = None) -> Found:
    return asyncio.run(source.look(since))


# -- mail --------------------------------------------------------------------------------------------------------


class Server(threading.Thread):
    """As much of IMAP4rev1 as a reader asks for. ``mails`` by their numbers."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.mails: dict[int, bytes] = {}
        self.validity = 7
        self.said: list[str] = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]

    def run(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection, connection.makefile("rwb") as file:
                file.write(b"* OK here\r\n")
                file.flush()
                for line in file:
                    tag, _, command = line.decode().strip().partition(" ")
                    self.said.append(command)
                    file.write(self.answer(command) + f"{tag} {self.end(command)}\r\n".encode())
                    file.flush()

    def end(self, command: str) -> str:
        return "NO wrong password" if command.startswith("LOGIN") and "right-password" not in command else "OK done"

    def answer(self, command: str) -> bytes:
        if command == "CAPABILITY":
            return b"* CAPABILITY IMAP4rev1\r\n"
        if command.startswith("EXAMINE"):
            return b"* %d EXISTS\r\n* OK [UIDVALIDITY %d] valid\r\n" % (len(self.mails), self.validity)
        if command.startswith("UID SEARCH"):
            first = int(command.split("UID ")[-1].partition(":")[0])
            found = [number for number in self.mails if number >= first] or list(self.mails)[-1:]
            return b"* SEARCH %s\r\n" % " ".join(map(str, found)).encode()
        if command.startswith("UID FETCH"):
            number = int(command.split()[2])
            raw = self.mails.get(number)
            if raw is None:
                return b""
            raw = raw[: int(command.partition("<0.")[2].partition(">")[0])]
            return b"* 1 FETCH (UID %d BODY[]<0> {%d}\r\n%s)\r\n" % (number, len(raw), raw)
        return b""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Generator[Server]:
    monkeypatch.setenv("MAIL_PASSWORD", "right-password")
    made = Server()
    made.start()
    yield made
    made.listener.close()


def mail(subject: str, text: str = "Where is it?", **more: str) -> bytes:
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = "Ada <ada@example.com>", "desk@example.com", subject
    for name, value in more.items():
        made[name.replace("_", "-")] = value
    made.set_content(text)
    made.add_attachment(b"%PDF", maintype="application", subtype="pdf", filename="bill.pdf")
    return made.as_bytes()


def inbox(server: Server, **options: Any) -> Mailbox:
    return Mailbox(f"127.0.0.1:{server.port}", "desk@example.com", "env:MAIL_PASSWORD", tls=False, **options)


def test_each_mail_is_told_once(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imap, "MOST", 2)
    server.mails = {3: mail("Order é 1", Message_ID="<1@x>"), 5: mail("two"), 6: mail("three")}
    first = look(inbox(server))
    assert [event.id for event in first.events] == ["7.3", "7.5"]
    assert first.more
    told = first.events[0]
    assert (told.type, told.subject) == ("overwinter.mail", "Order é 1")
    assert told.source == "imap://desk%40example.com@127.0.0.1/INBOX"
    assert told.data["from"] == "Ada <ada@example.com>"
    assert told.data["text"].strip() == "Where is it?"
    assert (told.data["attachments"], told.data["message_id"]) == (["bill.pdf"], "<1@x>")
    second = look(inbox(server), first.since)
    assert [event.id for event in second.events] == ["7.6"]
    third = look(inbox(server), second.since)  # the last number comes in any case
    assert third == Found([], second.since)
    server.mails[9] = mail("four")
    assert [event.id for event in look(inbox(server), third.since).events] == ["7.9"]
    assert look(inbox(server)).events[0] == told  # the same id whenever it is found
    server.validity = 8
    assert [event.id for event in look(inbox(server), third.since).events] == ["8.3", "8.5"]
    assert not any("PEEK" not in said for said in server.said if "FETCH" in said)
    assert any(said.startswith("EXAMINE") for said in server.said)  # nothing is marked as read


def test_what_was_there_before_can_be_left_out(server: Server) -> None:
    server.mails = {3: mail("old")}
    first = look(inbox(server, new=True))
    assert first == Found([], [7, 3])
    server.mails[4] = mail("new")
    assert [event.id for event in look(inbox(server, new=True), first.since).events] == ["7.4"]
    empty = Server()
    empty.start()
    assert look(inbox(empty, new=True)) == Found([], [7, 0])


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\xff\xfe\x00",
        b"Subject: =?utf-8?b?////?=\r\n\r\n\xff",
        b"Content-Type: text/plain; charset=none\r\n\r\nx\xff",
        b"From: \r\nSubject: a\x00b\r\nContent-Type: multipart/mixed\r\n\r\nno parts",
        b"Subject: x\r\n\r\n" + b"y" * 5000,
    ],
)
def test_whatever_somebody_sends_is_told(server: Server, raw: bytes) -> None:
    server.mails = {1: raw}
    [event] = look(inbox(server, largest=1000)).events
    assert event.id == "7.1"
    assert len(event.data["text"]) <= 1000


def test_a_wrong_password_is_told_without_it(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAIL_PASSWORD", "wrong-password")
    with pytest.raises(Retryable) as refused:
        look(inbox(server))
    assert "wrong-password" not in str(refused.value).replace("says no: b'wrong password'", "")
    with pytest.raises(InvalidInput):
        Mailbox("x", "u", "right-password")
    with pytest.raises(InvalidInput):
        Mailbox("x", "u", "env:X", folder='a"b')


@pytest.mark.parametrize(
    "raw",
    [
        b"Subject: a bill\r\nContent-Type: multipart/mixed; boundary=X\r\n\r\n"
        b"--X\r\nContent-Disposition: attachment; filename*\r\n\r\nzz\r\n--X--\r\n",
        b"Subject: a bill\r\n"
        + b"".join(
            b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (number, number) for number in range(3000)
        ),
    ],
)
def test_a_mail_that_can_not_be_read_is_told_as_it_stands_and_the_next_comes_too(server: Server, raw: bytes) -> None:
    server.mails = {1: raw, 2: mail("Hello")}
    found = look(inbox(server))
    assert [event.subject for event in found.events] == ["a bill", "Hello"]
    assert found.events[0].data["text"].startswith("Subject: a bill")


def test_mails_that_are_large_come_in_parts(server: Server) -> None:
    server.mails = {number: mail(f"no {number}", "x" * 900_000) for number in range(1, 7)}
    box, since, told, rounds = inbox(server), None, [], 0
    while True:
        found = look(box, since)
        told += [event.subject for event in found.events]
        since, rounds = found.since, rounds + 1
        if not found.more:
            break
    assert (told, rounds) == ([f"no {number}" for number in range(1, 7)], 2)


# -- buckets -----------------------------------------------------------------------------------------------------


class Queue:
    """As much of SQS as is asked for: what is not deleted comes again."""

    def __init__(self, *bodies: Any) -> None:
        self.messages = [
            {"Body": body if isinstance(body, str) else json.dumps(body), "ReceiptHandle": f"r{number}"}
            for number, body in enumerate(bodies)
        ]

    def receive_message(self, **asked: Any) -> dict[str, Any]:
        assert asked["MaxNumberOfMessages"] == 10
        return {"Messages": self.messages[:10]} if self.messages else {}

    def delete_message_batch(self, QueueUrl: str, Entries: list[dict[str, str]]) -> None:  # as boto3 has it
        assert len(Entries) <= 10
        gone = {entry["ReceiptHandle"] for entry in Entries}
        self.messages = [one for one in self.messages if one["ReceiptHandle"] not in gone]


def bucket(queue: Queue, **options: Any) -> S3:
    made = S3("https://sqs.eu-central-1.amazonaws.com/1/uploads", **options)
    made.__dict__["_client"] = queue
    return made


THING = {"key": "in/a+b%C3%BC.csv", "size": 5, "eTag": "e", "sequencer": "0055"}
RECORD = {"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "eventTime": "2026-11-29T03:00:00.000Z",
          "s3": {"bucket": {"name": "uploads"}, "object": THING}}  # fmt: skip
BRIDGE = {
    "source": "aws.s3", "detail-type": "Object Created", "time": "2026-11-29T03:00:00Z",
    "detail": {"bucket": {"name": "uploads"},
               "object": {"key": "in/a bü.csv", "size": 5, "etag": "e", "sequencer": "0055"}},
}  # fmt: skip


def test_an_object_is_known_whichever_way_its_notification_comes() -> None:
    notice = {"Records": [RECORD]}
    ways = [notice, {"Type": "Notification", "Message": json.dumps(notice)}, BRIDGE]
    events = [event for way in ways for event in look(bucket(Queue(way))).events]
    assert {event.id for event in events} == {"in/a%20b%C3%BC.csv@0055"}
    assert {event.source for event in events} == {"s3://uploads"}
    assert [event.type for event in events[1:]] == [
        "com.amazonaws.s3.ObjectCreated:Put",
        "com.amazonaws.s3.ObjectCreated",
    ]
    assert events[0].data == {"bucket": "uploads", "key": "in/a bü.csv", "size": 5, "etag": "e", "version": ""}
    assert {event.subject for event in events} == {"in/a bü.csv"}


def test_what_was_not_confirmed_comes_again_and_what_is_none_stays() -> None:
    queue = Queue(
        {"Event": "s3:TestEvent"}, "no json", {"Records": [{"eventSource": "aws:sns"}]}, {"Records": [RECORD]}
    )
    source = bucket(queue)
    first = look(source)
    assert (len(first.events), first.receipts) == (1, ["r0", "r3"])
    assert look(source) == first
    asyncio.run(source.confirm(first.receipts))
    assert [one["ReceiptHandle"] for one in queue.messages] == ["r1", "r2"]
    with pytest.raises(InvalidInput):
        S3("uploads")


@on_a_loop
async def test_an_object_begins_a_workflow_and_is_confirmed_after_that() -> None:
    things = [{**THING, "sequencer": str(number)} for number in range(12)]
    queue = Queue(*({"Records": [{**RECORD, "s3": {"bucket": {"name": "b"}, "object": one}}]} for one in things))

    @trigger(bucket(queue, every="100ms"))
    @workflow
    async def take(ctx: Any, thing: dict[str, Any]) -> str:
        return str(thing["key"])

    async with Runtime([take], "memory://") as runtime:
        async with asyncio.timeout(30):
            while queue.messages:  # noqa: ASYNC110  # nothing tells of the moment
                await asyncio.sleep(0.02)
        counted = await runtime.list(function="take")
        assert len(counted) == 12


def test_a_key_with_any_characters_is_an_event() -> None:
    thing = {"key": "new%0Aline", "sequencer": "1"}
    record = {"eventSource": "aws:s3", "eventName": "Put", "s3": {"bucket": {"name": "b"}, "object": thing}}
    [event] = s3._events({"Records": [record]})
    assert (event.subject, event.data["key"]) == ("new%0Aline", "new\nline")
