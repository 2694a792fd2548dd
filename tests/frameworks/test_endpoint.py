"""An HTTP endpoint as an agent: a real server in this process, which may be busy, broken, or rude."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from overwinter import Retry, Runtime
from overwinter.functions.foreign import Endpoint, ForeignAgent
from overwinter.state.errors import Final, InvalidInput
from overwinter.tests.servers.apps import serving

QUICK = Retry(attempts=3, first=0.001, jitter=False)


def asked(
    answer: Callable[[Request], Awaitable[Response]], messages: list[Any], *, input: Any = str, **options: Any
) -> tuple[list[Any], Sequence[dict[str, Any]]]:
    """The replies of a session, and its journal."""

    async def main() -> tuple[list[Any], Sequence[dict[str, Any]]]:
        async with serving(Starlette(routes=[Route("/ask", answer, methods=["POST"])])) as url:
            agent = ForeignAgent("far", Endpoint(f"{url}/ask", retry=QUICK, **options), input=input)
            async with Runtime([agent], "memory://") as runtime:
                replies: list[Any] = []
                for number, message in enumerate(messages):
                    sent = await runtime.send(agent, "c", message, id=f"m-{number}")
                    try:
                        replies.append(await sent.reply("20s"))
                    except Final as error:
                        replies.append(error)
                return replies, await runtime.history("far/c")

    return asyncio.run(main())


def test_a_conversation_with_an_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAR_TOKEN", "s3cr3t-of-the-far-side")
    heads: list[Any] = []

    async def answer(request: Request) -> Response:
        body = await request.json()
        heads.append((request.headers["authorization"], request.headers["x-team"]))
        return JSONResponse({"output": f"{body['input']} {len(body['past'])} {body['session']}"})

    replies, journal = asked(answer, ["a", "b"], token="env:FAR_TOKEN", headers={"x-team": "shop"})
    assert replies == ["a 0 far/c", "b 2 far/c"]
    assert heads == [("Bearer s3cr3t-of-the-far-side", "shop")] * 2
    assert "s3cr3t" not in str(journal)


def test_what_is_kept_is_the_endpoints_own() -> None:
    async def answer(request: Request) -> Response:
        body = await request.json()
        return JSONResponse({"output": body["past"], "keep": [{"seen": body["input"]["n"]}]})

    replies, _ = asked(answer, [{"n": 1}, {"n": 2}, {"n": 3}], input=dict[str, int])
    assert replies == [[], [{"seen": 1}], [{"seen": 1}, {"seen": 2}]]


def test_a_busy_one_is_asked_again_with_the_same_key() -> None:
    keys: Counter[str] = Counter()

    async def answer(request: Request) -> Response:
        keys[request.headers["idempotency-key"]] += 1
        if keys.total() == 1:
            return PlainTextResponse("busy", 429, {"retry-after": "0"})
        if keys.total() == 2:
            return PlainTextResponse("broken", 502)
        return PlainTextResponse("here")

    assert asked(answer, ["a"])[0] == ["here"]
    assert keys == {"far/c/1.0": 3}


@pytest.mark.parametrize(
    ("response", "said"),
    [
        (PlainTextResponse("no such agent", 404), "404: no such agent"),
        (RedirectResponse("http://127.0.0.1:1/", 307), "307"),
        (Response("{", media_type="application/json"), "no JSON"),
        (JSONResponse({"output": 1, "keep": 2}), "no list"),
    ],
)
def test_one_that_refuses_or_makes_no_sense_fails_the_turn_at_once(response: Response, said: str) -> None:
    times: list[int] = []

    async def answer(_: Request) -> Response:
        times.append(1)
        return response

    replies, journal = asked(answer, ["a"])
    assert said in str(replies[0]) and len(times) == 1
    assert journal[-1]["type"] == "reply"


def test_what_is_no_address_or_no_reference_is_refused() -> None:
    for url in ("ftp://x/y", "agents", "http://"):
        with pytest.raises(InvalidInput, match="no address"):
            Endpoint(url)
    for time in ("soon", 0):
        with pytest.raises(InvalidInput, match="timeout"):
            Endpoint("https://agents.example.com", timeout=time)
    with pytest.raises(InvalidInput, match="env:NAME"):
        Endpoint("https://x/y", token="abc")
    with pytest.raises(InvalidInput, match="env:NAME"):
        Endpoint("https://x/y", headers={"x-api-key": "abc"})
