"""A Broker of Knative as the broker: events are posted to its ingress, and its Triggers bring them to subscriptions.

An event is published when the ingress has answered 2xx. What Knative itself would try again (404, 408, 409, 429, 5xx,
no answer) is tried again by whoever publishes; any other answer is final, and says what the ingress said. Events are
posted in structured mode, because in headers Knative's parts read and write names that are not ASCII each in its way.

Nothing is read here. Every subscription has an address of its own, ``POST /subscriptions/NAME``, and a Trigger that
posts there (``overwinter subscriptions list --render knative``), so one that can't take an event now holds up, repeats
and dead-letters nobody else's. What is answered there is no event, so nothing goes in circles.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ...orchestrator.usercode.resilience import wait_of
from ...state.errors import BrokerUnavailable, InvalidInput
from ..events.event import CloudEvent
from ..events.http import write_structured
from ..invocation.connections import CONNECT, library
from .broker import Subscribers
from .knative_place import Place, read

if TYPE_CHECKING:
    import ssl

    import httpx

SILENCE = 30.0
"""Seconds that an ingress may say nothing."""
AT_ONCE = 100
"""Events that are on their way at a time; the others wait."""
SAID = 300
"""Bytes that are told of what an ingress said."""
_LATER = (404, 408, 409, 425, 429)


class KnativeBroker:
    """Carries events by a Broker's ingress. Raises InvalidInput for a DSN that can't be."""

    no_calls = "a Broker of Knative carries events alone, because each call and each answer would need a Trigger"

    def __init__(self, dsn: str) -> None:
        self.place: Place = read(dsn)
        self._client: httpx.AsyncClient | None = None
        self._room = asyncio.Semaphore(AT_ONCE)

    async def open(self, subscribers: Subscribers) -> None:
        httpx = await library()
        self.place.bearer()
        trusted = await asyncio.to_thread(_trusted, self.place)
        wait = httpx.Timeout(SILENCE, connect=CONNECT, pool=None)
        self._client = httpx.AsyncClient(verify=trusted, timeout=wait, follow_redirects=False)

    async def publish(self, event: CloudEvent) -> None:
        if self.place.extensions:
            event = event.replace(extensions={**event.extensions, **self.place.extensions})
        message = write_structured(event)
        async with self._room:
            await self._post(message.body, dict(message.headers))

    async def _post(self, body: bytes, headers: dict[str, str]) -> None:
        httpx = await library()
        client, place = self._client, self.place
        if client is None:
            raise BrokerUnavailable("the runtime is closed")
        try:
            if token := place.bearer():
                headers["authorization"] = f"Bearer {token}"
        except InvalidInput as error:  # it is nothing about the event, and may be put right
            raise BrokerUnavailable(str(error)) from None
        try:
            async with client.stream("POST", place.url, content=body, headers=headers) as answer:
                said = b"" if answer.is_success else await _said(answer)
        except (httpx.HTTPError, OSError) as error:
            why = str(error) or type(error).__name__
            raise BrokerUnavailable(f"the broker at {place.url} did not take the event: {why}") from None
        except RuntimeError as error:  # httpx says this of a client that was closed meanwhile
            raise BrokerUnavailable(f"the runtime is closing: {error}") from None
        if answer.is_success:
            return
        text = f"the broker at {place.url} answered {answer.status_code} {said.decode(errors='replace')}".rstrip()
        if answer.status_code in _LATER or answer.status_code >= 500:
            raise BrokerUnavailable(text, retry_after=wait_of(answer.headers))
        raise InvalidInput(text + _advice(answer.status_code))

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()


async def _said(answer: httpx.Response) -> bytes:
    found = b""
    async for piece in answer.aiter_raw():
        found += piece
        if len(found) >= SAID:
            break
    return found[:SAID]


def _advice(status: int) -> str:
    if status in (401, 403):
        return "; it wants another token (OVERWINTER_BROKER_TOKEN), or its EventPolicy does not allow the event"
    if 300 <= status < 400:
        return "; it redirects, write the address that it leads to"
    return ""


def _trusted(place: Place) -> ssl.SSLContext:
    """Certificates are read only where one is shown."""
    import ssl

    import httpx

    if not place.url.startswith("https:"):
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    found = httpx.create_ssl_context()
    if place.authorities:
        try:
            found.load_verify_locations(cadata=place.authorities)
        except ssl.SSLError as error:
            raise InvalidInput(f"K_CA_CERTS holds no certificate in PEM that can be read ({error})") from None
    return found
