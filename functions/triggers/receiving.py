"""What becomes of a delivery: it is verified, made an event, and begins its function, durably, once.

Servers call ``glance`` before they read a body, ``verify`` and ``receive`` with it. What is raised says what the sender
is told: Refused (401) whenever it is not proven who sent it, whatever is wrong; Refused (503) when nobody can be known.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ...state.errors import InvalidInput
from ..events.intake import digest_of
from ..messages.answer import Answer
from ..messages.problem import Refused
from .beginning import begin, given_of
from .delivery import Delivery, Rejected
from .scheme import VerifierUnready
from .webhook import Declared

if TYPE_CHECKING:
    from ...orchestrator.runtime import Runtime

log = logging.getLogger("overwinter.http")
QUIET = 60.0  # seconds
UNPROVEN = "this is not signed as the webhook's sender signs, or too long ago; see the log of the receiver"


def glance(declared: Declared, delivery: Delivery, now: float) -> None:
    """Refuse what its headers alone show to be from somebody else. ``now`` in seconds."""
    try:
        declared.webhook.scheme.glance(delivery, now)
    except (Rejected, VerifierUnready) as error:
        raise _refused(declared, error, now) from None


def verify(declared: Declared, delivery: Delivery, now: float) -> None:
    """Refuse a delivery, whose body has come, from anybody else."""
    try:
        declared.webhook.scheme.verify(delivery, now)
    except (Rejected, VerifierUnready) as error:
        raise _refused(declared, error, now) from None


async def receive(runtime: Runtime, declared: Declared, delivery: Delivery) -> Answer:
    """The answer to a verified delivery. Nothing is acknowledged before it is durable."""
    webhook = declared.webhook
    try:
        answer = webhook.scheme.handshake(delivery)
        if answer is not None:
            return answer
        event = webhook.event(delivery)
        if not webhook.wants(event):
            return Answer(200 if webhook.scheme.taken == 200 else 204)
        session = webhook.key(delivery)
        given = webhook.input(delivery) if webhook.input else given_of(declared.whole, event)
    except (Rejected, VerifierUnready) as error:
        raise _refused(declared, error, runtime.clock() / 1000) from None
    key = digest_of("webhook", webhook.path, event.source, event.id)
    await begin(runtime, declared.name, given, key=key, by=event.source, session=session)
    return Answer(webhook.scheme.taken)


def _refused(declared: Declared, error: Rejected | VerifierUnready, now: float) -> Refused:
    """Strangers may send as often as they like: once in a QUIET the log tells it as a warning, else as an information.
    Where a secret can't be read, it may be the one that fits, and the sender comes again."""
    path, refusals = declared.webhook.path, declared.webhook.refusals
    level = logging.INFO if 0 <= now - refusals.told < QUIET else logging.WARNING
    if level == logging.WARNING:
        refusals.told = now
    unready = "it had no secret" if isinstance(error, VerifierUnready) else ""
    try:
        declared.webhook.scheme.secrets()
    except InvalidInput as unreadable:
        unready = str(unreadable)
    if unready:
        log.log(level, "the webhook %s sends away what it can't verify: %s", path, unready)
        return Refused(503, "this webhook can't verify anything now; send it again later")
    log.log(level, "a delivery to the webhook %s was refused: %s", path, error)
    return Refused(401, UNPROVEN, [("www-authenticate", "Signature"), ("cache-control", "no-store")])
