"""The console as a function of its own: it passes on what its page asks, with the token that came, and what is
answered, piece by piece; it opens nothing that the API keeps shut.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, cast
from urllib.parse import unquote

import httpx
import pytest

from overwinter.console.function import ConsoleFunction, create_app
from overwinter.console.proxy import MAX_BODY, Proxy
from overwinter.state.errors import InvalidInput

TOKEN = "a-secret-of-some-length"


class Api(httpx.AsyncBaseTransport):
    """Answers with what it was asked; remembers that."""

    def __init__(self) -> None:
        self.asked: list[httpx.Request] = []
        self.pieces: asyncio.Queue[bytes] = asyncio.Queue()
        self.closed = asyncio.Event()
        self.broken: Exception | None = None
        self.headers: dict[str, str] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        self.asked.append(request)
        if self.broken is not None:
            raise self.broken
        if request.url.path.endswith("/changes"):
            return httpx.Response(200, headers={"content-type": "text/event-stream"}, stream=Pieces(self))
        body = {"path": request.url.raw_path.decode(), "body": request.content.decode()}
        headers = {"content-type": "application/json", "set-cookie": "a=b; Path=/", "overwinter-error": "refused"}
        headers |= self.headers
        return httpx.Response(418, headers=headers, json=body)


class Pieces(httpx.AsyncByteStream):
    def __init__(self, api: Api) -> None:
        self._api = api

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while piece := await self._api.pieces.get():
            yield piece

    async def aclose(self) -> None:
        self._api.closed.set()


Main = Callable[[httpx.AsyncClient, Api], Awaitable[None]]


def asked(main: Main, token: str | None = None, url: str = "https://api.example.com/base/") -> None:
    async def whole() -> None:
        api = Api()
        transport = httpx.ASGITransport(cast("Any", ConsoleFunction(url, token, api)))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            await asyncio.wait_for(main(client, api), 60)

    asyncio.run(whole())


def test_a_request_goes_on_as_it_came_without_what_is_none_of_the_apis_business() -> None:
    async def main(client: httpx.AsyncClient, api: Api) -> None:
        headers = {
            "authorization": f"Bearer {TOKEN}",
            "cookie": "c=1",
            "x-forwarded-for": "1.2.3.4",
            "prefer": "wait=5",
        }
        answer = await client.post("/cancel/a%2Fb?x=%20y", json={"by": "ann"}, headers=headers)
        assert answer.status_code == 418 and answer.headers["overwinter-error"] == "refused"
        assert "set-cookie" not in answer.headers
        assert answer.json() == {"path": "/base/cancel/a%2Fb?x=%20y", "body": '{"by":"ann"}'}
        sent = api.asked[0]
        assert (sent.method, sent.url.host) == ("POST", "api.example.com")
        assert sent.headers["authorization"] == f"Bearer {TOKEN}" and sent.headers["prefer"] == "wait=5"
        assert sent.headers["host"] == "api.example.com"
        assert "cookie" not in sent.headers and "x-forwarded-for" not in sent.headers
        await client.get("/counts")
        assert "cookie" not in api.asked[1].headers  # what the API has set for one browser

    asked(main)


def test_the_pages_are_its_own_and_open() -> None:
    async def main(client: httpx.AsyncClient, api: Api) -> None:
        page = await client.get("/console/inbox")
        assert page.status_code == 200 and "content-security-policy" in page.headers
        assert (await client.get("/console/settings.json")).json() == {"playground": False}
        first = await client.get("/")
        assert (first.status_code, first.headers["location"]) == (307, "/console/")
        assert api.asked == []

    asked(main, TOKEN)


@pytest.mark.parametrize(
    ("token", "headers", "status"),
    [
        (None, {}, 418),
        (None, {"host": "evil.example"}, 403),
        (None, {"origin": "http://evil.example"}, 403),
        (None, {"sec-fetch-site": "cross-site"}, 403),
        (TOKEN, {}, 401),
        (TOKEN, {"authorization": "Bearer wrong-and-long-enough"}, 401),
        (TOKEN, {"authorization": f"Bearer {TOKEN}", "host": "console.example.com"}, 418),
    ],
)
def test_who_is_let_through(token: str | None, headers: dict[str, str], status: int) -> None:
    async def main(client: httpx.AsyncClient, api: Api) -> None:
        assert (await client.get("/counts", headers=headers)).status_code == status
        assert len(api.asked) == (status == 418)

    asked(main, token)


@pytest.mark.parametrize("path", ["/../admin", "/executions/../../admin", "/%2e%2e/admin", "/executions/./x"])
def test_nothing_beside_the_api_is_asked(path: str) -> None:
    async def main() -> None:
        api, sent = Api(), list[Any]()

        async def receive() -> Any:
            return {"type": "http.request", "body": b"", "more_body": False} if not sent else await asyncio.Future()

        async def send(message: Any) -> None:
            sent.append(message)

        proxy = Proxy("http://api.example.com/base", api)
        await proxy(scope(unquote(path)) | {"raw_path": path.encode()}, receive, send)
        assert sent[0]["status"] == 404 and api.asked == []
        await proxy.close()

    asyncio.run(asyncio.wait_for(main(), 60))


@pytest.mark.parametrize("own", ["", "default-src 'none'; style-src 'sha256-x'"])
def test_what_comes_back_runs_no_script_beside_the_token(own: str) -> None:
    async def main(client: httpx.AsyncClient, api: Api) -> None:
        api.headers = {"content-type": "text/html"} | ({"content-security-policy": own} if own else {})
        answer = await client.get("/decision/x")
        assert answer.headers["x-content-type-options"] == "nosniff"
        policies = answer.headers.get_list("content-security-policy")
        assert len(policies) == 1 and policies[0].startswith(own or "default-src 'none'; style-src 'unsafe-inline'")

    asked(main)


@pytest.mark.parametrize(("broken", "status"), [(httpx.ConnectError("no"), 502), (httpx.ReadTimeout("late"), 504)])
def test_an_api_that_is_away_is_said_to_be(broken: Exception, status: int) -> None:
    async def main(client: httpx.AsyncClient, api: Api) -> None:
        api.broken = broken
        answer = await client.get("/counts")
        assert answer.status_code == status and "api.example.com" in answer.json()["detail"]

    asked(main)


def test_a_body_has_an_end() -> None:
    async def main(client: httpx.AsyncClient, api: Api) -> None:
        assert (await client.post("/workflows/x", content=b"x" * (MAX_BODY + 1))).status_code == 413
        assert api.asked == []

    asked(main)


def scope(path: str) -> dict[str, Any]:
    return {"type": "http", "method": "GET", "path": path, "query_string": b"", "headers": []}


@pytest.mark.parametrize("how", ["client", "server"])
def test_a_stream_comes_piece_by_piece_and_ends_with_the_browser_or_with_the_server(how: str) -> None:
    async def main() -> None:
        api, gone = Api(), asyncio.Event()
        proxy = Proxy("http://api.example.com", api)
        sent: asyncio.Queue[Any] = asyncio.Queue()
        told = False

        async def receive() -> Any:
            nonlocal told
            if not told:
                told = True
                return {"type": "http.request", "body": b"", "more_body": False}
            await gone.wait()
            return {"type": "http.disconnect"}

        serving = asyncio.create_task(proxy(scope("/changes"), receive, sent.put))
        assert (await sent.get())["status"] == 200
        for word in (b"data: 1\n\n", b"data: 2\n\n"):
            await api.pieces.put(word)
            assert (await sent.get())["body"] == word
        assert not api.closed.is_set()
        gone.set() if how == "client" else proxy.cut()
        await serving
        assert api.closed.is_set()
        await proxy.close()

    asyncio.run(asyncio.wait_for(main(), 60))


@pytest.mark.parametrize(
    "url",
    ["", "api.example.com", "ftp://api.example.com", "https://", "https://u:p@x.example", "https://x.example?a=1"],
)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput, match="no address of an API"):
        Proxy(url)


def test_the_environment_has_to_name_the_api_and_the_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OVERWINTER_TOKEN", TOKEN)
    monkeypatch.delenv("OVERWINTER_URL", raising=False)
    with pytest.raises(InvalidInput, match="OVERWINTER_URL"):
        create_app()
    monkeypatch.setenv("OVERWINTER_URL", "https://api.example.com")
    assert create_app().proxy.url == "https://api.example.com"
    monkeypatch.setenv("OVERWINTER_TOKEN", "short")
    with pytest.raises(InvalidInput, match="OVERWINTER_TOKEN"):
        create_app()


def test_it_lives_and_ends_as_asgi_says() -> None:
    async def main() -> None:
        messages = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
        sent: list[Any] = []

        async def receive() -> Any:
            return messages.pop(0)

        async def send(message: Any) -> None:
            sent.append(message["type"])

        await ConsoleFunction("https://api.example.com", TOKEN)({"type": "lifespan"}, receive, send)
        assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]

    asyncio.run(main())
