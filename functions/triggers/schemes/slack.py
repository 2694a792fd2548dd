"""What Slack sends: events, slash commands and interactions. ``X-Slack-Signature`` signs a version, the time and the
body.

An app has one signing secret for all its addresses. Slack wants a 200 within three seconds, which is why nothing here
waits for what is begun; the address is proven once, by a challenge that is answered only when it is signed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from ....state.quantities import Duration
from ...messages.answer import Answer, Headers
from ..delivery import FORM, Delivery, Described, Rejected
from ..scheme import WINDOW, Scheme, from_hex, in_time, signed, text_at, window_of
from ..secrets import Secrets

HOME = "https://slack.com"


class Slack(Scheme):
    """``secret``: where the app's signing secret lies; ``window``: how old a request may be. The event's type is
    ``com.slack.TYPE`` (of the inner event), ``com.slack.command`` or ``com.slack.INTERACTION``, its id Slack's, its
    source the workspace, its subject the channel."""

    taken: ClassVar[int] = 200
    one_secret: ClassVar[bool] = True
    final: ClassVar[Headers] = (("x-slack-no-retry", "1"),)

    def __init__(self, secret: str | Sequence[str], *, window: Duration = WINDOW) -> None:
        self._secrets = Secrets(secret, "Slack's webhook")
        self._window = window_of(window)

    def secrets(self) -> tuple[bytes, ...]:
        return self._secrets.check()

    def glance(self, delivery: Delivery, now: float) -> None:
        in_time(delivery.header("x-slack-request-timestamp"), now, self._window)
        _signature(delivery)

    def verify(self, delivery: Delivery, now: float) -> None:
        written = delivery.header("x-slack-request-timestamp")
        in_time(written, now, self._window)
        signed([_signature(delivery)], self._secrets.valid(), [b"v0:", written.encode(), b":", delivery.body])

    def handshake(self, delivery: Delivery) -> Answer | None:
        if delivery.media_type == FORM or text_at(delivery.data, "type") != "url_verification":
            return None
        challenge = text_at(delivery.data, "challenge")
        headers = [("content-type", "text/plain; charset=utf-8"), ("x-content-type-options", "nosniff")]
        return Answer(200, challenge.encode("utf-8", "replace"), headers)

    def describe(self, delivery: Delivery) -> Described:
        data = delivery.data
        team = text_at(data, "team_id") or text_at(data, "team", "id")
        source = f"{HOME}/team/{team}" if team.isalnum() else HOME
        if delivery.media_type == FORM and text_at(data, "command"):
            return Described(
                "com.slack.command", text_at(data, "trigger_id"), source, text_at(data, "channel_id") or None
            )
        kind = text_at(data, "event", "type") or text_at(data, "type")
        channel = text_at(data, "event", "channel") or text_at(data, "channel", "id")
        known = text_at(data, "event_id") or text_at(data, "trigger_id")
        return Described(f"com.slack.{kind}" if kind else "com.slack", known, source, channel or None)


def _signature(delivery: Delivery) -> bytes:
    version, _, digest = delivery.header("x-slack-signature").partition("=")
    if version != "v0":
        raise Rejected("X-Slack-Signature is missing or none")
    return from_hex(digest)
