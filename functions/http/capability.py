"""Tokens that open one way in and nothing else: events for one function, or one subscription, or the sweep.

They are for URLs that others can read: of a Trigger, in a request log. One is an HMAC of its way in, with the delivery
token as the key: nothing has to be stored, whoever has one can make no other, and all of them end with the delivery
token they were made from.
"""

from __future__ import annotations

import base64
import hashlib
import hmac

from ...state.errors import InvalidInput

BEGINS = "owd_"
"""How they begin, by which every log finds them (``security.redaction``)."""
SWEEP = "/sweep"
EVENTS = "/events/"
SUBSCRIPTIONS = "/subscriptions/"
_PURPOSE = "overwinter delivery 1\n"


def capability(delivery_token: str, path: str) -> str:
    """The token that opens ``path``: ``/events/NAME``, ``/subscriptions/NAME`` or ``/sweep``. Raises InvalidInput for
    another one."""
    if not opens(path):
        ways = f"{EVENTS}NAME, {SUBSCRIPTIONS}NAME or {SWEEP}"
        raise InvalidInput(f"a token for one way in is for {ways}, not for {path[:100]!r}")
    return _made(delivery_token.encode(), path)


def opens(path: str) -> bool:
    """Whether such a token can be for that path."""
    name = path.removeprefix(EVENTS if path.startswith(EVENTS) else SUBSCRIPTIONS)
    return path == SWEEP or (name != path and name != "" and "/" not in name)


def fits(given: bytes, delivery_token: bytes, path: str) -> bool:
    """Whether ``given`` is the token for that path; found out in a time that does not tell how near it is."""
    expected = _made(delivery_token, path) if opens(path) else ""
    return hmac.compare_digest(given, expected.encode()) and expected != ""


def _made(key: bytes, path: str) -> str:
    digest = hmac.new(key, (_PURPOSE + path).encode("utf-8", "surrogatepass"), hashlib.sha256).digest()
    return BEGINS + base64.urlsafe_b64encode(digest).decode().rstrip("=")
