"""Dead letters are kept: an event that could not be delivered becomes an execution that waits for a person. Approved,
it is sent to the desk again, byte for byte; denied, it is dropped. Delivered twice, it is kept once.

    uvicorn --factory dead_letters:create --no-access-log

OVERWINTER_STATE is the store, DESK_URL where events are sent again, OVERWINTER_TOKEN and OVERWINTER_DELIVERY_TOKEN are
as for the desk. Beside ``POST /`` it serves the whole HTTP API. An access log would show the token of the URL.
"""

from __future__ import annotations

import base64
import logging
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.routing import Route

from overwinter import Context, Retry, Runtime, workflow
from overwinter.functions.event_intake import digest_of
from overwinter.functions.http.answer import Answer, Receive, Scope, Send, accepted
from overwinter.functions.http.app import create_app
from overwinter.functions.http.guard import guard
from overwinter.functions.http.message import read_body
from overwinter.functions.http.problem import answered
from overwinter.state.errors import Denied, Final, Retryable, StoreError
from overwinter.state.quantities import size

log = logging.getLogger("overwinter.dead_letters")
LIMIT = size("16MB")


class Letter(BaseModel):
    """An event as it arrived."""

    headers: dict[str, str]  # ce-… and content-type
    body: str  # base64 when it is no text
    binary: bool
    error: dict[str, str]  # what the broker says of its last attempt: dest, code, data


async def send(letter: Letter) -> str:
    """Give the event to the desk. Raises Retryable where another attempt may help, Final where the desk refuses it."""
    import httpx

    body = base64.b64decode(letter.body) if letter.binary else letter.body.encode()
    headers = {**letter.headers, "authorization": f"Bearer {os.environ['OVERWINTER_TOKEN']}"}
    async with httpx.AsyncClient(timeout=30) as client:
        answer = await client.post(os.environ["DESK_URL"], content=body, headers=headers)
    said = f"the desk answered {answer.status_code} {answer.text[:500]}".rstrip()
    if answer.status_code in (404, 408, 409, 429) or answer.status_code >= 500:
        raise Retryable(said)
    if not answer.is_success:
        raise Final(said)
    return f"sent again; {said}"


@workflow
async def dead_letter(ctx: Context, letter: Letter) -> str:
    """An event that could not be delivered."""
    headers = letter.headers
    ctx.status(f"{headers.get('ce-type', 'an event')} from {headers.get('ce-source', 'nowhere')} was not delivered")
    try:
        await ctx.approve("send it again", data=letter)
    except Denied as denied:
        return f"dropped by {denied.by or 'somebody'}: {denied.reason or 'no reason given'}"
    return await ctx.step(send, letter, retry=Retry(attempts=20, most="10m"))


def letter_of(raw: list[tuple[bytes, bytes]], body: bytes) -> Letter:
    """What is kept of a delivery. The destination's query holds a token and is not kept."""
    kept: dict[str, str] = {}
    error: dict[str, str] = {}
    for key, value in raw:
        name, text = key.decode("latin-1"), value.decode("latin-1")
        if name.startswith("ce-knativeerror"):
            error[name.removeprefix("ce-knativeerror")] = text.partition("?")[0] if name.endswith("dest") else text
        elif name.startswith("ce-") or name == "content-type":
            kept[name] = text
    try:
        return Letter(headers=kept, body=body.decode(), binary=False, error=error)
    except UnicodeDecodeError:
        return Letter(headers=kept, body=base64.b64encode(body).decode(), binary=True, error=error)


class Letters:
    """``POST /``."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (await answered(self._keep(scope, receive)))(scope, receive, send)

    async def _keep(self, scope: Scope, receive: Receive) -> Answer:
        body = await read_body(scope, receive, LIMIT)
        letter = letter_of(scope["headers"], body)
        headers = letter.headers
        same = (headers.get("ce-source", ""), headers.get("ce-id", ""))
        id = digest_of(*same) if all(same) else digest_of(repr(sorted(headers.items())), body.hex())
        try:
            await self._runtime.start(dead_letter, letter, id=f"dead-letter-{id}")
        except StoreError:
            log.error("a dead letter could not be kept, it is here: %s", letter)
            raise  # the broker tries again
        return accepted()


def create() -> Starlette:
    """The application, configured by the environment. Raises InvalidInput without a proper token."""
    token, delivery = os.environ.get("OVERWINTER_TOKEN"), os.environ.get("OVERWINTER_DELIVERY_TOKEN")
    guard("0.0.0.0", token, delivery)
    runtime = Runtime([dead_letter])

    @asynccontextmanager
    async def lifespan(_: Any) -> AsyncGenerator[None]:
        async with runtime:
            yield

    app = create_app(runtime, token=token, delivery_token=delivery, lifespan=lifespan)
    app.router.routes.insert(0, Route("/", Letters(runtime), methods=["POST"]))
    return app
