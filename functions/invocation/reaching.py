"""A place answers a request: the one port behind which a function that lives elsewhere is reached, whichever way.

``http:`` and ``https:``, signed for AWS or not (``posting``, ``signing``), and ``lambda:`` (``lambdas``).
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from .aws import is_expired
from .posting import SILENCE, Posts, Silent, Told, Unreached, Unwanted
from .routes import Route

if TYPE_CHECKING:
    import httpx

    from .lambdas import Lambdas
    from .signing import Signatures

_TOO_LARGE = "answer-too-large"
_KIND = "x-amzn-errortype"


class Ways:
    """Requests of one kind. Connections are kept."""

    def __init__(self) -> None:
        self._posts = Posts()

    async def ask(
        self,
        place: Route,
        path: str,
        body: bytes,
        headers: Mapping[str, str],
        silence: float = SILENCE,
        *,
        method: str = "POST",
    ) -> Told:
        """What is answered to a request there, read whole. Raises Unreached when nobody has answered, Silent when what
        was asked goes on for longer than that, Unwanted, and InvalidInput for what can never be sent."""
        function = place.function
        if function:
            told = await self._lambdas.ask(function, place.region, method, path, body, headers, silence)
        else:
            url = place.url + path
            headers = await self._signed(place, method, url, body, headers)
            try:
                given = {} if method == "POST" else {"method": method}
                told = await self._posts.whole(url, body, headers, silence, **given)
            except Silent as error:
                if place.sign:
                    raise
                raise Unreached(str(error)) from None
            if place.sign and told.status == 403 and is_expired(told.headers.get(_KIND, "")):
                self._signatures.forget()
                raise Unreached(f"AWS wants newer credentials than those of this process ({told.headers[_KIND]})")
        return _fit(told)

    async def tell(self, place: Route, body: bytes, headers: Mapping[str, str]) -> Told:
        """Hand over an event that needs no answer. Raises as ``ask`` does."""
        if place.function:
            return await self._lambdas.tell(place.function, place.region, body, SILENCE)
        return await self.ask(place, "/", body, headers)

    @asynccontextmanager
    async def streamed(
        self, place: Route, path: str, body: bytes, headers: Mapping[str, str]
    ) -> AsyncGenerator[httpx.Response]:
        """An answer that is read as it comes, where ``place.streams``. Raises Unreached, Unwanted."""
        url = place.url + path
        async with self._posts.posted(url, body, await self._signed(place, "POST", url, body, headers)) as response:
            yield response

    async def _signed(
        self, place: Route, method: str, url: str, body: bytes, headers: Mapping[str, str]
    ) -> Mapping[str, str]:
        return await self._signatures.signed(method, url, body, headers, place.region) if place.sign else headers

    @cached_property
    def _lambdas(self) -> Lambdas:
        from .lambdas import Lambdas

        return Lambdas()

    @cached_property
    def _signatures(self) -> Signatures:
        from .signing import Signatures

        return Signatures()


def _fit(told: Told) -> Told:
    """Raises Unwanted for an answer that Lambda could not carry: it will be as large the next time."""
    said: Any = told.json if told.status == 500 else None
    if isinstance(said, dict) and str(cast("dict[str, Any]", said).get("type", "")).endswith(_TOO_LARGE):
        raise Unwanted(str(cast("dict[str, Any]", said).get("detail", "")) or "the answer is too large")
    return told
