"""``function:NAME``: a model that is a function of its own, asked wherever the routes say that it is: in this process,
or by HTTP. Errors come back as the classes that they are there.

The call carries the idempotency key of the operation, so a call that is repeated after a crash, or because an answer
was lost, gets the answer that there is. No request is held for longer than the other side wants to: until there is an
answer it is asked again.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote

from ...orchestrator.engine.performing import current_call
from ...orchestrator.errors import failures
from ...orchestrator.usercode.resilience import wait_of
from ...state.codec import dumps
from ...state.errors import (
    InvalidInput,
    KeyRefused,
    ModelError,
    ModelUnavailable,
    RateLimited,
    RequestRefused,
    UnknownModel,
    Unreadable,
)
from ..invocation.posting import MOST, Told, Unreached, Unwanted, parsed, read
from ..invocation.reaching import Ways
from ..invocation.routes import Route, route
from . import wire
from .chat import Unfit
from .events import Events, TooLong
from .failing import said
from .known import known
from .port import Answer, Delta, Emit, Request, Streaming
from .unstreamed import told
from .vectors import Embedder, Embeddings

if TYPE_CHECKING:
    import httpx

PREFIX = "function:"
LARGEST = 256 * 1024
"""Characters of a recorded error; what is larger, nobody of ours has recorded."""
WAIT = 60
"""Seconds for which a request may be held; after that it is asked again."""
_AGAIN = 0.2
_STATUS: dict[int, type[ModelError]] = {401: KeyRefused, 403: KeyRefused, 404: UnknownModel, 429: RateLimited}


class FunctionModel:
    """The model function of that name."""

    def __init__(self, function: str) -> None:
        self.function = function
        self.name = f"{PREFIX}{function}"
        self._ways = Ways()

    def __repr__(self) -> str:
        return f"FunctionModel({self.function!r})"

    @property
    def keeps(self) -> bool:
        """Whether a call that is repeated after a crash gets the answer that there is, and is not paid twice."""
        found = route(self.function)
        return found is not None and bool(found.url)

    async def complete(self, request: Request) -> Answer:
        place = self._place()
        if not isinstance(place, Route):
            return await place.complete(request)
        return self._answer(await self._settled(place, "", self._written(wire.asked(request))))

    async def embed(
        self, texts: Sequence[str], *, dimensions: int | None = None, settings: Mapping[str, Any] = {}
    ) -> Embeddings:
        """See ``vectors``."""
        place = self._place()
        if not isinstance(place, Route):
            if not isinstance(place, Embedder):
                raise InvalidInput(f"{self.name} does not embed; serve a model that does under that name")
            return await place.embed(texts, dimensions=dimensions, settings=settings)
        asked = {"texts": list(texts), "dimensions": dimensions, "settings": dict(settings)}
        body = await self._settled(place, "/embeddings", self._written(asked))
        try:
            return wire.embeddings(body, len(texts), self.name)
        except (InvalidInput, Unfit) as error:
            raise Unreadable(f"{self.name}: what it sent are no embeddings: {error}", model=self.name) from None

    async def _settled(self, place: Route, path: str, body: bytes) -> object:
        """The JSON that is answered in the end. Raises what the function says instead."""
        headers, pause = self._headers(place, "application/json"), _AGAIN
        while True:
            with self._reaching():
                told = await self._ways.ask(place, self._path + path, body, headers)
            if told.status != 202:
                return told.json if told.status == 200 else self._raise(told)
            await asyncio.sleep(max(pause, min(wait_of(told.headers) or 0.0, 10.0)))
            pause = min(2.0, pause * 2)

    async def stream(self, request: Request, emit: Emit) -> Answer:
        place = self._place()
        if not isinstance(place, Route):
            return await place.stream(request, emit)
        if not place.streams:
            return told(await self.complete(request), emit)
        body, headers = self._written(wire.asked(request)), self._headers(place, "text/event-stream")
        with self._reaching():
            async with self._ways.streamed(place, self._path, body, headers) as response:
                kind: str = response.headers.get("content-type", "")
                if response.status_code == 200 and kind.startswith("text/event-stream"):
                    return await self._heard(response, emit)
                text = await read(response)
        whole = Told(response.status_code, response.reason_phrase, response.headers, text)
        if whole.status == 202:  # it goes on there, and was told to others
            return told(await self.complete(request), emit)
        return told(self._answer(whole.json), emit) if whole.status == 200 else self._raise(whole)

    def absent(self) -> str:
        """Why it can't be asked, without asking anybody."""
        try:
            self._place()
        except InvalidInput as error:
            return str(error)
        return ""

    # -- out -----------------------------------------------------------------------------------------

    def _place(self) -> Route | Streaming:
        """Where it is asked. Raises InvalidInput when nobody says."""
        found = route(self.function)
        if found is not None and found.by_event:
            raise InvalidInput(f"models are not called by events; let the route of {self.function!r} lead to a server")
        if found is not None and found.url:
            return found
        if (own := known.get(self.function)) is not None:
            return own
        raise InvalidInput(
            f"nothing says where the model function {self.function!r} is; set OVERWINTER_ROUTES="
            f"{self.function}=https://HOST, or define ModelFunction({self.function!r}, …) here"
        )

    def _written(self, asked: dict[str, Any]) -> bytes:
        try:
            written: str = dumps(asked)
        except (InvalidInput, TypeError, ValueError) as error:
            raise InvalidInput(f"{self.name}: what is asked has no JSON form ({error}); correct the settings") from None
        return written.encode(errors="replace")

    def _headers(self, place: Route, accept: str) -> dict[str, str]:
        headers = {"content-type": "application/json", "accept": accept, "prefer": f"wait={WAIT}"}
        if token := place.bearer():
            headers["authorization"] = f"Bearer {token}"
        try:
            own = current_call()
            operation = f"{own.idempotency_key} {own.mark}".rstrip()
            headers |= own.trace
        except LookupError:  # outside of a durable call: only what this very call asks again is the same
            operation = secrets.token_hex(16)
        return headers | {"overwinter-operation": json.dumps(operation)}  # in ASCII

    @property
    def _path(self) -> str:
        return f"/models/{quote(self.function, safe='')}"

    @contextmanager
    def _reaching(self) -> Generator[None]:
        try:
            yield
        except Unwanted as error:
            raise Unreadable(f"{self.name}: {error}", model=self.name) from None
        except Unreached as error:
            raise self._gone(said(str(error), "no answer")) from None

    def _gone(self, why: str) -> ModelUnavailable:
        return ModelUnavailable(f"{self.name}: {why}", model=self.name)

    # -- in ------------------------------------------------------------------------------------------

    async def _heard(self, response: httpx.Response, emit: Emit) -> Answer:
        events, size = Events(), 0
        try:
            async for data in response.aiter_bytes():
                size += len(data)
                if size > MOST:
                    raise Unreadable(f"{self.name}: the answer is longer than {MOST:,} bytes", model=self.name)
                for event in events.feed(data):
                    body = parsed(event.data.encode())
                    if event.kind == "answer":
                        return self._answer(body)
                    if event.kind == "error":
                        raise self._failure(body) or self._gone("its answer broke off")
                    if event.kind == "delta" and isinstance(body, dict):
                        text, reasoning = (cast("dict[str, Any]", body).get(name) for name in ("text", "reasoning"))
                        piece = Delta(*(said if isinstance(said, str) else "" for said in (text, reasoning)))
                        if piece.text or piece.reasoning:
                            emit(piece)
        except TooLong as error:
            raise Unreadable(f"{self.name}: {error}", model=self.name) from None
        raise self._gone("its answer ended in the middle")

    def _answer(self, body: object) -> Answer:
        try:
            return wire.answer(body, self.name)
        except InvalidInput as error:
            raise Unreadable(f"{self.name}: what it sent is no answer: {error}", model=self.name) from None

    def _raise(self, told: Told) -> Answer:
        """Raises what the function said, or what its server did."""
        body, status = told.json, told.status
        if told.headers.get("overwinter-error") == "outcome" and (error := self._failure(body)) is not None:
            raise error
        fields: Mapping[str, Any] = cast("dict[str, Any]", body) if isinstance(body, dict) else {}
        detail = said(str(fields.get("detail", "")) or told.body[:200].decode(errors="replace"), told.reason)
        unsaid = ModelUnavailable if status >= 500 or status in (408, 425) else RequestRefused
        made = _STATUS.get(status, unsaid)(f"{self.name}: HTTP {status}: {detail}", model=self.name, status=status)
        if isinstance(made, ModelUnavailable):
            made.retry_after = wait_of(told.headers)
        raise made

    def _failure(self, body: object) -> Exception | None:
        """The error that the function raised, as it would be raised here; None when none is told."""
        told = cast("Mapping[str, Any]", body).get("failure") if isinstance(body, dict) else None
        if not isinstance(told, dict) or len(dumps(told)) > LARGEST:
            return None
        return failures.decode(cast("dict[str, Any]", told))
