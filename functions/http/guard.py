"""Who may talk to the server. On loopback nobody needs to say who they are, but web pages in the user's browser
stay out (DNS rebinding, cross-site requests). On any other address everybody needs the token.

Brokers and schedulers can send a token only in the URL that they are configured with, which others can read and which
ends up in logs. They get a delivery token, which lets events and sweeps in and nothing else, or a token made from it
that opens one way in (``capability``).
"""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import MutableMapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from ...security.redaction import remember
from ...state.errors import InvalidInput
from ..messages.answer import Receive, Scope, Send
from ..messages.message import RawHeaders, header
from ..messages.problem import Refused, problem
from .capability import fits
from .decision_link import LINKS

PARAMETERS = 100  # of a query that are read for a token
OPEN = frozenset({"/healthz", "/readyz"})
"""Paths without authentication: they tell a probe whether the process works, and nothing else."""


DELIVERED = "overwinter.delivered"
"""Set in the scope of a request that came with the delivery token, or with one for a single way in."""
ALONE = "alone"
"""What it is then set to: nothing but what the path is for."""


def is_loopback(host: str) -> bool:
    """Whether a host name or address, without a port, means this machine only."""
    name = host.strip("[]").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    return address.is_loopback


def guard(host: str, token: str | None, delivery_token: str | None = None) -> None:
    """Refuse to start where strangers could reach an unprotected server. Raises InvalidInput."""
    remember(*(secret for secret in (token, delivery_token) if secret))
    for secret in (token, delivery_token):
        if secret is not None and len(secret) < 16:
            raise InvalidInput(
                "the token is too short to be a secret; make one with: python -c 'import secrets; "
                "print(secrets.token_urlsafe(32))'"
            )
    if delivery_token is not None and token in (None, delivery_token):
        raise InvalidInput("a delivery token needs OVERWINTER_TOKEN beside it, and the two must differ")
    if token is None and not is_loopback(host):
        raise InvalidInput(
            f"{host or 'every address'} can be reached from other machines, and no token is set; set "
            "OVERWINTER_TOKEN to a long random text, or listen on 127.0.0.1"
        )


class Guard:
    """ASGI middleware: 401 without the token, 403 for browsers of other sites, otherwise nothing. What is posted to
    ``verified`` paths proves there who has sent it; what lies at ``pages`` and below holds nothing that anybody may not
    see."""

    def __init__(
        self,
        app: object,
        token: str | None,
        delivery_token: str | None = None,
        verified: frozenset[str] = frozenset(),
        pages: frozenset[str] = frozenset(),
    ) -> None:
        self._app = app
        self._verified = verified
        self._pages = pages
        remember(*(secret for secret in (token, delivery_token) if secret))
        self._token = None if token is None else token.encode()
        self._delivery = None if delivery_token is None else delivery_token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            refusal = self._refusal(scope)
            if refusal is not None:
                await problem(refusal)(scope, receive, send)
                return
            if b"access_token=" in scope.get("query_string", b""):
                send = _private(send)
        await self._app(scope, receive, send)  # type: ignore[operator]  # Starlette types its apps otherwise

    def _refusal(self, scope: Scope) -> Refused | None:
        headers: RawHeaders = scope["headers"]
        path: str = scope["path"]
        if path in self._verified and scope["method"] == "POST":
            return None
        if path.startswith(LINKS) or "/".join(path.split("/", 2)[:2]) in self._pages:
            return None
        if self._token is None:
            return _foreign(headers)
        if path in OPEN or (scope["method"] == "OPTIONS" and (path == "/" or path.startswith("/events/"))):
            return None
        given = _given_token(headers, scope.get("query_string", b""))
        if given is None:
            return _unauthorized("send Authorization: Bearer TOKEN", "Bearer")
        if hmac.compare_digest(given, self._token):
            return None
        if self._delivery is not None and scope["method"] == "POST" and fits(given, self._delivery, path):
            scope[DELIVERED] = ALONE
            return None
        if self._delivery is None or not hmac.compare_digest(given, self._delivery):
            return _unauthorized("the token is wrong", 'Bearer error="invalid_token"')
        if path not in ("/", "/sweep") and not path.startswith(("/events/", "/subscriptions/")):
            return Refused(403, "this token only delivers events and sweeps; use the API's own token")
        scope[DELIVERED] = True
        return None


def _private(send: Send) -> Send:
    """Keep answers to URLs that hold the token out of shared caches (RFC 6750, 2.3)."""

    async def marked(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], (b"cache-control", b"private")]
        await send(message)

    return marked


def _unauthorized(message: str, challenge: str) -> Refused:
    return Refused(401, message, [("www-authenticate", challenge), ("cache-control", "no-store")])


def _given_token(headers: RawHeaders, query: bytes) -> bytes | None:
    scheme, _, credentials = header(headers, b"authorization").partition(" ")
    if scheme:
        return credentials.strip().encode("latin-1") if scheme.lower() == "bearer" else b""
    if b"access_token" in query:
        try:
            given = dict(reversed(parse_qsl(query.decode("latin-1"), max_num_fields=PARAMETERS)))
        except ValueError:  # more than any request here has
            return b""
        return given["access_token"].encode() if "access_token" in given else None
    return None


def _foreign(headers: RawHeaders) -> Refused | None:
    host = header(headers, b"host")
    if not is_loopback(_name(host)):
        return Refused(
            403,
            f"the Host {host[:100]!r} is not this machine; call 127.0.0.1 or localhost, or start with a token",
        )
    origin = header(headers, b"origin")
    if origin and urlsplit_host(origin) != host.lower():
        return Refused(403, "web pages of other origins may not call this server; start it with a token")
    if header(headers, b"sec-fetch-site") in ("cross-site", "same-site"):
        return Refused(403, "other web sites may not call this server; start it with a token")
    return None


def urlsplit_host(origin: str) -> str:
    """Host and port of an origin; "" for an opaque one ("null")."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


def _name(host: str) -> str:
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0]
