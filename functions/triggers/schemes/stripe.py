"""Webhooks of Stripe: ``Stripe-Signature: t=TIME,v1=DIGEST`` signs the time and the body. There is a ``v1`` for each
secret that is valid while one is rolled; other versions are not looked at.
"""

from __future__ import annotations

from collections.abc import Sequence

from ....state.quantities import Duration
from ..delivery import Delivery, Described, Rejected
from ..scheme import WINDOW, Scheme, from_hex, in_time, signed, text_at, window_of
from ..secrets import Secrets

HOME = "https://stripe.com"


class Stripe(Scheme):
    """``secret``: where the endpoint's signing secret (``whsec_…``) lies; ``window``: how old a delivery may be. The
    event's type is ``com.stripe.TYPE``, its id Stripe's, its subject the object's."""

    def __init__(self, secret: str | Sequence[str], *, window: Duration = WINDOW) -> None:
        self._secrets = Secrets(secret, "Stripe's webhook")
        self._window = window_of(window)

    def secrets(self) -> tuple[bytes, ...]:
        return self._secrets.check()

    def glance(self, delivery: Delivery, now: float) -> None:
        in_time(_read(delivery)[0], now, self._window)

    def verify(self, delivery: Delivery, now: float) -> None:
        written, digests = _read(delivery)
        in_time(written, now, self._window)
        signed(digests, self._secrets.valid(), [written.encode(), b".", delivery.body])

    def describe(self, delivery: Delivery) -> Described:
        data = delivery.data
        account = text_at(data, "account")
        source = f"{HOME}/accounts/{account}" if account.isalnum() or account.startswith("acct_") else HOME
        kind = text_at(data, "type")
        subject = text_at(data, "data", "object", "id") or text_at(data, "related_object", "id")
        return Described(f"com.stripe.{kind}" if kind else "com.stripe", text_at(data, "id"), source, subject or None)


def _read(delivery: Delivery) -> tuple[str, list[bytes]]:
    """The time as it is written, and the digests."""
    times: list[str] = []
    digests: list[bytes] = []
    for part in delivery.header("stripe-signature").split(","):
        name, _, value = part.strip().partition("=")
        if name == "t":
            times.append(value)
        elif name == "v1":
            digests.append(from_hex(value))
    if len(times) != 1 or not digests:
        raise Rejected("Stripe-Signature is missing, or has not one time and a v1")
    return times[0], digests
