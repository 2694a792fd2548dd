"""Dead letters are kept: an event that could not be delivered becomes an execution that waits for a person. Approved,
it is sent to the desk again, byte for byte, and what the desk replies goes to the Broker; denied, it is dropped.
Delivered twice, it is kept once. Of the delivery token nothing is kept.

An event that could not be delivered to one subscription is kept for that one, and sent again to it.

    python dead_letters.py

OVERWINTER_STATE is the store, DESK_URL where events are sent again, K_SINK where replies go (without it, nowhere),
OVERWINTER_TOKEN and OVERWINTER_DELIVERY_TOKEN are as for the desk. Beside ``POST /`` it serves the whole HTTP API, at
PORT. On SIGTERM it ends in order, within OVERWINTER_GRACE.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import logging
import os
import re
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import uvicorn
from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.routing import Route

from overwinter import Context, Retry, Runtime, workflow
from overwinter.cli.ending import ending_in_time
from overwinter.functions.events.http import Mode, mode_of
from overwinter.functions.events.intake import digest_of
from overwinter.functions.http.app import create_app
from overwinter.functions.http.connection import config
from overwinter.functions.http.door import Door
from overwinter.functions.http.guard import guard
from overwinter.functions.http.limits import Limits
from overwinter.functions.messages.answer import Answer, Receive, Scope, Send, accepted
from overwinter.functions.messages.message import read_body
from overwinter.functions.messages.problem import answered
from overwinter.security.redaction import redact_logs, redacted
from overwinter.state.errors import Denied, Final, Retryable, StoreError
from overwinter.state.quantities import seconds, size

log = logging.getLogger("overwinter.dead_letters")
LIMIT = size("16MB")
WAIT = 20  # seconds for the desk to reply; what it replies later it sends to the Broker itself
FOR_REQUESTS = 5  # seconds of the grace period for open requests
_SUBSCRIPTION = re.compile(r"https?://[^/?#]+(/subscriptions/(?!\.)[A-Za-z0-9%._~-]+)")
"""Of where the broker could not deliver to, all that is believed is the path of a subscription."""
_TOKEN = re.compile(r"(access_token=)[^&\s\"']+")


class Posted(BaseModel):
    """An event in an HTTP message. Header values hold a byte in each character: brokers send raw UTF-8."""

    headers: dict[str, str]  # ce-… and content-type
    body: str  # base64 when it is no text
    binary: bool

    @staticmethod
    def of(headers: dict[str, str], body: bytes) -> dict[str, Any]:
        try:
            return {"headers": headers, "body": body.decode(), "binary": False}
        except UnicodeDecodeError:
            return {"headers": headers, "body": base64.b64encode(body).decode(), "binary": True}

    async def post(self, url: str, whom: str, **more: str) -> Any:
        """Raises Retryable where another attempt may help, Final where it is refused."""
        import httpx

        headers = [(name.encode(), text.encode("latin-1")) for name, text in {**self.headers, **more}.items()]
        content = base64.b64decode(self.body) if self.binary else self.body.encode()
        try:
            async with httpx.AsyncClient(timeout=WAIT + 10) as client:
                answer = await client.post(url, content=content, headers=headers)
        except httpx.HTTPError as error:
            raise Retryable(f"{whom} did not answer ({type(error).__name__}: {without_token(str(error))})") from None
        said = f"{whom} answered {answer.status_code} {answer.text[:500]}".rstrip()
        if answer.status_code in (404, 408, 409, 429) or answer.status_code >= 500:
            raise Retryable(said)
        if not answer.is_success:
            raise Final(said)
        return answer


class Letter(Posted):
    """An event that could not be delivered."""

    error: dict[str, str]  # what the broker says of its last attempt: dest, code, data

    @property
    def subscription(self) -> str:
        """The path of the subscription that it was for; "" when it was for none."""
        found = _SUBSCRIPTION.fullmatch(self.error.get("dest", ""))
        return found[1] if found else ""

    @property
    def url(self) -> str:
        """Where it is sent again."""
        desk = os.environ["DESK_URL"]
        return desk.rstrip("/") + self.subscription if self.subscription else desk


class Sent(BaseModel):
    """What came of sending a letter again."""

    said: str
    reply: Posted | None = None


async def send(letter: Letter) -> Sent:
    """Give the event to the desk."""
    more = {"prefer": f"reply, wait={WAIT}"} if os.environ.get("K_SINK") else {}
    token = os.environ["OVERWINTER_TOKEN"]
    answer = await letter.post(letter.url, "the desk", authorization=f"Bearer {token}", **more)
    headers = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in answer.headers.raw]
    if not more or mode_of(headers) not in (Mode.BINARY, Mode.STRUCTURED):
        return Sent(said=f"sent again; the desk answered {answer.status_code} {answer.text[:500]}".rstrip())
    kept = {name: value for name, value in headers if name.startswith("ce-") or name == "content-type"}
    said = f"sent again; the desk answered {answer.status_code} with an event"
    return Sent(said=said, reply=Posted(**Posted.of(kept, answer.content)))


async def reply(event: Posted) -> str:
    """Give the Broker what the desk has replied. Its id is always the same, so that a second time is seen as one."""
    answer = await event.post(os.environ["K_SINK"], "the Broker")
    return f"the reply was sent to the Broker, which answered {answer.status_code}"


@workflow
async def dead_letter(ctx: Context, letter: Letter) -> str:
    """An event that could not be delivered."""
    headers = {name: _shown(text) for name, text in letter.headers.items()}
    ctx.status(f"{headers.get('ce-type', 'an event')} from {headers.get('ce-source', 'nowhere')} was not delivered")
    try:
        await ctx.approve("send it again", data=letter)
    except Denied as denied:
        return f"dropped by {denied.by or 'somebody'}: {denied.reason or 'no reason given'}"
    patient = Retry(attempts=20, most="10m")
    sent = await ctx.step(send, letter, retry=patient)
    if sent.reply is None:
        return sent.said
    return f"{sent.said}; {await ctx.step(reply, sent.reply, retry=patient)}"


def _shown(text: str) -> str:
    """A header's value for people."""
    try:
        return text.encode("latin-1").decode()
    except UnicodeDecodeError:
        return text


def without_token(text: str) -> str:
    """What may be kept of a text that may hold a URL of ours."""
    return _TOKEN.sub(r"\1***", redacted(text))


def _reason(text: str) -> str:
    """What the broker was answered, or could not send: it comes in base64, and may hold the URL with its token."""
    try:
        return without_token(base64.b64decode(text, validate=True).decode())
    except (binascii.Error, ValueError):
        return without_token(text)


def letter_of(raw: list[tuple[bytes, bytes]], body: bytes) -> Letter:
    """What is kept of a delivery. The destination's query holds a token and is not kept, wherever it is said."""
    kept: dict[str, str] = {}
    error: dict[str, str] = {}
    for key, value in raw:
        name, text = key.decode("latin-1"), value.decode("latin-1")
        if name.startswith("ce-knativeerror"):
            what = name.removeprefix("ce-knativeerror")
            error[what] = text.partition("?")[0] if what == "dest" else _reason(text)
        elif name.startswith("ce-") or name == "content-type":
            kept[name] = text
    return Letter(**Posted.of(kept, body), error=error)


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
        whole = same if all(same) else (repr(sorted(headers.items())), body.hex())
        id = digest_of(*whole, *filter(None, [letter.subscription]))
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


class _Server(uvicorn.Server):
    """Leaves signals to ``ending_in_time``: uvicorn would raise them again at its end, which then is no clean one."""

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


async def serve() -> None:
    """Until SIGTERM."""
    app, door = create(), Door(Limits(body=LIMIT))
    port = int(os.environ.get("PORT") or 8080)
    more: dict[str, Any] = {"log_level": "warning", "access_log": False, "timeout_graceful_shutdown": FOR_REQUESTS}
    server = _Server(config(app, door, host="0.0.0.0", port=port, **more))

    def stop(number: int) -> None:
        server.should_exit = True
        app.state.closing.begin()
        asyncio.get_running_loop().call_later(FOR_REQUESTS, app.state.closing.cut)
        server.force_exit = number > 1

    with ending_in_time(seconds(os.environ.get("OVERWINTER_GRACE") or "15s"), stop, code=1) as ending:
        async with app.router.lifespan_context(app):
            await server.serve()
        ending.over(0)


def main() -> None:
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    redact_logs(logging.getLogger())
    asyncio.run(serve())


if __name__ == "__main__":
    main()
