"""A token in a header, for senders that sign nothing (GitLab, Telegram). It proves who has sent something and not what:
whoever sees one delivery can make others, so it is for TLS alone.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..delivery import Delivery, Rejected
from ..scheme import Scheme, VerifierUnready, header_name, same
from ..secrets import Secrets

BEARER = "authorization"


class Token(Scheme):
    """``secret``: where the token lies; ``header``: which one brings it, by default ``Authorization: Bearer TOKEN``.
    The id of an event is the digest of its body unless ``webhook`` says another."""

    def __init__(self, secret: str | Sequence[str], *, header: str = "Authorization") -> None:
        self._secrets = Secrets(secret, f"the webhook with {header_name(header)}")
        self._header = header

    def secrets(self) -> tuple[bytes, ...]:
        return self._secrets.check()

    def glance(self, delivery: Delivery, now: float) -> None:
        """All that is to verify stands in a header: who has no token sends no body."""
        keys = self._secrets.valid()
        if not keys:
            raise VerifierUnready
        if not same([self._given(delivery)], keys):
            raise Rejected("the token is missing or wrong")

    def verify(self, delivery: Delivery, now: float) -> None:
        self.glance(delivery, now)

    def _given(self, delivery: Delivery) -> bytes:
        given = delivery.header(self._header)
        if self._header.lower() == BEARER:
            scheme, _, given = given.partition(" ")
            if scheme.lower() != "bearer":
                given = ""
        return given.strip().encode("latin-1")
