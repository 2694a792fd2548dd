"""The handshake of webhooks: who may deliver, how much, and what is called back where a sender says so."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any
from urllib.parse import SplitResult

import httpx
import pytest

from overwinter import InvalidInput
from overwinter.functions.http.handshake import Handshake, _post, from_environment  # the request itself, on a wire
from overwinter.functions.messages.problem import Refused

PUBLIC = "93.184.216.34"


class Net:
    """What is looked up, and what is called."""

    def __init__(self, addresses: Sequence[str] = (PUBLIC,), status: int | Exception = 200) -> None:
        self.addresses, self.status = addresses, status
        self.called: list[tuple[str, str, dict[str, str]]] = []

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        return self.addresses

    async def send(self, parts: SplitResult, address: str, granted: dict[str, str]) -> int:
        self.called.append((parts.geturl(), address, granted))
        if isinstance(self.status, Exception):
            raise self.status
        return self.status


def ask(handshake: Handshake, origin: str = "events.example.com", **more: str) -> dict[str, str]:
    given = {"webhook-request-origin": origin, **{f"webhook-request-{name}": value for name, value in more.items()}}
    headers = [(name.encode(), value.encode()) for name, value in given.items() if value]
    answer = asyncio.run(handshake.answer(headers))
    assert answer.status == 204
    return {name: value for name, value in answer.headers if name.startswith("webhook")}


def test_everybody_may_where_nobody_is_named() -> None:
    assert ask(Handshake()) == {"webhook-allowed-origin": "*", "webhook-allowed-rate": "*"}
    assert ask(Handshake(), rate="120") == {"webhook-allowed-origin": "*", "webhook-allowed-rate": "120"}
    assert ask(Handshake(), origin="") == {}


@pytest.mark.parametrize(
    ("origin", "granted"),
    [
        ("events.example.com", True),
        ("EVENTS.example.com", True),
        ("a.b.example.net", True),
        ("example.net", False),
        ("badexample.net", False),
        ("events.example.com.evil.example", False),
        ("x.events.example.com", False),
        ("*", False),
    ],
)
def test_those_that_are_named_may(origin: str, granted: bool) -> None:
    given = ask(Handshake(["events.example.com", "*.example.net"]), origin)
    assert given == ({"webhook-allowed-origin": origin, "webhook-allowed-rate": "*"} if granted else {})


@pytest.mark.parametrize(("asked", "given"), [("", "60"), ("30", "30"), ("120", "60"), ("9" * 30, "60")])
def test_no_more_is_promised_than_is_taken(asked: str, given: str) -> None:
    assert ask(Handshake(rate=60), rate=asked)["webhook-allowed-rate"] == given


@pytest.mark.parametrize("rate", ["0", "-1", "1.5", "many", "²"])
def test_a_rate_that_is_none(rate: str) -> None:
    with pytest.raises(Refused):
        asyncio.run(
            Handshake().answer([(b"webhook-request-origin", b"x"), (b"webhook-request-rate", rate.encode("latin-1"))])
        )


def test_more_than_was_agreed_on_is_sent_away_until_its_time() -> None:
    handshake = Handshake(rate=60)
    sender, other = [(b"webhook-request-origin", b"a.example")], [(b"webhook-request-origin", b"b.example")]
    for _ in range(60):
        handshake.admit(sender, 100.0)
    with pytest.raises(Refused) as refused:
        handshake.admit(sender, 100.0)
    assert (refused.value.status, refused.value.headers) == (429, (("retry-after", "1"),))
    handshake.admit(other, 100.0)
    handshake.admit([], 100.0)  # it has agreed on nothing
    handshake.admit(sender, 101.0)
    with pytest.raises(Refused):
        handshake.admit(sender, 101.0)
    for number in range(5000):
        handshake.admit([(b"webhook-request-origin", b"%d.example" % number)], 101.0)
    assert len(handshake._left) <= 1000


def test_a_callback_is_called_with_what_is_granted() -> None:
    net = Net()
    handshake = Handshake(["*.example.com"], rate=10, resolve=net.resolve, send=net.send)
    given = ask(handshake, callback="https://events.example.com/confirm?id=5", rate="120")
    assert given == {"webhook-allowed-origin": "events.example.com", "webhook-allowed-rate": "10"}
    assert net.called == [("https://events.example.com/confirm?id=5", PUBLIC, given)]


@pytest.mark.parametrize(
    "callback",
    [
        "http://events.example.com/confirm",
        "https://evil.example/confirm",
        "https://events.example.com.evil.example/",
        "https://events.example.com:8443/confirm",
        "https://events.example.com@evil.example/",
        "https://user:pass@events.example.com/",
        "https://events.example.com/#x",
        "https://[::1]/",
        "https://127.0.0.1/",
        "https://169.254.169.254/latest/meta-data",
        "file:///etc/passwd",
        "https://events.example.com:99999999/",
        "https://[",
        "//events.example.com/",
        "",
    ],
)
def test_a_callback_elsewhere_is_not_called_and_permission_stands_in_the_answer(callback: str) -> None:
    net = Net()
    handshake = Handshake(["events.example.com"], resolve=net.resolve, send=net.send)
    assert ask(handshake, callback=callback)["webhook-allowed-origin"] == "events.example.com"
    assert net.called == []


@pytest.mark.parametrize(
    "addresses",
    [["127.0.0.1"], ["10.0.0.1"], ["169.254.169.254"], ["::1"], ["fd00::1"], ["::ffff:127.0.0.1"],
     [PUBLIC, "192.168.1.1"], ["0.0.0.0"], ["100.64.0.1"], []],
)  # fmt: skip
def test_an_address_that_is_not_public_is_not_called(addresses: list[str]) -> None:
    net = Net(addresses)
    ask(Handshake(["events.example.com"], resolve=net.resolve, send=net.send), callback="https://events.example.com/")
    assert net.called == []
    allowed = Handshake(["events.example.com"], private=True, resolve=net.resolve, send=net.send)
    ask(allowed, callback="https://events.example.com/")
    assert len(net.called) == bool(addresses)


def test_nobody_is_called_where_nobody_is_named(caplog: pytest.LogCaptureFixture) -> None:
    """Else anybody could have this server ask for anything; who runs it can read the address and do it."""
    caplog.set_level(logging.INFO, "overwinter.http")
    net = Net()
    ask(Handshake(resolve=net.resolve, send=net.send), callback="https://events.example.com/confirm?code=s3cret")
    assert net.called == []
    assert "https://events.example.com/confirm" in caplog.text
    assert "s3cret" not in caplog.text


def test_a_callback_that_fails_changes_nothing() -> None:
    for status in (500, OSError("no way there")):
        net = Net(status=status)
        handshake = Handshake(["events.example.com"], resolve=net.resolve, send=net.send)
        assert ask(handshake, callback="https://events.example.com/")["webhook-allowed-origin"] == "events.example.com"
        assert len(net.called) == 1


def test_the_request_goes_to_the_address_that_was_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the name that it has, for its certificate; a redirect is not followed, what it says is not read."""
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(302, headers={"location": "https://127.0.0.1/"})

    made = httpx.AsyncClient

    def client(**options: Any) -> httpx.AsyncClient:
        return made(transport=httpx.MockTransport(answer), **options)

    monkeypatch.setattr(httpx, "AsyncClient", client)
    parts = SplitResult("https", "events.example.com", "/confirm", "id=5", "")
    assert asyncio.run(_post(parts, PUBLIC, {"webhook-allowed-rate": "5"})) == 302
    [request] = seen
    assert (request.method, str(request.url)) == ("POST", f"https://{PUBLIC}/confirm?id=5")
    assert request.headers["host"] == "events.example.com"
    assert request.extensions["sni_hostname"] == "events.example.com"
    assert request.headers["webhook-allowed-rate"] == "5"


def test_it_is_set_up_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OVERWINTER_WEBHOOK_ORIGINS", "a.example, *.b.example")
    monkeypatch.setenv("OVERWINTER_WEBHOOK_RATE", "5")
    assert ask(from_environment(), "x.b.example") == {
        "webhook-allowed-origin": "x.b.example", "webhook-allowed-rate": "5",
    }  # fmt: skip
    for name, value in (
        ("ORIGINS", "*"),
        ("ORIGINS", "https://a.example"),
        ("ORIGINS", " ,, "),
        ("RATE", "0"),
        ("RATE", "many"),
    ):
        with monkeypatch.context() as patch:
            patch.setenv(f"OVERWINTER_WEBHOOK_{name}", value)
            with pytest.raises(InvalidInput):
                from_environment()


def test_whoever_asks_for_two_origins_gets_none() -> None:
    twice = [(b"webhook-request-origin", b"a.example"), (b"webhook-request-origin", b"evil.example")]
    with pytest.raises(Refused, match="more than once"):
        asyncio.run(Handshake(["a.example"]).answer(twice))
    with pytest.raises(Refused, match="more than once"):
        Handshake(rate=1).admit(twice, 0)
