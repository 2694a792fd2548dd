"""Mail that comes into a folder of an IMAP server. A mail is known by its number in the folder, which no other one ever
gets; the mails themselves are left as they are, unread ones unread.

Where a server begins to count anew (another UIDVALIDITY), what is there counts as new. Mails are written by anybody:
one that Python's library can't read is told as it stands, so that it is not in the way of those behind it.
"""

from __future__ import annotations

import asyncio
import imaplib
import ssl
from collections.abc import Generator
from contextlib import contextmanager, suppress
from email import message_from_bytes, policy
from email.errors import MessageError
from email.message import EmailMessage
from typing import Any, cast
from urllib.parse import quote

from ...state.codec import mended
from ...state.errors import InvalidInput, Retryable
from ...state.quantities import Duration, size
from ..events.event import CloudEvent
from ..invocation.secrets import is_reference, look_up
from .source import Found, Source, fitting, named

MOST = 20  # mails of one look
PATIENCE = 30.0  # seconds for each answer of the server
NO_MAIL = (
    MessageError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What Python's library raises for one that is malformed."""


class Mailbox(Source):
    """``host`` (``imap.example.com``, with ``:993`` or another port), ``user``, and where the ``password`` lies
    (``env:NAME``, ``file:PATH``); ``largest``: how much of a mail is read. The connection is TLS, unless ``tls`` says
    no, for a server on this machine. The first look takes all that is there; with ``new`` it takes nothing, and later
    ones what has come since.

    An event has the type ``overwinter.mail``, the mail's subject, and ``from``, ``to``, ``subject``, ``date``,
    ``message_id``, ``text`` and the names of ``attachments`` as its data."""

    def __init__(
        self,
        host: str,
        user: str,
        password: str,
        *,
        folder: str = "INBOX",
        new: bool = False,
        largest: str | int = "1MB",
        every: Duration = "1m",
        tls: bool = True,
    ) -> None:
        for what, value in (("the host", host), ("the user", user), ("the folder", folder)):
            named(f"{what} of a mailbox", value)
        if not is_reference(password):
            raise InvalidInput(
                f"say where the password of {user} lies, by env:NAME or file:PATH, not the password itself"
            )
        if any(ord(one) < 32 or one in '"\\' for one in folder + user):
            raise InvalidInput("a folder and a user are without quotes, backslashes and control characters")
        self._host, _, port = host.partition(":")
        self._port = int(port) if port.isascii() and port.isdecimal() else 993 if tls else 143
        if (port and port != str(self._port)) or not self._host or self._port > 65535:
            raise InvalidInput(
                f"{host[:80]!r} is no host of a mailbox; write imap.example.com, or imap.example.com:993"
            )
        self._user, self._password, self._folder = user, password, folder
        self._new, self._largest, self._tls = new, size(largest), tls
        self._source = f"imap://{quote(user)}@{self._host}/{quote(folder)}"
        super().__init__(f"mail {user}@{host} {folder}", every)

    async def look(self, since: Any) -> Found:
        return await asyncio.to_thread(self._look, cast("list[int] | None", since))

    def _look(self, since: list[int] | None) -> Found:
        with self._opened() as server:
            validity = int(_response(server, "UIDVALIDITY"))
            first = since is None or since[0] != validity
            if first and since is None and self._new:
                return Found([], [validity, max(self._numbers(server, 1), default=0)])
            after = 0 if since is None or first else since[1]
            numbers = sorted(number for number in self._numbers(server, after + 1) if number > after)
            taken = numbers[:MOST]
            events = [event for number in taken if (event := self._event(server, validity, number)) is not None]
        count = fitting(events)
        if count < len(events):
            taken = taken[: 1 + taken.index(int(events[count - 1].id.rpartition(".")[2]))]
        return Found(events[:count], [validity, taken[-1] if taken else after], len(numbers) > len(taken))

    @contextmanager
    def _opened(self) -> Generator[imaplib.IMAP4]:
        password = look_up(self._password, f"password of {self._user}")
        server: imaplib.IMAP4 = (
            imaplib.IMAP4_SSL(self._host, self._port, ssl_context=ssl.create_default_context(), timeout=PATIENCE)
            if self._tls
            else imaplib.IMAP4(self._host, self._port, timeout=PATIENCE)
        )
        try:
            server.login(self._user, password)
            if server.select(f'"{self._folder}"', readonly=True)[0] != "OK":
                raise Retryable(f"{self._source} has no such folder")
            yield server
        except imaplib.IMAP4.error as error:
            raise Retryable(f"{self._source} says no: {str(error)[:200]}") from None
        finally:
            with suppress(imaplib.IMAP4.error, OSError):
                server.logout()

    def _numbers(self, server: imaplib.IMAP4, first: int) -> list[int]:
        """The numbers from ``first`` on, and that of the last mail in any case, as IMAP has it."""
        kind, found = server.uid("SEARCH", f"UID {first}:*")
        if kind != "OK":
            raise Retryable(f"{self._source} does not search")
        return [int(one) for one in (found[0] or b"").split()]

    def _event(self, server: imaplib.IMAP4, validity: int, number: int) -> CloudEvent | None:
        kind, parts = server.uid("FETCH", str(number), f"(UID BODY.PEEK[]<0.{self._largest}>)")
        if kind != "OK":
            raise Retryable(f"{self._source} does not give the mail {number}")
        held = cast("list[tuple[bytes, bytes] | bytes | None]", parts)
        raw = next((part[1] for part in held if isinstance(part, tuple)), None)
        if raw is None:
            return None  # deleted meanwhile
        try:
            data: dict[str, Any] = mended(_read(raw))
        except NO_MAIL:
            data = mended(_bare(raw))
        subject = "".join(one if one.isprintable() else " " for one in data["subject"])
        return CloudEvent(
            type="overwinter.mail",
            source=self._source,
            id=f"{validity}.{number}",
            subject=subject[:500] or None,
            data=data,
        )


def _response(server: imaplib.IMAP4, name: str) -> str:
    found = server.response(name)[1]
    value: Any = found[0] if found else None
    if not isinstance(value, bytes):
        raise Retryable(f"the server does not say its {name}")
    return value.decode()


def _read(raw: bytes) -> dict[str, Any]:
    mail = message_from_bytes(raw, policy=policy.default)
    body = mail.get_body(("plain", "html"))
    return {
        **{name: _header(mail, name) for name in ("from", "to", "subject", "date")},
        "message_id": _header(mail, "message-id"),
        "text": "" if body is None else _text(body),
        "attachments": [str(part.get_filename() or "") for part in mail.iter_attachments()],
    }


def _bare(raw: bytes) -> dict[str, Any]:
    """A mail as it stands: its lines as the text, and the headers that are one line."""
    text = raw.decode("utf-8", "replace")
    head = text.replace("\r\n", "\n").partition("\n\n")[0]
    lines = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head.split("\n"))}
    told = {name: lines.get(name, "") for name in ("from", "to", "subject", "date")}
    return {**told, "message_id": lines.get("message-id", ""), "text": text, "attachments": []}


def _header(mail: EmailMessage, name: str) -> str:
    """As text, whatever stands there: mails are written by anybody."""
    try:
        return str(mail.get(name, ""))
    except (ValueError, LookupError, AttributeError, IndexError, TypeError):
        return ""


def _text(body: Any) -> str:
    try:
        return str(body.get_content())
    except (ValueError, LookupError, AttributeError, KeyError):
        return bytes(body.get_payload(decode=True) or b"").decode("utf-8", "replace")
