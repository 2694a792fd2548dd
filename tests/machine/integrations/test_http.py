"""``http:invoke``: what is sent, what comes back, and where nothing goes."""

from __future__ import annotations

import asyncio
import gzip
import json
import threading
from collections.abc import Callable, Coroutine, Iterator
from functools import wraps
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

import pytest

from overwinter import ExecutionFailed, InDoubt, Runtime, StateFailed, StateMachine
from overwinter.functions.integrations import http_invoke, http_reach
from overwinter.functions.integrations.http_request import request
from overwinter.orchestrator.machine.language.failure import QueryError

NAME = "arn:aws:states:::http:invoke"
ARN = "arn:aws:events:eu-west-1:123456789012:connection/shop/1"


class Seen(NamedTuple):
    """A request that has arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Server:
    """``answers`` of the paths: status, headers, body. Any other path says in JSON what it was asked."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.answers: dict[str, tuple[int, dict[str, str], bytes]] = {}
        self.gone: set[str] = set()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                size = int(self.headers.get("content-length") or 0)
                headers = {name.lower(): value for name, value in self.headers.items()}
                outer.seen.append(Seen(self.command, self.path, headers, self.rfile.read(size)))
                path = self.path.partition("?")[0]
                if path in outer.gone:
                    self.close_connection = True
                    return
                usual = (200, {"content-type": "application/json"}, b'{"ok":true}')
                status, told, body = outer.answers.get(path, usual)
                self.send_response(status)
                for name, value in {**told, "content-length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(b"" if self.command == "HEAD" else body)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = answer

            def log_message(self, format: str, *args: Any) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    for name in ("AWS_LAMBDA_RUNTIME_API", "KUBERNETES_SERVICE_HOST", "OVERWINTER_MACHINE"):
        monkeypatch.delenv(name, raising=False)
    made = Server()
    yield made
    made.close()


def on_a_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    @wraps(test)
    def run(*args: Any, **named: Any) -> None:
        asyncio.run(test(*args, **named))

    return run


def calling(**given: Any) -> StateMachine:
    task = {"Type": "Task", "Resource": NAME, "Parameters": {"Method": "GET", **given}, "End": True}
    return StateMachine("m", {"StartAt": "A", "States": {"A": task}})


async def called(machine: StateMachine) -> Any:
    async with Runtime([machine], "memory://") as runtime:
        return await (await runtime.start(machine, id="x")).result(timeout=20)


async def failed(machine: StateMachine) -> StateFailed:
    with pytest.raises(ExecutionFailed) as told:
        await called(machine)
    cause = told.value.__cause__
    assert isinstance(cause, StateFailed)
    return cause


@on_a_loop
async def test_an_answer_has_the_shape_of_aws(server: Server) -> None:
    server.answers["/a"] = (201, {"content-type": "application/problem+json", "x-n": "1"}, b'{"n": 1.50}')
    given = {"ApiEndpoint": f"{server.url}/a?q=1", "QueryParameters": {"two": [1, "x y"], "yes": True}}
    answer = await called(calling(**given, Headers={"X-Given": "v"}))
    assert list(answer) == ["Headers", "ResponseBody", "StatusCode", "StatusText"]
    assert (answer["StatusCode"], answer["StatusText"], answer["ResponseBody"]) == (201, "Created", {"n": 1.5})
    assert answer["Headers"]["x-n"] == ["1"]
    (seen,) = server.seen
    assert seen.path == "/a?q=1&two=1&two=x+y&yes=true" and seen.headers["x-given"] == "v"


@on_a_loop
async def test_what_is_no_json_is_text(server: Server) -> None:
    for kind, body, value in (
        ("text/plain; charset=latin-1", "bücher".encode("latin-1"), "bücher"),
        ("text/plain; charset=nobody-knows", b"x", "x"),
        ("application/json", b"{", "{"),
        ("application/json", b"NaN", "NaN"),
        ("application/json", b"", ""),
    ):
        server.answers["/"] = (200, {"content-type": kind}, body)
        assert (await called(calling(ApiEndpoint=server.url + "/")))["ResponseBody"] == value


@on_a_loop
async def test_any_other_status_is_an_error_by_its_number(server: Server) -> None:
    server.answers = {
        "/429": (429, {}, b"slow down"),
        "/503": (503, {}, b""),
        "/302": (302, {"location": server.url + "/never"}, b""),
    }
    assert (await failed(calling(ApiEndpoint=server.url + "/429"))).args == ("States.Http.StatusCode.429", "slow down")
    assert (await failed(calling(ApiEndpoint=server.url + "/503"))).cause == "Service Unavailable"
    assert (await failed(calling(ApiEndpoint=server.url + "/302"))).error == "States.Http.StatusCode.302"
    assert [seen.path for seen in server.seen] == ["/429", "/503", "/302"]


@on_a_loop
async def test_who_does_not_answer_is_a_socket_error(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server.gone.add("/gone")
    server.answers["/large"] = (200, {}, b"x" * 2000)
    server.answers["/small"] = (200, {"content-encoding": "gzip"}, gzip.compress(b"x"))
    assert (await failed(calling(ApiEndpoint=server.url + "/gone"))).error == "States.Http.Socket"
    assert (await failed(calling(ApiEndpoint="http://127.0.0.1:9"))).error == "States.Http.Socket"
    assert "compressed" in (await failed(calling(ApiEndpoint=server.url + "/small"))).cause
    monkeypatch.setattr(http_invoke, "LARGEST", 1000)
    assert (await failed(calling(ApiEndpoint=server.url + "/large"))).error == "States.DataLimitExceeded"
    monkeypatch.setattr(http_invoke, "WHOLE", 0)
    assert "not answered within 0 s" in (await failed(calling(ApiEndpoint=server.url))).cause


@pytest.mark.parametrize(
    ("connection", "header", "value"),
    [
        ({"bearer": "env:SHOP"}, "authorization", "Bearer s3cret"),
        ({"user": "env:WHO", "password": "env:SHOP"}, "authorization", "Basic YW5uOnMzY3JldA=="),
        ({"header": "X-Key", "secret": "env:SHOP"}, "x-key", "s3cret"),
        ({"headers": {"X-Tenant": "env:WHO"}, "query": {"key": "env:SHOP"}}, "x-tenant", "ann"),
    ],
)
def test_a_connection_shows_who_asks(
    connection: dict[str, Any], header: str, value: str, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = {"connections": {"arn:aws:events:*:connection/shop/*": connection}}
    monkeypatch.setenv("OVERWINTER_MACHINE", json.dumps(table))
    monkeypatch.setenv("SHOP", "s3cret")
    monkeypatch.setenv("WHO", "ann")
    machine = calling(ApiEndpoint=server.url, Authentication={"ConnectionArn": ARN})
    asyncio.run(called(machine))
    assert server.seen[0].headers[header] == value
    assert ("key=s3cret" in server.seen[0].path) == ("query" in connection)
    monkeypatch.delenv("SHOP")
    error = asyncio.run(failed(machine))
    assert error.error == "Events.ConnectionResource.InvalidConnectionState" and "env:SHOP" in error.cause
    other = calling(ApiEndpoint=server.url, Authentication={"ConnectionArn": "arn:other"})
    assert "[machine.connections]" in asyncio.run(failed(other)).cause
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    ("arrays", "body"),
    [
        ("INDICES", "a%5B0%5D=1&a%5B1%5D%5Bk%5D=x+y&b%5Bc%5D=true"),
        ("BRACKETS", "a%5B%5D=1&a%5B%5D%5Bk%5D=x+y&b%5Bc%5D=true"),
        ("REPEAT", "a=1&a%5Bk%5D=x+y&b%5Bc%5D=true"),
        ("COMMAS", "a=1,%7B%22k%22%3A%22x+y%22%7D&b%5Bc%5D=true"),
    ],
)
def test_a_form(arrays: str, body: str) -> None:
    transform = {"RequestBodyEncoding": "URL_ENCODED", "RequestEncodingOptions": {"ArrayFormat": arrays}}
    given = {"ApiEndpoint": "https://a.example", "Method": "POST", "Transform": transform}
    made = request({**given, "RequestBody": {"a": [1, {"k": "x y"}], "b": {"c": True}}})
    assert made.body.decode() == body and made.headers["content-type"] == "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"ApiEndpoint": "ftp://a.example"}, "ApiEndpoint"),
        ({"ApiEndpoint": "https://ann:pw@a.example"}, "without a user"),
        ({"ApiEndpoint": "https://[a"}, "no URL"),
        ({"ApiEndpoint": "https://a.example/\r\nx: y"}, "ApiEndpoint"),
        ({"Method": "TRACE"}, "Method"),
        ({"Method": None}, "Method"),
        ({"Headers": {"Host": "b.example"}}, r"unsupported values: \[host\]"),
        ({"Headers": {"X-Amz-Date": "now"}}, "x-amz-date"),
        ({"Headers": {"a": "b\r\nc: d"}}, "can't be sent"),
        ({"Headers": {"a b": "c"}}, "name of a header"),
        ({"QueryParameters": 5}, "QueryParameters"),
        ({"Transform": {"RequestBodyEncoding": "XML"}}, "Transform"),
        ({"Transform": {"RequestBodyEncoding": "URL_ENCODED"}, "RequestBody": []}, "RequestBody"),
    ],
)
def test_what_can_not_be_sent_is_told_before(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(QueryError, match=said):
        request({"ApiEndpoint": "https://a.example", "Method": "GET", **wrong})


@pytest.mark.parametrize(
    ("url", "addresses", "said"),
    [
        ("http://a.example", [], "no https"),
        ("http://169.254.169.254/latest", [], "no https"),
        ("https://10.0.0.1", [], "not public"),
        ("https://[::ffff:10.0.0.1]", [], "not public"),
        ("https://[fd00::1]", [], "not public"),
        ("https://[64:ff9b::a9fe:a9fe]", [], "not public"),
        ("https://a.example", ["64:ff9b::a00:1"], "not public"),
        ("https://a.example", ["8.8.8.8", "127.0.0.1"], "not public"),
        ("https://a.example", ["fe80::1"], "not public"),
        ("https://224.0.0.1", [], "not public"),
        ("https://a.example", [], "no address"),
    ],
)
@on_a_loop
async def test_nothing_goes_inside(url: str, addresses: list[str], said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def looked_up(host: str, port: int) -> list[str]:
        return addresses

    monkeypatch.setattr(http_reach, "_looked_up", looked_up)
    with pytest.raises(StateFailed, match=said):
        await http_reach.address(url, frozenset())
    host = url.partition("://")[2].partition("/")[0]
    port = 443 if url.startswith("https:") else 80
    assert await http_reach.address(url, frozenset({f"{url.partition(':')[0]}://{host}:{port}"})) == ""


@on_a_loop
async def test_this_machine_is_reached_but_on_a_platform(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (await called(calling(ApiEndpoint=server.url)))["StatusCode"] == 200
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    assert "[machine.http]" in (await failed(calling(ApiEndpoint=server.url))).cause
    monkeypatch.setenv("OVERWINTER_MACHINE", json.dumps({"http": {"allow": [server.url]}}))
    assert (await called(calling(ApiEndpoint=server.url)))["StatusCode"] == 200
    assert len(server.seen) == 2


@on_a_loop
async def test_the_connection_goes_to_the_address_that_was_looked_at(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def address(url: str, allowed: frozenset[str]) -> str:
        return "127.0.0.1"

    monkeypatch.setattr(http_invoke, "address", address)
    port = server.url.rpartition(":")[2]
    await called(calling(ApiEndpoint=f"http://never.invalid:{port}/a"))
    assert server.seen[0].headers["host"] == f"never.invalid:{port}"


@on_a_loop
async def test_what_may_not_be_repeated_is_recorded_before_it_leaves(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def kinds(**given: Any) -> list[str]:
        machine = calling(ApiEndpoint=server.url, **given)
        async with Runtime([machine], "memory://") as runtime:
            await (await runtime.start(machine, id="x")).result(timeout=20)
            return [entry["type"] async for entry in runtime.entries("x")]

    assert "begun" in await kinds(Method="POST", RequestBody={"a": 1})
    assert "begun" not in await kinds(Method="PUT", RequestBody={"a": 1})
    assert "begun" not in await kinds(Method="POST", Headers={"Idempotency-Key": "mine"})
    assert "idempotency-key" not in server.seen[0].headers and server.seen[0].body == b'{"a":1}'
    assert server.seen[2].headers["idempotency-key"] == "mine"
    monkeypatch.setenv("OVERWINTER_MACHINE", json.dumps({"effects": {"http:invoke": "idempotent"}}))
    assert "begun" not in await kinds(Method="POST", RequestBody={"a": 1})
    first = server.seen[-1].headers["idempotency-key"]
    await kinds(Method="POST", RequestBody={"a": 1})
    assert server.seen[-1].headers["idempotency-key"] == first  # the same execution and operation


@on_a_loop
async def test_who_comes_after_a_crash_does_not_send_it_again(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    from overwinter.state.memory import MemoryStore

    arrived, never = asyncio.Event(), asyncio.Event()

    async def hangs(*_: Any, **named: Any) -> Any:
        arrived.set()
        await never.wait()

    store, machine = MemoryStore(), calling(ApiEndpoint=server.url, Method="POST")
    with monkeypatch.context() as patched:
        patched.setattr(http_invoke, "_asked", hangs)
        first = Runtime([machine], store)
        await first.__aenter__()
        await first.start(machine, id="x")
        await arrived.wait()
        await first.close(grace=0)
    async with Runtime([machine], store) as second:
        with pytest.raises(ExecutionFailed) as told:
            await second.result("x", timeout=20)
    cause = told.value.__cause__
    assert isinstance(cause, StateFailed) and cause.error == InDoubt.__name__
    assert not server.seen
