"""The handshake of webhooks that send CloudEvents (http-webhook 4): may they deliver here, and how much?

Whoever asks is let deliver, as far as their token reaches, unless ``OVERWINTER_WEBHOOK_ORIGINS`` names those who may
(``events.example.com``, ``*.example.com``). ``OVERWINTER_WEBHOOK_RATE`` is how many deliveries a minute are promised to
one origin, and taken from it: more are 429.

A sender may name an address where permission can be given (``WebHook-Request-Callback``). It is given in the answer;
the address is called as well where that is safe. It comes from outside, so nothing is called but by https, at a host of
an origin that is named, under addresses that are public, and no redirect is followed.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import math
import os
import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from urllib.parse import SplitResult, urlsplit

from ...orchestrator.errors import groups
from ...state.errors import InvalidInput
from ..messages.answer import Answer
from ..messages.message import RawHeaders, header
from ..messages.problem import Refused, settle

log = logging.getLogger("overwinter.http")

ORIGINS, RATE, PRIVATE = "OVERWINTER_WEBHOOK_ORIGINS", "OVERWINTER_WEBHOOK_RATE", "OVERWINTER_WEBHOOK_PRIVATE"
ALLOW = ("allow", "POST, OPTIONS")
PATIENCE = 5.0  # seconds for a callback
AT_ONCE = 4  # callbacks under way; more are left to the answer
REMEMBERED = 1000  # origins whose deliveries are counted
_ENTRY = re.compile(r"(?:\*\.)?[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?")

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
Send = Callable[[SplitResult, str, dict[str, str]], Awaitable[int]]


class Handshake:
    """Who may deliver, and how much. ``origins`` empty: everybody; ``rate``: requests a minute, None: any number;
    ``private``: callbacks may go to addresses that are not public. Raises InvalidInput."""

    def __init__(
        self,
        origins: Sequence[str] = (),
        rate: int | None = None,
        *,
        private: bool = False,
        resolve: Resolve | None = None,
        send: Send | None = None,
    ) -> None:
        wrong = next((one for one in origins if not _ENTRY.fullmatch(one.lower())), None)
        if wrong is not None:
            raise InvalidInput(f"{ORIGINS}: {wrong[:80]!r} is no origin; write events.example.com or *.example.com")
        if rate is not None and rate < 1:
            raise InvalidInput(f"{RATE} is a number of requests a minute, 1 or more")
        self._origins = tuple(one.lower() for one in origins)
        self._rate = rate
        self._private = private
        self._resolve, self._send = resolve or _addresses, send or _post
        self._calls = 0
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()  # by origin: how many may come, as of when

    @property
    def named(self) -> bool:
        return bool(self._origins)

    async def answer(self, headers: RawHeaders) -> Answer:
        """To OPTIONS: permission, or none."""
        granted = self._granted(headers)
        callback = header(headers, b"webhook-request-callback")
        if granted and callback:
            await self._call_back(callback, granted)
        return Answer(204, headers=[ALLOW, *granted.items()])

    def _granted(self, headers: RawHeaders) -> dict[str, str]:
        origin = _origin(headers)
        if not origin:
            return {}
        wanted = header(headers, b"webhook-request-rate")
        if wanted and not (wanted.isdecimal() and wanted.isascii() and int(wanted[:9]) > 0):
            raise Refused(400, "WebHook-Request-Rate must be a positive number of requests per minute")
        if self._origins and not any(_fits(entry, origin.lower()) for entry in self._origins):
            log.info("permission to deliver was not given to %s", origin[:200])
            return {}
        rate = wanted or "*"
        if self._rate is not None:
            rate = str(min(self._rate, int(wanted[:9])) if wanted else self._rate)
        return {"webhook-allowed-origin": origin if self._origins else "*", "webhook-allowed-rate": rate}

    def admit(self, headers: RawHeaders, now: float) -> None:
        """Count a delivery of an origin. Raises Refused (429) when it has sent more than it may; ``now`` in seconds."""
        if self._rate is None:
            return
        origin = _origin(headers).lower()
        if not origin:
            return
        each = self._rate / 60
        left, since = self._left.pop(origin, (float(self._rate), now))
        left = min(float(self._rate), left + max(0.0, now - since) * each)
        self._left[origin] = (left - 1 if left >= 1 else left), now
        if len(self._left) > REMEMBERED:
            self._left.popitem(last=False)
        if left < 1:
            wait = max(1, math.ceil((1 - left) / each))
            raise Refused(
                429, f"{self._rate} deliveries a minute are agreed on; go on later", [("retry-after", str(wait))]
            )

    # -- the callback --------------------------------------------------------------------------------

    async def _call_back(self, callback: str, granted: dict[str, str]) -> None:
        """Best effort: permission has its place in the answer."""
        if not self._origins or self._calls >= AT_ONCE:
            log.info("permission can also be given by a request to %s", _shown(callback))
            return
        self._calls += 1
        try:
            settled = await settle(asyncio.wait_for(self._called(callback, granted), PATIENCE))
        finally:
            self._calls -= 1
        what = groups.said(settled.error) if settled.error is not None else f"answered {settled.value}"
        log.info("the callback %s of a webhook handshake: %s", _shown(callback), what)

    async def _called(self, callback: str, granted: dict[str, str]) -> int:
        parts = urlsplit(callback)
        host = (parts.hostname or "").lower()
        if parts.scheme != "https" or parts.username is not None or parts.port not in (None, 443) or parts.fragment:
            raise InvalidInput("it is not called: a callback is https://HOST/…, at the usual port")
        if not any(_fits(entry, host) for entry in self._origins):
            raise InvalidInput("it is not called: its host is no origin that is named")
        addresses = await self._resolve(host, 443)
        if not addresses or not (self._private or all(ipaddress.ip_address(one).is_global for one in addresses)):
            raise InvalidInput("it is not called: its host has no address, or one that is not public")
        return await self._send(parts, addresses[0], granted)


def from_environment() -> Handshake:
    """As the environment says. Raises Refused (503) for what can't be: as words to who starts a server, as an answer
    where the app is made for a request."""
    try:
        return _of_environment()
    except InvalidInput as error:
        raise Refused(503, str(error)) from error


def _of_environment() -> Handshake:
    rate = os.environ.get(RATE, "").strip()
    if rate and not (rate.isascii() and rate.isdecimal() and len(rate) < 10):
        raise InvalidInput(f"{RATE} is a number of requests a minute, like 600")
    origins = os.environ.get(ORIGINS, "").replace(",", " ").split()
    if not origins and os.environ.get(ORIGINS, "").strip():
        raise InvalidInput(
            f"{ORIGINS} names nobody, which would let everybody in; write events.example.com, or unset it"
        )
    return Handshake(origins, int(rate) if rate else None, private=os.environ.get(PRIVATE, "") not in ("", "0"))


def _origin(headers: RawHeaders) -> str:
    """Who asks; "" where nobody says. Raises Refused for two."""
    if sum(name == b"webhook-request-origin" for name, _ in headers) > 1:
        raise Refused(400, "WebHook-Request-Origin occurs more than once; an origin asks for itself alone")
    return header(headers, b"webhook-request-origin").strip()


def _fits(entry: str, name: str) -> bool:
    return name.endswith(entry[1:]) and len(name) > len(entry) - 1 if entry.startswith("*.") else name == entry


def _shown(callback: str) -> str:
    """An address without what may be a secret of its sender."""
    try:
        parts = urlsplit(callback)
    except ValueError:
        return "what is no address"
    return f"{parts.scheme}://{parts.hostname}{parts.path}"[:200]


async def _addresses(host: str, port: int) -> list[str]:
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port)
    return [str(address[4][0]) for address in found]


async def _post(parts: SplitResult, address: str, granted: dict[str, str]) -> int:
    """Ask the address that was looked at, by the name that it has: a name may lead elsewhere a moment later."""
    import httpx

    host = parts.hostname or ""
    place = f"[{address}]" if ":" in address else address
    query = f"?{parts.query}" if parts.query else ""
    async with httpx.AsyncClient(timeout=PATIENCE, follow_redirects=False, trust_env=False) as client:
        request = client.build_request(
            "POST", f"https://{place}{parts.path or '/'}{query}", headers={"host": host, **granted}
        )
        request.extensions["sni_hostname"] = host
        answer = await client.send(request, stream=True)
        await answer.aclose()  # what it says means nothing, however much it is
        return answer.status_code
