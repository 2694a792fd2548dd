"""How a sender proves who it is, and what it calls its deliveries: what every scheme has, and the arithmetic of those
that sign.

Nothing is compared but in constant time, against every secret that is valid, and the way to compute a signature is
fixed by the scheme: a request can't choose it.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Collection, Iterable
from typing import Any, ClassVar, cast

from ...state.errors import InvalidInput
from ...state.quantities import Duration, seconds
from ..messages.answer import Answer, Headers
from .delivery import Delivery, Described, Rejected

WINDOW: Duration = "5m"
"""How far a signed time may be from now, in either direction."""
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", re.ASCII)
_SECONDS = re.compile(r"[0-9]{1,11}", re.ASCII)


class Scheme:
    """A way to verify a delivery. Subclasses say how, and what its event is by default."""

    verifies: ClassVar[bool] = True
    """False: it lets everybody in."""
    taken: ClassVar[int] = 202
    """The status of an answer to what was taken, new or known."""
    one_secret: ClassVar[bool] = False
    """Its sender has one secret for all addresses that it sends to."""
    final: ClassVar[Headers] = ()
    """Headers that ask the sender not to come again, beside a status of 4xx that will stay."""

    def secrets(self) -> tuple[bytes, ...]:
        """All its secrets. Raises InvalidInput when one is not there."""
        return ()

    def glance(self, delivery: Delivery, now: float) -> None:
        """Raise Rejected for what the headers alone show to be none, before its body is read. ``now`` in seconds."""

    def verify(self, delivery: Delivery, now: float) -> None:
        """Raise Rejected unless it is the sender's; VerifierUnready when that can't be told now."""
        raise NotImplementedError

    def describe(self, delivery: Delivery) -> Described:
        """What it is, after it was verified."""
        return Described("webhook.received")

    def handshake(self, delivery: Delivery) -> Answer | None:
        """The answer to what is no event but a question whether somebody is here, after it was verified."""
        return None


class VerifierUnready(Exception):
    """No secret can be read, so nobody can be known; the sender may come again."""


def signed(
    given: Iterable[bytes], keys: Collection[bytes], message: Iterable[bytes], algorithm: str = "sha256"
) -> None:
    """Raise Rejected unless one of the ``given`` digests is that of the message under one of the keys. Every pair is
    compared, so that the time tells nothing."""
    if not keys:
        raise VerifierUnready
    parts = tuple(message)
    wanted: list[bytes] = []
    for key in keys:
        made = hmac.new(key, digestmod=algorithm)
        for part in parts:
            made.update(part)
        wanted.append(made.digest())
    if not same(given, wanted):
        raise Rejected("no signature fits")


def same(given: Iterable[bytes], wanted: Iterable[bytes]) -> bool:
    """Whether one of those is one of these."""
    candidates = tuple(wanted)
    found = False
    for one in given:
        for other in candidates:
            found |= hmac.compare_digest(one, other)
    return found


def in_time(written: str, now: float, window: float) -> None:
    """Raise Rejected unless it is a time, in whole seconds, not further from now than the window."""
    if not _SECONDS.fullmatch(written):
        raise Rejected("its time is none")
    if abs(now - int(written)) > window:
        raise Rejected("its time is too far from now")


def window_of(given: Duration) -> float:
    """Seconds of a window. Raises InvalidInput, for one in which nothing could arrive too."""
    window = seconds(given)
    if window < 1:
        raise InvalidInput(f"window={given!r} leaves no time to arrive in; say '5m', for one")
    return window


def header_name(given: str) -> str:
    """The name of a header. Raises InvalidInput for what no request could bring."""
    if not isinstance(cast("object", given), str) or not _HEADER.fullmatch(given):
        raise InvalidInput(f"{given!r:.80} is no name of a header; write one like X-Signature")
    return given


def from_hex(written: str) -> bytes:
    """A digest in hexadecimal digits. Raises Rejected."""
    if not re.fullmatch(r"(?:[0-9a-fA-F]{2})+", written, re.ASCII):
        raise Rejected("the signature is no hexadecimal text")
    return bytes.fromhex(written)


def text_at(data: Any, *path: str) -> str:
    """The text (or whole number) at that place of a payload; "" where there is none."""
    for name in path:
        if not isinstance(data, dict):
            return ""
        data = cast("dict[str, Any]", data).get(name)
    if isinstance(data, int) and not isinstance(data, bool):
        return str(data)
    return data if isinstance(data, str) else ""
