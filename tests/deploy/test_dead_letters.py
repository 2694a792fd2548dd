"""``knative/dead_letters.py``: what could not be delivered is kept once, waits for a person, and is sent again as it
came, to a real server.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Coroutine, Generator, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, cast

import httpx
import pytest

from overwinter.state.errors import InvalidInput, StoreUnavailable
from overwinter.tests.servers.ports import free_port

from .manifests import KNATIVE

TOKEN, DELIVERY = "the-token-of-the-api", "the-token-of-deliveries"
EVENT = {
    "ce-specversion": "1.0",
    "ce-id": "m-1",
    "ce-source": "/shop",
    "ce-type": "io.overwinter.call.support",
    "ce-subject": "c-17",
    "ce-greeting": "Gr%C3%BC%C3%9Fe",
    "content-type": "application/json",
}
DEAD = {
    "ce-knativeerrordest": f"http://support-desk.desk.svc/?access_token={DELIVERY}",
    "ce-knativeerrorcode": "503",
    "ce-knativeerrordata": base64.b64encode(b"the store is away").decode(),
}


class Desk(HTTPServer):
    """Takes what is sent again, and answers with ``status``."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.taken: list[tuple[dict[str, str], bytes]] = []
        self.paths: list[str] = []
        self.status = 202
        self.reply: tuple[dict[str, str], bytes] = ({}, b"")


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        desk = cast("Desk", self.server)
        body = self.rfile.read(int(self.headers["content-length"]))
        desk.paths.append(self.path)
        desk.taken.append(({name.lower(): value for name, value in self.headers.items()}, body))
        headers, answer = desk.reply
        self.send_response(desk.status)
        for name, value in {**headers, "content-length": str(len(answer))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing on stderr."""


@contextlib.contextmanager
def listening() -> Generator[Desk]:
    with Desk() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def desk() -> Iterator[Desk]:
    with listening() as server:
        yield server


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    with listening() as server:
        monkeypatch.setenv("K_SINK", f"http://127.0.0.1:{server.server_port}/desk/broker")
        yield server


@pytest.fixture
def letters(monkeypatch: pytest.MonkeyPatch, desk: Desk) -> Any:
    """The module, as it is loaded by path, with its environment."""
    monkeypatch.setenv("OVERWINTER_TOKEN", TOKEN)
    monkeypatch.setenv("OVERWINTER_DELIVERY_TOKEN", DELIVERY)
    monkeypatch.setenv("OVERWINTER_STATE", "memory://")
    monkeypatch.setenv("DESK_URL", f"http://127.0.0.1:{desk.server_port}/")
    spec = importlib.util.spec_from_file_location("dead_letters", Path(KNATIVE / "dead_letters.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "dead_letters", module)
    spec.loader.exec_module(module)
    return module


Main = Callable[[httpx.AsyncClient], Coroutine[Any, Any, None]]


def run(letters: Any, main: Main) -> None:
    async def whole() -> None:
        app = letters.create()
        async with app.router.lifespan_context(app):
            headers = {"authorization": f"Bearer {TOKEN}"}
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://letters", headers=headers) as client:
                await asyncio.wait_for(main(client), 30)

    asyncio.run(whole())


async def post(client: httpx.AsyncClient, headers: dict[str, str], body: bytes = b'"Where is my order?"') -> int:
    """A delivery as a broker makes it: with the token in the URL."""
    answer = await client.post(
        f"/?access_token={DELIVERY}", content=body, headers={**headers, "authorization": f"Bearer {DELIVERY}"}
    )
    assert answer.content == b"" or answer.is_error
    return answer.status_code


async def waiting(client: httpx.AsyncClient) -> dict[str, Any]:
    """The one letter that waits for a person."""
    while True:
        listed = (await client.get("/executions", params={"awaits": "approval"})).json()["executions"]
        if listed:
            (head,) = listed
            return dict(head)
        await asyncio.sleep(0.01)


async def decided(client: httpx.AsyncClient, id: str, approved: bool) -> dict[str, Any]:
    answer = await client.post(f"/decide/{id}", json={"approved": approved, "by": "ana", "reason": "it is old"})
    assert answer.status_code == 202
    return dict((await client.get(f"/results/{id}", headers={"prefer": "wait=20"})).json())


@pytest.mark.parametrize("body", [b'"Where is my order?"', b"\xff\x00 no text", b""])
def test_an_approved_letter_is_sent_again_as_it_came(letters: Any, desk: Desk, body: bytes) -> None:
    async def main(client: httpx.AsyncClient) -> None:
        for _ in range(3):
            assert await post(client, EVENT | DEAD, body) == 202
        head = await waiting(client)
        assert "io.overwinter.call.support from /shop" in head["note"]
        (approval,) = (await client.get(f"/approvals/{head['id']}")).json()["approvals"]
        assert approval["data"]["error"]["code"] == "503"
        assert DELIVERY not in json.dumps((await client.get(f"/history/{head['id']}")).json())
        outcome = await decided(client, head["id"], True)
        assert outcome["status"] == "completed" and "202" in outcome["result"]

    run(letters, main)
    ((headers, sent),) = desk.taken
    assert sent == body
    assert {name: value for name, value in headers.items() if name in EVENT} == EVENT
    assert not [name for name in headers if "knativeerror" in name]
    assert headers["authorization"] == f"Bearer {TOKEN}"


def test_a_letter_for_a_subscription_is_sent_again_to_that_one(letters: Any, desk: Desk) -> None:
    """The same event may be lost to several: each is kept. Of where it should have gone only the path is believed."""
    places = ["http://desk.svc/subscriptions/ship", "http://elsewhere/subscriptions/a%20b", "http://elsewhere/tools/x"]

    async def main(client: httpx.AsyncClient) -> None:
        for place in places * 2:
            assert await post(client, EVENT | DEAD | {"ce-knativeerrordest": f"{place}?access_token={DELIVERY}"}) == 202
        listed: list[Any] = []
        while len(listed) < len(places):
            listed = (await client.get("/executions", params={"awaits": "approval"})).json()["executions"]
            await asyncio.sleep(0.01)
        for head in listed:
            outcome = await decided(client, head["id"], True)
            assert outcome["status"] == "completed", outcome

    run(letters, main)
    assert sorted(desk.paths) == ["/", "/subscriptions/a%20b", "/subscriptions/ship"]


def test_a_letter_with_attributes_beyond_ascii_is_sent_again_byte_for_byte(letters: Any, desk: Desk) -> None:
    raw = [(name.encode(), value.encode()) for name, value in (EVENT | DEAD).items() if name != "ce-subject"]
    raw += [(b"ce-subject", "Müller 100% 東京".encode()), (b"ce-odd", b"caf\xe9")]

    async def main(client: httpx.AsyncClient) -> None:
        assert (await client.post(f"/?access_token={DELIVERY}", content=b'"hi"', headers=raw)).status_code == 202
        outcome = await decided(client, (await waiting(client))["id"], True)
        assert outcome["status"] == "completed", outcome

    run(letters, main)
    ((headers, _),) = desk.taken
    assert headers["ce-subject"].encode("latin-1") == "Müller 100% 東京".encode()
    assert headers["ce-odd"].encode("latin-1") == b"caf\xe9"


@pytest.mark.parametrize(
    "said",
    [
        f'Post "http://support-desk.desk.svc/?access_token={DELIVERY}": context deadline exceeded',
        f"http://support-desk.desk.svc/?access_token=one-of-before&x=1 and {DELIVERY}",
    ],
)
@pytest.mark.parametrize("plain", [True, False])
def test_of_the_token_nothing_is_kept(letters: Any, said: str, plain: bool) -> None:
    data = said if plain else base64.b64encode(said.encode()).decode()

    async def main(client: httpx.AsyncClient) -> None:
        assert await post(client, EVENT | DEAD | {"ce-knativeerrordata": data}) == 202
        id = (await waiting(client))["id"]
        (approval,) = (await client.get(f"/approvals/{id}")).json()["approvals"]
        kept = approval["data"]["error"]["data"]
        assert "access_token=***" in kept and "support-desk.desk.svc" in kept
        everything = json.dumps((await client.get(f"/history/{id}")).json())
        for text in (DELIVERY, "one-of-before"):
            assert text not in everything and base64.b64encode(text.encode()).decode()[:12] not in everything

    run(letters, main)


def test_what_the_desk_replies_goes_to_the_broker(letters: Any, desk: Desk, broker: Desk) -> None:
    answer = EVENT | {"ce-type": "io.overwinter.result.support", "ce-id": "r-1", "ce-subject": "%C3%BC"}
    desk.status, desk.reply = 200, (answer, b'"It is on its way."')

    async def main(client: httpx.AsyncClient) -> None:
        await post(client, EVENT | DEAD)
        outcome = await decided(client, (await waiting(client))["id"], True)
        assert "the Broker, which answered 202" in outcome["result"]

    run(letters, main)
    ((asked, _),) = desk.taken
    assert asked["prefer"].startswith("reply")
    ((headers, body),) = broker.taken
    assert body == b'"It is on its way."'
    assert {name: value for name, value in headers.items() if name in answer} == answer
    assert "authorization" not in headers


def test_a_desk_that_has_no_reply_yet_sends_it_itself(letters: Any, desk: Desk, broker: Desk) -> None:
    async def main(client: httpx.AsyncClient) -> None:
        await post(client, EVENT | DEAD)
        assert "202" in (await decided(client, (await waiting(client))["id"], True))["result"]

    run(letters, main)
    assert len(desk.taken) == 1 and broker.taken == []


def test_it_ends_in_order_when_it_is_asked_to(tmp_path: Path) -> None:
    port = free_port()
    environment = {**os.environ, "OVERWINTER_TOKEN": TOKEN, "OVERWINTER_DELIVERY_TOKEN": DELIVERY, "PORT": str(port)}
    environment |= {"OVERWINTER_STATE": f"sqlite:///{tmp_path}/letters.db", "PYTHONPATH": str(KNATIVE.parent / ".dev")}
    command = [sys.executable, str(KNATIVE / "dead_letters.py")]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        try:
            while True:
                assert process.poll() is None
                with contextlib.suppress(httpx.TransportError):
                    if httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == 200:
                        break
            url = f"http://127.0.0.1:{port}/?access_token={DELIVERY}"
            assert httpx.post(url, headers=EVENT | DEAD, content=b'"hi"').status_code == 202
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
        finally:
            process.kill()
        assert process.stdout is not None
        said = process.stdout.read().decode()
    assert "Traceback" not in said and DELIVERY not in said


def test_a_denied_letter_is_dropped_and_says_by_whom(letters: Any, desk: Desk) -> None:
    async def main(client: httpx.AsyncClient) -> None:
        assert await post(client, EVENT | DEAD) == 202
        outcome = await decided(client, (await waiting(client))["id"], False)
        assert outcome["result"] == "dropped by ana: it is old"

    run(letters, main)
    assert desk.taken == []


def test_an_event_that_the_desk_refuses_fails_by_name(letters: Any, desk: Desk) -> None:
    desk.status = 422

    async def main(client: httpx.AsyncClient) -> None:
        await post(client, EVENT | DEAD)
        outcome = await decided(client, (await waiting(client))["id"], True)
        assert outcome["status"] == "failed" and "the desk answered 422" in outcome["error"]["message"]

    run(letters, main)
    assert len(desk.taken) == 1


def test_what_is_no_valid_event_is_kept_all_the_same(letters: Any) -> None:
    async def main(client: httpx.AsyncClient) -> None:
        assert await post(client, {"ce-type": "odd", "content-type": "text/plain"}, b"who knows") == 202
        head = await waiting(client)
        (approval,) = (await client.get(f"/approvals/{head['id']}")).json()["approvals"]
        assert approval["data"]["body"] == "who knows"

    run(letters, main)


def test_when_the_store_is_away_the_letter_is_logged_and_the_broker_tries_again(
    letters: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def gone(*_: Any, **__: Any) -> Any:
        raise StoreUnavailable("the store is away")

    async def main(client: httpx.AsyncClient) -> None:
        monkeypatch.setattr(letters.Runtime, "start", gone)
        assert await post(client, EVENT | DEAD) == 503
        assert "Where is my order?" in caplog.text and DELIVERY not in caplog.text

    run(letters, main)


def test_nobody_comes_in_without_a_token(letters: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main(client: httpx.AsyncClient) -> None:
        del client.headers["authorization"]
        assert (await client.post("/", headers=EVENT)).status_code == 401
        assert (await client.get("/healthz")).status_code == 200

    run(letters, main)
    monkeypatch.delenv("OVERWINTER_TOKEN")
    with pytest.raises(InvalidInput, match="OVERWINTER_TOKEN"):
        letters.create()


def test_a_tick_sweeps_here_too(letters: Any) -> None:
    async def main(client: httpx.AsyncClient) -> None:
        ping = EVENT | {"ce-type": "dev.knative.sources.ping"}
        assert (await client.post(f"/sweep?access_token={DELIVERY}", headers=ping)).status_code == 204

    run(letters, main)
