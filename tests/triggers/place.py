"""A server with webhooks in this process, and senders that sign as the real ones do, computed here anew."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, NamedTuple, cast

import httpx
import pytest

from overwinter import Runtime
from overwinter.functions.http.app import create_app
from overwinter.state.records import Filter
from overwinter.state.store import Store

GITHUB, STRIPE, SLACK, TOKEN, HMAC = (
    f"{name}-secret-of-some-length" for name in ("github", "stripe", "slack", "token", "hmac")
)
STANDARD = "whsec_" + base64.b64encode(b"a standard key of some length").decode()
SECRETS = {
    "GITHUB_SECRET": GITHUB,
    "STRIPE_SECRET": STRIPE,
    "SLACK_SECRET": SLACK,
    "STANDARD_SECRET": STANDARD,
    "TOKEN_SECRET": TOKEN,
    "HMAC_SECRET": HMAC,
}


class Place(NamedTuple):
    client: httpx.AsyncClient
    runtime: Runtime

    async def executions(self) -> list[dict[str, Any]]:
        heads = [head async for head in self.runtime.all(Filter())]
        return [{"id": head.id, "function": head.function, "kind": head.kind} for head in heads]


class Clock:
    """A clock that stands where it is put, in milliseconds; seconds for senders."""

    def __init__(self, seconds: int = 1_800_000_000) -> None:
        self.seconds = seconds

    def __call__(self) -> int:
        return self.seconds * 1000


def served(
    functions: list[Any],
    main: Callable[[Place], Coroutine[Any, Any, None]],
    *,
    token: str | None = None,
    clock: Clock | None = None,
    store: str | Store = "memory://",
    client: tuple[str, int] = ("127.0.0.1", 123),
    **options: Any,
) -> None:
    async def whole() -> None:
        extra: dict[str, Any] = {} if clock is None else {"clock": clock}
        async with Runtime(functions, store, **extra) as runtime:
            app = cast("Any", create_app(runtime, token=token, **options))
            transport = httpx.ASGITransport(app, client=client)
            async with httpx.AsyncClient(transport=transport, base_url="https://hooks.example") as http:
                await asyncio.wait_for(main(Place(http, runtime)), 60)

    asyncio.run(whole())


def on_a_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    @wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        asyncio.run(test(*args, **kwargs))

    return run


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, secret in SECRETS.items():
        monkeypatch.setenv(name, secret)


def mac(secret: str | bytes, *parts: bytes, algorithm: str = "sha256") -> bytes:
    key = secret.encode() if isinstance(secret, str) else secret
    return hmac.new(key, b"".join(parts), getattr(hashlib, algorithm)).digest()


def body_of(data: Any) -> bytes:
    return data if isinstance(data, bytes) else json.dumps(data).encode()


Request = tuple[bytes, dict[str, str]]


def github(data: Any, event: str = "issues", id: str = "d-1", secret: str = GITHUB, **more: str) -> Request:
    body = body_of(data)
    headers = {
        "content-type": "application/json",
        "x-github-event": event,
        "x-github-delivery": id,
        "x-hub-signature-256": "sha256=" + mac(secret, body).hex(),
    }
    return body, headers | more


def stripe(data: Any, time: int | str, *secrets: str) -> Request:
    body = body_of(data)
    digests = [mac(secret, f"{time}.".encode(), body).hex() for secret in secrets or (STRIPE,)]
    signature = ",".join([f"t={time}", "v0=00", *(f"v1={digest}" for digest in digests)])
    return body, {"content-type": "application/json; charset=utf-8", "stripe-signature": signature}


def slack(data: Any, time: int | str, kind: str = "application/json", secret: str = SLACK) -> Request:
    body = body_of(data)
    signature = "v0=" + mac(secret, f"v0:{time}:".encode(), body).hex()
    return body, {"content-type": kind, "x-slack-request-timestamp": str(time), "x-slack-signature": signature}


def standard(
    data: Any, time: int | str, id: str = "msg_1", prefix: str = "webhook-", secret: str = STANDARD
) -> Request:
    body = body_of(data)
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = base64.b64encode(mac(key, f"{id}.{time}.".encode(), body)).decode()
    named = {"id": id, "timestamp": str(time), "signature": f"v1a,AAAA v1,{digest}"}
    return body, {"content-type": "application/json", **{prefix + name: value for name, value in named.items()}}
