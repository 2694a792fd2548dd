"""An HMAC of the body in a header, for senders that have no scheme of a name: algorithm, encoding, prefix and header
are said here, and nothing of them is read from a request.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Literal

from ....state.errors import InvalidInput
from ....state.quantities import Duration
from ..delivery import Delivery, Rejected
from ..scheme import WINDOW, Scheme, from_hex, header_name, in_time, signed, window_of
from ..secrets import Secrets

Algorithm = Literal["sha256", "sha384", "sha512"]
Encoding = Literal["hex", "base64"]
ALGORITHMS: tuple[Algorithm, ...] = ("sha256", "sha384", "sha512")
ENCODINGS: tuple[Encoding, ...] = ("hex", "base64")
TIME, BODY = "{time}", "{body}"


class Hmac(Scheme):
    """``secret``: where it lies. ``header`` holds the digest, behind ``prefix``. With ``time``, the header of a time in
    seconds, what is signed is ``message`` (``{time}.{body}``), and the time may be no further from now than ``window``.
    The id of an event is the digest of its body unless ``webhook`` says another."""

    def __init__(
        self,
        secret: str | Sequence[str],
        *,
        header: str = "X-Signature",
        algorithm: Algorithm = "sha256",
        encoding: Encoding = "hex",
        prefix: str = "",
        time: str = "",
        message: str = "",
        window: Duration = WINDOW,
    ) -> None:
        self._secrets = Secrets(secret, f"the webhook with {header_name(header)}")
        if algorithm not in ALGORITHMS or encoding not in ENCODINGS:
            raise InvalidInput(f"Hmac can be {', '.join(ALGORITHMS)}, written as {' or '.join(ENCODINGS)}")
        if time and header_name(time).lower() == header.lower():
            raise InvalidInput(f"the time can't come in {header}, where the signature does")
        if not str(prefix).isascii() or type(prefix) is not str:
            raise InvalidInput(f"the prefix of a signature is a text like 'sha256=', not {prefix!r:.80}")
        message = message or (f"{TIME}.{BODY}" if time else BODY)
        if message.count(BODY) != 1 or message.count(TIME) != bool(time):
            raise InvalidInput(
                f"message={message!r} must hold {BODY} once, and {TIME} once if there is a header for the time: "
                "what is not signed proves nothing"
            )
        self._header, self._time, self._prefix = header, time, prefix
        self._algorithm, self._encoding = algorithm, encoding
        self._message = message
        self._window = window_of(window)

    def secrets(self) -> tuple[bytes, ...]:
        return self._secrets.check()

    def glance(self, delivery: Delivery, now: float) -> None:
        self._digest(delivery)
        if self._time:
            in_time(delivery.header(self._time), now, self._window)

    def verify(self, delivery: Delivery, now: float) -> None:
        self.glance(delivery, now)
        before, after = (
            part.replace(TIME, delivery.header(self._time) if self._time else "").encode()
            for part in self._message.split(BODY)
        )
        signed([self._digest(delivery)], self._secrets.valid(), [before, delivery.body, after], self._algorithm)

    def _digest(self, delivery: Delivery) -> bytes:
        written = delivery.header(self._header)
        if not written or not written.startswith(self._prefix):
            raise Rejected(f"{self._header} is missing or none")
        written = written[len(self._prefix) :]
        if self._encoding == "hex":
            return from_hex(written)
        try:
            return base64.b64decode(written, validate=True)
        except (binascii.Error, ValueError):
            raise Rejected("the signature is no Base64") from None
