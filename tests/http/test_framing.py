"""Where a request begins and ends, and whom it is for, is never a matter of opinion: what two readers could take in two
ways is refused, and however the bytes are cut, the same is answered."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .conftest import opened
from .wire import HEALTH, TOKEN, Place, at_the_door, get, post

HELLO = post("/sessions/echo/c", b'{"content": "hi"}')
CHUNKED = (
    b"POST /sessions/echo/c HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    b'Transfer-Encoding: chunked\r\n\r\n11\r\n{"content": "hi"}\r\n0\r\n'
)


@pytest.mark.parametrize(
    "request_",
    [
        b"nonsense\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # a TLS client
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: elsewhere\r\n\r\n",
        b"GET http://elsewhere/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"CONNECT localhost:22 HTTP/1.1\r\nHost: localhost:22\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nA\x00: b\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nA: b\r\n c: folded\r\n\r\n",
        HELLO.replace(b"Content-Length: 17", b"Content-Length: 17\r\nContent-Length: 18"),
        HELLO.replace(b"Content-Length: 17", b"Content-Length: +17"),
        HELLO.replace(b"Content-Length: 17", b"Content-Length: 17, 17"),
        HELLO.replace(b"Content-Length: 17", b"Content-Length: 99999999999999999999999999"),
        HELLO.replace(b"Content-Length: 17", b"Content-Length: 17\r\nTransfer-Encoding: chunked"),
        CHUNKED.replace(b"chunked", b"chunked\r\nContent-Length: 17"),
        CHUNKED.replace(b": chunked", b": chunked, identity"),
        CHUNKED.replace(b"11\r\n", b"0x11\r\n"),
        CHUNKED.replace(b"11\r\n", b"fffffffffffffffff\r\n"),
        CHUNKED.replace(b"11\r\n", b"11 \r\n"),
        CHUNKED.replace(b'"}\r\n', b'"}x\r\n'),
    ],
)
def test_what_is_not_clear_is_refused_and_the_connection_ends(shop: Any, request_: bytes) -> None:
    async def main(place: Place) -> None:
        wire = await place.connect()
        await wire.send(request_)
        await wire.send(HEALTH)  # what comes behind it is not read as a request
        said = await wire.closed()
        assert said.startswith(b"HTTP/1.1 400 ") and said.count(b"HTTP/1.1 400 ") == 1 and b" 200 OK" not in said
        assert json.loads(said.partition(b"\r\n\r\n")[2])["status"] == 400

    at_the_door(shop, main)


@pytest.mark.parametrize("coded", ["gzip, chunked", "gzip", "xchunked"])
def test_a_transfer_coding_that_is_not_known_is_refused(shop: Any, coded: str) -> None:
    async def main(place: Place) -> None:
        wire = await place.connect()
        await wire.send(CHUNKED.replace(b": chunked", f": {coded}".encode()) + b"\r\n")
        assert (await wire.closed()).startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 501 "))  # the parser is first

    at_the_door(shop, main)


def test_trailers_change_nothing(shop: Any) -> None:
    async def main(place: Place) -> None:
        trailers = b"Prefer: respond-async\r\nIdempotency-Key: k\r\nContent-Type: text/plain\r\n\r\n"
        wire = await place.connect()
        for _ in range(2):
            answer = await wire.asks(CHUNKED + trailers)
            assert (answer.status, json.loads(answer.body)["result"]) == (200, "hi")
        stranger = await place.connect()
        await stranger.send(CHUNKED + f"Authorization: Bearer {TOKEN}\r\n\r\n".encode())
        assert (await stranger.answer()).status == 200
        event = CHUNKED.replace(b"/sessions/echo/c", b"/").replace(b"Content-Type", b"ce-id: 1\r\nContent-Type")
        refused = await place.asks(event + b"ce-source: /s\r\nce-type: t\r\nce-specversion: 1.0\r\n\r\n")
        assert refused.status == 400

    at_the_door(shop, main)


@pytest.mark.parametrize("protocol", ["h2c", "websocket", "nonsense"])
def test_no_other_protocol_is_spoken(shop: Any, protocol: str) -> None:
    upgrade = f"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: {protocol}\r\nHTTP2-Settings: AAMAAABkAAQAAP__"

    async def main(place: Place) -> None:
        wire = await place.connect()
        for _ in range(2):
            answer = await wire.asks(post("/sessions/echo/c", b'{"content": "hi"}', upgrade))
            assert (answer.status, json.loads(answer.body)["result"]) == (200, "hi")
            assert (await wire.asks(get("/healthz", upgrade))).status == 200
            assert (await wire.asks(CHUNKED.replace(b"Host", f"{upgrade}\r\nHost".encode()) + b"\r\n")).status == 200

    at_the_door(shop, main)


def test_old_and_long_forms_are_served(shop: Any) -> None:
    async def main(place: Place) -> None:
        assert (await place.asks(b"GET http://localhost/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")).status == 200
        wire = await place.connect()
        assert (
            await wire.asks(b"GET /healthz HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n")
        ).status == 200
        assert await wire.closed() == b""
        assert (await place.asks(b"GET /healthz HTTP/1.0\r\n\r\n")).status == 403  # no Host that is this machine

    at_the_door(shop, main)


def test_however_the_bytes_are_cut_the_same_is_answered() -> None:
    asked = HELLO + CHUNKED + b"\r\n" + HEALTH + post("/", b"{", kind="application/cloudevents+json") + HELLO

    @settings(max_examples=20, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
    @given(cuts=st.sets(st.integers(1, len(asked) - 1), max_size=60))
    def cut(cuts: set[int]) -> None:
        places = [0, *sorted(cuts), len(asked)]
        pieces = [asked[a:b] for a, b in pairwise(places)]

        async def main(place: Place) -> None:
            wire = await place.connect()
            await wire.send(*pieces)
            assert [(await wire.answer()).status for _ in range(5)] == [200, 200, 200, 400, 200]

        at_the_door(opened, main)

    cut()


def test_whatever_is_sent_there_is_an_answer_or_an_end() -> None:
    seeds = st.sampled_from([HELLO, CHUNKED + b"\r\n", HEALTH])
    edits = st.lists(st.tuples(st.integers(0, 200), st.binary(max_size=6), st.integers(0, 4)), max_size=4)

    @settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
    @given(seed=seeds, edits=edits)
    def sent(seed: bytes, edits: list[tuple[int, bytes, int]]) -> None:
        text = bytearray(seed)
        for at, new, old in edits:
            text[at : at + old] = new

        async def main(place: Place) -> None:
            wire = await place.connect()
            await wire.send(bytes(text) + b"\r\n\r\n")
            wire.writer.write_eof()
            said = await wire.closed()
            assert b"HTTP/1.1 5" not in said
            assert (await place.asks(HEALTH)).status == 200
            assert place.door.numbers()["connections"] in (0, 1)

        at_the_door(opened, main)

    sent()


@pytest.mark.parametrize("spelled", ["%ff", "%fe", "a%c3", "%c3%28", "%ed%a0%80", "a/%ff/b"])
def test_a_path_that_is_no_text_is_refused(shop: Any, spelled: str) -> None:
    async def main(place: Place) -> None:
        for asked in (get(f"/executions/{spelled}"), post(f"/sessions/echo/{spelled}", b'{"content": "hi"}')):
            answer = await place.asks(asked)
            assert (answer.status, answer.headers["content-type"]) == (400, "application/problem+json")
        assert json.loads((await place.asks(get("/executions"))).body)["executions"] == []
        told = await place.asks(post("/sessions/echo/%e2%82%ac%20", b'{"content": "hi"}'))
        assert told.status == 422  # the text is readable, and no id

    at_the_door(shop, main)


def test_a_query_has_a_bound(shop: Any) -> None:
    async def main(place: Place) -> None:
        query = "&".join(f"a{n}=1" for n in range(150))
        assert (await place.asks(get(f"/executions?{query}"))).status == 400
        assert (await place.asks(get(f"/executions?access_token={TOKEN}&{query}"))).status == 400

    at_the_door(shop, main)
