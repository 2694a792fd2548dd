"""Standard Webhooks (standardwebhooks.com), as Svix and many others send them: an id, a time and the body are signed.

The headers are ``webhook-id``, ``webhook-timestamp`` and ``webhook-signature``, or the same with ``svix-``. There is a
``v1`` for each secret that is valid while one is rotated. Those of a key pair (``v1a``) are not looked at.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence

from ....state.quantities import Duration
from ..delivery import Delivery, Described, Rejected
from ..scheme import WINDOW, Scheme, in_time, signed, text_at, window_of
from ..secrets import Secrets

PREFIXES = ("webhook-", "svix-")
_ID = re.compile(r"[!-~]{1,200}")


class StandardWebhooks(Scheme):
    """``secret``: where the secret lies (``whsec_…``, or its Base64 alone); ``window``: how old a delivery may be. The
    event's type is the payload's ``type``, its id ``webhook-id``."""

    def __init__(self, secret: str | Sequence[str], *, window: Duration = WINDOW) -> None:
        self._secrets = Secrets(secret, "the webhook", _key)
        self._window = window_of(window)

    def secrets(self) -> tuple[bytes, ...]:
        return self._secrets.check()

    def glance(self, delivery: Delivery, now: float) -> None:
        _, written, _ = _read(delivery)
        in_time(written, now, self._window)

    def verify(self, delivery: Delivery, now: float) -> None:
        id, written, digests = _read(delivery)
        in_time(written, now, self._window)
        signed(digests, self._secrets.valid(), [f"{id}.{written}.".encode(), delivery.body])

    def describe(self, delivery: Delivery) -> Described:
        return Described(text_at(delivery.data, "type") or "webhook.received", _read(delivery)[0])


def _read(delivery: Delivery) -> tuple[str, str, list[bytes]]:
    """The id, the time as it is written, and the digests, all from headers of one family."""
    prefix = next((one for one in PREFIXES if delivery.header(f"{one}id")), PREFIXES[0])
    id = delivery.header(f"{prefix}id")
    if not _ID.fullmatch(id) or "." in id:
        raise Rejected("its id is missing or none")  # with a dot in it, id and time could be told apart in two ways
    digests = [
        _decoded(part.removeprefix("v1,"))
        for part in delivery.header(f"{prefix}signature").split(" ")
        if part.startswith("v1,")
    ]
    if not digests:
        raise Rejected("its signature is missing, or none of version v1")
    return id, delivery.header(f"{prefix}timestamp"), digests


def _decoded(written: str) -> bytes:
    try:
        return base64.b64decode(written, validate=True)
    except (binascii.Error, ValueError):
        raise Rejected("the signature is no Base64") from None


def _key(secret: str) -> bytes:
    written = secret.removeprefix("whsec_")
    try:
        key = base64.b64decode(written, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("it is not Base64 behind whsec_; copy it whole from the sender") from None
    if len(key) < 16:
        raise ValueError("it has fewer than 16 bytes")
    return key
