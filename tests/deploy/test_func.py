"""An app as a function of Knative Functions: as its middleware calls it, and behind the real one (``func-python``),
which needs another CloudEvents SDK than Functions Framework does, so it is installed apart: ``make test-platforms``.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from overwinter import Agent, Context, tool, workflow
from overwinter.functions.events.event import CloudEvent
from overwinter.functions.events.http import parse, write_binary, write_structured
from overwinter.functions.func import Function
from overwinter.functions.models.scripted import Scripted
from overwinter.state.errors import InvalidInput
from overwinter.tests.servers.ports import free_port

ROOT = Path(__file__).parents[2]
TOKEN = "a-secret-of-some-length"
AUTH = {"authorization": f"Bearer {TOKEN}"}


@tool
def lookup_order(order_id: str) -> dict[str, str]:
    """Find an order."""
    return {"id": order_id, "state": "shipped"}


@workflow
async def parcel(ctx: Context, input: str) -> Any:
    return await ctx.wait_for("parcel.arrived")


echo = Agent("echo", Scripted({".*": "hello"}, "hello"), tools=[lookup_order])


class Event:
    """As version 2 of the SDK gives it."""

    def __init__(self, attributes: dict[str, Any], data: Any) -> None:
        self._attributes, self._data = attributes, data

    def get_attributes(self) -> dict[str, Any]:
        return self._attributes

    def get_data(self) -> Any:
        return self._data


class Sender:
    """As the cloudevents template hands it in: called, it wants an event."""

    def __init__(self) -> None:
        self.sent: list[Any] = []

    async def __call__(self, event: Any, status: int = 200) -> None:
        raise AssertionError("this wants an event of the SDK")

    async def http(self, message: Any) -> None:
        self.sent.append(message)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Iterator[Function]:
    monkeypatch.setenv("OVERWINTER_STATE", "memory://")
    monkeypatch.setenv("OVERWINTER_TOKEN", TOKEN)
    monkeypatch.delenv("LISTEN_ADDRESS", raising=False)
    function = Function([echo, parcel, lookup_order])
    before = signal.getsignal(signal.SIGTERM)
    yield function
    signal.signal(signal.SIGTERM, before)
    process = function._process
    process.call(lambda: process._stop.set() if process._stop else None)


def asked(function: Function, method: str, path: str, headers: dict[str, str], body: bytes, event: Any = None) -> Any:
    """One request as the middleware makes it; its answer."""
    scope: dict[str, Any] = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [[name.encode(), value.encode()] for name, value in headers.items()],
    }
    parts = [{"type": "http.request", "body": body, "more_body": False}]
    sender, sent = Sender(), []

    async def receive() -> Any:
        assert parts, "the body has been read already"
        return parts.pop()

    async def send(message: Any) -> None:
        sent.append(message)

    if event is not None:
        scope["event"] = event
        parts.clear()
    asyncio.run(function.handle(scope, receive, send if event is None else sender))
    start, end = sender.sent if event is not None else sent
    return httpx.Response(start["status"], headers=start["headers"], content=end["body"])


def test_the_http_template_serves_the_whole_api(made: Function) -> None:
    made.start({})
    assert made.alive()[0] and made.ready()[0]
    assert asked(made, "GET", "/healthz", {}, b"").json() == {"status": "ok"}
    assert asked(made, "GET", "/functions", {}, b"").status_code == 401
    answer = asked(
        made, "POST", "/tools/lookup_order", {**AUTH, "content-type": "application/json"}, b'{"order_id": "o"}'
    )
    assert answer.json() == {"id": "o", "state": "shipped"}
    message = write_binary(CloudEvent(source="/s", type="io.overwinter.call.echo", subject="c", data="hi"))
    answer = asked(made, "POST", "/", {**AUTH, **dict(message.headers), "prefer": "reply"}, message.body)
    assert parse(list(answer.headers.items()), answer.content).data == "hello"
    assert asked(made, "POST", "/", AUTH, b"x" * (5 * 1024 * 1024)).status_code == 413


def test_what_goes_on_without_an_end_is_refused_where_answers_are_sent_whole(made: Function) -> None:
    made.start({})
    body, accept = b'{"content": "hi"}', {**AUTH, "content-type": "application/json", "accept": "text/event-stream"}
    assert asked(made, "POST", "/sessions/echo/s", accept, body).json()["result"] == "hello"  # an outcome, as ever
    for path in ("/changes", "/stream/echo/s"):
        answer = asked(made, "GET", path, AUTH, b"")
        assert (answer.status_code, "overwinter serve" in answer.json()["detail"]) == (501, True)


@pytest.mark.parametrize(
    ("data", "kind", "meant"),
    [
        ("hi", "application/json", "hi"),
        ({"a": [1]}, "application/json", {"a": [1]}),
        ("text", "text/plain", "text"),
        (b"\x00\xff", "application/octet-stream", None),
    ],
)
def test_what_the_cloudevents_template_has_read_is_told_anew(made: Function, data: Any, kind: str, meant: Any) -> None:
    from datetime import UTC, datetime

    attributes = {
        "specversion": "1.0",
        "id": "1",
        "source": "/s",
        "type": "said",
        "subject": "c",
        "longextensionname2026": "x",
    }
    attributes |= {"datacontenttype": kind}
    event = Event({**attributes, "time": datetime(2026, 11, 28, tzinfo=UTC)}, data)
    headers = {**AUTH, "prefer": "reply", "content-type": kind, "content-length": "99"}
    headers |= {"ce-id": "1", "ce-type": "said", "ce-source": "/s", "ce-specversion": "1.0"}
    answer = asked(made, "POST", "/events/echo", headers, b"", event)
    if meant is None or isinstance(meant, dict):
        assert answer.status_code in (200, 422)  # an agent of texts; it was read at least
        return
    assert answer.status_code == 200, answer.text
    reply = parse(list(answer.headers.items()), answer.content)
    assert (reply.data, reply.causationid) == ("hello", "1")


def test_a_request_that_waits_when_it_is_stopped_is_202(made: Function) -> None:
    answers: list[Any] = []
    headers = {**AUTH, "content-type": "application/json", "prefer": "wait=60"}
    asking = threading.Thread(target=lambda: answers.append(asked(made, "POST", "/workflows/parcel", headers, b'"x"')))
    asking.start()
    while not asked(made, "GET", "/executions", AUTH, b"").json()["executions"]:
        pass
    made.stop()
    asking.join(30)
    assert [answer.status_code for answer in answers] == [202]


def test_without_a_token_it_does_not_listen_to_strangers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OVERWINTER_TOKEN", raising=False)
    monkeypatch.delenv("LISTEN_ADDRESS", raising=False)
    with pytest.raises(InvalidInput, match="OVERWINTER_TOKEN"):
        Function([echo])
    monkeypatch.setenv("LISTEN_ADDRESS", "127.0.0.1:8080,[::1]:8080")
    Function([echo])
    monkeypatch.setenv("LISTEN_ADDRESS", "127.0.0.1:8080,0.0.0.0:8081")
    with pytest.raises(InvalidInput, match="OVERWINTER_TOKEN"):
        Function([echo])


# -- the real middleware -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def middleware(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not os.environ.get("OVERWINTER_TEST_PLATFORMS"):
        pytest.skip("make test-platforms runs it: func-python can't be installed beside functions-framework")
    folder = tmp_path_factory.mktemp("func")
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(folder), "func-python"]
    done = subprocess.run(install, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"func-python can't be installed: {done.stderr[-200:]}")
    return folder


PROGRAM = """
import sys
from func_python.{template} import serve
from overwinter import Agent, Context, workflow
from overwinter.functions.func import Function

echo = Agent("echo", "scripted:echo")

@workflow
async def parcel(ctx: Context, input: str) -> str:
    return await ctx.wait_for("parcel.arrived")

def new():
    return Function([echo, parcel])

serve(new)
"""


@pytest.mark.parametrize("template", ["http", "cloudevent"])
@pytest.mark.parametrize("write", [write_binary, write_structured])
def test_behind_the_real_middleware(middleware: Path, tmp_path: Path, template: str, write: Any) -> None:
    port = free_port()
    environment = {**os.environ, "OVERWINTER_TOKEN": TOKEN, "LISTEN_ADDRESS": f"127.0.0.1:{port}"}
    environment |= {"OVERWINTER_STATE": f"sqlite:///{tmp_path}/shop.db", "PYTHONPATH": f"{middleware}:{ROOT / '.dev'}"}
    log = (tmp_path / "log").open("w+")
    command = [sys.executable, "-c", PROGRAM.format(template=template)]
    with subprocess.Popen(command, env=environment, stdout=log, stderr=log) as process:
        try:
            url = f"http://127.0.0.1:{port}"
            while True:
                assert process.poll() is None, (tmp_path / "log").read_text()
                with contextlib.suppress(httpx.TransportError):
                    if httpx.get(f"{url}/health/readiness").status_code == 200:
                        break
            event = CloudEvent(id="1", source="/s", type="io.overwinter.call.echo", subject="c", data="hi there")
            message = write(event)
            headers = [*message.headers, *AUTH.items(), ("prefer", "reply")]
            answer = httpx.post(url, content=message.body, headers=headers, timeout=30)
            assert answer.status_code == 200, answer.text
            assert parse(list(answer.headers.items()), answer.content).data == "hi there"
            called = write(event.replace(type="io.overwinter.call.parcel", subject="p-1"))
            answers: list[httpx.Response] = []

            def ask() -> None:
                wait = [*called.headers, *AUTH.items(), ("prefer", "reply, wait=60")]
                answers.append(httpx.post(url, content=called.body, headers=wait, timeout=60))

            asking = threading.Thread(target=ask)
            asking.start()
            if template == "http":
                while not [e for e in _executions(url) if e["id"] == "p-1"]:
                    pass
            else:
                asking.join(2)
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0, (tmp_path / "log").read_text()
            asking.join()
            assert [one.status_code for one in answers] == [202]
        finally:
            process.kill()
            log.close()


def _executions(url: str) -> list[Any]:
    return list(json.loads(httpx.get(f"{url}/executions", headers=AUTH).text)["executions"])
