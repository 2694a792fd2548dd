"""Webhooks of GitHub: ``X-Hub-Signature-256`` is an HMAC of the body. The old one, by SHA-1, is not looked at.

What is signed is the body alone. A delivery's id and the name of its event stand in headers beside it, so whoever got
hold of a delivery could send it again under another id; ``id="{digest}"`` of ``webhook`` makes the body itself the id.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..delivery import Delivery, Described, Rejected
from ..scheme import Scheme, from_hex, signed, text_at
from ..secrets import Secrets

_NAME = re.compile(r"[a-z0-9_.-]{1,100}", re.ASCII)
_ID = re.compile(r"[!-~]{1,200}")
HOME = "https://github.com"


class GitHub(Scheme):
    """``secret``: where the webhook's secret lies; several while it is changed. The event's type is
    ``com.github.EVENT.ACTION``, its id the delivery's, its source the address of the repository (or organization)."""

    def __init__(self, secret: str | Sequence[str]) -> None:
        self._secrets = Secrets(secret, "GitHub's webhook")

    def secrets(self) -> tuple[bytes, ...]:
        return self._secrets.check()

    def glance(self, delivery: Delivery, now: float) -> None:
        _signature(delivery)
        if not _NAME.fullmatch(delivery.header("x-github-event")):
            raise Rejected("X-GitHub-Event is missing or none")
        if not _ID.fullmatch(delivery.header("x-github-delivery")):
            raise Rejected("X-GitHub-Delivery is missing or none")

    def verify(self, delivery: Delivery, now: float) -> None:
        signed([_signature(delivery)], self._secrets.valid(), [delivery.body])

    def describe(self, delivery: Delivery) -> Described:
        event, data = delivery.header("x-github-event"), delivery.data
        action = text_at(data, "action")
        kind = f"com.github.{event}.{action}" if _NAME.fullmatch(action) else f"com.github.{event}"
        source = text_at(data, "repository", "html_url") or text_at(data, "organization", "url") or HOME
        return Described(kind, delivery.header("x-github-delivery"), source, _subject(event, delivery))


def _signature(delivery: Delivery) -> bytes:
    algorithm, _, digest = delivery.header("x-hub-signature-256").partition("=")
    if algorithm != "sha256":
        raise Rejected("X-Hub-Signature-256 is missing or none")
    return from_hex(digest)


def _subject(event: str, delivery: Delivery) -> str | None:
    """What it is about: the number of an issue or pull request, the ref of a push."""
    data = delivery.data
    about = (
        text_at(data, "issue", "number"),
        text_at(data, "pull_request", "number"),
        text_at(data, "ref") if event in ("push", "create", "delete") else "",
    )
    return next(filter(None, about), None)
