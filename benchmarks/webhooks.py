"""Deliveries of a webhook a second: verified, made an event, durable, answered, and what they begin run to its end.

Both apps are called in this process, without a network between. Floor: a bare ASGI app of the same framework that
reads the same body and answers 202. Half of the deliveries come twice, as senders do it.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import os
import time
from collections.abc import Iterator
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from overwinter import Context, Runtime, workflow
from overwinter.benchmarks.measure import Run, main, percentile
from overwinter.functions.http.app import create_app
from overwinter.functions.webhook import GitHub, webhook

SECRET = "a-secret-of-the-benchmark"
AT_ONCE = 64


@webhook("/hooks/github", verify=GitHub("env:HOOK_SECRET"))
@workflow
async def triage(ctx: Context, issue: dict[str, Any]) -> str:
    return str(issue["action"])


def deliveries(first: int, count: int) -> Iterator[tuple[bytes, list[tuple[bytes, bytes]]]]:
    for number in range(first, first + count):
        body = json.dumps({"action": "opened", "issue": {"number": number}, "text": "x" * 1000}).encode()
        digest = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        headers = [
            (b"host", b"localhost"),
            (b"content-type", b"application/json"),
            (b"x-github-event", b"issues"),
            (b"x-github-delivery", b"%d" % number),
            (b"x-hub-signature-256", f"sha256={digest}".encode()),
        ]
        yield body, headers
        if number % 2:
            yield body, headers


async def sent(app: Any, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    path = "/hooks/github"
    scope = {
        "type": "http", "http_version": "1.1", "method": "POST", "scheme": "http", "path": path, "query_string": b"",
        "raw_path": path.encode(), "root_path": "", "headers": headers, "client": ("127.0.0.1", 1), "server": ("x", 80),
    }  # fmt: skip
    given = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> dict[str, Any]:
        return given.pop() if given else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            assert message["status"] == 202, message

    await app(scope, receive, send)


async def rate(app: Any, requests: list[tuple[bytes, list[tuple[bytes, bytes]]]]) -> float:
    waiting = iter(requests)

    async def one() -> None:
        for body, headers in waiting:
            await sent(app, body, headers)

    started = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(AT_ONCE)))
    return len(requests) / (time.perf_counter() - started)


async def bare(request: Request) -> Response:
    await request.body()
    return Response(status_code=202)


async def rounds(run: Run) -> None:
    floor = Starlette(routes=[Route("/hooks/github", bare, methods=["POST"])])
    count = 200 if run.quick else 1000
    ours: list[float] = []
    least: list[float] = []
    async with Runtime([triage], run.place.dsn("hooks")) as runtime:
        app = create_app(runtime, token="a-token-of-the-benchmark")
        for number in range(3 if run.quick else 8):
            run.progress(f"round {number}")
            requests = list(deliveries(number * count, count))
            told = await rate(app, requests), await rate(floor, requests)
            while not runtime.engine.idle():  # noqa: ASYNC110  # nothing tells of the moment
                await asyncio.sleep(0.01)
            if number:  # the first warms everything up
                ours.append(told[0])
                least.append(told[1])
    run.report("webhook.requests_per_s", percentile(ours, 50), "/s", percentile(least, 50))


def measure(run: Run) -> None:
    os.environ["HOOK_SECRET"] = SECRET
    asyncio.run(rounds(run))


if __name__ == "__main__":
    main(measure)
